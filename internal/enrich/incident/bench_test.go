package incident_test

import (
	"bytes"
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// small is a small alert of a process with its report, made without decoding.
func small(n, pid int, at time.Duration) (*alert.Alert, *pb.Report) {
	id := fmt.Sprintf("%032d", n)
	nanos := start.Add(at).UnixNano()
	stamp := timestamppb.New(time.Unix(0, nanos))
	a := &alert.Alert{
		ID: alert.ID(id), Kind: alert.KindRule, Nanos: nanos, ReceivedNanos: nanos, Rule: fmt.Sprint("Rule ", pid%50), Hostname: "h", Source: "syscall",
		Priority: alert.PriorityNotice, Output: "x", Raw: make([]byte, 400),
	}
	program := fmt.Sprint("program", pid)
	return a, &pb.Report{
		Id: id, Revision: 1, Rule: &pb.Rule{Name: a.Rule}, Title: a.Rule, Summary: "It is small.", Priority: "Notice", Host: "h", Source: "syscall",
		Urgency: &pb.Urgency{Level: pb.UrgencyLevel_URGENCY_LEVEL_RECORD, Why: "Falco priority Notice."}, EventTime: stamp,
		Process: &pb.Process{Pid: new(int64(pid + 2)), StartTime: timestamppb.New(start.Add(-time.Hour)), Name: program, CommandLine: program + " run"},
		User:    &pb.User{Uid: new(uint32(0)), Name: "root"}, Event: &pb.Event{Type: "openat", Outcome: pb.Outcome_OUTCOME_SUCCEEDED},
		File:  &pb.File{Path: fmt.Sprintf("/srv/%d/file%d", n%7, n)},
		Shown: []*pb.Finding{{Statement: "It ran as root (uid 0).", Evidence: []string{"user.uid"}}},
		Alerts: []*pb.AlertGroup{{
			Rule: a.Rule, Occurrences: &pb.Occurrences{Count: 1, FirstTime: stamp, LastTime: stamp, Distinct: 1},
			Samples: []*pb.AlertSample{{Id: id, Time: stamp, Fields: map[string]string{"fd.name": fmt.Sprint("/srv/file", n)}}},
		}},
		Timeline: []*pb.TimelineEntry{{Time: stamp, Statement: "The rule matched.", AlertId: id, Rule: a.Rule}},
		Alert:    &pb.Alert{Id: id, Rule: a.Rule, OutputFields: map[string]string{"fd.name": "x", "proc.name": program}},
	}
}

var million = flag.Bool("million", false, "test the bounds with a million alerts, which takes half a minute, and not with a twentieth of that")

// TestMillion: a million alerts of a hundred thousand incidents, or a twentieth of that, stay within
// the bounds of groups and of memory, and every one is accounted for.
func TestMillion(t *testing.T) {
	alerts, groups, room := 50_000, 500, 3<<20
	if *million {
		alerts, groups, room = 1_000_000, 10_000, 64<<20
	}
	e := incident.New(incident.Options{MaxGroups: groups, MaxBytes: room})
	before := heap()
	accounted, open, most := uint64(0), 0, 0
	take := func(list []*pb.Report) {
		for _, r := range list {
			switch {
			case r.GetRevision() == 1:
				open++
			case r.GetClosed():
				open--
			}
			if r.GetClosed() {
				accounted += total(r)
			}
		}
		most = max(most, open)
	}
	peak := uint64(0)
	for n := range alerts {
		// Of half as many processes at a time as there may be groups, each comes ten times.
		pid := n/(5*groups)*(groups/2) + n%(groups/2)
		a, r := small(n, pid, time.Duration(n)*20*time.Microsecond)
		take(e.Add(uint64(n+1), a, r))
		if n%64 == 0 {
			e.Changed()
		}
		if n%(alerts/10) == alerts/20 {
			peak = max(peak, heap()-before)
		}
	}
	take(end(e))
	if accounted != uint64(alerts) || most > groups+1 || most < groups/2 {
		t.Errorf("%d alerts are accounted for; up to %d incidents were open", accounted, most)
	}
	t.Logf("%d MiB of heap with up to %d incidents open, of the %d MiB that are allowed", peak>>20, most, room>>20)
	if peak > uint64(room)*3/2 {
		t.Errorf("%d MiB of heap", peak>>20)
	}
}

// TestStateThatNobodyAsksFor: an engine whose state is not kept, as of the command report, holds
// nothing of the incidents that are closed.
func TestStateThatNobodyAsksFor(t *testing.T) {
	e := incident.New(incident.Options{})
	before := heap()
	const alerts = 20_000
	for n := range alerts {
		a, r := small(n, n, time.Duration(n)*time.Minute)
		e.Add(uint64(n+1), a, r)
	}
	used := int64(heap()) - int64(before)
	if used > 1<<20 {
		t.Errorf("%d KiB of heap after %d incidents, of which one is open", used>>10, alerts)
	}
	runtime.KeepAlive(e)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestRoom: at the bound, the incident closes whose last alert is longest ago, and says why.
func TestRoom(t *testing.T) {
	e := incident.New(incident.Options{MaxGroups: 2})
	var closed []*pb.Report
	for n, pid := range []int{1, 2, 1, 3} {
		a, r := small(n, pid, time.Duration(n)*time.Second)
		for _, r := range e.Add(uint64(n+1), a, r) {
			if r.GetClosed() {
				closed = append(closed, r)
			}
		}
	}
	if len(closed) != 1 || closed[0].GetTitle() != "Rule 2" || closed[0].GetRevisionReason() != "it is closed to make room for others: too many were open" {
		t.Errorf("%v", closed)
	}
}

// TestRealCost: the estimate of what recorded alerts take is near what they do, for incidents of
// one alert and for such of many.
func TestRealCost(t *testing.T) {
	raw := recorded(t, "falco-0.43-full-json.jsonl", 27, 60)
	for _, each := range []int{1, len(raw)} {
		const limit = 16 << 20
		e := incident.New(incident.Options{MaxGroups: 1 << 20, MaxBytes: limit, FloodPerMinute: 1000})
		before, open := heap(), 0
		for n, full := 0, false; !full; n++ {
			a, err := alert.DecodeJSON(bytes.Clone(raw[n%len(raw)].Raw))
			if err != nil {
				t.Fatal(err)
			}
			a.ID, a.Hostname, a.ReceivedNanos = alert.ID(fmt.Sprintf("%032d", n)), fmt.Sprint("host", n/each), start.UnixNano()
			for _, r := range e.Add(uint64(n+1), a, enricher(t).Report(a)) {
				full = full || r.GetClosed() // for there is no more room
				if r.GetRevision() == 1 {
					open++
				}
			}
		}
		used := heap() - before
		t.Logf("%d KiB of heap for %d incidents, of the %d KiB that are allowed", used>>10, open, limit>>10)
		if used > limit*3/2 || used < limit/3 {
			t.Errorf("%d KiB of heap", used>>10)
		}
		runtime.KeepAlive(e)
	}
}

func BenchmarkAddFlood(b *testing.B) {
	e := incident.New(incident.Options{})
	alerts, reports := make([]*alert.Alert, 4096), make([]*pb.Report, 4096)
	for n := range alerts {
		alerts[n], reports[n] = small(n, 1, time.Duration(n)*time.Microsecond)
		e.Add(uint64(n+1), alerts[n], reports[n])
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		e.Add(uint64(n), alerts[n%4096], reports[n%4096])
	}
}

func BenchmarkAddScattered(b *testing.B) {
	e := incident.New(incident.Options{})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		a, r := small(n, n, time.Duration(n)*time.Microsecond)
		b.StartTimer()
		e.Add(uint64(n), a, r)
	}
}

func BenchmarkChanged(b *testing.B) {
	for _, groups := range []int{1, 64} {
		b.Run(fmt.Sprint(groups), func(b *testing.B) {
			e := incident.New(incident.Options{})
			n, size := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for pid := range groups {
					a, r := small(n, pid, time.Duration(n)*time.Microsecond)
					e.Add(uint64(n), a, r)
					n++
				}
				b.StartTimer()
				size = 0
				for _, s := range e.Changed() {
					size += len(s.Data)
				}
			}
			b.ReportMetric(float64(size)/float64(groups), "B/group")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*groups), "us/group")
		})
	}
}
