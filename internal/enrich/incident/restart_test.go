package incident_test

import (
	"slices"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestRestartInAFlood: restarts do not show where the targets of a rule are too many for the
// state of the incident itself, nor where they become an estimate; and the state stays small.
func TestRestartInAFlood(t *testing.T) {
	const n = 3000
	alerts, reports := make([]*alert.Alert, n), make([]*pb.Report, n)
	byID := make(map[alert.ID]int)
	for i := range n {
		alerts[i], reports[i] = small(i, i%2, time.Duration(i)*10*time.Millisecond)
		byID[alerts[i].ID] = i
	}
	run := func(restart func(i int) bool) (out []string) {
		e, state := incident.New(incident.Options{}), kept{}
		for i, a := range alerts {
			for _, r := range e.Add(uint64(i+1), a, reports[i]) {
				out = append(out, encoded(t, r))
			}
			if !restart(i) {
				continue
			}
			changed, size := e.Changed(), 0
			for _, s := range changed {
				size += len(s.Data)
			}
			if size > 2*(5<<10) {
				t.Fatalf("%d bytes of state after alert %d", size, i+1)
			}
			state.put(changed)
			e = incident.New(incident.Options{})
			if err := e.Restore(state.all(), func(id alert.ID) (*alert.Alert, *pb.Report, bool) { return alerts[byID[id]], reports[byID[id]], true }); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range end(e) {
			out = append(out, encoded(t, r))
		}
		if state.put(e.Changed()); len(state) > 1 {
			t.Errorf("%d keys are left", len(state))
		}
		return out
	}
	want := run(func(int) bool { return false })
	if got := run(func(i int) bool { return i%97 == 0 || i > 1995 && i < 2010 }); !slices.Equal(got, want) {
		t.Error("the restarts show")
	}
}
