package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
	"github.com/falco-reporter/falco-reporter/internal/consumer/stdin"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// runningPosition names, among the positions, the mark of a daemon that runs. It is empty after a
// clean stop: one that is found at a start was left by a daemon that was killed, or whose host was,
// and with it what its inputs held.
const runningPosition = "daemon:running"

// markTimeout bounds how long a start, and a stop, waits for the journal to take the mark.
const markTimeout = time.Second

// maxMarked bounds how many inputs are named in a mark, so that it fits journal.MaxPositionBytes.
const maxMarked = 64

// runningMark says what runs, or what did not end well.
type runningMark struct {
	// Since is when the daemon was started, in seconds since 1970.
	Since int64 `json:"since"`
	// Stopped is whether it stopped, and could not journal what it had received.
	Stopped bool `json:"stopped,omitzero"`
	// Inputs are the names of those that can lose something by that: all but files.
	Inputs []string `json:"inputs"`
}

// noteRunning keeps the mark before anything is received. While the journal cannot take it, a start
// waits for markTimeout and then tries on beside the inputs, until ctx ends.
func (a *App) noteRunning(ctx context.Context, wg *sync.WaitGroup) {
	names := make([]string, 0, len(a.inputs))
	for _, in := range a.inputs {
		if s := in.ledger.Status(); s.Kind != falcofile.Kind {
			names = append(names, s.Name)
		}
	}
	if a.noteMark(ctx, false, names) == nil {
		return
	}
	wg.Go(func() {
		backoff := consumer.Backoff{Base: 100 * time.Millisecond, Max: 10 * time.Second}
		for backoff.Wait(ctx) == nil && a.noteMark(ctx, false, names) != nil {
		}
	})
}

// noteStopped takes the mark away, or keeps the inputs that did not end well. It is called when no
// input can receive anything any more.
func (a *App) noteStopped(ctx context.Context, ended []error) {
	var names []string
	for i, in := range a.inputs {
		if s := in.ledger.Status(); s.Kind != falcofile.Kind && ended[i] != nil {
			names = append(names, s.Name)
		}
	}
	if err := a.noteMark(ctx, true, names); err != nil {
		a.log.Warn("that the inputs have ended could not be noted; the next start will speak of an unclean stop", "error", err)
	}
	if a.silence != nil {
		a.silence.Keep(ctx)
	}
}

// joinEach joins two lists of errors one by one.
func joinEach(a, b []error) []error {
	out := make([]error, len(a))
	for i := range a {
		out[i] = errors.Join(a[i], b[i])
	}
	return out
}

// noteMark keeps a mark with inputs, and otherwise none.
func (a *App) noteMark(ctx context.Context, stopped bool, inputs []string) error {
	var data []byte
	if len(inputs) > 0 {
		var err error
		m := runningMark{Since: a.start.Unix(), Stopped: stopped, Inputs: inputs[:min(len(inputs), maxMarked)]}
		if data, err = json.Marshal(m); err != nil {
			return fmt.Errorf("encode the mark of a daemon that runs: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	_, err := a.journal.AppendAlerts(ctx, nil, journal.Position{Input: runningPosition, Data: data})
	return err
}

// findUnclean looks for the mark of a daemon before this one, and counts what it can have lost.
func (a *App) findUnclean(ctx context.Context) {
	data, err := a.journal.Position(ctx, runningPosition)
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(data) == 0 {
		return
	}
	var m runningMark
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		a.log.Warn("whether the last stop was clean cannot be told: if not, alerts may be lost", "error", err)
		return
	}
	for _, name := range m.Inputs {
		found := false
		for _, in := range a.inputs {
			if s := in.ledger.Status(); s.Name == name {
				found = true
				what := m.loss(s.Kind)
				in.ledger.MayHaveLost(what)
				a.log.Warn("alerts may be lost", "input", name, "what", what)
			}
		}
		if !found {
			a.log.Warn("alerts may be lost", "input", name, "what", m.loss("")+"; the input is not configured any more")
		}
	}
}

// loss says what an input of a kind can have lost.
func (m runningMark) loss(kind string) string {
	at := time.Unix(m.Since, 0).UTC().Format(time.RFC3339)
	if m.Stopped {
		return "the falco-reporter started at " + at + " was stopped before this input was at rest: the last line of its log says what is lost"
	}
	held := "what it had received and not journaled"
	switch kind {
	case falcogrpc.Kind:
		held = fmt.Sprintf("at most %d alerts that it had received and not journaled, and those that its connection to Falco held", consumer.QueueLength)
	case stdin.Kind:
		held = fmt.Sprintf("at most %d alerts that it had received and not journaled, and those in the pipe", consumer.QueueLength)
	case falcohttp.Kind:
		held = "alerts that it had answered 202, or not answered yet,"
	default:
	}
	return "the falco-reporter started at " + at + " left no note of a clean stop (it was killed, it or its host crashed, or its journal took nothing in): " + held + " may be lost"
}
