package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// store is a journal that now and then fails, and that knows what it has.
type store struct {
	mu       sync.Mutex
	fails    int // how many calls will fail
	kept     map[alert.ID]bool
	order    []alert.ID
	position string // what the last position said, or "torn"
	rejected []journal.Rejected
	repeats  int
}

func (s *store) AppendAlerts(_ context.Context, alerts []*alert.Alert, positions ...journal.Position) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errors.New("disk full")
	}
	isNew := make([]bool, len(alerts))
	for i, a := range alerts {
		if isNew[i] = !s.kept[a.ID]; isNew[i] {
			s.kept[a.ID] = true
			s.order = append(s.order, a.ID)
		} else {
			s.repeats++
		}
	}
	for _, p := range positions {
		s.position = string(p.Data)
	}
	return isNew, nil
}

func (s *store) KeepRejected(_ context.Context, r ...journal.Rejected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = append(s.rejected, r...)
	return nil
}

// TestTheSumsBalance: whatever an input does and however the journal fails, at any instant
// received = journaled + repeated + rejected + lost + at risk, none of them negative; at rest
// nothing is at risk, and the counts are what the journal has.
func TestTheSumsBalance(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		actions := rapid.SliceOfN(rapid.SampledFrom([]string{"take", "batch", "try", "repeat", "reject", "own", "fail", "wait"}), 1, 60).Draw(rt, "actions")
		synctest.Test(t, func(t *testing.T) {
			to := &store{kept: make(map[alert.ID]bool)}
			ledger := consumer.NewLedger("x", "x", "")
			in := consumer.NewIntake("x", to, ledger, quietly(), consumer.IntakeOptions{MaxAlerts: 8, MaxBytes: 1 << 20})
			run := make(chan error, 1)
			go func() { run <- in.Run(t.Context()) }()
			n, sent, own := 0, 0, 0
			done := 0
			next := func() *alert.Alert {
				n++
				sent++
				return &alert.Alert{ID: alert.ID(strconv.Itoa(n)), Kind: alert.KindRule, Raw: []byte("{}")}
			}
			check := func() {
				s := ledger.Status()
				if s.Journaled+s.Repeated+s.Rejected+s.Lost > s.Received {
					t.Fatalf("more went out than came in: %+v", s)
				}
			}
			for _, action := range actions {
				switch action {
				case "take":
					if err := in.Take(t.Context(), next()); err != nil {
						t.Fatal(err)
					}
				case "batch":
					b := consumer.Batch{Alerts: []*alert.Alert{next(), next(), next()}, Done: func() { done++ }}
					b.Position = &journal.Position{Input: "x", Data: []byte(strconv.Itoa(n))}
					if err := in.Put(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				case "try":
					in.TryPut(consumer.Batch{Alerts: []*alert.Alert{next()}})
				case "repeat":
					sent++
					if err := in.Take(t.Context(), &alert.Alert{ID: alert.ID(strconv.Itoa(max(n, 1))), Kind: alert.KindRule}); err != nil {
						t.Fatal(err)
					}
				case "reject":
					sent++
					in.Reject([]byte("junk"), errors.New("no alert"))
				case "own":
					sent++
					own++
					if err := in.Take(t.Context(), &alert.Alert{Kind: alert.KindReporterInternal}); err != nil {
						t.Fatal(err)
					}
				case "fail":
					to.mu.Lock()
					to.fails = 3
					to.mu.Unlock()
				case "wait":
					<-time.After(time.Minute)
				}
				check()
			}
			in.Close()
			if err := <-run; err != nil {
				t.Fatal(err)
			}
			s := ledger.Status()
			if s.AtRisk() != 0 || s.Received != uint64(sent) || s.Journaled != uint64(len(to.order)) || s.Repeated != uint64(to.repeats) {
				t.Errorf("%d sent, the journal has %d and %d repeats: %+v", sent, len(to.order), to.repeats, s)
			}
			if s.Rejected < uint64(own) || uint64(len(to.rejected)) != s.Rejected {
				t.Errorf("%d of our own, %d kept of the rejected: %+v", own, len(to.rejected), s)
			}
		})
	})
}

// TestTheSumsBalanceAtTheEnd: what an input that can read again hands over and the journal never
// takes is not lost: it is left at its source, and in no other count.
func TestTheSumsBalanceAtTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fine := rapid.IntRange(0, 5).Draw(rt, "batches before the journal fails")
		again := rapid.SliceOfN(rapid.Bool(), 1, 20).Draw(rt, "batches with a position")
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			to := &store{kept: make(map[alert.ID]bool)}
			ledger := consumer.NewLedger("x", "x", "")
			in := consumer.NewIntake("x", to, ledger, quietly(), consumer.IntakeOptions{MaxAlerts: 16, MaxBytes: 1 << 20})
			run := make(chan error, 1)
			go func() { run <- in.Run(ctx) }()
			put := func(n int, again bool) bool {
				b := consumer.Batch{}
				for i := range 1 + n%3 {
					b.Alerts = append(b.Alerts, &alert.Alert{ID: alert.ID(fmt.Sprint(n, ".", i)), Kind: alert.KindRule})
				}
				if again {
					b.Position = &journal.Position{Input: "x", Data: []byte("here")}
				}
				return in.Put(ctx, b) == nil
			}
			for n := range fine {
				if !put(n, true) {
					t.Error("no room")
				}
			}
			synctest.Wait()
			to.mu.Lock()
			to.fails = 1 << 30
			to.mu.Unlock()
			time.AfterFunc(time.Minute, cancel)
			var left, lost uint64
			for n, again := range again {
				ok := put(fine+n, again)
				if count := uint64(1 + (fine+n)%3); again {
					left += count
				} else {
					lost += count
				}
				if !ok {
					break // there was no room until the end
				}
			}
			in.Close()
			if err := <-run; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			s := ledger.Status()
			if s.AtRisk() != 0 || s.Received != s.Journaled+s.Lost || s.Journaled != uint64(len(to.order)) || s.Left != left || s.Lost != lost {
				t.Errorf("the journal has %d, %d are to be left and %d lost: %+v", len(to.order), left, lost, s)
			}
		})
	})
}

