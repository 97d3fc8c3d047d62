package proctable_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// truth is a process as it really was.
type truth struct {
	pid, uid int32
	start    int64 // when it could first run
	visible  int64 // when /proc first showed it
	end      int64 // 0 while it lives
	reaper   bool  // takes over the orphans below it
	parents  []parentSince
	names    []nameSince
	execs    uint64 // counts the execs of all
	ran      int64  // when it last ran a program
	shown    shown
}

// shown is what /proc shows of a process: it can overwrite its arguments, and its file be moved.
type shown struct{ args, exe string }

type parentSince struct {
	from   int64
	parent *truth
}

type nameSince struct {
	from       int64
	name, args string
	called     string // by the exec, before it renamed itself
	exec       bool
}

func (p *truth) parentAt(at int64) *truth {
	var out *truth
	for _, x := range p.parents {
		if x.from <= at {
			out = x.parent
		}
	}
	return out
}

func (p *truth) nameAt(at int64) nameSince {
	var out nameSince
	for _, x := range p.names {
		if x.from <= at {
			out = x
		}
	}
	return out
}

// model is a host with few pids, which are given again all the time: the truth, and the kernel
// that tells of it in events, some late, some lost, and in /proc.
type model struct {
	t      *rapid.T
	now    int64
	live   map[int32]*truth
	all    []*truth
	queue  []procevent.Event
	table  *proctable.Table
	events bool
	lost   bool // the kernel throws events away
	holes  bool // some reads of /proc fail
	made   int
}

const (
	pids  = 12
	micro = int64(1000)
)

func newModel(t *rapid.T, bytes int64) *model {
	m := &model{t: t, now: 1e12, live: make(map[int32]*truth)}
	m.table = proctable.New(proctable.Options{Bytes: bytes, Source: m, Now: func() int64 { m.now += micro; return m.now }})
	first := &truth{pid: 1, start: 1e9, visible: 1e9, reaper: true, parents: []parentSince{{0, nil}}, names: []nameSince{{0, "init", "1", "init", false}}, shown: shown{"1", "/bin/init"}}
	m.live[1], m.all = first, []*truth{first}
	return m
}

// Read is /proc now.
func (m *model) Read(pid int32) (procfs.Process, error) {
	p := m.live[pid]
	if p == nil || p.visible > m.now || m.holes && rapid.IntRange(0, 5).Draw(m.t, "hole") == 0 {
		return procfs.Process{}, procfs.ErrGone
	}
	n := p.names[len(p.names)-1]
	parent := int32(0)
	if up := p.parents[len(p.parents)-1].parent; up != nil {
		parent = up.pid
	}
	line := "argv0 " + p.shown.args
	return procfs.Process{
		PID: pid, Parent: parent, StartTick: p.visible / procfs.Tick, Threads: 1, Name: n.name, ExePath: p.shown.exe,
		CommandLine: line, Arguments: len("argv0 "), HasCommandLine: true, HasUID: true, UID: uint32(p.uid), Exec: p.execs,
	}, nil
}

// Stat is the same, and fails only where there is no such process.
func (m *model) Stat(pid int32) (procfs.Process, error) {
	holes := m.holes
	defer func() { m.holes = holes }()
	m.holes = false
	return m.Read(pid)
}

// pass lets time go by: microseconds mostly, now and then many ticks.
func (m *model) pass() {
	switch rapid.IntRange(0, 9).Draw(m.t, "pace") {
	case 0:
		m.now += rapid.Int64Range(1, 40).Draw(m.t, "ms") * 1000 * micro
	default:
		m.now += rapid.Int64Range(1, 900).Draw(m.t, "us") * micro
	}
}

func (m *model) pick() *truth {
	var ids []int32
	for pid := int32(1); pid <= pids; pid++ {
		if m.live[pid] != nil {
			ids = append(ids, pid)
		}
	}
	return m.live[rapid.SampledFrom(ids).Draw(m.t, "who")]
}

// send queues an event, stamped a little after what it tells of.
func (m *model) send(e procevent.Event) {
	m.now += rapid.Int64Range(0, 30).Draw(m.t, "delay") * micro
	e.Time, e.TID = m.now, e.PID
	if m.lost {
		return
	}
	m.queue = append(m.queue, e)
}

