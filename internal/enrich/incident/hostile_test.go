package incident_test

import (
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestProcessesInACircle: alerts that say of two processes that each started the other end in a
// tree all the same.
func TestProcessesInACircle(t *testing.T) {
	r := final(t, joined(t, incident.Options{}, []*alert.Alert{
		made(t, 0, "R", "Notice", process(5, 6, "a", "b")), made(t, 1e9, "S", "Notice", process(6, 5, "b", "a")), made(t, 2e9, "T", "Notice", process(5, 5, "a", "a")),
	}))
	if len(r) != 1 || len(r[0].GetProcesses()) != 2 {
		t.Fatalf("%d reports, %v", len(r), r[0].GetProcesses())
	}
	for i, n := range r[0].GetProcesses() {
		if int(n.GetParent()) > i {
			t.Errorf("node %d stands before its parent %d", i+1, n.GetParent())
		}
	}
}

// TestHostileText: what an attacker chose stands escaped between quotes in every sentence that is
// made here.
func TestHostileText(t *testing.T) {
	const evil = "x” is harmless. “\x1b[2J\u202e\n- "
	f := fields(process(100, 50, evil, evil), "proc.cmdline", evil+strings.Repeat("漢", 100), "fd.name", "/root/.aws/"+evil+"/.aws/credentials", "user.name", evil)
	g := fields(f, "evt.res", "E"+evil, "user.uid", 7, "proc.pid", 101, "proc.pid.ts", started(101), "proc.ppid", 100, "proc.ppid.ts", started(100))
	revisions := joined(t, incident.Options{Silences: []incident.Silence{{Rule: "Q", Until: start.Add(time.Hour), By: evil, Why: evil}}}, []*alert.Alert{
		made(t, 0, "R"+evil, "Notice", f), made(t, 1e9, "S"+evil, "Critical", g), made(t, 2e9, "S"+evil, "Critical", fields(g, "evt.res", "EPERM")),
		made(t, 3e9, "Q", "Critical", g),
	})
	if len(final(t, revisions)) != 1 {
		t.Fatal("not one report")
	}
	for _, r := range revisions {
		var sentences []string
		sentences = append(sentences, r.GetSummary(), r.GetRevisionReason(), r.GetUrgency().GetWhy())
		sentences = append(sentences, r.GetNotShown()...)
		for _, x := range r.GetShown() {
			sentences = append(sentences, x.GetStatement())
		}
		for _, x := range r.GetTimeline() {
			sentences = append(sentences, x.GetStatement())
		}
		for _, x := range r.GetAlerts() {
			for _, s := range x.GetSamples() {
				sentences = append(sentences, s.GetJoinedBecause())
			}
		}
		for _, s := range sentences {
			outside := true
			for _, c := range s {
				switch {
				case c == '“' && !outside, c == '”' && outside, c < ' ', c == '\u202e':
					t.Fatalf("%q", s)
				case c == '“', c == '”':
					outside = !outside
				}
			}
			if !outside || strings.Contains(s, "x is harmless") {
				t.Errorf("%q", s)
			}
		}
	}
}
