package proctable

import (
	"fmt"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
)

// maxLevels bounds how far up a chain is followed.
const maxLevels = 64

// Hint is what an alert says of a process; zero where it does not.
type Hint struct {
	PID   int32
	Start int64 // when the thread started that the alert is of, or, if read from /proc, its tick
	Name  string
}

// Query asks for the process of an alert and those above it.
type Query struct {
	// Hint is what the alert says of the process, with its PID at least.
	Hint
	// At is the time of the event.
	At int64
	// By is a time by which the event had happened for certain, whatever the clocks: when its
	// alert had arrived.
	By int64
	// Exec is whether the event is a successful exec by the process.
	Exec bool
	// Parents are what the alert says of those above, nearest first.
	Parents []Hint
}

// View is what is known of a process at the time of an event.
type View struct {
	PID          int32
	Start        int64 // exact, or to the tick
	Exact        bool
	NamespacePID int32
	Name         string
	ExePath      string
	CommandLine  string
	Cgroup       procfs.Cgroup
	UID          uint32
	HasUID       bool
	Ended        bool // it is known to have ended by now
	Events       bool // it is known from events, or was followed by them since it was read
}

// Chain is a process and those above it, as they were at the time of an event.
type Chain struct {
	// Process is the process itself.
	Process View
	// Ancestors are those above it, nearest first, without a gap.
	Ancestors []View
	// Complete is whether they go up to pid 1 and the name of each is known.
	Complete bool
	// Notes say what must be known to read the chain, and why it ends where it does.
	Notes []string
	// Again is whether more would be known once all events up to now have been applied.
	Again bool
	// Prompt is whether the alert is of an exec that is known to have come right then.
	Prompt bool
	// Unread is whether it was found without a pid, and nothing was read of what it ran.
	Unread bool
}

// Find looks for the process of an alert and those above it. It returns nil where the process
// is not certain; why then says the reason if there is more to it than that it is not there.
func (t *Table) Find(q Query) (c *Chain, why string) {
	p, why := t.holder(q)
	if p == nil {
		return nil, why
	}
	return t.chain(p, q), ""
}

// holder is the process that had a pid at the time of an event, nil if that is not certain.
func (t *Table) holder(q Query) (p *process, why string) {
	if q.PID <= 0 || q.Start > q.At+Slack {
		return nil, ""
	}
	for h := t.byPID[q.PID]; h != nil; h = h.older {
		if !t.could(h, q) {
			continue
		}
		if p != nil {
			return nil, "two processes could be meant by its pid, so that neither is taken"
		}
		p = h
	}
	if p == nil || !t.inside(p, q) && (t.complete == forever || q.At-Slack < t.complete || q.At > t.passed) {
		return nil, ""
	}
	if !p.hadName(q.Name) && !t.hasParent(p, q) {
		return nil, "the process known by its pid has another name, and is not taken for it"
	}
	if q.Exec && !t.ran(p, q.At) {
		return nil, "the process known by its pid did not run a program at that time, and is not taken for it"
	}
	if q.Exec {
		t.learn(p, q.At)
	}
	return p, ""
}

// lastMoment is the end of the span in which a process is certain to have lived.
func (t *Table) lastMoment(p *process) int64 {
	if p.until == forever {
		return t.passed
	}
	return p.until
}

// could reports whether a process can be the one that is asked for, as far as times tell.
func (t *Table) could(p *process, q Query) bool {
	if q.At < p.start-Slack || q.At > t.lastMoment(p)+Slack {
		return false
	}
	// Falco has the start of what was there before it from /proc: in ticks.
	return q.Start == 0 || q.Start >= p.start-max(Slack, procfs.Tick) && q.Start <= t.lastMoment(p)+Slack
}

// inside reports whether a moment is so far within the life of a process that no other can
// have had its pid, whatever the clocks.
func (t *Table) inside(p *process, q Query) bool {
	if q.At < p.startsBefore()+Slack {
		return false
	}
	end := t.lastMoment(p)
	return q.At <= end-Slack || !p.gone && q.At <= end && q.By != 0 && q.By <= end
}

// hadName reports whether a process ever had a name, or may have had.
func (p *process) hadName(name string) bool {
	if name == "" || p.forgot {
		return true
	}
	for i := range p.states {
		if s := p.states[i].called(); s == "" || s == name {
			return true
		}
	}
	return false
}

