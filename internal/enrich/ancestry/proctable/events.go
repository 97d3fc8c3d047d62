package proctable

import (
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
)

// Apply takes in an event. Its Time must have been converted to CLOCK_BOOTTIME, and events
// must come in the order in which the kernel sent them, without a gap since BeginFill.
func (t *Table) Apply(e procevent.Event) {
	if !t.covered && !t.filling {
		return // after a loss, until the table is filled again
	}
	switch e.Kind {
	case procevent.Fork:
		if e.TID == e.PID {
			t.fork(e)
		} else if p := t.current(e.PID); p != nil {
			p.threaded = true
			if e.Time > p.seen {
				p.threads++
			}
		}
	case procevent.Exec:
		t.exec(e)
	case procevent.Exit:
		t.exit(e)
	case procevent.Comm:
		t.rename(e)
	case procevent.UID:
		t.setUser(e)
	default:
	}
}

// Passed says that all events from before a time have been applied.
func (t *Table) Passed(at int64) { t.passed = max(t.passed, at) }

// Lost says that events were lost. From now on, nothing is certain of any process but what was
// known by then.
func (t *Table) Lost() {
	if !t.covered && !t.filling {
		return
	}
	t.covered, t.filling, t.complete = false, false, forever
	for p := t.live.first; p != nil; p = p.next {
		t.suspend(p)
		t.unconfirm(p)
	}
	for p := t.ended.last; p != nil && p.noted >= t.passed; p = p.prev {
		t.unconfirm(p)
	}
}

// unconfirm gives up what was read of a process since events have been lost: what they would
// have said of it is not known.
func (t *Table) unconfirm(p *process) {
	if p.found != 0 && p.exact && p.seen > t.passed {
		p.unborn()
	}
	for i := range p.states {
		if img := p.states[i].img; img != nil && img.ended > t.passed {
			img.forget()
		}
	}
	for i := range p.links {
		if l := &p.links[i]; l.read > t.passed {
			l.since = l.read
		}
	}
}

// suspend ends what is certain of a living process with the last event that came.
func (t *Table) suspend(p *process) {
	p.until = min(p.until, max(t.passed, p.seen))
	if s := p.last(); s.until == forever {
		s.until = max(t.passed, s.from)
	}
	if l := &p.links[len(p.links)-1]; l.until == forever {
		l.until = max(t.passed, l.from)
	}
	p.owesExit = false
}

// fork takes in a new process.
func (t *Table) fork(e procevent.Event) {
	old := t.byPID[e.PID]
	if old != nil && e.Time <= old.seen {
		// From before /proc showed this process: its own fork, or that of one before it.
		old.born(e)
		return
	}
	p := &process{pid: e.PID, start: e.Time, exact: true, tick: e.Time / procfs.Tick, seen: e.Time, until: forever, threads: 1}
	if old != nil && !old.gone {
		p.owesExit = !old.leaderGone && !old.refused
		t.end(old, e.Time)
		old.told = true
	}
	if old != nil {
		old.disown(e.Time)
	}
	p.states = []state{{from: e.Time, until: forever}}
	p.links = []link{{pid: e.Parent, from: e.Time, until: forever}}
	if parent := t.parentOf(e); parent != nil {
		s := parent.last()
		p.links[0].serial = parent.serial
		if s.from <= e.Time {
			p.states[0] = *s
			p.states[0].from, p.states[0].until, p.states[0].exec = e.Time, forever, false
		}
	}
	t.insert(p)
}

// parentOf is the process that made a new one. One that is not in the table, since there was no
// room for it, is looked for in /proc.
func (t *Table) parentOf(e procevent.Event) *process {
	if t.current(e.Parent) == nil {
		t.Look(e.Parent)
	}
	if p := t.current(e.Parent); p != nil && p.startsBefore() <= e.Time {
		return p
	}
	return nil
}

