package proctable

import (
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
)

// Estimates of what things take, in bytes, with the overhead of the allocator.
const (
	processCost = 320 // with its place in the map, one link and one state
	linkCost    = 48
	stateCost   = 56
	imageCost   = 192 // without its texts
)

// Options say how a table is kept.
type Options struct {
	// Bytes bounds the memory, as estimated.
	Bytes int64
	// Source reads processes.
	Source Source
	// Now is the time: nanoseconds of CLOCK_BOOTTIME.
	Now func() int64
}

// Stats count.
type Stats struct {
	Processes int   // that are kept
	Bytes     int64 // that they take, as estimated
	Evicted   uint64
	Unkept    uint64 // processes that there was no room for
}

// Table is the processes of a host. See the package's text.
type Table struct {
	source Source
	now    func() int64
	max    int64

	byPID  map[int32]*process // the newest of each pid
	live   list
	ended  list // in the order in which their ends were noted
	serial uint64

	bytes           int64
	evicted, unkept uint64

	// covered is whether events come; passed is the time before which all of them have.
	covered bool
	passed  int64
	// filling is whether the table is being read from /proc, since fillBegan.
	filling    bool
	fillBegan  int64
	unkeptThen uint64 // what unkept was then
	// punctual counts alerts of execs in a row that came when the exec did.
	punctual int
	// complete is the time since which every process has been in the table.
	complete int64
}

// New makes an empty table.
func New(o Options) *Table {
	return &Table{source: o.Source, now: o.Now, max: o.Bytes, byPID: make(map[int32]*process), complete: forever}
}

// Stats counts what is in the table.
func (t *Table) Stats() Stats {
	return Stats{Processes: t.live.n + t.ended.n, Bytes: t.bytes, Evicted: t.evicted, Unkept: t.unkept}
}

// Covered reports whether the table follows the kernel's events without a gap.
func (t *Table) Covered() bool { return t.covered }

// current is the process that has a pid, nil if none is known to.
func (t *Table) current(pid int32) *process {
	if p := t.byPID[pid]; p != nil && !p.gone {
		return p
	}
	return nil
}

// resolve is the process with a pid and a serial, nil if it has left.
func (t *Table) resolve(pid int32, serial uint64) *process {
	for p := t.byPID[pid]; p != nil; p = p.older {
		if p.serial == serial {
			return p
		}
	}
	return nil
}

// insert adds a process that is alive, as the newest of its pid. It is false, and nothing is
// added, where there is no room.
func (t *Table) insert(p *process) bool {
	p.size = processCost
	for i := range p.states {
		t.hold(p.states[i].img)
	}
	if !t.makeRoom(p.size) {
		for i := range p.states {
			t.drop(p.states[i].img)
		}
		t.unkept++
		// Somebody has this pid who is not here: nothing before now can be excluded any more.
		t.complete = forever
		return false
	}
	t.serial++
	p.serial = t.serial
	if p.older = t.byPID[p.pid]; p.older != nil {
		p.older.newer = p
	}
	t.byPID[p.pid] = p
	t.live.add(p)
	t.bytes += p.size
	return true
}

// makeRoom lets processes that have ended leave until there is room for so many bytes more.
func (t *Table) makeRoom(more int64) bool {
	for t.bytes+more > t.max {
		oldest := t.ended.first
		if oldest == nil {
			return false
		}
		t.evict(oldest)
	}
	return true
}

// evict removes a process that has ended.
func (t *Table) evict(p *process) {
	t.ended.remove(p)
	if p.older != nil {
		p.older.newer = p.newer
	}
	switch {
	case p.newer != nil:
		p.newer.older = p.older
	case p.older != nil:
		t.byPID[p.pid] = p.older
	default:
		delete(t.byPID, p.pid)
	}
	p.older, p.newer = nil, nil
	t.bytes -= p.size
	for i := range p.states {
		t.drop(p.states[i].img)
	}
	t.evicted++
	if t.complete != forever {
		t.complete = max(t.complete, p.noted+1) // whatever until says, it had ended by then
	}
}

// end notes that a process is over, and when it was last certain to live; forever stands for
// when events last told that it did.
func (t *Table) end(p *process, until int64) {
	p.gone, p.leaderGone, p.noted = true, false, t.now()
	if until == forever {
		until = t.passed
	}
	p.until = max(min(p.until, until), p.start)
	t.live.remove(p)
	t.ended.add(p)
}

// hold counts one more state that has an image; the first pays for it.
func (t *Table) hold(i *image) {
	if i == nil {
		return
	}
	if i.refs == 0 {
		i.size = imageCost + int64(len(i.name)+len(i.exe)+len(i.line)+len(i.cgroup.Container)+len(i.cgroup.Unit)+len(i.cgroup.Session))
		t.bytes += i.size
	}
	i.refs++
}

// drop counts one state less.
func (t *Table) drop(i *image) {
	if i == nil {
		return
	}
	if i.refs--; i.refs == 0 {
		t.bytes -= i.size
	}
}

// imageOf makes an image of what was read in [began, ended].
func imageOf(p procfs.Process, began, ended int64) *image {
	return &image{
		began: began, ended: ended,
		name: p.Name, exe: p.ExePath, line: p.CommandLine, args: p.Arguments, hasLine: p.HasCommandLine,
		cgroup: p.Cgroup, namespacePID: p.NamespacePID, kernel: p.Kernel, exec: p.Exec,
	}
}

// push begins a new state of a process.
func (t *Table) push(p *process, s state) {
	s.until = forever
	p.last().until = min(p.last().until, s.from)
	t.hold(s.img)
	p.states = append(p.states, s)
	t.charge(p, stateCost+int64(len(s.name)))
	if len(p.states) > maxStates {
		// The first tells where it came from; what came right after is the least missed.
		t.forget(p, 1)
	}
	for t.bytes > t.max && !t.makeRoom(0) {
		if len(p.states) == 1 {
			t.drop(p.states[0].img)
			p.states[0].img, p.states[0].renamed = nil, false
			break
		}
		t.forget(p, 0)
	}
}

// charge makes a process pay for more memory, or less.
func (t *Table) charge(p *process, bytes int64) {
	p.size += bytes
	t.bytes += bytes
}

// forget removes a state of a process.
func (t *Table) forget(p *process, i int) {
	s := p.states[i]
	p.forgot = true
	t.drop(s.img)
	t.charge(p, -stateCost-int64(len(s.name)))
	p.states = append(p.states[:i], p.states[i+1:]...)
}

// Full reports whether a process had to be left out, so that nothing can be excluded until the
// table is filled again.
func (t *Table) Full() bool { return t.complete == forever }
