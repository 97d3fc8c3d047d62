package incident

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

const (
	// maxTimeline bounds the entries of the timeline.
	maxTimeline = 100
	// manyAlike is from how many alerts of a rule on only the first and the last of them are told:
	// the samples say how they differ, and the count how many there were.
	manyAlike = 20
)

func unix(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

// timeline is what is known to have happened when: the tellings, but of a rule with many alerts
// the first alone, the last alert of each rule of which not all are told, and the starts of the
// container and the processes.
func (g *group) timeline() []*pb.TimelineEntry {
	var out []*pb.TimelineEntry
	counts := g.counts()
	told := make(map[string]uint64)
	toldIDs := make(map[alert.ID]bool)
	for i := range g.tellings {
		t := &g.tellings[i]
		rule := t.view.GetRule().GetName()
		if counts[rule] > manyAlike && told[rule] > 0 {
			continue
		}
		told[rule]++
		toldIDs[t.id] = true
		out = append(out, t.entry())
	}
	for i := range g.rules {
		c := &g.rules[i]
		if c.count <= told[c.name] || toldIDs[c.lastID] {
			continue
		}
		if len(out) < maxTimeline {
			out = append(out, &pb.TimelineEntry{
				Time: timestamppb.New(unix(c.last)), AlertId: string(c.lastID), Rule: c.name, Evidence: []string{"time"},
				Statement: "The rule " + phrase.Quote(c.name) + " matched for the last of " + phrase.Count(c.count, "time") + ".",
			})
		}
	}
	for i := range g.tellings {
		for _, x := range g.tellings[i].view.GetTimeline() {
			if x.GetAlertId() == "" && len(out) < maxTimeline && !slices.ContainsFunc(out, func(y *pb.TimelineEntry) bool { return sameStart(x, y) }) {
				out = append(out, x)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y *pb.TimelineEntry) int { return x.GetTime().AsTime().Compare(y.GetTime().AsTime()) })
	return out
}

// counts is how many alerts there are of each rule.
func (g *group) counts() map[string]uint64 {
	counts := make(map[string]uint64, len(g.rules))
	for i := range g.rules {
		counts[g.rules[i].name] = g.rules[i].count
	}
	return counts
}

// sameStart reports whether two entries tell the same start: of a process as itself and as the
// parent of another, too.
func sameStart(x, y *pb.TimelineEntry) bool {
	return y.GetAlertId() == "" && x.GetTime().AsTime().Equal(y.GetTime().AsTime())
}

// entry is the alert in the timeline: which rule, by what, and about what.
func (t *telling) entry() *pb.TimelineEntry {
	r := t.view
	statement := "The rule " + phrase.Quote(r.GetRule().GetName()) + " matched"
	if r.GetAlertKind() == pb.AlertKind_ALERT_KIND_FALCO_INTERNAL {
		statement = "Falco gave the notice " + phrase.Quote(r.GetRule().GetName())
	}
	evidence := []string{"time"}
	detail := func(value, field string) {
		if value == "" {
			return
		}
		if len(evidence) == 1 {
			statement += ": "
		} else {
			statement += ", "
		}
		statement += phrase.Quote(value)
		evidence = append(evidence, field)
	}
	if p := r.GetProcess(); p.GetCommandLine() != "" {
		detail(p.GetCommandLine(), "proc.cmdline")
	} else {
		detail(p.GetName(), "proc.name")
	}
	fields := sampleFields(r)
	for _, name := range [...]string{"fd.name", "ka.verb", "ka.target.name"} {
		detail(fields[name], name)
	}
	if fields["fd.name"] == "" && r.GetFile().GetPath() != "" {
		statement += ", " + phrase.Quote(r.GetFile().GetPath())
	}
	return &pb.TimelineEntry{Time: timestamppb.New(unix(t.at)), Statement: statement + ".", Evidence: evidence, AlertId: string(t.id), Rule: r.GetRule().GetName()}
}