// TestTheLastLossesAreKept with their times: not one that comes all the time in place of the others.
func TestTheLastLossesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := consumer.NewLedger("x", "x", "")
		l.MayHaveLost("first")
		for range 1000 {
			l.MayHaveLost("flood")
		}
		<-time.After(2 * time.Minute)
		l.Disconnected(true)
		l.Disconnected(false)
		got := l.Losses()
		if s := l.Status(); len(got) != 3 || s.PossibleLosses != 1001 || s.Uncertain != 1 || got[1].What != "flood" || got[1].Count != 1000 ||
			got[2].First.Sub(got[0].Last) != 2*time.Minute || !s.LossTime.Equal(got[2].Last) || s.PossibleLoss != got[2].What {
			t.Errorf("%+v: %+v", s, got)
		}
		for i := range 100 {
			l.MayHaveLost(fmt.Sprint(i))
		}
		if got = l.Losses(); len(got) != consumer.MaxLosses || got[0].What != fmt.Sprint(100-consumer.MaxLosses) || got[consumer.MaxLosses-1].What != "99" {
			t.Errorf("%+v", got)
		}
	})
}

// TestRelayedAlertsAreCounted: what came by way of falcosidekick, which does not say what it lost.
func TestRelayedAlertsAreCounted(t *testing.T) {
	ledger := consumer.NewLedger("x", "x", "")
	in := consumer.NewIntake("x", &store{kept: make(map[alert.ID]bool)}, ledger, quietly(), consumer.IntakeOptions{})
	for _, uuid := range []string{"", "a", "b"} {
		if err := in.Take(t.Context(), &alert.Alert{ID: "1", UUID: uuid, Kind: alert.KindRule}); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := ledger.Status(); s.Relayed != 2 || s.Journaled != 1 || s.Repeated != 2 {
		t.Errorf("%+v", s)
	}
}

// TestAPositionGoesWithItsAlerts: of the batches that one write takes, the last position holds,
// and it is there no earlier than the alerts before it.
func TestAPositionGoesWithItsAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &store{kept: make(map[alert.ID]bool), fails: 5}
		ledger := consumer.NewLedger("x", "x", "")
		in := consumer.NewIntake("x", to, ledger, quietly(), consumer.IntakeOptions{})
		done := 0
		for i := range 10 {
			b := consumer.Batch{
				Alerts:   []*alert.Alert{{ID: alert.ID(fmt.Sprint(i)), Kind: alert.KindRule}},
				Position: &journal.Position{Input: "x", Data: []byte(strconv.Itoa(i))},
				Done:     func() { done++ },
			}
			if i == 9 {
				b.Alerts = nil // a position alone
			}
			if err := in.Put(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		in.Close()
		if err := in.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(to.order) != 9 || to.position != "9" || done != 10 {
			t.Errorf("%d alerts, position %q, %d done", len(to.order), to.position, done)
		}
	})
}

// TestTryPutNeverWaits: what finds no room is refused and counted as lost.
func TestTryPutNeverWaits(t *testing.T) {
	ledger := consumer.NewLedger("x", "x", "")
	in := consumer.NewIntake("x", &store{}, ledger, quietly(), consumer.IntakeOptions{MaxAlerts: 100, MaxBytes: 1000})
	put := func(size int) bool {
		return in.TryPut(consumer.Batch{Alerts: []*alert.Alert{{Kind: alert.KindRule, Raw: make([]byte, size)}}})
	}
	if !put(5000) || put(1) {
		t.Error("one that is larger than the bound gets in alone, and nothing beside it")
	}
	if s := ledger.Status(); s.Received != 2 || s.Lost != 1 || s.AtRisk() != 1 {
		t.Errorf("%+v", s)
	}
}

// TestFalcosOwnLosses are added up from its notices: those since the last notice, and those of
// a snapshot, which has them since the start of Falco.
func TestFalcosOwnLosses(t *testing.T) {
	ledger := consumer.NewLedger("x", "x", "")
	in := consumer.NewIntake("x", &store{kept: make(map[alert.ID]bool)}, ledger, quietly(), consumer.IntakeOptions{})
	for i, fields := range []string{
		`"n_drops":"3"`, `"n_drops":"4"`,
		`"falco.start_ts":"1","scap.n_drops":"5","falco.outputs_queue_num_drops":"2","falco.version":"0.43.0"`,
		`"falco.start_ts":"1","scap.n_drops":"6","falco.outputs_queue_num_drops":"2"`,
		`"falco.start_ts":"2","scap.n_drops":"9","falco.outputs_queue_num_drops":"1"`,
		`"n_drops":"-5"`, `"falco.start_ts":"2","scap.n_drops":"x"`,
	} {
		a, err := alert.DecodeJSON(fmt.Appendf(nil, `{"rule":"Falco internal: x","source":"internal","hostname":"h","time":"2026-11-22T01:00:0%dZ","output_fields":{%s}}`, i, fields))
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Take(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// 7 by notices, 6 and 9 in the two runs by snapshots.
	if s := ledger.Status(); s.FalcoDroppedEvents != 15 || s.FalcoDroppedOutputs != 3 || s.FalcoVersion != "0.43.0" {
		t.Errorf("%+v", s)
	}
}
