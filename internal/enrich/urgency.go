package enrich

import (
	"slices"
	"strings"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
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

// reason is what decided the urgency.
type reason struct {
	finding  *pb.Finding // nil where no finding did
	harmless string      // what would make it harmless; empty where nothing is known to
}

// weigh weighs the evidence, and says what decided. The priority is where it begins, and never
// enough for a page; what was shown raises it, what did not happen or is an engine's own work
// lowers it, and an old event does not page.
func (s *scene) weigh(u Urgency) reason {
	u = u.withDefaults()
	out := u.byPriority(s.a.Priority)
	suggested := out.GetLevel()
	var why reason
	if s.a.Kind == alert.KindRule {
		why = s.weighRule(out)
		if s.lower(out, suggested) {
			why = reason{} // the finding on the result stands first
		}
	}
	if age := time.Duration(s.a.ReceivedNanos - s.a.Nanos); s.a.ReceivedNanos > 0 && u.LateAfter > 0 && age > u.LateAfter {
		out.Late = true
		if out.GetLevel() == page {
			out.Level = today
			out.Why = "Late: the event was " + phrase.Span(age) + " old when it arrived. " + out.GetWhy()
		}
	}
	s.r.Urgency = out
	return why
}

// weighRule changes the urgency that the priority suggests to what the evidence bears out.
func (s *scene) weighRule(u *pb.Urgency) reason {
	raised := reason{s.raised.finding, s.raised.harmless}
	byPriority := u.GetLevel()
	switch {
	case s.routine != "" && s.raised.level < today:
		u.Level, u.Why = record, s.routine
		return reason{finding: s.routineFinding}
	case s.raised.level > byPriority, s.raised.level == byPriority && s.raised.why != "":
		u.Level, u.Why = s.raised.level, s.raised.why
		return raised
	case s.mentionOnly && byPriority == page:
		u.Level, u.Why = today, "Only text in the arguments of a text tool."
	case byPriority == page && s.withinHost():
		u.Level, u.Why = today, "The connection does not leave the machine."
		return reason{finding: s.peerFinding}
	case byPriority == page && s.raised.level >= today:
		u.Why = strings.TrimSuffix(s.raised.why, ".") + ", under a rule of priority " + s.a.Priority.String() + "."
		return raised
	default:
		s.weighCall(u)
	}
	return reason{}
}

// weighCall weighs a call of which no finding speaks: what came of it, with which rights, and
// where. Only what moves the level is named.
func (s *scene) weighCall(u *pb.Urgency) {
	priority := strings.TrimSuffix(u.GetWhy(), ".")
	done, result := s.result()
	rights, whose := s.rights()
	reaches, where := s.reach()
	switch {
	case u.GetLevel() == page && done && rights == yes && reaches == yes:
		u.Why = priority + "; " + result + whose + where + "."
	case u.GetLevel() == page && !done:
		u.Level, u.Why = today, priority+", but "+result+" and no finding backs it."
	case u.GetLevel() == page && rights != yes && whose != "":
		u.Level, u.Why = today, priority+", but no finding backs it and"+strings.TrimPrefix(whose, ",")+"."
	case u.GetLevel() == page && reaches != yes && where != "":
		u.Level, u.Why = today, priority+", but no finding backs it and only"+strings.TrimPrefix(where, ",")+"."
	case u.GetLevel() == page:
		u.Level, u.Why = today, priority+", but no finding backs it."
	case u.GetLevel() == today && !done && rights == no && reaches == no:
		u.Level, u.Why = record, priority+", but "+result+whose+where+"."
	default:
	}
}

// answer is what the fields say to a question.
type answer uint8

const (
	unknown answer = iota
	no
	yes
)

// result is whether the event is known to have had its effect, and the words for it.
func (s *scene) result() (done bool, words string) {
	switch q := s.r.GetKubernetes().GetRequest(); {
	case q != nil && granted(q.GetResponseCode()):
		return true, "it was granted"
	case s.isSyscall() && s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED:
		return true, "it succeeded"
	default:
		return false, "its result is unknown"
	}
}

// rights is whether it was done with those of root, and the words for it.
func (s *scene) rights() (answer, string) {
	switch u := s.r.GetUser(); {
	case s.r.GetKubernetes().GetRequest() != nil:
		return yes, "" // the request was granted: these are its rights
	case u == nil || u.Uid == nil || s.processLost():
		return unknown, ""
	case u.GetUid() == 0:
		return yes, ", as root"
	default:
		return no, ", not as root"
	}
}

// reach is whether it reaches beyond one container, and the words for it.
func (s *scene) reach() (answer, string) {
	switch {
	case s.r.GetKubernetes().GetRequest() != nil:
		return yes, ", by the Kubernetes API"
	case s.r.GetContainer().GetPrivileged():
		return yes, ", in a privileged container"
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER:
		return no, ", in a container"
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		return yes, ", on the host"
	default:
		return unknown, ""
	}
}

// lower takes back what a refused or failed call does not deserve, and reports whether it did.
// What was refused can be tried again in another way, so that what would have been a page is still
// for today.
func (s *scene) lower(u *pb.Urgency, suggested pb.UrgencyLevel) bool {
	why := ""
	switch q := s.r.GetKubernetes().GetRequest(); {
	case s.outcome() == pb.Outcome_OUTCOME_REFUSED:
		why = "The call was refused."
	case s.outcome() == pb.Outcome_OUTCOME_FAILED:
		why = "The call failed."
	case q != nil && (q.GetAuthorizationDecision() == "forbid" || q.GetResponseCode() == 401 || q.GetResponseCode() == 403):
		why = "The request was refused."
	default:
		return false
	}
	u.Why = why
	if s.raised.level == page || suggested == page {
		u.Level = today
		return true
	}
	u.Level = record
	return true
}

// raise notes a reason for at least a level, with what would make it harmless: the finding that
// was shown last. The first reason of the highest level is kept: findings come most telling first.
func (s *scene) raise(level pb.UrgencyLevel, why, harmless string) {
	if level > s.raised.level {
		s.raised.level, s.raised.why, s.raised.harmless, s.raised.finding = level, why, harmless, s.lastShown()
	}
}

// putFirst puts what decided the urgency before everything else of its kind, and before what would
// make that harmless only a drill.
func (s *scene) putFirst(why reason) {
	if i := slices.Index(s.r.Shown, why.finding); i > 0 {
		s.r.Shown = slices.Insert(slices.Delete(s.r.Shown, i, i+1), 0, why.finding)
	}
	if why.harmless == "" {
		return
	}
	list := slices.DeleteFunc(slices.Clone(s.r.HarmlessIf), func(h string) bool { return h == why.harmless })
	at := 0
	if len(list) > 0 && s.drillHinted && strings.Contains(list[0], "drill") {
		at = 1
	}
	s.r.HarmlessIf = slices.Insert(list, at, why.harmless)
}
