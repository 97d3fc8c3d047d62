package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// The keys of the state. Behind them stand the order of the group, the place of the rule and the
// number of the part, as fits.
const (
	statePrefix    = "incident/"
	keyCounters    = statePrefix + "clock"
	keyGroup       = statePrefix + "group/"
	keyTargets     = statePrefix + "targets/"
	keyRegisters   = statePrefix + "registers/"
	stateVersion   = 1
	inlineTargets  = 16  // of a rule, in the state of the group itself
	targetsPerPart = 128 // of the others, in each part of their own: only the last part changes
)

// counters is the state that is of no group.
type counters struct {
	clock            int64
	arrivals, opened uint64
}

// Changed is what must be kept of the state since the last call: some hundred bytes for a group,
// 2 KiB more for a rule with more than 1000 targets.
func (e *Engine) Changed() []journal.State {
	var out []journal.State
	if now := (counters{e.clock, e.arrivals, e.opened}); now != e.told {
		var w encoder
		w.uint(stateVersion)
		w.int(now.clock)
		w.uint(now.arrivals)
		w.uint(now.opened)
		out = append(out, journal.State{Key: keyCounters, Data: w.buf})
		e.told = now
	}
	for _, key := range e.deleted {
		out = append(out, journal.State{Key: key})
	}
	for _, g := range e.changed {
		g.noted = 0
		out = g.changed(out)
	}
	clear(e.changed)
	e.deleted, e.changed = nil, e.changed[:0]
	return out
}

// changed adds the state of the group.
func (g *group) changed(out []journal.State) []journal.State {
	if len(g.kept) == 0 {
		g.kept = append(g.kept, keyGroup+hex(g.order))
	}
	out = append(out, journal.State{Key: g.kept[0], Data: g.encode()})
	for i := range g.rules {
		out = g.changedTargets(out, i)
	}
	return out
}

// changedTargets adds what is not in the state yet of a rule's targets.
func (g *group) changedTargets(out []journal.State, rule int) []journal.State {
	s := &g.rules[rule].targets
	under := hex(g.order) + "/" + strconv.Itoa(rule)
	if s.registers != nil {
		parts := keyTargets + under + "/"
		g.kept = slices.DeleteFunc(g.kept, func(key string) bool {
			if !strings.HasPrefix(key, parts) {
				return false
			}
			out = append(out, journal.State{Key: key})
			return true
		})
		if s.stale {
			out = append(out, journal.State{Key: g.keep(keyRegisters + under), Data: slices.Clone(s.registers)})
			s.stale = false
		}
		return out
	}
	for part := max(s.saved-inlineTargets, 0) / targetsPerPart; s.saved < len(s.exact); part++ {
		from := inlineTargets + part*targetsPerPart
		if from >= len(s.exact) {
			break
		}
		to := min(from+targetsPerPart, len(s.exact))
		var w encoder
		w.hashes(s.exact[from:to])
		out = append(out, journal.State{Key: g.keep(keyTargets + under + "/" + strconv.Itoa(part)), Data: w.buf})
		s.saved = to
	}
	return out
}

// keep notes that there is state under a key, to be deleted with the group.
func (g *group) keep(key string) string {
	if !slices.Contains(g.kept, key) {
		g.kept = append(g.kept, key)
	}
	return key
}

// hex is a number in a form that sorts.
func hex(n uint64) string {
	s := strconv.FormatUint(n, 16)
	return "0000000000000000"[len(s):] + s
}