// hasParent reports whether the alert's start and parent both agree with the process: it may
// then speak of a thread that has a name of its own.
func (t *Table) hasParent(p *process, q Query) bool {
	if q.Start == 0 || len(q.Parents) == 0 || q.Parents[0].PID == 0 {
		return false
	}
	parent, _, _ := t.parentAt(p, q.At, q.Parents[0].PID)
	return parent != nil && parent.hadName(q.Parents[0].Name)
}

// execReport bounds the time between an exec and its event in Falco: 1 s, far more than the
// microseconds that it takes unless the machine is overloaded.
const execReport = 1_000_000_000

// ran reports whether a process began to run a program shortly before a time, or may have.
func (t *Table) ran(p *process, at int64) bool {
	if t.complete == forever || t.complete > at-execReport {
		return true
	}
	for i := range p.states {
		s := &p.states[i]
		if s.exec && s.from <= at+Slack && s.from >= at-execReport {
			return true
		}
	}
	return p.forgot
}

// chain follows the parents of a process up.
func (t *Table) chain(p *process, q Query) *Chain {
	c := &Chain{Complete: true, Prompt: q.Exec && p.ranPromptly(q.At)}
	c.Process = t.view(p, q.At, q.Name, c)
	for level := 1; p.pid != 1; level++ {
		var hint Hint
		if level <= len(q.Parents) {
			hint = q.Parents[level-1]
		}
		if level > maxLevels {
			return c.stop("")
		}
		parent, note, again := t.parentAt(p, q.At, hint.PID)
		c.Again = c.Again || again
		if parent == nil {
			return c.stop(note)
		}
		if note != "" {
			c.Notes = append(c.Notes, note)
		}
		if hint.Start != 0 && (hint.Start < parent.start-max(Slack, procfs.Tick) || hint.Start > q.At+Slack) {
			return c.stop(fmt.Sprintf("The parent of pid %d cannot have started when the alert says: the process table's pid %d is not taken for it, nor is what is above that.", p.pid, parent.pid))
		}
		if hint.PID != 0 && hint.PID != parent.pid {
			return c.stop(fmt.Sprintf("The parent of pid %d is pid %d according to the alert, and pid %d according to the process table; the alert is followed.", p.pid, hint.PID, parent.pid))
		}
		v := t.view(parent, q.At, hint.Name, c)
		if v.Name == "" {
			c.Complete = false
		}
		c.Ancestors = append(c.Ancestors, v)
		p = parent
	}
	return c
}

// stop ends a chain that does not reach pid 1.
func (c *Chain) stop(note string) *Chain {
	c.Complete = false
	if note != "" {
		c.Notes = append(c.Notes, note)
	}
	return c
}

// parentAt is the parent of a process at a time; nil, with a note that says why if there is
// anything to say, where that is not certain. The pid that the alert gives for it, if any,
// decides between two that are.
func (t *Table) parentAt(p *process, at int64, hint int32) (parent *process, note string, again bool) {
	t.askForParent(p, at)
	for i := range p.links {
		l := &p.links[i]
		candidate := t.resolve(l.pid, l.serial)
		if candidate == nil {
			continue
		}
		sure, pending := t.linked(p, i, candidate, at)
		again = again || pending
		told := hint != 0 && hint == l.pid && at <= t.lastMoment(candidate)+Slack && at >= candidate.startsBefore()
		if sure || told && !pending {
			return candidate, t.reparented(p, i), again
		}
	}
	l := &p.links[len(p.links)-1]
	switch {
	case l.pid == 0:
		note = fmt.Sprintf("The parent of pid %d is the kernel.", p.pid)
	case t.resolve(l.pid, l.serial) == nil:
		note = fmt.Sprintf("Of the parent of pid %d nothing is known any more, or it was never seen.", p.pid)
	default:
		note = fmt.Sprintf("Who was the parent of pid %d at that time is not certain.", p.pid)
	}
	return nil, note, again
}

