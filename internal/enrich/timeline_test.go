package enrich_test

import (
	"maps"
	"slices"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

const (
	eventNanos = 1728133246937782756
	second     = 1_000_000_000
)

// TestTimeline: what is known to have happened when, and nothing that cannot be.
func TestTimeline(t *testing.T) {
	whole := map[string]any{
		"container.id": "abc", "container.name": "web", "container.start_ts": eventNanos - 17*second,
		"proc.name": "x", "proc.pid": 12, "proc.pid.ts": eventNanos - second, "proc.pname": "bash", "proc.ppid": 11, "proc.ppid.ts": eventNanos - 2*second,
	}
	const container, parent, process, event = "Container “web” started.", "Process “bash” (pid 11) started: the parent.", "Process “x” (pid 12) started.", "The rule “Some rule” matched."
	for name, tc := range map[string]struct {
		change map[string]any
		want   []string
	}{
		"all":                              {nil, []string{container, parent, process, event}},
		"process older than container":     {map[string]any{"proc.ppid.ts": eventNanos - 30*second}, []string{parent, container, process, event}},
		"container of unknown name":        {map[string]any{"container.name": nil}, []string{parent, process, event}},
		"container younger than event":     {map[string]any{"container.start_ts": eventNanos + 1}, []string{parent, process, event}},
		"parent younger than its child":    {map[string]any{"proc.ppid.ts": eventNanos - second/2}, []string{container, process, event}},
		"process younger than event":       {map[string]any{"proc.pid.ts": eventNanos + 1}, []string{container, parent, event}},
		"no start times":                   {map[string]any{"proc.pid.ts": nil, "proc.ppid.ts": nil, "container.start_ts": nil}, []string{event}},
		"host, whose start is its booting": {map[string]any{"container.id": "host", "container.name": "host"}, []string{parent, process, event}},
	} {
		t.Run(name, func(t *testing.T) {
			fields := maps.Clone(whole)
			maps.Copy(fields, tc.change)
			r := enricher(t).Report(withFields(t, fields))
			var got []string
			for _, e := range r.GetTimeline() {
				got = append(got, e.GetStatement())
				if len(e.GetEvidence()) == 0 || e.GetTime() == nil {
					t.Errorf("an entry without time or evidence: %v", e)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
			checkAlertEntry(t, r)
		})
	}
}

// checkAlertEntry: the last entry is the alert's, and no other.
func checkAlertEntry(t *testing.T, r *pb.Report) {
	t.Helper()
	entries := r.GetTimeline()
	if last := entries[len(entries)-1]; last.GetAlertId() != r.GetId() || last.GetRule() != "Some rule" || !last.GetTime().AsTime().Equal(r.GetEventTime().AsTime()) {
		t.Errorf("last entry %v", last)
	}
	for _, e := range entries[:len(entries)-1] {
		if e.GetAlertId() != "" || e.GetRule() != "" {
			t.Errorf("an entry with an alert: %v", e)
		}
	}
}
