package incident

import (
	"cmp"
	"slices"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

const (
	// maxShown bounds the findings of an account, maxEvidence the alerts that one names.
	maxShown    = 24
	maxEvidence = 16
)

// gathered is a finding with the alerts that show it.
type gathered struct {
	finding *pb.Finding
	general bool
}

// shown is what the alerts show, together and each by itself: first what only their combination
// shows, then what tells one alert from another, then what is told of many.
func (g *group) shown(ranked []*telling, combined []combination) []*pb.Finding {
	var out []*pb.Finding
	for _, c := range combined {
		out = append(out, c.finding)
	}
	var all []gathered
	known := make(map[string]int)
	aged := false
	for _, t := range ranked {
		for _, f := range t.view.GetShown() {
			if i, ok := known[f.GetStatement()]; ok {
				if ids := all[i].finding.GetAlertIds(); len(ids) < maxEvidence {
					all[i].finding.AlertIds = append(ids, string(t.id))
				}
				continue
			}
			if slices.Contains(f.GetEvidence(), "container.start_ts") && slices.Contains(f.GetEvidence(), "time") {
				if aged {
					continue // how long the container had been up is another number in each alert
				}
				aged = true
			}
			known[f.GetStatement()] = len(all)
			all = append(all, gathered{general: isGeneral(f), finding: &pb.Finding{
				Statement: f.GetStatement(), Evidence: f.GetEvidence(), Confidence: f.GetConfidence(), AlertIds: []string{string(t.id)},
			}})
		}
	}
	// The finding that decided the urgency of the most urgent alert stands first in its own report:
	// here it stands right behind what the combination shows, and how its rule's results differ: the
	// reason of the urgency says the same as it does, and nothing else says that.
	if len(all) > 0 {
		all[0].general = false
	}
	all = slices.Insert(all, 0, g.results(ranked)...)
	slices.SortStableFunc(all, func(x, y gathered) int { return compareBool(x.general, y.general) })
	for _, x := range all[:min(len(all), max(maxShown-len(out), 0))] {
		slices.SortFunc(x.finding.AlertIds, cmp.Compare)
		out = append(out, x.finding)
	}
	return out
}

// isGeneral reports whether a finding says what is true of many alerts: as whom and with which
// result, rather than what.
func isGeneral(f *pb.Finding) bool {
	for _, name := range f.GetEvidence() {
		switch name {
		case "user.uid", "container.id", "evt.res", "evt.args", "user.loginuid", "user.loginname", "container.start_ts", "time", "proc.tty", "container.privileged":
		default:
			return false
		}
	}
	return len(f.GetEvidence()) > 0
}
