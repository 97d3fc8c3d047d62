package falcosim

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// demo loads the demo alerts.
func demo(tb testing.TB) []Alert {
	tb.Helper()
	alerts, err := Load(bytes.NewReader(DemoAlerts()))
	if err != nil {
		tb.Fatal(err)
	}
	return alerts
}

func TestDemoAlerts(t *testing.T) {
	alerts := demo(t)
	rules := make(map[string]int)
	for _, a := range alerts {
		rules[a.Rule]++
	}
	if alerts[0].Hostname != "mini-debian-lab" || len(alerts) < 14 || len(rules) < 12 {
		t.Errorf("%d alerts of %d rules, the first of host %s", len(alerts), len(rules), alerts[0].Hostname)
	}
	if last := alerts[len(alerts)-1]; last.Source != internalSource {
		t.Errorf("the last alert is of source %s", last.Source)
	}
}

// queued takes everything out of the server's queue and decodes it as the daemon does.
func queued(t *testing.T, s *Server) []*alert.Alert {
	t.Helper()
	var alerts []*alert.Alert
	for {
		m, ok := s.queue.take()
		if !ok {
			return alerts
		}
		a, err := alert.DecodeGRPC(m)
		if err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, a)
	}
}

// TestRepetitionsAreDistinctEvents: no two alerts of many rounds are the same, and each is in
// itself consistent.
func TestRepetitionsAreDistinctEvents(t *testing.T) {
	snapshot := made(0)
	snapshot.Source, snapshot.Tags = internalSource, nil
	snapshot.Fields = []Field{{"evt.time", strconv.FormatInt(snapshot.Time.UnixNano(), 10)}, {"n", "1"}}
	snapshot.Output += " (evt.time=" + snapshot.Fields[0].Value + " n=1)"
	alerts := append(demo(t), snapshot)
	n := 5*len(alerts) + 3
	for _, jsonOutput := range []bool{false, true} {
		s := New(Options{JSONOutput: jsonOutput})
		defer s.Kill()
		if err := s.Play(t.Context(), PlayOptions{Alerts: alerts, Count: n}); err != nil {
			t.Fatal(err)
		}
		got := queued(t, s)
		ids := make(map[alert.ID]bool)
		for i, a := range got {
			ids[a.ID] = true
			original := alerts[i%len(alerts)]
			first := got[i%len(alerts)]
			if a.Rule != original.Rule || (i < len(alerts)) != a.Time().Equal(original.Time) {
				t.Errorf("alert %d is of rule %q at %v", i, a.Rule, a.Time())
			}
			checkTimes(t, first, a)
		}
		if len(got) != n || len(ids) != n {
			t.Errorf("json_output %v: %d alerts with %d ids, want %d", jsonOutput, len(got), len(ids), n)
		}
	}
}

// checkTimes checks that an alert differs from its first playing in its times only, and by the
// same everywhere.
func checkTimes(t *testing.T, first, a *alert.Alert) {
	t.Helper()
	if nanos, ok := a.Int("evt.time"); ok && nanos != a.Nanos {
		t.Errorf("%s: evt.time is %d, the time %d", a.Rule, nanos, a.Nanos)
	}
	_, was, _, timed := parseLineTime(first.Output)
	_, is, _, still := parseLineTime(a.Output)
	moved := a.Time().Sub(first.Time())
	// One of the samples has no time in its line, and in JSON no notice of Falco has one.
	if timed != still || timed && (is.Sub(was)-moved)%(24*time.Hour) != 0 {
		t.Errorf("%s: the time moved by %v, the line's by %v", a.Rule, moved, is.Sub(was))
	}
	want := strings.ReplaceAll(alert.PlainLine(first.Output), strconv.FormatInt(first.Nanos, 10), strconv.FormatInt(a.Nanos, 10))
	if diff := cmp.Diff(want, alert.PlainLine(a.Output)); diff != "" {
		t.Errorf("%s: (-first +later)\n%s", a.Rule, diff)
	}
	for i, f := range a.Fields() {
		if was := first.Fields()[i]; f != was && f.Name != "evt.time" {
			t.Errorf("%s: field %s changed from %q to %q", a.Rule, f.Name, was.Value.Text(), f.Value.Text())
		}
	}
}

