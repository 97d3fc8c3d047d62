package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// maxCounted is up to how many distinct targets the schema has counted; more are estimated.
const maxCounted = 1000

// layAlerts lays out the alerts of a report that has more than one: how many of each rule, and
// some of them.
func layAlerts(groups []*pb.AlertGroup, n numbering) []block {
	if len(groups) == 0 || len(groups) == 1 && groups[0].GetOccurrences().GetCount() < 2 {
		return nil
	}
	g := grid{head: []string{"Rule", "Priority", "Count", "First", "Last"}}
	for _, a := range groups {
		o := a.GetOccurrences()
		count := line{}.words(strconv.FormatUint(o.GetCount(), 10))
		if n := o.GetDistinct(); n > 1 {
			count = count.words(" (" + choose(n > maxCounted, "about ", "") + strconv.FormatUint(n, 10) + " targets)")
		}
		g.rows = append(g.rows, []line{
			line{}.value(a.GetRule()),
			line{}.value(a.GetPriority()),
			count,
			line{}.words(exactly(o.GetFirstTime())),
			line{}.words(exactly(o.GetLastTime())),
		})
	}
	out := []block{g}
	for _, a := range groups {
		if list := laySamples(a.GetSamples(), n); list != nil {
			out = append(out, subheading(line{}.words("Alerts of ").value(either(a.GetRule(), "a rule without a name"))), list)
		}
	}
	return out
}

// laySamples lays out alerts: when, with which fields, and why they belong to the incident.
func laySamples(samples []*pb.AlertSample, n numbering) bullets {
	var list bullets
	for _, s := range samples {
		l := line{}.words(exactly(s.GetTime()))
		if a, ok := n[s.GetId()]; ok {
			l = line{}.words("Alert " + strconv.Itoa(a.number)).comma().join(l)
		}
		for i, name := range slices.Sorted(maps.Keys(s.GetFields())) {
			if i > 0 {
				l = l.words(", ")
			} else if len(l) > 0 {
				l = l.words(": ")
			}
			l = l.value(name).words(" = ").value(s.GetFields()[name])
		}
		if because := sentence(strings.TrimSuffix(s.GetJoinedBecause(), ".")); len(because) > 0 {
			l = l.words(choose(len(l) > 0, ". Joined because: ", "Joined because: ")).join(because)
		}
		if len(l) > 0 {
			list = append(list, l)
		}
	}
	return list
}

// silence says which part of the configuration lowered the urgency, or would have.
func silence(m *pb.Silence) line {
	if m == nil {
		return nil
	}
	l := line{}.value(m.GetReason())
	if len(l) == 0 {
		l = l.words("no reason given")
	}
	if m.GetAuthor() != "" {
		l = l.words(", set by ").value(m.GetAuthor())
	}
	if t := m.GetUntil(); isTime(t) {
		l = l.words(", until " + t.AsTime().Format(secondsLayout))
	}
	return l.words(choose(m.GetExpired(), ". It has expired: the urgency is as without it.", ". It lowered the urgency."))
}

// redactions counts what was taken out of this copy of the report.
func redactions(list []*pb.Redaction) line {
	var l line
	for _, m := range list {
		if m.GetKind() != "" && m.GetCount() > 0 {
			l = l.comma().number(int64(m.GetCount())).words(" " + plural(m.GetKind(), m.GetCount()))
		}
	}
	if len(l) == 0 {
		return nil
	}
	return l.words(" taken out of this copy")
}

// plural is the word for so many things of a kind.
func plural(kind string, n uint32) string {
	switch {
	case strings.HasSuffix(kind, " text"):
		return choose(n == 1, "place", "places") + " of " + kind
	case n == 1, strings.HasSuffix(kind, "s"):
		return kind
	case strings.HasSuffix(kind, "sh"):
		return kind + "es"
	default:
		return kind + "s"
	}
}
