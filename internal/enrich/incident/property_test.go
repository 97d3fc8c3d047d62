package incident_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// tight are options under which everything happens soon: floods, closing, and running out of
// room.
var tight = incident.Options{
	Idle: 10 * time.Second, MaxAge: 40 * time.Second, Revise: []time.Duration{3 * time.Second, 15 * time.Second},
	MaxGroups: 4, FloodPerMinute: 5, MaxSamples: 4,
	Silences: []incident.Silence{{Path: "/etc/*", Until: start.Add(time.Minute)}},
}

// anyAlerts draws alerts that have much in common, in the order of their receipt.
func anyAlerts(t *testing.T, rt *rapid.T) []*alert.Alert {
	at := time.Duration(0)
	var out []*alert.Alert
	used := make(map[alert.ID]bool)
	for i := range rapid.IntRange(1, 60).Draw(rt, "n") {
		pick := func(name string, of ...any) any { return rapid.SampledFrom(of).Draw(rt, name) }
		pid, parent := rapid.IntRange(2, 6).Draw(rt, "pid"), rapid.IntRange(1, 4).Draw(rt, "parent")
		f := process(pid, parent, fmt.Sprint("p", pid), fmt.Sprint("p", parent))
		f["proc.pid.ts"] = pick("start", started(pid), started(pid)+1)
		f["host"], f["container.id"] = pick("host", "a", "b"), pick("container", "host", "cccccccccccc")
		f["evt.res"], f["user.uid"] = pick("result", "SUCCESS", "EPERM", "ENOENT"), pick("uid", 0, 7)
		f["fd.name"] = pick("file", "/srv/a", "/etc/shadow", fmt.Sprint("/tmp/", i), "/var/log/syslog")
		if pick("pids", true, false) == false {
			f["proc.pid"], f["proc.ppid"] = nil, nil
		}
		at += rapid.SampledFrom([]time.Duration{0, 1, time.Millisecond, time.Second, 9 * time.Second, 10 * time.Second, 30 * time.Second}).Draw(rt, "pause")
		late := rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Minute}).Draw(rt, "late")
		rule := rapid.SampledFrom([]string{"R", "S", "T"}).Draw(rt, "rule")
		a := made(t, at-late, rule, rapid.SampledFrom([]string{"Critical", "Warning", "Notice"}).Draw(rt, "priority"), f)
		if a.ReceivedNanos = start.Add(at).UnixNano(); !used[a.ID] {
			used[a.ID] = true
			out = append(out, a)
		}
	}
	return out
}

// TestProperties: of any alerts, each is accounted for once, hosts stay apart, and neither how
// the alerts come in batches nor restarts show.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alerts := anyAlerts(t, rt)
		reports := make([]*pb.Report, len(alerts))
		for i, a := range alerts {
			reports[i] = enricher(t).Report(a)
		}
		e := incident.New(tight)
		var plain []*pb.Report
		for i, a := range alerts {
			plain = append(plain, e.Add(uint64(i+1), a, reports[i])...)
		}
		plain = append(plain, end(e)...)
		accountsForAll(t, rt, alerts, final(t, plain))
		want := make([]string, len(plain))
		for i, r := range plain {
			want[i] = encoded(t, r)
		}
		if got := interrupted(t, rt, alerts, reports, false); !slices.Equal(got, want) {
			rt.Fatalf("advancing in between shows: %d revisions, not %d", len(got), len(want))
		}
		if got := interrupted(t, rt, alerts, reports, true); !slices.Equal(got, want) {
			rt.Fatalf("a restart shows: %d revisions, not %d", len(got), len(want))
		}
	})
}

