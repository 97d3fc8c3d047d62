package proctable

import (
	"slices"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
)

// BeginFill begins to read the table from /proc. With covered, every event from now on will be
// applied. Look must then be called for every process that there is, and EndFill last.
func (t *Table) BeginFill(covered bool) {
	for p := t.live.first; p != nil; p = p.next {
		t.suspend(p) // does nothing after a loss
	}
	t.covered, t.complete = false, forever
	t.filling, t.fillBegan, t.unkeptThen = covered, t.now(), t.unkept
}

// EndFill says that /proc has been read. What it did not show has ended.
func (t *Table) EndFill() {
	for p := t.live.first; p != nil; {
		next := p.next
		if p.seen < t.fillBegan {
			t.end(p, p.until)
		} else {
			t.resolveLinks(p)
		}
		p = next
	}
	if t.filling {
		t.filling, t.covered = false, true
		if t.unkept == t.unkeptThen {
			t.complete = t.now()
		}
	}
}

// resolveLinks finds the parents of what was read before they were.
func (t *Table) resolveLinks(p *process) {
	l := &p.links[len(p.links)-1]
	if l.serial != 0 || l.pid == 0 {
		return
	}
	// A parent that began later than the reading is another that has its pid now.
	if parent := t.current(l.pid); parent != nil && parent.startsBefore() <= l.from {
		l.serial = parent.serial
	}
}

// Look reads one process from /proc now and takes in what it shows.
func (t *Table) Look(pid int32) {
	began := t.now()
	got, err := t.source.Read(pid)
	ended := t.now()
	if err == nil && got.PID > 0 {
		t.observe(got, began, ended)
	}
}

// LookUp reads a process and all above it, as far as they were not read since a time.
func (t *Table) LookUp(pid int32, since int64) {
	var seen []*process
	for range maxLevels {
		p := t.current(pid)
		if p == nil || p.seen < since {
			t.Look(pid)
			if p = t.current(pid); p == nil || p.seen < since {
				break // it is gone
			}
		}
		seen = append(seen, p)
		pid = p.links[len(p.links)-1].pid
		if pid == 0 {
			break
		}
	}
	for _, p := range slices.Backward(seen) {
		t.resolveLinks(p)
	}
}

// observe takes in what /proc showed of a process in [began, ended].
func (t *Table) observe(got procfs.Process, began, ended int64) {
	p := t.current(got.PID)
	if p != nil && !t.isStill(p, got) {
		if p.until == forever && p.isThe(got) {
			// So young that it may be another already: events will tell, and until then the new
			// parent is not believed.
			if t.covered {
				t.observeParent(p, got, began)
			}
			return
		}
		t.end(p, p.until)
		p = nil
	}
	img := imageOf(got, began, ended)
	if p == nil {
		if got.Zombie && got.Threads <= 1 {
			return
		}
		t.discover(got, img)
		return
	}
	p.seen, p.until = began, began
	if got.Zombie && got.Threads <= 1 && !t.covered {
		t.end(p, began)
		return
	}
	if t.filling || t.covered {
		p.until = forever
	}
	p.leaderGone = got.Zombie
	p.threads = got.Threads
	t.observeState(p, got, img)
	t.observeParent(p, got, began)
}

// isStill reports whether what /proc shows is the process that the table has under this pid.
// The same start is proof if the process was known to live when that tick was over.
func (t *Table) isStill(p *process, got procfs.Process) bool {
	return p.isThe(got) && t.lastMoment(p) >= (got.StartTick+1)*procfs.Tick
}

// discover adds a process that /proc shows.
func (t *Table) discover(got procfs.Process, img *image) {
	until := img.began
	if t.covered || t.filling {
		until = forever
	}
	p := &process{
		pid: got.PID, found: img.began, start: got.StartTick * procfs.Tick, tick: got.StartTick, seen: img.began, until: until,
		threads: got.Threads, leaderGone: got.Zombie,
		links:  []link{{pid: got.Parent, from: img.began, until: until}},
		states: []state{{from: img.began, until: until, img: img, uid: got.UID, hasUID: got.HasUID}},
	}
	if t.insert(p) {
		img.owner = p.serial
		t.resolveLinks(p)
	}
}

// observeState compares the last state of a process with what /proc shows now. The same image
// has gone on, as far as can be seen; what a process called itself meanwhile cannot, so that
// after a loss of events the time between stays unknown. Another image began at some time
// before.
func (t *Table) observeState(p *process, got procfs.Process, img *image) {
	if t.covered {
		return // events tell it
	}
	s := p.last()
	same := s.img != nil && s.img.same(img, s.called()) && (!s.hasUID || !got.HasUID || s.uid == got.UID)
	switch {
	case same && (!t.filling || s.until == forever):
		s.until = p.until
		return
	case same:
		next := *s
		next.from, next.exec = img.began, false
		t.push(p, next)
	default:
		img.owner = p.serial
		t.push(p, state{from: img.began, img: img, uid: got.UID, hasUID: got.HasUID})
	}
	p.last().until = p.until
}

// same reports whether an image, of a process of this name, is what was read at another time.
func (i *image) same(other *image, name string) bool {
	return i.exec == other.exec && name == other.name && i.exe == other.exe && i.line == other.line && i.cgroup == other.cgroup
}

// observeParent does the same for the parent.
func (t *Table) observeParent(p *process, got procfs.Process, began int64) {
	l := &p.links[len(p.links)-1]
	if l.pid == got.Parent {
		if parent := t.resolve(l.pid, l.serial); l.serial == 0 || parent != nil && !parent.gone {
			l.until = p.until
			return
		}
	}
	if t.covered {
		t.relink(p, t.current(got.Parent), began)
		return
	}
	if len(p.links) >= maxLinks {
		return
	}
	t.charge(p, linkCost)
	p.links = append(p.links, link{pid: got.Parent, from: began, until: p.until})
	t.resolveLinks(p)
}
