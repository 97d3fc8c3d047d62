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

// asked is the urgency that a finding asks for.
type asked struct {
	level pb.UrgencyLevel
	why   string
	// weak is whether the finding says no more than rules about its like match on anyway, so that
	// it does not back their priority.
	weak bool
	reason
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
		if lowered := s.lower(out, suggested); lowered != nil {
			why = *lowered // of itself the finding on the result stands first
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
	raised := s.raised.reason
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
	case byPriority == page && s.raised.weak:
		u.Level, u.Why = today, strings.TrimSuffix(s.raised.why, ".")+", and nothing that speaks for more."
		return raised
	case byPriority == page && s.raised.level >= today:
		u.Why = strings.TrimSuffix(s.raised.why, ".") + ", under a rule of priority " + s.a.Priority.String() + "."
		return raised
	default:
		s.weighCall(u)
	}
	return reason{}
}

// weighCall weighs a call of which no finding speaks: what came of it, with which rights, where, and
// at what.
func (s *scene) weighCall(u *pb.Urgency) {
	if s.a.Priority == alert.PriorityUnknown {
		return
	}
	done, result := s.result()
	rights, whose := s.rights()
	reaches, where := s.reach()
	facts, priority := strings.TrimSuffix(result+whose+where, ",")+s.touchedWords(), s.a.Priority.String()
	switch {
	case u.GetLevel() == page && done && rights == yes && reaches == yes:
		u.Why = facts + " under priority " + priority + "."
	case u.GetLevel() == page:
		u.Level, u.Why = today, facts+"; nothing backs priority "+priority+"."
	case u.GetLevel() == today && !done && rights == no && reaches == no:
		u.Level, u.Why = record, facts+": too little for "+priority+"."
	default:
		u.Why = facts + "; priority " + priority + "."
	}
}

// touchedWords are what is known of what the event touched, and how far a connection goes.
func (s *scene) touchedWords() string {
	if f := s.r.GetFile(); f != nil {
		for _, path := range [...]string{f.GetPath(), f.GetNewPath()} {
			if p, ok := placeOf(path); ok {
				return ", touching " + p.among + p.holds
			}
		}
		return ""
	}
	if ends := s.ends(); len(ends) > 0 {
		return ", with " + scope(ends[0].addr)
	}
	return ""
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
	q, known := s.r.GetKubernetes().GetRequest(), s.requestResult()
	switch {
	case q != nil && granted(q.GetResponseCode()), known == yes:
		return true, "Granted"
	case s.isSyscall() && s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED:
		return true, "Succeeded"
	case s.r.GetEvent().GetType() == "container":
		return true, "Started"
	case !s.isSyscall() && q == nil:
		return false, "Result not told,"
	default:
		return false, "Result unknown,"
	}
}

// requestResult is whether a request to a cloud or an identity provider was granted, as its event or
// else the rule's condition says.
func (s *scene) requestResult() answer {
	switch s.a.Source {
	case "aws_cloudtrail":
		code, shown := s.a.Lookup("ct.error")
		name := s.a.String("ct.name")
		switch {
		case s.a.String("ct.error") != "":
			return no
		case shown && alert.Absent("ct.error", code) && name != "" && name != "ConsoleLogin": // a login that fails has no error code
			return yes
		}
	case "okta":
		switch s.a.String("okta.result") {
		case "SUCCESS", "ALLOW":
			return yes
		case "FAILURE", "DENY":
			return no
		}
	}
	if !s.isSyscall() && s.rule.Proofs[""].Succeeded {
		return yes
	}
	return unknown
}

// rights is whether it was done with those of root, and the words for it.
func (s *scene) rights() (answer, string) {
	switch u := s.r.GetUser(); {
	case s.r.GetKubernetes().GetRequest() != nil, s.requestResult() == yes:
		return yes, "" // the request was granted: these are its rights
	case u == nil || u.Uid == nil || s.processLost():
		return unknown, ""
	case u.GetUid() == 0:
		return yes, " as root"
	default:
		return no, " not as root"
	}
}

// reach is whether it reaches beyond one container, and the words for it.
func (s *scene) reach() (answer, string) {
	switch {
	case s.r.GetKubernetes().GetRequest() != nil:
		return yes, " by the Kubernetes API"
	case s.a.Source == "aws_cloudtrail":
		return yes, " in the cloud account"
	case s.a.Source == "okta":
		return yes, " at the identity provider"
	case s.r.GetContainer().GetPrivileged():
		return yes, " in a privileged container"
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER:
		return no, " in a container"
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		return yes, " on the host"
	default:
		return unknown, ""
	}
}

// lower takes back what a refused or failed call does not deserve, and returns what decides then,
// nil where it does not take anything back. What was refused can be tried again in another way, so that what would have been a page is still
// for today.
func (s *scene) lower(u *pb.Urgency, suggested pb.UrgencyLevel) *reason {
	why := ""
	switch q := s.r.GetKubernetes().GetRequest(); {
	case s.outcome() == pb.Outcome_OUTCOME_REFUSED:
		why = "The call was refused."
	case s.outcome() == pb.Outcome_OUTCOME_FAILED:
		why = "The call failed."
	case q != nil && (q.GetAuthorizationDecision() == "forbid" || q.GetResponseCode() == 401 || q.GetResponseCode() == 403):
		why = "The request was refused."
	case s.requestResult() == no:
		why = "The request failed or was refused."
	default:
		return nil
	}
	if s.state.level > today { // the process is what it is, whatever came of its call
		u.Level, u.Why = s.state.level, s.state.why+" "+why
		return &s.state.reason
	}
	u.Why = why
	if s.raised.level == page || suggested == page {
		u.Level = today
	} else {
		u.Level = record
	}
	return &reason{}
}

// raise notes a reason for at least a level, with what would make it harmless: the finding that
// was shown last. The first reason of the highest level is kept: findings come most telling first.
func (s *scene) raise(level pb.UrgencyLevel, why, harmless string) {
	if level > s.raised.level || level == s.raised.level && s.raised.weak {
		s.raised = asked{level: level, why: why, reason: reason{s.lastShown(), harmless}}
	}
}

// raiseWeakly asks for today, and does not back a priority.
func (s *scene) raiseWeakly(why, harmless string) {
	if today > s.raised.level {
		s.raise(today, why, harmless)
		s.raised.weak = true
	}
}

// raiseState asks for a page for what the process is, and not for what it called.
func (s *scene) raiseState(why, harmless string) {
	s.raise(page, why, harmless)
	if s.state.why == "" {
		s.state = asked{level: page, why: why, reason: reason{s.lastShown(), harmless}}
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
