// Package incident turns the reports of single alerts into reports of incidents: alerts that
// belong together become one report, which comes out with the first of them and grows by
// revisions.
//
// An alert joins an open incident by the strongest tie between them: the same event, the same
// process, one process tree, one way into a container, and at last the same rule and
// circumstances. Everything that ties holds the host, so that different hosts never meet; a
// pid without a start time ties nothing; what is doubtful stays apart. Incidents are never
// merged.
//
// An [Engine] is a function of the alerts that it is given, their order, and the times at which
// they were received: it reads no clock. It starts no goroutine. It holds a bounded number of
// incidents in bounded memory; at the bound those whose last alert is longest ago are closed,
// and say so. What it needs to go on after a crash is small and comes out of [Engine.Changed].
package incident

import (
	"container/heap"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Options say when alerts belong together, and what incidents may cost. The zero value is the
// default.
type Options struct {
	// Idle is how long after its last alert an incident still takes another, and MaxAge how long
	// after its first: by the times of the events and by those of receipt. 0 is 30 s and 10 min.
	Idle, MaxAge time.Duration
	// Revise is how long after its first alert an incident that has grown is told again,
	// ascending. Nil is 1, 10 and 60 min.
	Revise []time.Duration
	// MaxGroups and MaxBytes bound the open incidents and the memory that they take, which is
	// estimated. 0 is 10,000 and 64 MiB.
	MaxGroups, MaxBytes int
	// FloodPerMinute is how many alerts within a minute an incident looks at closely. Of what
	// comes above that it keeps counts and samples. 0 is 20.
	FloodPerMinute int
	// MaxSamples bounds the alerts of a rule that are shown in short; at most 16. 0 is 8.
	MaxSamples int
	// Silences lower the urgency of what they describe.
	Silences []Silence
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	positive(&o.Idle, 30*time.Second)
	positive(&o.MaxAge, 10*time.Minute)
	if o.Revise == nil {
		o.Revise = []time.Duration{time.Minute, 10 * time.Minute, time.Hour}
	}
	positive(&o.MaxGroups, 10_000)
	positive(&o.MaxBytes, 64<<20)
	positive(&o.FloodPerMinute, 20)
	positive(&o.MaxSamples, 8)
	o.MaxSamples = min(o.MaxSamples, 16)
	return o
}

// positive sets an option that is not positive to its default.
func positive[N int | time.Duration](option *N, standard N) {
	if *option <= 0 {
		*option = standard
	}
}

// Engine joins alerts into incidents. It must not be used concurrently.
type Engine struct {
	options Options
	hasher  hasher

	// clock is the logical time, in nanoseconds since 1970: it never goes back.
	clock int64
	// arrivals counts alerts, groups the incidents that were ever opened.
	arrivals, opened uint64

	index  index
	due    schedule
	recent recency
	bytes  int

	// told is the part of the state that Changed has given out, changed the open groups that it
	// must give out anew, deleted the keys of closed ones that it has given out.
	told    counters
	changed []*group
	deleted []string
}

// New makes an Engine without incidents.
func New(o Options) *Engine {
	e := &Engine{options: o.withDefaults(), index: index{}}
	e.recent.init()
	return e
}

// Add takes in the next alert with its own report, which is not changed, and returns the
// revisions that come of the time that has passed until it was received and of the alert, in
// order. An alert that was not received counts as received at the time of its event.
func (e *Engine) Add(_ uint64, a *alert.Alert, r *pb.Report) []*pb.Report {
	out := e.Advance(time.Unix(0, received(a)))
	r = e.silenced(a, r)
	e.arrivals++
	ties := e.hasher.ties(a, r)
	if g, why := e.find(a, &ties); g != nil {
		return append(out, e.join(g, a, r, &ties, why)...)
	}
	return append(out, e.open(a, r, &ties)...)
}

// Advance returns the revisions that are due by now.
func (e *Engine) Advance(now time.Time) []*pb.Report {
	e.clock = max(e.clock, now.UnixNano())
	var out []*pb.Report
	for len(e.due) > 0 && e.due[0].deadline <= e.clock {
		g := e.due[0]
		if why, close := g.dueFor(&e.options); close {
			out = append(out, e.close(g, why))
			continue
		}
		out = append(out, g.revise(growth(g, &e.options)))
		e.touch(g)
	}
	return out
}

// Next is when Advance will have something to return; false for never.
func (e *Engine) Next() (time.Time, bool) {
	if len(e.due) == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, e.due[0].deadline).UTC(), true
}