// born makes the start of a process exact that was read from /proc before the event of its
// fork came. Other events from before that reading are not taken in: they may be of a process
// that had its pid in the same tick before it, and so may this one, which then is taken back.
func (p *process) born(e procevent.Event) {
	if !p.gone && !p.exact && e.Time <= p.found && near(e.Time/procfs.Tick, p.tick) {
		p.start, p.exact = e.Time, true
	}
}

// near reports whether a tick that was made of an event can be that of the same process in
// /proc: the event comes a little later than the start.
func near(event, proc int64) bool { return event-proc >= 0 && event-proc <= 2 }

// disown gives up what was read of a process at a time when its pid may have been another's.
func (p *process) disown(at int64) {
	for i := range p.states {
		if img := p.states[i].img; img != nil && img.owner == p.serial && img.ended >= at-forkTime {
			img.forget()
		}
	}
}

// exec takes in that a process runs another program.
func (t *Table) exec(e procevent.Event) {
	p := t.current(e.PID)
	if p == nil {
		t.Look(e.PID)
		return
	}
	if e.Time <= p.found {
		return
	}
	p.threads, p.leaderGone = 1, false // exec ends all other threads
	s := p.last()
	if s.img != nil && e.Time <= s.img.began && s.img.owner == p.serial {
		// What is known was read after this exec.
		if e.Time <= s.from {
			s.from, s.exec, s.img.execAt = e.Time, true, e.Time
			return
		}
		img := *s.img
		img.refs, img.execAt = 0, e.Time
		s.img.forget() // those who inherited it were made before this exec
		s.renamed = false
		t.push(p, state{from: e.Time, exec: true, img: &img, uid: s.uid, hasUID: s.hasUID})
		return
	}
	next := state{from: e.Time, exec: true, uid: s.uid, hasUID: s.hasUID}
	t.readImage(p, &next)
	if next.img != nil {
		next.img.execAt = e.Time
	}
	for i := range p.states {
		if img := p.states[i].img; img != nil && img.owner == p.serial {
			img.doubt(next.img, e.Time)
		}
	}
	t.push(p, next)
}

// doubt gives up what was read of an image so late that it may have been the next one's. What
// differs from the next was not.
func (i *image) doubt(next *image, at int64) {
	if i.ended < at-execTime {
		return
	}
	if next == nil {
		i.forget()
		return
	}
	if i.name == next.name {
		i.name = ""
	}
	if i.exe == next.exe {
		i.exe = ""
	}
	if i.line == next.line {
		i.line, i.args, i.hasLine = "", 0, false
	}
}

// forget gives up what was read.
func (i *image) forget() {
	i.name, i.exe, i.line, i.args, i.hasLine, i.cgroup, i.namespacePID = "", "", "", 0, false, procfs.Cgroup{}, 0
}

// readImage reads what a process is now into a state, unless that cannot be read, or is
// another's. Its user is known from events already, if its parent's was.
func (t *Table) readImage(p *process, into *state) {
	began := t.now()
	got, err := t.source.Read(p.pid)
	ended := t.now()
	if err != nil || !p.isThe(got) {
		return
	}
	if !into.hasUID {
		into.uid, into.hasUID = got.UID, got.HasUID
	}
	into.img = imageOf(got, began, ended)
	into.img.owner = p.serial
}

// isThe reports whether what /proc tells is of this process, as far as the start can tell.
func (p *process) isThe(got procfs.Process) bool {
	if p.exact {
		return near(p.tick, got.StartTick)
	}
	return p.tick == got.StartTick
}