// encode is the group but for its reports and most of its targets: at most 26 KiB, since names
// have at most alert.MaxNameBytes.
func (g *group) encode() []byte {
	w := encoder{buf: make([]byte, 0, 256+len(g.rules)*160+len(g.tellings)*40+len(g.keys)*len(key{}))}
	for _, n := range [...]uint64{stateVersion, g.order, uint64(g.revision), g.total, g.told, g.arrival, g.replaced} {
		w.uint(n)
	}
	for _, n := range [...]int64{g.firstEvent, g.lastEvent, g.firstSeen, g.lastSeen, g.minute} {
		w.int(n)
	}
	for _, n := range [...]int{g.immediate, g.next, int(g.level), g.inMinute, g.lost, g.cost} {
		w.count(n)
	}
	w.bool(g.flood)
	w.id(g.id)
	w.text(g.host)
	w.hash(g.users)
	w.hash(g.paths)
	w.count(len(g.keys))
	for _, k := range g.keys {
		w.bytes(k[:])
	}
	w.bool(g.hasEvent)
	w.bytes(g.event[:])
	w.count(len(g.rules))
	for i := range g.rules {
		g.rules[i].encode(&w)
	}
	w.count(len(g.tellings))
	for i := range g.tellings {
		t := &g.tellings[i]
		w.id(t.id)
		w.uint(t.number)
		w.uint(uint64(t.reason.kind))
		w.uint(uint64(t.reason.level))
		w.bool(t.sample)
	}
	return w.buf
}

func (c *ruleCount) encode(w *encoder) {
	w.text(c.name)
	w.text(c.priority)
	w.uint(c.count)
	w.int(c.first)
	w.int(c.last)
	w.id(c.lastID)
	w.uint(uint64(c.outcomes))
	w.hash(c.targets.exact[:min(len(c.targets.exact), inlineTargets)])
}

// decodeGroup reads what encode wrote. Its tellings have no reports yet. Names are bounded once
// more: a version before this one did not.
func decodeGroup(data []byte) (*group, error) {
	d := decoder{buf: data}
	if d.uint() != stateVersion {
		return nil, errState
	}
	g := &group{order: d.uint(), revision: uint32(d.uint()), total: d.uint(), told: d.uint(), arrival: d.uint(), replaced: d.uint()} //nolint:gosec // as written
	for _, n := range [...]*int64{&g.firstEvent, &g.lastEvent, &g.firstSeen, &g.lastSeen, &g.minute} {
		*n = d.int()
	}
	level := 0
	for _, n := range [...]*int{&g.immediate, &g.next, &level, &g.inMinute, &g.lost, &g.cost} {
		*n = int(d.uint()) //nolint:gosec // as written
	}
	g.level = pb.UrgencyLevel(level)
	g.flood, g.id, g.host, g.users, g.paths = d.bool(), d.id(), alert.BoundName(d.text()), d.hash(), d.hash()
	for range d.count(len(key{})) {
		g.keys = append(g.keys, key(d.bytes(len(key{}))))
	}
	g.hasEvent, g.event = d.bool(), key(d.bytes(len(key{})))
	for range d.count(1) {
		g.rules = append(g.rules, decodeRule(&d))
	}
	for range d.count(1) {
		t := telling{id: d.id(), number: d.uint()}
		t.reason = reason{tieKind(d.uint()), uint8(d.uint())} //nolint:gosec // as written
		t.sample = d.bool()
		g.tellings = append(g.tellings, t)
	}
	if d.err != nil || len(d.buf) > 0 || len(g.rules) == 0 {
		return nil, errState
	}
	return g, nil
}

func decodeRule(d *decoder) ruleCount {
	c := ruleCount{name: alert.BoundName(d.text()), priority: d.text(), count: d.uint(), first: d.int(), last: d.int(), lastID: d.id(), outcomes: uint8(d.uint())} //nolint:gosec // as written
	for _, h := range d.hash() {
		c.targets.add(h)
	}
	return c
}

