package incident

import (
	"slices"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// Bounds of what a group keeps.
const (
	// maxRules bounds the rules of a group; an alert of one more is another incident.
	maxRules = 40
	// maxTellings bounds the alerts whose reports a group keeps. Room for the first of every
	// rule, and for every rise of the urgency, is never given to others.
	maxTellings = 64
	maxRises    = 3
	// maxImmediate bounds the revisions that are made because of something new in kind, but for a
	// higher urgency.
	maxImmediate = 20
	// maxUsers and maxPaths bound the users and sensitive paths that are told apart.
	maxUsers = 16
	maxPaths = 32
)

// Estimates of the memory that a group takes, from measurements of the recorded alerts: a report
// with its alert takes about five times the alert's bytes, what is kept of a later one three times.
const (
	groupCost   = 5 << 10
	alertFactor = 5
	tellingCost = 2 << 10
	laterFactor = 3
	keptExact   = 64 // of one target among up to maxExact, with the set
)

// firstCost is the estimate for a group with its first alert.
func firstCost(a *alert.Alert) int { return groupCost + alertFactor*len(a.Raw) }

// group is an open incident.
type group struct {
	order  uint64 // of opening
	id     alert.ID
	host   string
	closed bool

	revision uint32
	// firstEvent and lastEvent are the least and greatest times of its events; firstSeen and
	// lastSeen when the first and the last alert were received.
	firstEvent, lastEvent, firstSeen, lastSeen int64
	// total counts its alerts, told how many of them the last revision tells of.
	total, told uint64
	// immediate counts the revisions for news, next is the next of Options.Revise.
	immediate, next int
	// level is the highest urgency of its alerts, asked that of its account: a combination of
	// alerts may ask for more than each.
	level, asked pb.UrgencyLevel
	// flood is whether alerts come too fast to be looked at closely: since minute, inMinute came.
	flood    bool
	minute   int64
	inMinute int

	rules    []ruleCount
	users    []uint64
	paths    []uint64
	tellings []telling
	// lost counts the tellings that were not found again after a restart.
	lost int

	keys     []key
	replaced uint64 // keys that made way
	event    key
	hasEvent bool

	// Where the group stands: in the schedule, in the ring of the last alerts, in the state.
	deadline     int64
	place        int
	arrival      uint64
	newer, older *group
	noted        int // the place among the changed groups, from 1; 0 for none
	kept         []string
	cost         int
}

// ruleCount counts the alerts of one rule.
type ruleCount struct {
	name, priority string
	count          uint64
	first, last    int64 // event times
	lastID         alert.ID
	outcomes       uint8 // a bit for each that was seen
	targets        sketch
	samples        int
	shapes         []uint64 // of the samples
}

// telling is an alert whose report the group keeps, because it changed the account or is a
// sample.
type telling struct {
	id     alert.ID
	number uint64 // its place among the alerts of the group, from 1
	reason reason
	sample bool

	at   int64 // the event's time
	view *pb.Report
	// created is what Falco says of an open: that its file was not there before.
	created bool
}

// distinct is how many different targets the alerts of the rule have; an estimate must not say
// more than there are alerts.
func (c *ruleCount) distinct() uint64 { return min(c.targets.count(), c.count) }

func newGroup(order uint64, a *alert.Alert, r *pb.Report, now int64) *group {
	return &group{
		order: order, id: a.ID, host: a.Hostname, firstEvent: a.Nanos, lastEvent: a.Nanos, firstSeen: now, lastSeen: now,
		level: r.GetUrgency().GetLevel(), asked: r.GetUrgency().GetLevel(), minute: now, cost: firstCost(a) - tellingCost - laterFactor*len(a.Raw),
	}
}

// ruleAt is the place of a rule in the group, -1 if it has none.
func (g *group) ruleAt(name string) int {
	return slices.IndexFunc(g.rules, func(c ruleCount) bool { return c.name == name })
}

const minute = int64(60e9)

// count counts an alert that was received now, and returns what is counted of its rule.
func (g *group) count(a *alert.Alert, r *pb.Report, x traits, now int64, o *Options) *ruleCount {
	g.total++
	g.firstEvent, g.lastEvent, g.lastSeen = min(g.firstEvent, a.Nanos), max(g.lastEvent, a.Nanos), now
	g.level = max(g.level, r.GetUrgency().GetLevel())
	if now-g.minute >= minute {
		g.flood = g.inMinute > o.FloodPerMinute && now-g.minute < 2*minute
		g.minute, g.inMinute = now, 0
	}
	if g.inMinute++; g.inMinute > o.FloodPerMinute {
		g.flood = true
	}
	remember(&g.users, x.user, maxUsers)
	remember(&g.paths, x.path, maxPaths)
	i := g.ruleAt(a.Rule)
	if i < 0 {
		i = len(g.rules)
		g.rules = append(g.rules, ruleCount{name: a.Rule, priority: a.Priority.String(), first: a.Nanos, last: a.Nanos})
	}
	c := &g.rules[i]
	c.count++
	c.first = min(c.first, a.Nanos)
	if a.Nanos >= c.last {
		c.last, c.lastID = a.Nanos, a.ID
	}
	c.outcomes |= 1 << r.GetEvent().GetOutcome()
	if c.targets.add(hash64(target(a, r))) && c.targets.registers == nil {
		g.cost += keptExact
	}
	return c
}

// remember adds what is not there to a bounded set. 0 stands for nothing.
func remember(set *[]uint64, h uint64, limit int) {
	if h != 0 && len(*set) < limit && !slices.Contains(*set, h) {
		*set = append(*set, h)
	}
}

// tell keeps of an alert's report what the account is made of.
func (g *group) tell(a *alert.Alert, r *pb.Report, t telling) {
	t.at, t.view = a.Nanos, r
	t.created, _ = a.Bool("evt.is_open_create")
	if t.number > 1 {
		t.view = slim(r)
	}
	if i := g.ruleAt(a.Rule); t.sample && i >= 0 {
		g.rules[i].samples++
		g.rules[i].shapes = append(g.rules[i].shapes, shape(r))
	}
	g.tellings = append(g.tellings, t)
	g.cost += tellingCost + laterFactor*len(a.Raw)
}

// room is how many tellings there may be that are neither the first of a rule nor a rise.
func (g *group) room() int { return maxTellings - maxRises - (maxRules - len(g.rules)) }

// wantsSample reports whether an alert that was just counted is to be shown in short: the first
// of its rule, some that follow, and then those that are different from the others.
func (g *group) wantsSample(c *ruleCount, r *pb.Report, o *Options) bool {
	switch {
	case c.count == 1:
		return true
	case c.samples >= o.MaxSamples || len(g.tellings) >= g.room():
		return false
	case c.samples < o.MaxSamples/2:
		return true
	default:
		return !slices.Contains(c.shapes, shape(r))
	}
}

// listens reports whether an alert that is no sample changes the account.
func (g *group) listens(news string) bool {
	switch {
	case len(g.tellings) >= maxTellings:
		return false
	case len(g.tellings) >= g.room():
		return news == newsUrgency
	default:
		return news != "" || !g.flood
	}
}

// closeAt is when the group closes if nothing comes.
func (g *group) closeAt(o *Options) int64 {
	return min(g.lastSeen+int64(o.Idle), g.firstSeen+int64(o.MaxAge))
}

// nextDeadline is when the group has something to say by itself.
func (g *group) nextDeadline(o *Options) int64 {
	at := g.closeAt(o)
	if g.total > g.told && g.next < len(o.Revise) {
		at = min(at, g.firstSeen+int64(o.Revise[g.next]))
	}
	return at
}

// skipRevisions passes over revisions whose time has come while nothing was new.
func (g *group) skipRevisions(now int64, o *Options) {
	for g.next < len(o.Revise) && g.firstSeen+int64(o.Revise[g.next]) <= now {
		g.next++
	}
}

// dueFor says what is due at the deadline: that the group closes, and why, or that it is told
// again.
func (g *group) dueFor(o *Options) (why string, closes bool) {
	switch g.deadline {
	case g.lastSeen + int64(o.Idle):
		return "it is closed: no alert came for " + phrase.Span(o.Idle), true
	case g.firstSeen + int64(o.MaxAge):
		return "it is closed after " + phrase.Span(o.MaxAge) + ": what follows is told apart", true
	default:
		return "", false
	}
}

// growth says how much the group has grown by the time of a revision.
func growth(g *group, o *Options) string {
	g.skipRevisions(g.deadline, o)
	return "it had grown by " + phrase.Count(g.total-g.told, "alert") + " " + phrase.Span(time.Duration(g.deadline-g.firstSeen)) + " after the first"
}

// revise makes the next revision.
func (g *group) revise(why string) *pb.Report {
	g.revision++
	r := bounded(g.account())
	r.Revision, r.Closed, r.RevisionReason = g.revision, g.closed, why
	g.told = g.total
	return r
}

// share is another message with the same members, which are shared and must not be changed.
func share(r *pb.Report) *pb.Report {
	out := &pb.Report{}
	to := out.ProtoReflect()
	r.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)
		return true
	})
	return out
}

// slim is what the account takes from a report that is not the first.
func slim(r *pb.Report) *pb.Report {
	return &pb.Report{
		Urgency: r.GetUrgency(), Summary: r.GetSummary(), Priority: r.GetPriority(), Silence: r.GetSilence(),
		Shown: r.GetShown(), NotShown: r.GetNotShown(), HarmlessIf: r.GetHarmlessIf(), PossibleImpact: r.GetPossibleImpact(),
		Actions: r.GetActions(), Rule: &pb.Rule{Name: r.GetRule().GetName()}, AlertKind: r.GetAlertKind(),
		Workload: r.GetWorkload(), Event: r.GetEvent(), Process: r.GetProcess(), Ancestry: r.GetAncestry(), User: r.GetUser(),
		Container: r.GetContainer(), Network: r.GetNetwork(), File: r.GetFile(), Attack: r.GetAttack(), Alerts: r.GetAlerts(),
		Timeline: r.GetTimeline(),
	}
}