// exit takes in the end of a thread or process.
func (t *Table) exit(e procevent.Event) {
	p := t.byPID[e.PID]
	if p == nil || p.gone {
		return
	}
	if e.TID != e.PID {
		if e.Time > p.seen {
			p.threads--
		}
		if p.leaderGone && (p.threads <= 0 || !t.alive(p)) {
			t.end(p, e.Time)
			p.told = true
		}
		return
	}
	if p.owesExit && e.Time <= p.start+2*edge {
		p.owesExit = false
		if p.older != nil && p.older.told {
			p.older.until = max(min(p.older.until, e.Time), p.older.start)
		}
		return
	}
	if p.isAnothers(e) {
		if p.exact && p.found != 0 {
			p.unborn() // so was the fork that seemed to be its own
		}
		p.refused = true
		return
	}
	if p.isDoubtful(e) && t.alive(p) {
		// It is not known whether this one lives, or yet another that began in the same tick.
		p.until, p.refused = min(p.until, e.Time), true
		return
	}
	t.adopted(p, e)
	if p.threads > 1 && t.alive(p) {
		p.leaderGone = true
		return
	}
	t.end(p, e.Time)
	p.told = true
}

// isAnothers reports whether an exit event is that of a process before this one, which had its
// pid: /proc showed this one alive later, or it had not begun.
func (p *process) isAnothers(e procevent.Event) bool {
	if p.leaderGone {
		return false
	}
	return p.exact && e.Time < p.start || p.seen > p.start && e.Time <= p.seen
}

// isDoubtful reports whether an exit event comes so soon after the fork, or after a reading of
// /proc, that it may still be that of the process before: it is stamped a little after the end.
func (p *process) isDoubtful(e procevent.Event) bool {
	return e.Time <= max(p.start, p.seen)+edge && !p.leaderGone
}

// unborn takes back that the start of a process is known exactly.
func (p *process) unborn() { p.exact, p.start = false, p.tick*procfs.Tick }

// alive asks /proc whether threads of a process are left whose first has ended.
func (t *Table) alive(p *process) bool {
	got, err := t.source.Stat(p.pid)
	return err == nil && p.isThe(got) && (!got.Zombie || got.Threads > 1)
}

// adopted notes who took a process over whose parent ended before it: its exit event names the
// parent at the end.
func (t *Table) adopted(p *process, e procevent.Event) {
	if e.Parent == 0 || e.Parent == p.links[len(p.links)-1].pid {
		return
	}
	t.relink(p, t.current(e.Parent), e.Time)
}

// relink notes a new parent, of which the kernel told at a time.
func (t *Table) relink(p, parent *process, told int64) {
	if parent == nil || parent.startsBefore() > told || len(p.links) >= maxLinks || !t.makeRoom(linkCost) {
		return
	}
	t.charge(p, linkCost)
	since := told
	l := &p.links[len(p.links)-1]
	if old := t.resolve(l.pid, l.serial); old != nil && old.told && old.until >= l.from {
		since = min(told, old.until)
	}
	l.until = min(l.until, since)
	p.links = append(p.links, link{pid: parent.pid, serial: parent.serial, from: told, read: told, since: since, until: forever})
}

// rename takes in that a process gave itself a name.
func (t *Table) rename(e procevent.Event) {
	p := t.current(e.PID)
	if p == nil || e.TID != e.PID || e.Time <= p.found {
		return
	}
	s := p.last()
	if e.Time <= s.from {
		return // it was read with this name already
	}
	if s.img != nil && s.img.owner == p.serial && !s.renamed && s.img.ended >= e.Time-edge {
		s.img.name = "" // it may have been read after this
	}
	next := *s
	next.from, next.exec, next.name, next.renamed = e.Time, false, e.Name, true
	t.push(p, next)
}

// setUser takes in that a process changed its user.
func (t *Table) setUser(e procevent.Event) {
	p := t.current(e.PID)
	if p == nil || e.TID != e.PID || e.Time <= p.found {
		return
	}
	s := p.last()
	if s.hasUID && s.uid == e.UID || e.Time <= s.from {
		return
	}
	next := *s
	next.from, next.exec, next.uid, next.hasUID = e.Time, false, e.UID, true
	t.push(p, next)
}