func (m *model) newName() (name, args string) {
	m.made++
	name = rapid.SampledFrom([]string{"sh", "curl", "nc"}).Draw(m.t, "name")
	if rapid.Bool().Draw(m.t, "unique") {
		return name, fmt.Sprint(m.made)
	}
	return name, "-c x"
}

func (m *model) fork() {
	var free []int32
	for pid := int32(2); pid <= pids; pid++ {
		if m.live[pid] == nil {
			free = append(free, pid)
		}
	}
	if len(free) == 0 {
		return
	}
	parent := m.pick()
	n := parent.nameAt(m.now)
	p := &truth{
		pid: rapid.SampledFrom(free).Draw(m.t, "pid"), visible: m.now, uid: parent.uid,
		reaper:  rapid.IntRange(0, 6).Draw(m.t, "reaper") == 0,
		parents: []parentSince{{0, parent}}, names: []nameSince{{0, n.name, n.args, n.called, false}}, shown: parent.shown, ran: parent.ran,
	}
	m.live[p.pid] = p
	m.all = append(m.all, p)
	m.send(procevent.Event{Kind: procevent.Fork, PID: p.pid, Parent: parent.pid})
	p.start = m.now
}

func (m *model) exec() {
	p := m.pick()
	if p.pid == 1 {
		return
	}
	name, args := m.newName()
	p.names = append(p.names, nameSince{m.now, name, args, name, true})
	p.execs = uint64(m.made)
	p.shown = shown{args, "/bin/" + name}
	m.send(procevent.Event{Kind: procevent.Exec, PID: p.pid})
	p.ran = m.now
}

// disguise makes a process overwrite its arguments, or its file be replaced: not at once after
// it began to run.
func (m *model) disguise() {
	p := m.pick()
	if m.now <= p.ran+2*1000*micro {
		return
	}
	if rapid.Bool().Draw(m.t, "file") {
		p.shown.exe = "/bin/moved"
	} else {
		p.shown.args = rapid.SampledFrom([]string{overwritten, "-c x"}).Draw(m.t, "args")
	}
}

// overwritten are arguments that no process was started with.
const overwritten = "xxxxx"

func (m *model) rename() {
	p := m.pick()
	n := p.nameAt(m.now)
	m.made++
	// Without events, a name that is given up again before anybody looks is not seen.
	n.from, n.name = m.now, fmt.Sprint("name", m.made)
	if m.events {
		n.name = rapid.SampledFrom([]string{"sh", "curl", "nc", "x"}).Draw(m.t, "name")
	}
	p.names = append(p.names, n)
	m.send(procevent.Event{Kind: procevent.Comm, PID: p.pid, Name: n.name})
}

func (m *model) exit() {
	p := m.pick()
	if p.pid == 1 {
		return
	}
	p.end = m.now
	delete(m.live, p.pid)
	up := p.parentAt(m.now)
	heir := up
	for !heir.reaper {
		heir = heir.parentAt(m.now)
	}
	for _, c := range m.live {
		if c.parentAt(m.now) == p {
			c.parents = append(c.parents, parentSince{m.now, heir})
		}
	}
	if rapid.IntRange(0, 3).Draw(m.t, "late") == 0 {
		m.fork() // the pid is free before its exit is told, and may be given again at once
	}
	m.send(procevent.Event{Kind: procevent.Exit, PID: p.pid, Parent: up.pid})
}

// apply takes events in; all of them, or some.
func (m *model) apply(all bool) {
	for len(m.queue) > 0 && (all || rapid.Bool().Draw(m.t, "apply")) {
		m.table.Apply(m.queue[0])
		m.queue = m.queue[1:]
	}
	if len(m.queue) == 0 && !m.lost {
		m.now += micro
		m.table.Passed(m.now)
	}
}

// lose makes the kernel throw events away from now on.
func (m *model) lose() { m.lost = true }

// fill is what follows when the loss is noticed.
func (m *model) fill(events bool) {
	m.queue = nil
	m.table.Lost()
	m.now += micro
	m.lost, m.events = !events, events
	m.table.BeginFill(events)
	holes := m.holes
	m.holes = false
	for pid := int32(1); pid <= pids; pid++ {
		m.table.Look(pid)
		if events && rapid.IntRange(0, 3).Draw(m.t, "meanwhile") == 0 {
			m.pass()
			m.step()
		}
	}
	m.holes = holes
	m.table.EndFill()
}

