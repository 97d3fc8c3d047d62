package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// watch runs a watch of an hour over a journal for some time, in which alerts of hosts come at once.
// It returns what was reported: whose silence, and when that was last heard of.
func watch(t *testing.T, j journal.Journal, d time.Duration, hosts ...string) (told []string) {
	t.Helper()
	to := sink(func(_ context.Context, alerts []*alert.Alert) ([]bool, error) {
		for _, a := range alerts {
			told = append(told, a.String("falcoreporter.silent")+" "+a.String("falcoreporter.last_received"))
		}
		return allNew(alerts), nil
	})
	w := consumer.NewSilence(time.Hour, to, quietly())
	if err := w.Remember(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for _, host := range hosts {
		w.Seen([]*alert.Alert{{Hostname: host}})
	}
	<-time.After(d)
	synctest.Wait()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.Keep(t.Context())
	slices.Sort(told)
	return told
}

// TestSilenceAcrossARestart: a host that does not come back after a restart is reported once, the
// time begins anew with the restart, and later ones do not report it again, until it was back.
func TestSilenceAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		expect := func(got []string, want ...string) {
			t.Helper()
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("reported %q; want %q", got, want)
			}
		}
		start := time.Now().UTC().Format(time.RFC3339)
		expect(watch(t, j, time.Minute, "a", "b"))
		<-time.After(5 * time.Hour) // nobody is there
		expect(watch(t, j, 50*time.Minute, "a"))
		third := time.Now().UTC().Format(time.RFC3339)
		expect(watch(t, j, 70*time.Minute, "a", "c"), "host a "+third, "host b "+start, "host c "+third)
	})
}

// TestASilenceIsToldOnce, however often we are started.
func TestASilenceIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		count := func(want int, hosts ...string) {
			t.Helper()
			if got := watch(t, j, 2*time.Hour, hosts...); len(got) != want {
				t.Errorf("reported %q; want %d", got, want)
			}
		}
		count(1, "a")
		count(0)
		count(1, "a") // it was back
		<-time.After(30 * 24 * time.Hour)
		count(1, "b")
		if states, err := j.States(t.Context()); err != nil || len(states) != 1 || strings.Contains(string(states[0].Data), `"a"`) {
			t.Errorf("a host whose silence was told a month ago is kept: %v, %v", states, err)
		}
	})
}

// TestTheHostsKeptAreBounded, and as many as fit are found again; others' states are left alone.
func TestTheHostsKeptAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		if err := j.AppendReports(t.Context(), journal.Cursor{}, nil, journal.State{Key: "incident/x", Data: []byte("other")}); err != nil {
			t.Fatal(err)
		}
		var hosts []string
		for i := range 20_000 {
			hosts = append(hosts, fmt.Sprintf("%05d-%s", i, strings.Repeat("\x01", 200)))
		}
		hosts[0] = strings.Repeat("x", 1<<20)
		watch(t, j, time.Minute, hosts...)
		states, err := j.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bytes := 0
		for _, s := range states {
			bytes += len(s.Data)
		}
		if len(states) < 2 || len(states) > 33 || bytes > 33*journal.MaxStateBytes || states[0].Key != "incident/x" {
			t.Errorf("%d states with %d bytes", len(states), bytes)
		}
		again := watch(t, j, 2*time.Hour)
		if len(again) < 1000 {
			t.Errorf("%d hosts are found again", len(again))
		}
		<-time.After(30 * 24 * time.Hour)
		watch(t, j, time.Minute, "a")
		if states, err = j.States(t.Context()); err != nil || len(states) != 2 {
			t.Errorf("%d states are left, %v", len(states), err)
		}
	})
}