// interrupted gives the alerts to engines that are told the time in between, and are replaced now
// and then by others with the kept state.
func interrupted(t *testing.T, rt *rapid.T, alerts []*alert.Alert, reports []*pb.Report, restart bool) []string {
	byID := make(map[alert.ID]int)
	for i, a := range alerts {
		byID[a.ID] = i
	}
	lookup := func(id alert.ID) (*alert.Alert, *pb.Report, bool) {
		i, ok := byID[id]
		return alerts[i], reports[i], ok
	}
	e, state := incident.New(tight), kept{}
	var out []string
	take := func(list []*pb.Report) {
		for _, r := range list {
			out = append(out, encoded(t, r))
		}
	}
	again := func() {
		if rapid.IntRange(0, 3).Draw(rt, "changed") == 0 {
			return
		}
		state.put(e.Changed())
		if !restart || rapid.Bool().Draw(rt, "go on") {
			return
		}
		e = incident.New(tight)
		if err := e.Restore(state.all(), lookup); err != nil {
			rt.Fatal(err)
		}
	}
	before := start.Add(-time.Hour).UnixNano()
	for i, a := range alerts {
		take(e.Advance(time.Unix(0, rapid.Int64Range(before, a.ReceivedNanos).Draw(rt, "now"))))
		again()
		take(e.Add(uint64(i+1), a, reports[i]))
		again()
		before = a.ReceivedNanos
	}
	take(end(e))
	if state.put(e.Changed()); len(state) > 1 {
		rt.Fatalf("state is left of incidents that are closed: %d keys", len(state))
	}
	return out
}

// accountsForAll: no alert is in two reports, none in none; counts are exact; hosts never meet.
func accountsForAll(t *testing.T, rt *rapid.T, alerts []*alert.Alert, reports []*pb.Report) {
	t.Helper()
	type counted struct{ host, rule string }
	want, got := make(map[counted]uint64), make(map[counted]uint64)
	hosts := make(map[string]string)
	for _, a := range alerts {
		want[counted{a.Hostname, a.Rule}]++
		hosts[string(a.ID)] = a.Hostname
	}
	samples := make(map[string]string)
	for _, r := range reports {
		for _, g := range r.GetAlerts() {
			got[counted{r.GetHost(), g.GetRule()}] += g.GetOccurrences().GetCount()
			for _, s := range g.GetSamples() {
				if other, ok := samples[s.GetId()]; ok {
					rt.Fatalf("alert %s is in %s and %s", s.GetId(), other, r.GetId())
				}
				if samples[s.GetId()] = r.GetId(); hosts[s.GetId()] != r.GetHost() {
					rt.Fatalf("an alert of host %q is in a report of %q", hosts[s.GetId()], r.GetHost())
				}
			}
		}
	}
	for k, n := range want {
		if got[k] != n {
			rt.Fatalf("%v: %d of %d alerts", k, got[k], n)
		}
	}
}

// TestWhatIsGone: a restart goes on without alerts that the log no longer has, and says so.
func TestWhatIsGone(t *testing.T) {
	alerts := recorded(t, "falco-0.43-full-json.jsonl", 16, 21)
	for _, gone := range [][]int{{0}, {1, 2}, {0, 1, 2, 3, 4, 5}} {
		e, state := incident.New(incident.Options{}), kept{}
		for i, a := range alerts {
			e.Add(uint64(i+1), a, enricher(t).Report(a))
		}
		state.put(e.Changed())
		e = incident.New(incident.Options{})
		if err := e.Restore(state.all(), func(id alert.ID) (*alert.Alert, *pb.Report, bool) {
			i := slices.IndexFunc(alerts, func(a *alert.Alert) bool { return a.ID == id })
			if slices.Contains(gone, i) {
				return nil, nil, false
			}
			return alerts[i], enricher(t).Report(alerts[i]), true
		}); err != nil {
			t.Fatal(err)
		}
		last := end(e)
		if len(last) != 1 || last[0].GetId() != string(alerts[0].ID) || total(last[0]) != 6 || last[0].GetRevision() != 7 || last[0].GetHost() != "vm" {
			t.Fatalf("without %v: %v", gone, last)
		}
		if got := last[0].GetNotShown()[0]; got != fmt.Sprintf("What %d alerts showed, which the alert log no longer has.", len(gone)) && len(gone) > 1 {
			t.Errorf("without %v: %q", gone, got)
		}
	}
}

// TestBadState is an error, not a wrong account.
func TestBadState(t *testing.T) {
	e, state := incident.New(incident.Options{}), kept{}
	a := made(t, 0, "R", "Notice", process(100, 50, "x", "y"))
	e.Add(1, a, enricher(t).Report(a))
	state.put(e.Changed())
	for key, data := range state {
		for cut := range data {
			broken := kept{}
			broken.put(state.all())
			broken[key] = data[:cut]
			if err := incident.New(incident.Options{}).Restore(broken.all(), func(alert.ID) (*alert.Alert, *pb.Report, bool) { return nil, nil, false }); err == nil {
				t.Errorf("%s, cut to %d bytes, was taken", key, cut)
			}
		}
	}
}
