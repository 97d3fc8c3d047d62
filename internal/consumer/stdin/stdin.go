// Package stdin reads alerts from standard input or any other pipe: what Falco's
// program_output writes with keep_alive, or a file that is piped in.
//
// Alerts stand one a line or one after the other, as alert.Scanner finds them. They are handed
// over before the next read that could wait, so that none waits for the one after it. A pipe
// has no place to go on from: what was read from it and is not in the journal when we are
// killed is lost, and what is in it when we stop never reaches us. When the journal is slow,
// the queue of the intake fills, no more is read, the pipe fills, and its writer waits.
//
// Run joins the goroutine that reads, unless that waits for a reader that can have no deadline,
// such as a standard input that is inherited as a blocking pipe or a terminal. The goroutine is
// then left waiting; whatever it is given later it drops, and it hands over nothing any more.
package stdin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// Kind is what inputs of this package are called in a status.
const Kind = "stdin"

// ErrEnded says that the sender has closed its end: all that it sent was handed over.
var ErrEnded = errors.New("the end of the input")

// Bounds of a batch: 256 alerts and 4 MiB of them, unless a single one is larger.
const (
	maxBatchAlerts = 256
	maxBatchBytes  = 4 << 20
)

// stopTimeout bounds how long a stop waits for room for what was read. The daemon has 5 s to
// stop in all.
const stopTimeout = 3 * time.Second

// Input reads one stream.
type Input struct {
	r      io.Reader
	intake *consumer.Intake
	ledger *consumer.Ledger
	log    *slog.Logger

	// What was found and not handed over yet. They are the reading goroutine's.
	batch []*alert.Alert
	bytes int

	mu sync.Mutex
	// stopped asks for no further read, waiting is whether one goes on, left whether nobody
	// waits for it any more.
	stopped, waiting, left bool
}

// New makes an input that hands its alerts to the intake. The ledger must be the intake's. If
// r has a method SetReadDeadline that works, as network connections and non-blocking pipes
// have it, a stop ends a read that waits.
func New(r io.Reader, intake *consumer.Intake, ledger *consumer.Ledger, log *slog.Logger) *Input {
	return &Input{r: r, intake: intake, ledger: ledger, log: log}
}

// Run reads until ctx ends and returns nil, or until the input does and returns ErrEnded, or
// why it cannot be read. It must be called once.
func (in *Input) Run(ctx context.Context) error {
	in.ledger.SetState(consumer.StateConnected, "")
	putCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- in.read(putCtx) }()
	select {
	case err := <-ended:
		return in.finish(err)
	case <-ctx.Done():
	}
	defer in.ledger.SetState(consumer.StateStopped, "")
	timer := time.AfterFunc(stopTimeout, cancel)
	defer timer.Stop()
	if in.stop() {
		in.log.Debug("stopped reading", "input", in.ledger.Status().Name, "reason", <-ended)
	}
	return nil
}

// stop asks the reading goroutine to end. It reports whether it will: not when it waits in a
// read that cannot be ended.
func (in *Input) stop() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	in.left = in.waiting && !in.interrupt()
	return !in.left
}

// interrupt ends a read that waits, and reports whether it could.
func (in *Input) interrupt() bool {
	d, ok := in.r.(interface{ SetReadDeadline(t time.Time) error })
	return ok && d.SetReadDeadline(time.Now()) == nil
}

// finish notes why the reading ended.
func (in *Input) finish(err error) error {
	if errors.Is(err, io.EOF) {
		err = ErrEnded
	} else {
		err = fmt.Errorf("read the input: %w", err)
	}
	if in.ledger.SetState(consumer.StateStopped, err.Error()) {
		in.log.Info("the input ended", "input", in.ledger.Status().Name, "reason", err)
	}
	return err
}

// readFunc makes a function an io.Reader.
type readFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// read reads until an error, which is io.EOF at the end.
func (in *Input) read(ctx context.Context) error {
	s := alert.NewScanner(readFunc(func(p []byte) (int, error) {
		if err := in.flush(ctx); err != nil {
			return 0, err
		}
		return in.readSome(p)
	}))
	for {
		found, err := s.Next()
		if in.isLeft() {
			return errStopped
		}
		if err != nil {
			if ferr := in.flush(ctx); ferr != nil {
				return ferr
			}
			return err
		}
		in.add(found)
		if len(in.batch) >= maxBatchAlerts || in.bytes >= maxBatchBytes {
			if err := in.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// errStopped ends the reading after Run was told to end.
var errStopped = errors.New("stopped")

// readSome is a read that lets stop know of it.
func (in *Input) readSome(p []byte) (int, error) {
	if !in.setWaiting(true) {
		return 0, errStopped
	}
	n, err := in.r.Read(p)
	in.setWaiting(false)
	if in.isLeft() {
		return 0, errStopped
	}
	return n, err
}

// setWaiting notes whether a read goes on. It reports whether one may.
func (in *Input) setWaiting(waiting bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting = waiting && !in.stopped
	return !in.stopped
}

func (in *Input) isLeft() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.left
}

// add takes in what the scanner found.
func (in *Input) add(found alert.Scanned) {
	if found.Err != nil {
		in.intake.Reject(found.Text, fmt.Errorf("line %d: %w", found.Line, found.Err))
		return
	}
	a, err := alert.DecodeJSON(found.Raw)
	if err != nil {
		in.intake.Reject(found.Raw, fmt.Errorf("line %d: %w", found.Line, err))
		return
	}
	in.batch = append(in.batch, a)
	in.bytes += len(a.Raw)
}

// flush hands over what was found.
func (in *Input) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	err := in.intake.Put(ctx, consumer.Batch{Alerts: in.batch})
	in.batch, in.bytes = nil, 0
	return err
}
