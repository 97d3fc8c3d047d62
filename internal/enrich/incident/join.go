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
	if !x.weak {
		found, _ := e.holderOf(x.key, nil, x, a, level)
		return found
	}
	var found *group
	for at := level; at <= pb.UrgencyLevel_URGENCY_LEVEL_PAGE; at++ {
		g, more := e.holderOf(x.key.at(at), found, x, a, level)
		if more {
			return nil // not known which
		}
		if found = g; found != nil && !x.sole {
			break
		}
	}
	return found
}

// holderOf is the first group under a key that takes the alert, unless one was found already. Of
// a sole tie it is known whether there is another.
func (e *Engine) holderOf(k key, found *group, x *tie, a *alert.Alert, level pb.UrgencyLevel) (g *group, more bool) {
	h := e.index[k]
	for i := -1; i < len(h.more); i++ {
		g := h.first
		if i >= 0 {
			g = h.more[i]
		}
		switch {
		case g == nil || g == found || !g.takes(a, level, x.weak, &e.options):
		case found == nil:
			found = g
		case x.sole:
			return nil, true
		}
		if found != nil && !x.sole {
			break
		}
	}
	return found, false
}

// takes reports whether a group may take an alert that is tied to it.
func (g *group) takes(a *alert.Alert, level pb.UrgencyLevel, weak bool, o *Options) bool {
	first, last := min(g.firstEvent, a.Nanos), max(g.lastEvent, a.Nanos)
	if last-first > int64(o.MaxAge) || g.firstEvent-first > int64(o.Idle) || last-g.lastEvent > int64(o.Idle) {
		return false
	}
	if weak && level > g.level {
		return false
	}
	if g.ruleAt(a.Rule) >= 0 {
		return true
	}
	// What is new must not drown in a flood: by a weak tie never, by a strong one not if it is
	// more urgent.
	return len(g.rules) < maxRules && (!g.flood || !weak && level <= g.level)
}

// register enters the ties of an alert, by which its group is found from now on.
func (e *Engine) register(g *group, t *ties) {
	for i := range t.all() {
		x := &t.list[i]
		switch {
		case x.kind == tieEvent:
			e.registerEvent(g, x.key)
		case x.keep && x.weak:
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
		return "the same command line in the same container"
	case tieCommandParentOf:
		return "its command line is that of the parent in an earlier alert, in the same container"
	case tieCommandChildOf:
		return "the command line of its parent is that of an earlier alert, in the same container"
	case tieCommandSibling:
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