// Restore takes up state as Changed gave it out, all of it, in an Engine that has none, made
// with the same Options. Lookup finds an alert again, with its report; where one is gone, the
// account goes on without it and says so. What Changed did not give out is left alone.
func (e *Engine) Restore(states []journal.State, lookup func(alert.ID) (*alert.Alert, *pb.Report, bool)) error {
	groups := make(map[string]*group)
	for _, s := range states {
		var err error
		switch {
		case s.Key == keyCounters:
			err = e.restoreCounters(s.Data)
		case strings.HasPrefix(s.Key, keyGroup):
			var g *group
			if g, err = decodeGroup(s.Data); err == nil {
				g.kept = []string{s.Key}
				groups[strings.TrimPrefix(s.Key, keyGroup)] = g
			}
		}
		if err != nil {
			return fmt.Errorf("restore %q: %w", s.Key, err)
		}
	}
	orphans, err := restoreTargets(groups, states)
	if err != nil {
		return err
	}
	e.deleted = append(e.deleted, orphans...)
	all := make([]*group, 0, len(groups))
	for _, g := range groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(x, y *group) int { return cmp.Compare(x.arrival, y.arrival) })
	for _, g := range all {
		e.restoreGroup(g, lookup)
	}
	return nil
}

func (e *Engine) restoreCounters(data []byte) error {
	d := decoder{buf: data}
	if d.uint() != stateVersion {
		return errState
	}
	e.clock, e.arrivals, e.opened = d.int(), d.uint(), d.uint()
	e.told = counters{e.clock, e.arrivals, e.opened}
	return d.err
}

// targetPart is a part of the targets of a rule.
type targetPart struct {
	number int
	state  journal.State
}

// restoreTargets adds the targets that have state of their own. Orphans are the keys of those
// whose group was not kept: the journal takes no state that is too large.
func restoreTargets(groups map[string]*group, states []journal.State) (orphans []string, err error) {
	parts := make(map[*sketch][]targetPart)
	for _, s := range states {
		rest, isPart := strings.CutPrefix(s.Key, keyTargets)
		if !isPart {
			var isRegisters bool
			if rest, isRegisters = strings.CutPrefix(s.Key, keyRegisters); !isRegisters {
				continue
			}
		}
		order, rest, _ := strings.Cut(rest, "/")
		rule, number, _ := strings.Cut(rest, "/")
		g := groups[order]
		if g == nil {
			orphans = append(orphans, s.Key)
			continue
		}
		at, err := strconv.Atoi(rule)
		if err != nil || at < 0 || at >= len(g.rules) {
			return nil, fmt.Errorf("restore %q: %w", s.Key, errState)
		}
		g.kept = append(g.kept, s.Key)
		targets := &g.rules[at].targets
		if isPart {
			n, err := strconv.Atoi(number)
			if err != nil {
				return nil, fmt.Errorf("restore %q: %w", s.Key, errState)
			}
			parts[targets] = append(parts[targets], targetPart{n, s})
			continue
		}
		if len(s.Data) != registerCount {
			return nil, fmt.Errorf("restore %q: %w", s.Key, errState)
		}
		targets.registers = slices.Clone(s.Data)
	}
	for targets, list := range parts {
		slices.SortFunc(list, func(x, y targetPart) int { return cmp.Compare(x.number, y.number) })
		for _, p := range list {
			d := decoder{buf: p.state.Data}
			for len(d.buf) > 0 {
				targets.add(d.fixed())
			}
			if d.err != nil {
				return nil, fmt.Errorf("restore %q: %w", p.state.Key, d.err)
			}
		}
		targets.saved = len(targets.exact)
	}
	return orphans, nil
}

// restoreGroup takes up a group, with the reports of its tellings.
func (e *Engine) restoreGroup(g *group, lookup func(alert.ID) (*alert.Alert, *pb.Report, bool)) {
	cost, tellings := g.cost, g.tellings
	g.tellings = nil
	for _, t := range tellings {
		a, r, ok := lookup(t.id)
		if !ok {
			g.lost++
			continue
		}
		g.tell(a, e.silenced(a, r), t)
	}
	g.cost, g.asked = cost, g.asks()
	for _, k := range g.keys {
		e.index.add(k, g)
	}
	if g.hasEvent {
		e.index.add(g.event, g)
	}
	e.insert(g)
}
