// Package proctable keeps the processes of a host: who made whom, and what each was running
// when. It is fed with the kernel's process events, and with what /proc tells.
//
// # What is believed, when, and why
//
// A pid is no name of a process: it is given again. Here a process is its pid together with
// the span of its life that is certain, from its start to the last moment of which it is known
// that it was still there. Two processes with one pid never have a moment in common. So a pid
// and a moment within such a span name one process, and whatever lies outside of every span
// names none: what is not certain is unknown, never the nearest guess.
//
//   - Where events come without a loss, a span begins with the event of the fork and ends with
//     that of the exit, or with a fork that gives the same pid again. (The kernel frees a pid
//     before it tells of the exit, so that the two can come in the wrong order.)
//   - A process read from /proc has a span from its start, as /proc gives it in ticks of 10 ms,
//     to when it was read. Found again later with the same start it is the same process, provided
//     that it was known to live beyond that tick.
//   - When events were lost, every span ends with the last event before the loss, until /proc
//     shows the process again. Nothing bridges the time between for what has gone meanwhile.
//
// The same holds for the parent of a process and for its image (name, executable, arguments):
// each has a span of its own. A parent ends as such with its life; who takes the orphan over is
// known from the orphan's exit event or from /proc, and reaches back to the moment of the
// parent's end only if nobody who could have had it in between has ended since. An image
// begins with the exec; it is read from /proc right after that. What was read is given up
// again if an event that comes later shows that it could have been the next image, or the next
// process of that pid. Until all events from before the end of a reading have come, it counts
// as not read.
//
// An alert's process is looked up by pid and by the moments in which the alert says that it
// lived (its start, if known, and the event). Within Slack of the edges of a span, where the
// clocks of Falco and the kernel may disagree, it is believed only if the table knows every
// process that could be meant instead. Its name must be one that the process has had. An alert
// of an exec must find that exec.
//
// An alert without a pid is of the one process that fits it, if no other could be meant. What
// a process shows can be other than what Falco has of it: it may overwrite its arguments and
// rename itself, and its program may be moved or replaced. Falco reads them at the exec, or in
// /proc when it is started. So they exclude a process from an alert of an exec only if they
// were read right after that exec, and its arguments and path exclude it from no other alert;
// a name does if every name that it ever had is known.
//
// # Bounds
//
// The table holds at most the configured number of bytes, as estimated. For new processes the
// one that ended first leaves; when none has ended, the new one is not kept, and the table
// takes nothing for certain that it might explain. What left is a gap in the chains through
// it.
//
// A Table starts no goroutine and is not for concurrent use. Its times are nanoseconds of
// CLOCK_BOOTTIME, which Falco and /proc count by as well.
package proctable

import (
	"math"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
)

// Tolerances in time, in nanoseconds.
const (
	// Slack is how far the clock of an alert may be off: Falco measures its offset once.
	Slack = int64(time.Millisecond)
	// edge is how near two moments are when their order is taken for unknown: some events are
	// stamped microseconds after what they tell of.
	edge = int64(100 * time.Microsecond)
	// execTime is how long before its event an exec can have shown in /proc already.
	execTime = int64(10 * time.Millisecond)
	// forkTime is how long before its event a process can have been there.
	forkTime = int64(5 * time.Millisecond)
)

// forever ends the span of what goes on.
const forever = math.MaxInt64

// maxStates bounds the images and users that are kept of one process: it can rename itself
// without end.
const maxStates = 8

// maxLinks bounds the parents that are kept of one process. Each but the first is a process
// that has ended above it.
const maxLinks = 16

// Source reads processes: package procfs, or a model of it.
type Source interface {
	// Read reads all of a process, Stat its cheapest part.
	Read(pid int32) (procfs.Process, error)
	Stat(pid int32) (procfs.Process, error)
}

// process is one process.
type process struct {
	pid    int32
	serial uint64 // tells it from others of the same pid

	start int64 // exact, or the beginning of the tick in which it started
	exact bool
	found int64 // when /proc showed it before any event told of it; else 0
	tick  int64 // the start in ticks, at most two too high if exact
	seen  int64 // when /proc last showed it; its start, if never
	until int64 // it is certain to have lived until then; forever while events come
	gone  bool  // it has ended
	noted int64 // when that was noted here: never before the end
	told  bool  // its end was told by an event, and is until; else it came somewhat later

	threads    int32
	leaderGone bool // the first thread has ended and others have not
	threaded   bool // it has or had more than one thread
	forgot     bool // states had to go for lack of room
	refused    bool // an exit event was taken for that of the one before
	owesExit   bool // the exit event of the process that had this pid before is still to come

	links  []link
	states []state

	older, newer *process // the others of this pid
	prev, next   *process // in the list of the living, or of the ended
	size         int64    // without its images
}

// link is a parent for a time.
type link struct {
	pid    int32
	serial uint64 // of the parent; 0 if it is not in the table
	from   int64  // certain from then on
	read   int64  // if set, when the kernel told of a new parent: it reaches back to since
	since  int64  // the end of the parent before, if read is set
	until  int64
}

// state is what a process was for a time.
type state struct {
	from, until int64
	exec        bool // it began with an exec
	img         *image
	name        string // that it gave itself, if renamed; else that of the image
	renamed     bool
	uid         uint32
	hasUID      bool
}

// called is the name of a process in this state, empty if it is not known.
func (s *state) called() string {
	switch {
	case s.renamed:
		return s.name
	case s.img != nil:
		return s.img.name
	default:
		return ""
	}
}

// image is what /proc told of a process, at some time in [began, ended]. Processes that have
// not run a program of their own since they were made share their parent's.
type image struct {
	began, ended int64
	name         string
	exe          string
	line         string
	args         int // where the second argument begins in line
	hasLine      bool
	cgroup       procfs.Cgroup
	namespacePID int32
	kernel       bool
	exec         uint64 // tells this exec from others; 0 if not known
	execAt       int64  // the event of the exec that it was read for; 0 if none was seen

	owner uint64 // the serial of the process that it was read of; others inherit it
	refs  int    // the states that have it
	size  int64  // what it is charged with
}

// last is the state that goes on.
func (p *process) last() *state { return &p.states[len(p.states)-1] }

// startsBefore is a moment at which the process had started for certain.
func (p *process) startsBefore() int64 {
	if p.found == 0 {
		return p.start
	}
	return (p.tick + 1) * procfs.Tick // whatever fork seems to be its own
}

// list is a queue of processes.
type list struct {
	first, last *process
	n           int
}

func (l *list) add(p *process) {
	p.prev, p.next = l.last, nil
	if l.last == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
	l.n++
}

func (l *list) remove(p *process) {
	if p.prev == nil {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
	l.n--
}
