package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
	"github.com/falco-reporter/falco-reporter/internal/consumer/stdin"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// withInputs is an App over a journal with inputs of these kinds, called by them.
func withInputs(j journal.Journal, log *slog.Logger, kinds ...string) *App {
	a := &App{journal: j, log: log, start: time.Now()}
	for _, kind := range kinds {
		a.inputs = append(a.inputs, &input{ledger: consumer.NewLedger(kind, kind, "")})
	}
	return a
}

// losses is how many possible losses are counted for each input.
func losses(a *App) (out []uint64) {
	for _, in := range a.inputs {
		out = append(out, in.ledger.Status().PossibleLosses)
	}
	return out
}

// TestAnUncleanStopIsAPossibleLoss of every input that then was in use and cannot read again; a
// clean stop is none, and one that left an input unsettled is one of that input.
func TestAnUncleanStopIsAPossibleLoss(t *testing.T) {
	kinds := []string{falcogrpc.Kind, falcofile.Kind, falcohttp.Kind, stdin.Kind}
	for name, test := range map[string]struct {
		end  func(a *App)
		want []uint64
		says string
	}{
		"killed":  {func(*App) {}, []uint64{1, 0, 1, 1}, "left no note of a clean stop"},
		"clean":   {func(a *App) { a.noteStopped(t.Context(), make([]error, len(kinds))) }, []uint64{0, 0, 0, 0}, ""},
		"unclean": {func(a *App) { e := errors.New("x"); a.noteStopped(t.Context(), []error{nil, e, e, nil}) }, []uint64{0, 0, 1, 0}, "before this input was at rest"},
	} {
		t.Run(name, func(t *testing.T) {
			var logs strings.Builder
			j := journal.NewMemory(journal.MemoryOptions{})
			log := slog.New(slog.NewTextHandler(&logs, nil))
			a := withInputs(j, log, kinds...)
			a.findUnclean(t.Context())
			var wg sync.WaitGroup
			a.noteRunning(t.Context(), &wg)
			wg.Wait()
			test.end(a)
			if got := losses(a); fmt.Sprint(got) != "[0 0 0 0]" {
				t.Errorf("the first run has %d", got)
			}
			b := withInputs(j, log, kinds...)
			b.findUnclean(t.Context())
			if got := losses(b); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("possible losses %d; want %d", got, test.want)
			}
			if got := b.inputs[2].ledger.Status().PossibleLoss; !strings.Contains(got, test.says) || test.says == "" && got != "" {
				t.Errorf("it says %q", got)
			}
			logs.Reset()
			withInputs(j, log).findUnclean(t.Context())
			if got := strings.Contains(logs.String(), "not configured any more"); got != (name != "clean") {
				t.Errorf("without the inputs:\n%s", &logs)
			}
		})
	}
}

// full is a journal that takes nothing in for some calls.
type full struct {
	journal.Journal
	calls int
}

func (f *full) AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...journal.Position) ([]bool, error) {
	if f.calls--; f.calls >= 0 {
		return nil, errors.New("disk full")
	}
	return f.Journal.AppendAlerts(ctx, alerts, positions...)
}

// TestTheMarkIsTriedAgain while the journal takes nothing in; a start does not wait for that.
func TestTheMarkIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &full{Journal: journal.NewMemory(journal.MemoryOptions{}), calls: 5}
		var wg sync.WaitGroup
		withInputs(j, slog.New(slog.DiscardHandler), stdin.Kind).noteRunning(t.Context(), &wg)
		if _, err := j.Position(t.Context(), runningPosition); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("error %v at first", err)
		}
		wg.Wait()
		if data, err := j.Position(t.Context(), runningPosition); err != nil || !strings.Contains(string(data), stdin.Kind) {
			t.Errorf("the mark is %q, %v", data, err)
		}
	})
}

// TestAnInputIsGivenOnce: two of one name could not be told apart, nor keep their positions.
func TestAnInputIsGivenOnce(t *testing.T) {
	file := falcofile.Options{Path: filepath.Join(t.TempDir(), "events.log")}
	_, err := New(t.Context(), Options{Inputs: Inputs{Files: []falcofile.Options{file, file}}, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("error %v", err)
	}
}
