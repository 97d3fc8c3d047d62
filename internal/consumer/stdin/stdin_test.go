package stdin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/stdin"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// line is the nth alert, without the end of its line.
func line(n int) string {
	at := time.Unix(1795311912, int64(n)).UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"hostname":"h","output":"something","priority":"Warning","rule":"rule","source":"syscall","time":%q,"output_fields":{"n":%d}}`, at, n)
}

func lines(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(line(n) + "\n")
	}
	return b.String()
}

// sink keeps alerts, once it may.
type sink struct {
	gate chan struct{} // closed to let alerts in; nil lets them in

	mu    sync.Mutex
	got   []string
	fifth chan struct{} // if set, closed with the fifth alert
}

func (s *sink) AppendAlerts(ctx context.Context, alerts []*alert.Alert, _ ...journal.Position) ([]bool, error) {
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	isNew := make([]bool, len(alerts))
	for i, a := range alerts {
		isNew[i] = true
		s.got = append(s.got, a.String("n"))
		if len(s.got) == 5 && s.fifth != nil {
			close(s.fifth)
		}
	}
	return isNew, nil
}

func (*sink) KeepRejected(context.Context, ...journal.Rejected) error { return nil }

// wantTo checks that alerts from 0 to n came, in order.
func (s *sink) wantTo(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, got := range s.got {
		if got != fmt.Sprint(i) {
			t.Fatalf("alert %d is number %s", i, got)
		}
	}
	if len(s.got) != n {
		t.Errorf("%d alerts; want %d", len(s.got), n)
	}
}

// running is an input that reads r.
type running struct {
	ledger *consumer.Ledger
	stop   func()     // lets Run end
	ended  chan error // gets what Run returned
	wait   func()     // waits for the intake, which takes alerts until then
}

func start(r io.Reader, to consumer.Appender) *running {
	log := slog.New(slog.DiscardHandler)
	ledger := consumer.NewLedger("stdin", stdin.Kind, "")
	intake := consumer.NewIntake("stdin", to, ledger, log, consumer.IntakeOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{ledger: ledger, stop: cancel, ended: make(chan error, 1)}
	hard, cancelHard := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := stdin.New(r, intake, ledger, log).Run(ctx)
		intake.Close()
		run.ended <- err
	})
	wg.Go(func() { _ = intake.Run(hard) })
	run.wait = func() { wg.Wait(); cancel(); cancelHard() }
	return run
}

func TestEveryAlertUntilTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		text     string
		alerts   int
		rejected uint64
	}{
		"nothing":                 {"", 0, 0},
		"lines":                   {lines(0, 1000), 1000, 0},
		"no end of the last line": {lines(0, 2) + line(2), 3, 0},
		"one after the other":     {line(0) + line(1) + " " + line(2), 3, 0},
		"an array":                {"[" + line(0) + ",\n" + line(1) + "]", 2, 0},
		"empty lines":             {"\n\n" + lines(0, 1) + "\r\n" + lines(1, 2), 2, 0},
		"garbage":                 {"garbage\n" + line(0) + "\n{\"a\":1}\n\xff\x00\n" + line(1), 2, 3},
		"invalid UTF-8":           {strings.Replace(line(0), "something", "some\xffthing", 1), 1, 0},
		"cut off":                 {lines(0, 3) + line(3)[:80], 3, 1},
		"too long":                {lines(0, 1) + strings.Repeat("x", alert.MaxBytes+1) + "\n" + lines(1, 3), 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			to := new(sink)
			run := start(strings.NewReader(test.text), to)
			run.wait()
			if err := <-run.ended; !errors.Is(err, stdin.ErrEnded) {
				t.Errorf("Run: %v", err)
			}
			to.wantTo(t, test.alerts)
			s := run.ledger.Status()
			if s.Received != uint64(test.alerts)+test.rejected || s.Rejected != test.rejected || s.Journaled != uint64(test.alerts) || s.AtRisk() != 0 {
				t.Errorf("status %+v", s)
			}
			if s.State != consumer.StateStopped || s.Reason == "" {
				t.Errorf("state %v, reason %q", s.State, s.Reason)
			}
		})
	}
}

func TestAnErrorOfReadingIsTold(t *testing.T) {
	broken := errors.New("broken")
	to := new(sink)
	run := start(io.MultiReader(strings.NewReader(lines(0, 2)), errReader{broken}), to)
	run.wait()
	if err := <-run.ended; !errors.Is(err, broken) || errors.Is(err, stdin.ErrEnded) {
		t.Errorf("Run: %v", err)
	}
	to.wantTo(t, 2)
	if s := run.ledger.Status(); s.State != consumer.StateStopped || !strings.Contains(s.Reason, "broken") {
		t.Errorf("status %+v", s)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestAStopEndsAReadThatWaits: with a reader that can have a deadline the goroutine ends, and
// what was read is handed over.
func TestAStopEndsAReadThatWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	if _, err := w.WriteString(lines(0, 5) + line(5)[:20]); err != nil {
		t.Fatal(err)
	}
	to := &sink{fifth: make(chan struct{})}
	run := start(r, to)
	<-to.fifth // none waits for the half line behind it
	run.stop()
	run.wait()
	if err := <-run.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	to.wantTo(t, 5)
	if s := run.ledger.Status(); s.State != consumer.StateStopped || s.Reason != "" || s.AtRisk() != 0 {
		t.Errorf("status %+v", s)
	}
}

// TestAStopLeavesAReadThatCannotEnd: Run returns, and what comes later goes nowhere.
func TestAStopLeavesAReadThatCannotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		to := new(sink)
		run := start(r, to)
		if _, err := io.WriteString(w, lines(0, 3)+line(3)[:30]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		to.wantTo(t, 3)
		run.stop()
		run.wait() // the intake is closed now: handing over would panic
		if err := <-run.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := io.WriteString(w, line(3)[30:]+"\n"+lines(4, 6)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		to.wantTo(t, 3)
		if s := run.ledger.Status(); s.Received != 3 {
			t.Errorf("status %+v", s)
		}
	})
}

// TestAJournalThatWaitsStopsTheReading, and a stop in that state is bounded and counts.
func TestAJournalThatWaitsStopsTheReading(t *testing.T) {
	for _, opens := range []bool{true, false} {
		t.Run(fmt.Sprint("opens=", opens), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := &sink{gate: make(chan struct{})}
				r, w := io.Pipe()
				const all = 5 * consumer.QueueLength
				written := make(chan error, 1)
				go func() {
					_, err := io.WriteString(w, lines(0, all))
					written <- errors.Join(err, w.Close())
				}()
				run := start(r, to)
				synctest.Wait()
				if s := run.ledger.Status(); s.AtRisk() == 0 || s.AtRisk() > 3*consumer.QueueLength {
					t.Errorf("at risk: %d", s.AtRisk())
				}
				if opens {
					close(to.gate)
					run.wait()
					if err := <-run.ended; !errors.Is(err, stdin.ErrEnded) {
						t.Errorf("Run: %v", err)
					}
					to.wantTo(t, all)
					if err := <-written; err != nil {
						t.Error(err)
					}
					return
				}
				began := time.Now()
				run.stop()
				if err := <-run.ended; err != nil {
					t.Errorf("Run: %v", err)
				}
				if d := time.Since(began); d > 4*time.Second {
					t.Errorf("the stop took %s", d)
				}
				if s := run.ledger.Status(); s.Lost == 0 || s.AtRisk() > consumer.QueueLength || s.Received > all/2 {
					t.Errorf("status %+v", s)
				}
				close(to.gate)
				run.wait()
				_ = r.Close()
				if err := <-written; !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("the writer: %v", err)
				}
			})
		})
	}
}

func BenchmarkLines(b *testing.B) {
	text := strings.Repeat(lines(0, 1000), 10)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		run := start(strings.NewReader(text), new(sink))
		run.wait()
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "alerts/s")
}
