package incident_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
	"github.com/falco-reporter/falco-reporter/internal/journal"
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

// TestLongNames: however long the names of hosts and rules are, the state of an incident has room
// in a journal, a restart does not show, and names that differ only far behind are not the same.
func TestLongNames(t *testing.T) {
	name := func(n int) string {
		return strings.Repeat("\x01漢", 40_000) + string(rune('a'+n%26)) + string(rune('a'+n/26))
	}
	var alerts []*alert.Alert
	for i := range 100 {
		raw, err := json.Marshal(map[string]any{
			"rule": name(i % 35), "hostname": name(40 + i%2), "priority": "Notice", "source": "syscall",
			"time": start.Add(time.Duration(i) * 100 * time.Millisecond).Format(time.RFC3339Nano), "output_fields": process(100, 50, "sh", "bash"),
		})
		if err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, decode(t, raw))
	}
	byID := make(map[alert.ID]*alert.Alert)
	run := func(restart bool) (out []*pb.Report) {
		e, state := incident.New(incident.Options{}), kept{}
		for i, a := range alerts {
			byID[a.ID] = a
			out = append(out, e.Add(uint64(i+1), a, enricher(t).Report(a))...)
			for _, s := range e.Changed() {
				if len(s.Data) > journal.MaxStateBytes {
					t.Fatalf("the state %q has %d bytes after alert %d", s.Key, len(s.Data), i)
				}
				state.put([]journal.State{s})
			}
			if restart && i%10 == 9 {
				e = incident.New(incident.Options{})
				err := e.Restore(state.all(), func(id alert.ID) (*alert.Alert, *pb.Report, bool) {
					return byID[id], enricher(t).Report(byID[id]), true
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		return append(out, end(e)...)
	}
	want, got := final(t, run(false)), final(t, run(true))
	if len(want) != 2 || len(want[0].GetAlerts()) != 35 || total(want[0])+total(want[1]) != 100 {
		t.Errorf("%d incidents, the first of %d rules; want one for each host, of 35 rules", len(want), len(want[0].GetAlerts()))
	}
	for i := range want {
		if i < len(got) && encoded(t, got[i]) != encoded(t, want[i]) {
			t.Errorf("the restarts show in incident %d", i)
		}
	}
}

// TestStateThatWasNotKept: the journal takes no state that is too large. The rest is taken up
// without it, and what belonged to it is deleted.
func TestStateThatWasNotKept(t *testing.T) {
	e, state := incident.New(incident.Options{}), kept{}
	for i := range 300 {
		a, r := small(i, 0, time.Duration(i)*time.Millisecond)
		e.Add(uint64(i+1), a, r)
	}
	other, report := small(300, 1, 300*time.Millisecond)
	other.Hostname = "another"
	e.Add(301, other, report)
	state.put(e.Changed())
	lost := ""
	for key := range state {
		if order, ok := strings.CutPrefix(key, "incident/targets/"); ok {
			lost, _, _ = strings.Cut(order, "/")
		}
	}
	if delete(state, "incident/group/"+lost); lost == "" {
		t.Fatal("no incident has targets of their own")
	}
	e = incident.New(incident.Options{})
	if err := e.Restore(state.all(), func(alert.ID) (*alert.Alert, *pb.Report, bool) { return other, report, true }); err != nil {
		t.Fatal(err)
	}
	if got := end(e); len(got) != 1 || got[0].GetId() != string(other.ID) {
		t.Errorf("%d reports; want the other incident's", len(got))
	}
	if state.put(e.Changed()); len(state) > 1 {
		t.Errorf("%d keys are left", len(state))
	}
}