// End closes incidents because no alert will come any more, at most so many, in the order of what
// is due, and returns their last revisions; none once all are closed.
func (e *Engine) End(limit int) []*pb.Report {
	var out []*pb.Report
	for len(e.due) > 0 && len(out) < limit {
		out = append(out, e.close(e.due[0], "it is closed: the input has ended"))
	}
	return out
}

// received is when an alert was received, in nanoseconds since 1970.
func received(a *alert.Alert) int64 {
	if a.ReceivedNanos > 0 {
		return a.ReceivedNanos
	}
	return a.Nanos
}

// open makes an incident of an alert, and room for it.
func (e *Engine) open(a *alert.Alert, r *pb.Report, ties *ties) []*pb.Report {
	var out []*pb.Report
	cost := firstCost(a)
	for len(e.due) > 0 && (len(e.due) >= e.options.MaxGroups || e.bytes+cost > e.options.MaxBytes) {
		out = append(out, e.close(e.recent.oldest(), "it is closed to make room for others: too many were open"))
	}
	e.opened++
	g := newGroup(e.opened, a, r, e.clock)
	g.arrival = e.arrivals
	g.count(a, r, traitsOf(r), e.clock, &e.options)
	g.tell(a, r, telling{id: a.ID, number: 1, sample: true})
	g.revision, g.told = 1, 1
	e.insert(g)
	e.register(g, ties)
	e.touch(g)
	first := share(r)
	first.Closed = false
	return append(out, first)
}

// join adds an alert to an incident, and tells it again at once if the alert is of a new kind.
func (e *Engine) join(g *group, a *alert.Alert, r *pb.Report, ties *ties, why reason) []*pb.Report {
	e.recent.toFront(g)
	g.arrival = e.arrivals
	g.skipRevisions(e.clock, &e.options)
	before, x := g.cost, traitsOf(r)
	news := g.news(a, r, x)
	rule := g.count(a, r, x, e.clock, &e.options)
	sample := g.wantsSample(rule, r, &e.options)
	told := sample || g.listens(news)
	if told {
		g.tell(a, r, telling{id: a.ID, number: g.total, reason: why, sample: sample})
	}
	if (told || news == newsUrgency) && g.becomesMoreUrgent() {
		news = newsUrgency
	}
	e.bytes += g.cost - before
	e.register(g, ties)
	var out []*pb.Report
	if g.isToldNow(news) {
		out = append(out, g.revise(news))
	}
	e.touch(g)
	return out
}

// close ends an incident with its last revision.
func (e *Engine) close(g *group, why string) *pb.Report {
	g.closed = true
	out := g.revise(why)
	heap.Remove(&e.due, g.place)
	e.recent.remove(g)
	for _, k := range g.keys {
		e.index.remove(k, g)
	}
	if g.hasEvent {
		e.index.remove(g.event, g)
	}
	e.bytes -= g.cost
	e.forget(g)
	e.deleted = append(e.deleted, g.kept...)
	g.kept = nil
	return out
}

// insert enters a group wherever groups are found, but for the index.
func (e *Engine) insert(g *group) {
	g.deadline = g.nextDeadline(&e.options)
	heap.Push(&e.due, g)
	e.recent.toFront(g)
	e.bytes += g.cost
}

// touch sets when a group is due next, and notes that it has changed.
func (e *Engine) touch(g *group) {
	g.deadline = g.nextDeadline(&e.options)
	heap.Fix(&e.due, g.place)
	e.note(g)
}

// note notes that a group has changed.
func (e *Engine) note(g *group) {
	if g.noted == 0 {
		e.changed = append(e.changed, g)
		g.noted = len(e.changed)
	}
}

// forget takes back the note of a group that is closed: whoever never asks what has changed must
// not hold every group that there was.
func (e *Engine) forget(g *group) {
	if g.noted == 0 {
		return
	}
	last := len(e.changed) - 1
	moved := e.changed[last]
	e.changed[g.noted-1], moved.noted = moved, g.noted
	e.changed[last], e.changed, g.noted = nil, e.changed[:last], 0
}
