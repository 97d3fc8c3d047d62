package consumer_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a journal that does as it is told.
type sink func(ctx context.Context, alerts []*alert.Alert) ([]bool, error)

func (s sink) AppendAlerts(ctx context.Context, alerts []*alert.Alert, _ ...journal.Position) ([]bool, error) {
	return s(ctx, alerts)
}

func (sink) KeepRejected(context.Context, ...journal.Rejected) error { return nil }

// allNew is the answer of a journal to which every alert is new.
func allNew(alerts []*alert.Alert) []bool {
	out := make([]bool, len(alerts))
	for i := range out {
		out[i] = true
	}
	return out
}

// quietly is a logger that nobody reads.
func quietly() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestTheJournalMayFail: the intake tries on until the journal takes alerts again, logs that
// once, and loses none.
func TestTheJournalMayFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs strings.Builder
		failures := 20
		got := 0
		ledger := consumer.NewLedger("x", "x", "")
		in := consumer.NewIntake("x", sink(func(_ context.Context, alerts []*alert.Alert) ([]bool, error) {
			if failures--; failures >= 0 {
				return nil, errors.New("disk full")
			}
			got += len(alerts)
			return allNew(alerts), nil
		}), ledger, slog.New(slog.NewTextHandler(&logs, nil)), consumer.IntakeOptions{})
		done := make(chan error, 1)
		go func() { done <- in.Run(t.Context()) }()
		for range 10 {
			if err := in.Take(t.Context(), &alert.Alert{}); err != nil {
				t.Fatal(err)
			}
		}
		in.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if s := ledger.Status(); got != 10 || s.Journaled != 10 || s.AtRisk() != 0 || s.Lost != 0 {
			t.Errorf("%d journaled, %+v", got, s)
		}
		if n := strings.Count(logs.String(), "\n"); n != 2 || !strings.Contains(logs.String(), "disk full") {
			t.Errorf("%d lines logged, want 2:\n%s", n, &logs)
		}
	})
}

// TestTheEndWithoutAJournal: what cannot be written when time is up is counted as lost, and
// the sums hold.
func TestTheEndWithoutAJournal(t *testing.T) {
	for name, stuck := range map[string]sink{
		"waits": func(ctx context.Context, _ []*alert.Alert) ([]bool, error) { <-ctx.Done(); return nil, ctx.Err() },
		"fails": func(context.Context, []*alert.Alert) ([]bool, error) { return nil, errors.New("disk full") },
		"closed": func(context.Context, []*alert.Alert) ([]bool, error) {
			return nil, journal.ErrClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ledger := consumer.NewLedger("x", "x", "")
				in := consumer.NewIntake("x", stuck, ledger, quietly(), consumer.IntakeOptions{})
				done := make(chan error, 1)
				go func() { done <- in.Run(ctx) }()
				sent := 0
				for ; in.Take(ctx, &alert.Alert{}) == nil; sent++ {
				}
				in.Close()
				if err := <-done; err == nil {
					t.Error("Run returned no error")
				}
				s := ledger.Status()
				if sent < consumer.QueueLength || s.Received != uint64(sent+1) || s.Journaled != 0 || s.AtRisk() > consumer.QueueLength {
					t.Errorf("%d sent, %+v", sent, s)
				}
				if name != "closed" && s.Lost != s.Received {
					t.Errorf("%+v: want all of them lost", s)
				}
			})
		})
	}
}

// TestHasRoom is what keeps inputs from asking for more than can be taken.
func TestHasRoom(t *testing.T) {
	in := consumer.NewIntake("x", nil, consumer.NewLedger("x", "x", ""), quietly(), consumer.IntakeOptions{})
	for i := 0; i <= consumer.QueueLength/2; i++ {
		if !in.HasRoom() {
			t.Fatalf("no room for alert %d", i)
		}
		if err := in.Take(t.Context(), &alert.Alert{}); err != nil {
			t.Fatal(err)
		}
	}
	if in.HasRoom() {
		t.Error("room in a queue that is half full")
	}
}

func TestLedgerTellsChangesOnce(t *testing.T) {
	l := consumer.NewLedger("x", "x", "")
	calls := 0
	l.OnState(func() { calls++; _ = l.Status() })
	for _, want := range []bool{true, false, false} {
		if got := l.SetState(consumer.StateConnected, ""); got != want {
			t.Errorf("changed = %v; want %v", got, want)
		}
	}
	if !l.SetState(consumer.StateConnecting, "a") || !l.SetState(consumer.StateConnecting, "b") || calls != 3 {
		t.Errorf("%d calls; want 3", calls)
	}
}

func TestRejectedIsShownSafely(t *testing.T) {
	l := consumer.NewLedger("x", "x", "")
	in := consumer.NewIntake("x", nil, l, quietly(), consumer.IntakeOptions{})
	in.Reject([]byte("\x1b]0;evil\x07"+strings.Repeat("x", 10_000)), errors.New("no alert"))
	s := l.Status()
	if s.Rejected != 1 || s.Received != 1 || len(s.LastRejected) > 1000 || strings.ContainsAny(s.LastRejected, "\x1b\x07") {
		t.Errorf("%+v", s)
	}
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := consumer.Backoff{Base: 100 * time.Millisecond, Max: 10 * time.Second}
		for i := range rapid.IntRange(1, 100).Draw(t, "tries") {
			bound := min(b.Max, b.Base<<min(i, 20))
			if d := b.Next(); d <= 0 || d > bound {
				t.Fatalf("try %d waits %s; want more than 0 and at most %s", i, d, bound)
			}
		}
		b.Reset()
		if d := b.Next(); d > b.Base {
			t.Fatalf("after a reset it waits %s", d)
		}
	})
}

func TestBackoffEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := consumer.Backoff{Base: time.Hour, Max: time.Hour}
	if err := b.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestTheQueueIsBoundedInBytes, too: large alerts wait before the queue is full of them.
func TestTheQueueIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ledger := consumer.NewLedger("x", "x", "")
		in := consumer.NewIntake("x", sink(func(_ context.Context, alerts []*alert.Alert) ([]bool, error) { return allNew(alerts), nil }), ledger, quietly(), consumer.IntakeOptions{})
		large := func() *alert.Alert { return &alert.Alert{Raw: make([]byte, consumer.QueueBytes/4)} }
		for i := range 4 {
			if err := in.Take(ctx, large()); err != nil {
				t.Fatalf("alert %d: %v", i, err)
			}
		}
		if in.HasRoom() {
			t.Error("room beyond the bound of bytes")
		}
		fifth := make(chan error, 1)
		go func() { fifth <- in.Take(ctx, large()) }()
		synctest.Wait()
		select {
		case err := <-fifth:
			t.Fatalf("the fifth did not wait: %v", err)
		default:
		}
		done := make(chan error, 1)
		go func() { done <- in.Run(ctx) }()
		if err := <-fifth; err != nil {
			t.Error(err)
		}
		// One that is larger than the bound gets in, too.
		if err := in.Take(ctx, &alert.Alert{Raw: make([]byte, consumer.QueueBytes+1)}); err != nil {
			t.Error(err)
		}
		in.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if s := ledger.Status(); s.Journaled != 6 || s.AtRisk() != 0 {
			t.Errorf("%+v", s)
		}
	})
}
