package enrich

import (
	"strings"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Urgency says when a report is urgent. The zero value is the default.
type Urgency struct {
	// LateAfter is how old an event may be when it arrives without being late: late reports
	// do not page. 0 is 15 minutes, a negative value is for ever.
	LateAfter time.Duration
	// PageAt and TodayAt are the least severe priorities that by themselves, with nothing
	// else against it, make a report a page and one for today. 0 is Critical and Warning.
	PageAt, TodayAt alert.Priority
}

// defaultLateAfter is the age from which on nobody needs to be woken.
const defaultLateAfter = 15 * time.Minute

// withDefaults fills in what was left out.
func (u Urgency) withDefaults() Urgency {
	if u.LateAfter == 0 {
		u.LateAfter = defaultLateAfter
	}
	if u.PageAt == alert.PriorityUnknown {
		u.PageAt = alert.PriorityCritical
	}
	if u.TodayAt == alert.PriorityUnknown {
		u.TodayAt = alert.PriorityWarning
	}
	return u
}

// Short names of the levels.
const (
	record = pb.UrgencyLevel_URGENCY_LEVEL_RECORD
	today  = pb.UrgencyLevel_URGENCY_LEVEL_TODAY
	page   = pb.UrgencyLevel_URGENCY_LEVEL_PAGE
)

// byPriority is the level that the priority alone suggests.
func (u Urgency) byPriority(p alert.Priority) *pb.Urgency {
	switch {
	case p == alert.PriorityUnknown:
		return &pb.Urgency{Level: today, Why: "The alert carries no priority that Falco knows."}
	case p <= u.PageAt:
		return &pb.Urgency{Level: page, Why: "Falco priority " + p.String() + "."}
	case p <= u.TodayAt:
		return &pb.Urgency{Level: today, Why: "Falco priority " + p.String() + "."}
	default:
		return &pb.Urgency{Level: record, Why: "Falco priority " + p.String() + "."}
	}
}

// urgency weighs the evidence. The priority is where it begins; what was shown raises it,
// what did not happen lowers it, and an old event does not page.
func (s *scene) weigh(u Urgency) {
	u = u.withDefaults()
	out := u.byPriority(s.a.Priority)
	if s.a.Kind == alert.KindRule {
		switch {
		case s.raised.level > out.GetLevel():
			out = &pb.Urgency{Level: s.raised.level, Why: s.raised.why}
		case s.mentionOnly && out.GetLevel() == page:
			out = &pb.Urgency{Level: today, Why: "Only text in the arguments of a text tool."}
		case out.GetLevel() == page && s.raised.level < page && s.withinHost():
			out = &pb.Urgency{Level: today, Why: "The connection does not leave the machine."}
		case s.raised.level == out.GetLevel() && s.raised.why != "":
			out.Why = s.raised.why
		default:
			out.Why = strings.TrimSuffix(out.GetWhy(), ".") + s.weight() + "."
		}
		s.lower(out)
	}
	if age := time.Duration(s.a.ReceivedNanos - s.a.Nanos); s.a.ReceivedNanos > 0 && u.LateAfter > 0 && age > u.LateAfter {
		out.Late = true
		if out.GetLevel() == page {
			out.Level = today
			out.Why = "Late: the event was " + duration(age) + " old when it arrived. " + out.GetWhy()
		}
	}
	s.r.Urgency = out
}

// weight is what the fields add to a priority: what came of it, with which rights, and where.
func (s *scene) weight() string {
	if !s.isSyscall() || s.r.GetProcess() == nil {
		return ""
	}
	out := "; it succeeded"
	if s.outcome() != pb.Outcome_OUTCOME_SUCCEEDED {
		out = "; result unknown"
	}
	switch u := s.r.GetUser(); {
	case u == nil || u.Uid == nil:
	case u.GetUid() == 0:
		out += ", as root"
	default:
		out += ", not as root"
	}
	switch {
	case s.r.GetContainer().GetPrivileged():
		out += ", in a privileged container"
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER:
		out += ", in a container"
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		out += ", on the host"
	}
	return out
}

// lower takes back what a refused or failed call does not deserve. What was refused can be
// tried again in another way, so that what would have been a page is still for today.
func (s *scene) lower(u *pb.Urgency) {
	why := ""
	switch q := s.r.GetKubernetes().GetRequest(); {
	case s.outcome() == pb.Outcome_OUTCOME_REFUSED:
		why = "The call was refused."
	case s.outcome() == pb.Outcome_OUTCOME_FAILED:
		why = "The call failed."
	case q != nil && (q.GetAuthorizationDecision() == "forbid" || q.GetResponseCode() == 401 || q.GetResponseCode() == 403):
		why = "The request was refused."
	default:
		return
	}
	u.Why = why
	if u.GetLevel() == page {
		u.Level = today
		return
	}
	u.Level = record
}

// raise notes a reason for at least a level. The first reason of the highest level is kept:
// findings come most telling first.
func (s *scene) raise(level pb.UrgencyLevel, why string) {
	if level > s.raised.level {
		s.raised.level, s.raised.why = level, why
	}
}
