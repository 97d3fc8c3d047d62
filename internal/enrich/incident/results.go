package incident

import (
	"strconv"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// result is what came of one alert's call or request.
type result uint8

const (
	unknown result = iota
	succeeded
	failed // or refused
)

// resultOf is what an alert's own report says of the result.
func resultOf(r *pb.Report) result {
	switch r.GetEvent().GetOutcome() {
	case pb.Outcome_OUTCOME_SUCCEEDED:
		return succeeded
	case pb.Outcome_OUTCOME_REFUSED, pb.Outcome_OUTCOME_FAILED:
		return failed
	default:
	}
	q := r.GetKubernetes().GetRequest()
	switch code := q.GetResponseCode(); {
	case code >= 400 || q.GetAuthorizationDecision() == "forbid":
		return failed
	case code == 101 || code >= 200 && code < 300: // 101 is how exec and attach begin
		return succeeded
	default:
		return unknown
	}
}

// tally counts the results of a rule's alerts, as far as they are kept.
type tally struct {
	succeeded, failed, kept uint64
	ids                     []string // of those with a result, at most maxEvidence
	requests                bool
}

// tally is that of one rule.
func (g *group) tally(rule string) tally {
	var out tally
	for i := range g.tellings {
		t := &g.tellings[i]
		if t.view.GetRule().GetName() != rule {
			continue
		}
		out.kept++
		switch resultOf(t.view) {
		case succeeded:
			out.succeeded++
		case failed:
			out.failed++
		default:
			continue
		}
		out.requests = out.requests || t.view.GetKubernetes().GetRequest() != nil
		if len(out.ids) < maxEvidence {
			out.ids = append(out.ids, string(t.id))
		}
	}
	return out
}

// results says, of each rule whose alerts differ in their results, how many succeeded: the report of
// one of them would be wrong about the others. That of the most urgent alert's rule comes first and
// stands for what the report is about; the others say what is true of many alerts.
func (g *group) results(ranked []*telling) []gathered {
	var out []gathered
	for _, c := range g.byCount(ranked) {
		t := g.tally(c.name)
		if t.succeeded == 0 || t.failed == 0 || len(out) == maxNamed {
			continue
		}
		what, evidence := "calls", "evt.res"
		if t.requests {
			what, evidence = "requests", "ka.response.code"
		}
		if len(g.rules) > 1 {
			what += " of " + phrase.Quote(c.name)
		}
		atLeast, fewest := "", ""
		if t.kept < c.count { // nothing is known of those that are not kept
			atLeast, fewest = "At least ", "at least "
		}
		out = append(out, gathered{general: c.name != ranked[0].view.GetRule().GetName(), finding: &pb.Finding{
			Statement: atLeast + strconv.FormatUint(t.succeeded, 10) + " of " + strconv.FormatUint(c.count, 10) + " " + what +
				" succeeded, " + fewest + strconv.FormatUint(t.failed, 10) + " did not.",
			Evidence: []string{evidence}, Confidence: certain, AlertIds: t.ids,
		}})
	}
	return out
}
