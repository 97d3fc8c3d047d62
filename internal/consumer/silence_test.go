package consumer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// TestSilenceIsReported once for each host and input, and again after a sign of life.
func TestSilenceIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		to := sink(func(_ context.Context, alerts []*alert.Alert) ([]bool, error) {
			mu.Lock()
			defer mu.Unlock()
			for _, a := range alerts {
				if a.Source == alert.ReporterSource && a.Kind == alert.KindReporterInternal {
					told = append(told, a.String("falcoreporter.silent"))
				}
			}
			return allNew(alerts), nil
		})
		ledger := consumer.NewLedger("x", "x", "")
		watch := consumer.NewSilence(time.Hour, to, quietly())
		watch.Watch(ledger)
		in := consumer.NewIntake("x", to, ledger, quietly(), consumer.IntakeOptions{Seen: watch.Seen})
		ctx, cancel := context.WithCancel(t.Context())
		done, watched := make(chan error, 1), make(chan error, 1)
		go func() { done <- in.Run(ctx) }()
		go func() { watched <- watch.Run(ctx) }()
		live := func(host string) {
			if err := in.Take(ctx, &alert.Alert{Kind: alert.KindRule, Hostname: host}); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(after time.Duration, want ...string) {
			t.Helper()
			<-time.After(after)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(told) != len(want) {
				t.Fatalf("told %q; want %q", told, want)
			}
			for i := range want {
				if told[i] != want[i] {
					t.Errorf("told %q; want %q", told, want)
				}
			}
			told = nil
		}
		live("a")
		expect(59 * time.Minute)
		live("b")
		expect(10*time.Minute, "host a")
		expect(45 * time.Minute)
		expect(15*time.Minute, "host b", "input x")
		expect(5 * time.Hour)
		live("a")
		expect(70*time.Minute, "host a", "input x")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-watched; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestOwnNoticesDoNotComeIn from outside: they would go round for ever, or could be forged.
func TestOwnNoticesDoNotComeIn(t *testing.T) {
	ledger := consumer.NewLedger("x", "x", "")
	in := consumer.NewIntake("x", nil, ledger, quietly(), consumer.IntakeOptions{})
	forged, err := alert.DecodeJSON([]byte(`{"rule":"r","time":"2026-11-22T01:00:00Z","source":"falco_reporter"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Take(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if s := ledger.Status(); s.Received != 1 || s.Rejected != 1 || s.AtRisk() != 0 {
		t.Errorf("%+v", s)
	}
}