func (m *model) step() {
	switch rapid.IntRange(0, 11).Draw(m.t, "step") {
	case 10, 11:
		m.disguise()
	case 0, 1, 2:
		m.fork()
	case 3, 4, 5:
		m.exec()
	case 6, 7, 8:
		m.exit()
	default:
		m.rename()
	}
}

// ask makes an alert of a process that was there at some time, and returns it and its process.
func (m *model) ask() (proctable.Query, *truth) {
	recent := m.all[max(0, len(m.all)-40):]
	p := rapid.SampledFrom(recent).Draw(m.t, "alert")
	end := p.end
	if end == 0 {
		end = m.now
	}
	at := end
	if end > p.start {
		at = rapid.Int64Range(max(p.start, end-60_000*micro), end).Draw(m.t, "at")
	}
	q := proctable.Query{Hint: proctable.Hint{PID: p.pid}, At: at}
	if rapid.Bool().Draw(m.t, "with start") {
		q.Start = rapid.Int64Range(p.start, at).Draw(m.t, "start")
	}
	if rapid.Bool().Draw(m.t, "with name") {
		q.Name = p.nameAt(at).name
	}
	if rapid.Bool().Draw(m.t, "with parents") {
		for up := p.parentAt(at); up != nil && len(q.Parents) < 3; up = up.parentAt(at) {
			q.Parents = append(q.Parents, proctable.Hint{PID: up.pid, Name: up.nameAt(at).name})
		}
	}
	return q, p
}

// describe makes an alert of the same process without a pid: of one of its execs, if that is
// asked for and it had one, and with the name of its last exec or of now, as Falco may have it.
func (m *model) describe(q proctable.Query, p *truth) proctable.Description {
	n := p.nameAt(q.At)
	d := proctable.Description{At: q.At, Parents: q.Parents}
	if rapid.Bool().Draw(m.t, "of an exec") {
		for i, ran := range p.names {
			if !ran.exec {
				continue
			}
			n, d.Exec, d.Parents = ran, true, nil
			d.At = min(ran.from+rapid.Int64Range(0, 60).Draw(m.t, "late")*micro, m.now)
			if i+1 < len(p.names) {
				d.At = min(d.At, p.names[i+1].from-1) // the alert's time is before the program runs
			}
		}
	}
	d.Name = n.called
	if !d.Exec && (rapid.Bool().Draw(m.t, "renamed") || p.nameAt(d.At-30*micro) != n) {
		d.Name = n.name
	}
	d.CommandLine, d.ExePath = d.Name+" "+n.args, "/bin/"+n.called
	for i := range d.Parents {
		d.Parents[i].PID = 0
	}
	return d
}

// wrong says what of a chain is not as it was, empty if nothing.
func wrong(c *proctable.Chain, p *truth, at int64) string {
	if w := wrongView(c.Process, p, at); w != "" {
		return "the process: " + w
	}
	for i, v := range c.Ancestors {
		if p = p.parentAt(at); p == nil {
			return fmt.Sprintf("level %d is too much", i+1)
		}
		if w := wrongView(v, p, at); w != "" {
			return fmt.Sprintf("level %d: %s", i+1, w)
		}
	}
	if c.Complete && p.pid != 1 {
		return "complete, and does not reach pid 1"
	}
	return ""
}

func wrongView(v proctable.View, p *truth, at int64) string {
	n := p.nameAt(at)
	switch {
	case v.PID != p.pid:
		return fmt.Sprintf("pid %d; want %d", v.PID, p.pid)
	case v.Exact && v.Start != p.start, !v.Exact && v.Start != p.visible/procfs.Tick*procfs.Tick:
		return fmt.Sprintf("start %d; want %d (pid %d)", v.Start, p.start, p.pid)
	case v.Name != "" && v.Name != n.name:
		return fmt.Sprintf("name %s; want %s (pid %d)", v.Name, n.name, p.pid)
	case v.CommandLine != "" && !slices.Contains([]string{n.args, overwritten, "-c x"}, strings.TrimPrefix(v.CommandLine, "argv0 ")):
		return fmt.Sprintf("command %s; want %s (pid %d)", v.CommandLine, n.args, p.pid)
	default:
		return ""
	}
}