// linked reports whether a link was the parent at a time. It is pending where that will be
// known once more events have been applied.
func (t *Table) linked(p *process, i int, parent *process, at int64) (sure, pending bool) {
	l := &p.links[i]
	if l.read > t.lastMoment(p) {
		return false, p.until == forever // it was read of this process only if that still lived
	}
	if parent.exact && parent.start > l.from {
		return false, false
	}
	end := min(l.until, t.lastMoment(parent))
	if l.until != forever || parent.gone {
		end -= edge // its end is stamped a little later than it comes
	} else if parent.until == forever {
		end = t.passed
	}
	if at > end {
		return false, false
	}
	switch {
	case at >= l.from, p.exact && l.from == p.start && at >= l.from-Slack:
		return true, false
	case l.read == 0 || at < l.since+edge:
		return false, false
	case l.read > t.passed:
		return false, true
	default:
		return i > 0 && t.reachesBack(p.links[i-1], l), false
	}
}

// reachesBack reports whether a parent of which the kernel told later took the orphan over when
// the parent before it ended: nobody who stood between the two has ended since, so that nobody
// can have had it in between.
func (t *Table) reachesBack(before link, now *link) bool {
	x := t.resolve(before.pid, before.serial)
	for range maxLevels {
		if x == nil {
			return false
		}
		if x.pid == 1 {
			return true // the new parent is no ancestor: the first process of a pid namespace
		}
		var up *link
		for i := range x.links {
			if l := &x.links[i]; l.from <= now.since {
				up = l
			}
		}
		if up == nil {
			return false
		}
		if up.pid == now.pid && up.serial == now.serial {
			return true
		}
		if x = t.resolve(up.pid, up.serial); x == nil || x.gone && (!x.told || x.until <= now.read+edge) {
			return false
		}
	}
	return false
}

// askForParent asks /proc for the new parent of a process whose parent had ended before a time.
func (t *Table) askForParent(p *process, at int64) {
	l := &p.links[len(p.links)-1]
	if !t.covered || p.until != forever {
		return
	}
	if old := t.resolve(l.pid, l.serial); old != nil && old.gone && at > old.until-edge {
		t.Look(p.pid)
	}
}

// reparented is the note that a process did not have this parent from the beginning.
func (t *Table) reparented(p *process, i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("Pid %d was taken over by pid %d when its parent, pid %d, had ended.", p.pid, p.links[i].pid, p.links[i-1].pid)
}

// view is what is known of a process at a time. A name from the alert helps where two images
// are too near in time.
func (t *Table) view(p *process, at int64, hint string, c *Chain) View {
	v := View{PID: p.pid, Start: p.start, Exact: p.exact, Ended: p.gone, Events: p.exact || p.until == forever}
	s, again := t.stateAt(p, at, hint)
	c.Again = c.Again || again
	if s == nil {
		return v
	}
	v.Name, v.UID, v.HasUID = s.called(), s.uid, s.hasUID
	if s.img != nil {
		v.ExePath, v.CommandLine, v.Cgroup, v.NamespacePID = s.img.exe, s.img.line, s.img.cgroup, s.img.namespacePID
	}
	return v
}

// stateAt is what a process was at a time, nil where that is not certain: where nothing is known
// of that moment, or two states are so near that the hint must decide and does not.
func (t *Table) stateAt(p *process, at int64, hint string) (found *state, again bool) {
	sure := false
	for i := range p.states {
		s := &p.states[i]
		end := t.stateEnd(p, s)
		inside := at <= end && (at >= s.from || p.exact && s.from == p.start && at >= s.from-Slack)
		if !inside && (at > end+edge || at < s.from-edge) {
			continue
		}
		sure = sure || inside
		if s.img != nil && s.img.ended > t.passed && t.covered {
			return nil, true // an event on its way may say that this was another's
		}
		switch {
		case found == nil:
			found = s
		case isOnly(hint, found, s):
		case isOnly(hint, s, found):
			found = s
		case found.img == s.img && found.called() == s.called() && found.uid == s.uid:
			found = s
		default:
			return nil, false
		}
	}
	if !sure {
		return nil, false
	}
	return found, false
}

// isOnly reports whether a name is that of one state, and certain not to be that of another.
func isOnly(name string, of, not *state) bool {
	return name != "" && of.called() == name && not.called() != "" && not.called() != name
}

// stateEnd is the last moment for which a state is certain.
func (t *Table) stateEnd(p *process, s *state) int64 {
	if s.until == forever {
		return t.lastMoment(p)
	}
	return s.until
}
