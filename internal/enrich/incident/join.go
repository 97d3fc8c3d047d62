package incident

import (
	"slices"
	"strconv"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// reason is why an alert belongs to a group.
type reason struct {
	kind  tieKind
	level uint8
}

// find is the group that takes the alert by its strongest tie, nil if none does.
func (e *Engine) find(a *alert.Alert, t *ties) (*group, reason) {
	for i := range t.all() {
		x := &t.list[i]
		if !x.find {
			continue
		}
		if g := e.holder(x, a, t.level); g != nil {
			return g, reason{x.kind, x.level}
		}
	}
	return nil, reason{}
}

// holder is the first group with a tie that takes the alert; of a sole tie, the only one. Among
// the groups with a weak tie, those come first that have it from alerts as urgent as this one.
func (e *Engine) holder(x *tie, a *alert.Alert, level pb.UrgencyLevel) *group {
	if x.strength > weak {
		return e.holderOf(x.key, x, a, level)
	}
	for at := level; at <= pb.UrgencyLevel_URGENCY_LEVEL_PAGE; at++ {
		if g := e.holderOf(x.key.at(at), x, a, level); g != nil {
			return g
		}
	}
	return nil
}

// holderOf is the first group under a key that takes the alert; of a sole tie, the only one.
func (e *Engine) holderOf(k key, x *tie, a *alert.Alert, level pb.UrgencyLevel) *group {
	h := e.index[k]
	var found *group
	for i := -1; i < len(h.more); i++ {
		g := h.first
		if i >= 0 {
			g = h.more[i]
		}
		switch {
		case g == nil || !g.takes(a, level, x.strength, &e.options):
		case !x.sole:
			return g
		case found != nil:
			return nil // not known which
		default:
			found = g
		}
	}
	return found
}

// takes reports whether a group may take an alert that is tied to it.
func (g *group) takes(a *alert.Alert, level pb.UrgencyLevel, s strength, o *Options) bool {
	first, last := min(g.firstEvent, a.Nanos), max(g.lastEvent, a.Nanos)
	if last-first > int64(o.MaxAge) || g.firstEvent-first > int64(o.Idle) || last-g.lastEvent > int64(o.Idle) {
		return false
	}
	known := g.ruleAt(a.Rule) >= 0
	switch {
	case known && level <= g.level:
		return true
	case !known && len(g.rules) >= maxRules:
		return false
	}
	// What is new or more urgent must not drown in a flood.
	switch s {
	case ofOneEvent:
		return true
	case strong:
		return !g.drowns(o)
	case weak:
		return !g.flood && level <= g.level
	}
	return false
}

// drowns reports whether in the flood of one rule another would be lost. A flood of many rules
// with a few alerts each is an attack that is better told as one.
func (g *group) drowns(o *Options) bool {
	return g.flood && slices.ContainsFunc(g.rules, func(c ruleCount) bool { return c.count > uint64(o.FloodPerMinute) }) //nolint:gosec // positive
}

// register enters the ties of an alert, by which its group is found from now on.
func (e *Engine) register(g *group, t *ties) {
	for i := range t.all() {
		x := &t.list[i]
		switch {
		case x.kind == tieEvent:
			e.registerEvent(g, x.key)
		case x.keep && x.strength == weak:
			e.keep(g, x.key.at(t.level))
		case x.keep:
			e.keep(g, x.key)
		}
	}
}

// registerEvent lets a group be found by its newest event alone: rules that match one event
// give their alerts one after the other.
func (e *Engine) registerEvent(g *group, k key) {
	if g.hasEvent {
		if g.event == k {
			return
		}
		e.index.remove(g.event, g)
	}
	g.event = k
	g.hasEvent = e.enter(k, g)
}

// enter adds a group to the index; a group that makes way for it forgets the key.
func (e *Engine) enter(k key, g *group) bool {
	added, displaced := e.index.add(k, g)
	if displaced == nil {
		return added
	}
	if displaced.hasEvent && displaced.event == k {
		displaced.hasEvent = false
	}
	displaced.keys = slices.DeleteFunc(displaced.keys, func(x key) bool { return x == k })
	e.note(displaced)
	return added
}

// Bounds of the keys by which a group is found. Those of its first alerts stay; of the others
// the oldest makes way.
const (
	maxKeys   = 64
	fixedKeys = 16
)

func (e *Engine) keep(g *group, k key) {
	if !e.enter(k, g) {
		return
	}
	if len(g.keys) < maxKeys {
		g.keys = append(g.keys, k)
		return
	}
	at := fixedKeys + int(g.replaced%(maxKeys-fixedKeys))
	g.replaced++
	e.index.remove(g.keys[at], g)
	g.keys[at] = k
}

// text says why an alert with this report belongs to its incident.
func (w reason) text(r *pb.Report, otherRule bool) string {
	p := r.GetProcess()
	switch w.kind {
	case tieFirst:
		return ""
	case tieEvent:
		if otherRule {
			return "the same event under another rule"
		}
		return "the same event"
	case tieProcess:
		return "the same process (pid " + strconv.FormatInt(p.GetPid(), 10) + ")"
	case tieParentOf:
		return "its process (pid " + strconv.FormatInt(p.GetPid(), 10) + ") is the parent of one that made an earlier alert"
	case tieChildOf:
		return "its " + w.ancestor(r) + " is a process of this incident"
	case tieSibling:
		return "the same " + w.ancestor(r)
	case tieCommand:
		if containerID(r) == "" {
			return "the same command line and parent, " + loginPlace(r)
		}
		return "the same command line in the same container"
	case tieCommandParentOf:
		return "its command line is that of the parent in an earlier alert, " + commandPlace(r)
	case tieCommandChildOf:
		return "the command line of its parent is that of an earlier alert, " + commandPlace(r)
	case tieCommandSibling:
		if containerID(r) == "" {
			return "the same command line of the parent, " + loginPlace(r)
		}
		return "the same command line of the parent in the same container"
	case tieEntered:
		return "its parent has the name of the one shell that entered the container"
	case tieSession:
		return "the same session (" + strconv.FormatInt(p.GetSession().GetId(), 10) + ") in the same container"
	case tieTerminal:
		return "the same terminal (" + phrase.Visible(phrase.Shorten(p.GetTerminal())) + ") in the same container"
	case tieNotice:
		return "the same notice of the same host"
	case tieKindOf:
		return w.circumstances(r)
	}
	return ""
}

// commandPlace is where processes are told apart by their command lines.
func commandPlace(r *pb.Report) string {
	if containerID(r) == "" {
		return loginPlace(r)
	}
	return "in the same container"
}

// loginPlace is what processes of the host have in common that are told apart by their command
// lines.
func loginPlace(r *pb.Report) string {
	login, terminal := loginText(r) != "", r.GetProcess().GetHasTerminal()
	switch {
	case login && terminal:
		return "with the same login user and terminal on the host"
	case login:
		return "with the same login user and no terminal on the host"
	case terminal:
		return "with no login user and the same terminal on the host"
	default:
		return "with no login user and no terminal on the host"
	}
}

func (w reason) ancestor(r *pb.Report) string {
	word := "ancestor"
	if w.level == 0 {
		word = "parent"
	}
	if int(w.level) >= len(r.GetAncestry()) {
		return word
	}
	anc := r.GetAncestry()[w.level]
	return word + " " + phrase.Quote(anc.GetName()) + " (pid " + strconv.FormatInt(anc.GetPid(), 10) + ")"
}

func (w reason) circumstances(r *pb.Report) string {
	switch {
	case r.GetKubernetes().GetRequest() != nil:
		return "the same rule, user, client and verb"
	case r.GetSource() != "" && r.GetSource() != "syscall":
		return "the same rule and user"
	case r.GetProcess().GetName() == "":
		return "the same rule and folder; the process is not known"
	case containerID(r) != "":
		return "the same rule, user, container and program"
	case r.GetContainer().GetImageRepository() != "":
		return "the same rule, image, user and program"
	default:
		return "the same rule, user and program"
	}
}
