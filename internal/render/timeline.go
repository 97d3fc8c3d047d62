package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

type (
	// timeline is what happened within a day.
	timeline []happening
	// happening is one thing that happened.
	happening struct {
		clock  string // UTC, to the microsecond
		offset string // from the event
		what   line
	}
)

func (timeline) isBlock() {}

// layTimeline lays out what happened when, by day.
func layTimeline(r *pb.Report, n numbering) []block {
	var out []block
	day, today := "", timeline(nil)
	flush := func() {
		if today != nil {
			out = append(out, subheading(line{}.words(either(day, "At a time that is not known"))), today)
		}
		today = nil
	}
	for _, e := range r.GetTimeline() {
		what := n.entry(e)
		if len(what) == 0 {
			continue
		}
		h := happening{what: what}
		d := ""
		if t := e.GetTime(); isTime(t) {
			d, h.clock, h.offset = t.AsTime().Format("2006-01-02 (UTC)"), t.AsTime().Format("15:04:05.000000"), offset(t, r.GetEventTime())
		}
		if d != day {
			flush()
		}
		day, today = d, append(today, h)
	}
	flush()
	return out
}

// offset is how far t lies from the event; empty if it is at the event.
func offset(t, event *timestamppb.Timestamp) string {
	if !isTime(event) {
		return ""
	}
	d := t.AsTime().Sub(event.AsTime())
	sign := "+"
	if d < 0 {
		// The least duration has no positive counterpart.
		sign, d = "-", -max(d, -1<<63+1)
	}
	switch {
	case d == 0:
		return ""
	case d < 10*time.Microsecond:
		return sign + strconv.FormatInt(d.Nanoseconds(), 10) + " ns"
	case d < time.Millisecond:
		return sign + fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	default:
		return sign + lasting(d)
	}
}

// numbering numbers the alerts of an incident in the order of its timeline, so that other
// parts of the report can refer to them. It is nil where there are not at least two.
type numbering map[string]alertNumber

type alertNumber struct {
	number int
	rule   string
}

func number(r *pb.Report) numbering {
	n := numbering{}
	add := func(id, rule string) {
		if _, ok := n[id]; id != "" && !ok {
			n[id] = alertNumber{len(n) + 1, rule}
		}
	}
	for _, e := range r.GetTimeline() {
		add(e.GetAlertId(), e.GetRule())
	}
	for _, g := range r.GetAlerts() {
		for _, s := range g.GetSamples() {
			add(s.GetId(), g.GetRule())
		}
	}
	if len(n) < 2 {
		return nil
	}
	return n
}

// entry is what a timeline says of one time.
func (n numbering) entry(e *pb.TimelineEntry) line {
	var l line
	statement := sentence(e.GetStatement())
	if a, ok := n[e.GetAlertId()]; ok {
		l = l.words("Alert " + strconv.Itoa(a.number))
	} else if e.GetAlertId() != "" {
		l = l.words("Alert")
	}
	if e.GetRule() != "" && !strings.Contains(e.GetStatement(), e.GetRule()) {
		l = l.comma().value(e.GetRule())
	}
	if len(l) > 0 && len(statement) > 0 {
		l = l.words(": ")
	}
	l = l.join(statement)
	if evidence := present(e.GetEvidence()...); len(l) > 0 && len(evidence) > 0 {
		l = l.words(" (from ").values(evidence).words(")")
	}
	return l
}

// maxNumbers bounds how many alerts are named one by one.
const maxNumbers = 4

// list names alerts by their numbers; empty for none.
func (n numbering) list(ids []string) string {
	var known []int
	for _, id := range ids {
		if a, ok := n[id]; ok {
			known = append(known, a.number)
		}
	}
	slices.Sort(known)
	total, shown := len(ids), known[:min(len(known), maxNumbers)]
	switch {
	case total == 0:
		return ""
	case len(shown) == 0:
		return strconv.Itoa(total) + choose(total == 1, " alert", " alerts")
	}
	var words []string
	for _, number := range shown {
		words = append(words, strconv.Itoa(number))
	}
	text := choose(total == 1, "alert ", "alerts ") + strings.Join(words, ", ")
	if more := total - len(shown); more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}

// facts are the alerts of a process, by rule.
func (n numbering) facts(ids []string) []line {
	var rules []string
	byRule := map[string][]string{}
	for _, id := range ids {
		rule := n[id].rule
		if _, ok := byRule[rule]; !ok {
			rules = append(rules, rule)
		}
		byRule[rule] = append(byRule[rule], id)
	}
	var out []line
	for _, rule := range rules {
		count := len(byRule[rule])
		switch {
		case rule != "":
			out = append(out, line{}.words(n.list(byRule[rule])+": ").value(rule))
		case len(rules) > 1:
			out = append(out, line{}.words(strconv.Itoa(count)+choose(count == 1, " more alert", " more alerts")))
		default:
			out = append(out, line{}.words(n.list(byRule[rule])))
		}
	}
	return out
}