// TestStepKeepsAlertsApart: alerts with equal text whose times differ by multiples of the
// usual step.
func TestStepKeepsAlertsApart(t *testing.T) {
	alerts := []Alert{made(0), made(0), made(0)}
	alerts[1].Time = alerts[0].Time.Add(3 * (time.Second + 7))
	alerts[2].Time = alerts[0].Time.Add(2 * (time.Second + 9))
	p := newPlayer(alerts, false)
	seen := make(map[int64]bool)
	for i := range 300 {
		a := p.alert(i)
		if seen[a.Time.UnixNano()] {
			t.Fatalf("alert %d, at %v, has been played before", i, a.Time)
		}
		seen[a.Time.UnixNano()] = true
	}
}

func TestPlayKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Kill()
		began := time.Now()
		if err := s.Play(t.Context(), PlayOptions{Alerts: several(4, made), Rate: 2, Count: 21}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 10*time.Second || s.Stats().Queued != 21 {
			t.Errorf("%d alerts took %v", s.Stats().Queued, took)
		}
	})
}

func TestPlayEnds(t *testing.T) {
	for name, test := range map[string]struct {
		options PlayOptions
		end     func(cancel context.CancelFunc, s *Server)
		want    error
		played  int
	}{
		"after one round":    {PlayOptions{}, nil, nil, 3},
		"after the count":    {PlayOptions{Count: 2, Loop: true}, nil, nil, 2},
		"with its context":   {PlayOptions{Loop: true, Rate: 1}, func(cancel context.CancelFunc, _ *Server) { cancel() }, context.Canceled, 61},
		"with the server":    {PlayOptions{Loop: true, Rate: 1}, func(_ context.CancelFunc, s *Server) { s.Terminate() }, ErrStopped, 61},
		"waiting, cancelled": {PlayOptions{Loop: true, Ahead: 10}, func(cancel context.CancelFunc, _ *Server) { cancel() }, context.Canceled, 10},
		"waiting, killed":    {PlayOptions{Loop: true, Ahead: 10}, func(_ context.CancelFunc, s *Server) { s.Kill() }, ErrStopped, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := New(Options{})
				defer s.Kill()
				ended := make(chan error, 1)
				test.options.Alerts = several(3, made)
				go func() { ended <- s.Play(ctx, test.options) }()
				<-time.After(time.Minute + time.Millisecond)
				if test.end != nil {
					test.end(cancel, s)
				}
				stopped := time.Now()
				if err := <-ended; !errors.Is(err, test.want) {
					t.Errorf("it ended with %v, want %v", err, test.want)
				}
				if late := time.Since(stopped); late != 0 {
					t.Errorf("it ended %v late", late)
				}
				if n := s.Stats().Enqueued; n != test.played {
					t.Errorf("%d alerts were played, want %d", n, test.played)
				}
			})
		})
	}
}

// TestPlayGoesOnWhenAlertsAreFetched: Ahead bounds the queue, it does not end the playing.
func TestPlayGoesOnWhenAlertsAreFetched(t *testing.T) {
	tr, _ := unixSocket(t)
	s := start(t, tr, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tooMany, ended, asked := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() { tooMany <- s.Wait(ctx, func(st Stats) bool { return st.Queued > 10 }) }()
	go func() { ended <- s.Play(ctx, PlayOptions{Alerts: several(3, made), Count: 1000, Ahead: 10}) }()
	stream := subscribe(t, dial(t, tr))
	go func() {
		defer close(asked)
		ask(ctx, stream)
	}()
	receive(t, stream, 1000)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-tooMany; err == nil {
		t.Error("more than 10 alerts were in the queue")
	}
	<-asked
}

// TestPlayIsKilledByInvalidUTF8: the JSON that is made for such an alert is valid, but Falco
// never gets that far.
func TestPlayIsKilledByInvalidUTF8(t *testing.T) {
	s := New(Options{JSONOutput: true})
	defer s.Kill()
	if err := s.Play(t.Context(), PlayOptions{Alerts: []Alert{made(0), odd()}, Count: 3}); !errors.Is(err, ErrStopped) {
		t.Errorf("it ended with %v", err)
	}
}

func TestPlayRefusesNonsense(t *testing.T) {
	s := New(Options{})
	defer s.Kill()
	err := s.Play(t.Context(), PlayOptions{Rate: -1, Count: -1, Ahead: -1})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("got %v, want four complaints", err)
	}
}
