// Package consumer is where alerts come in. Each kind of input has a package of its own below
// this one; what they share is here: the [Intake] that hands alerts to the journal, the
// [Ledger] that counts what became of everything received, and the [Backoff] between tries.
//
// Nothing is dropped silently. An intake that is full lets its input wait, and so the sender;
// what could not be journaled at the end is counted as lost.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Appender is the part of a journal that takes alerts in.
type Appender interface {
	AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...journal.Position) (isNew []bool, err error)
}

// Bounds of what lies between an input and the journal: 256 alerts, and another 256 in the
// batch that is being written, with 16 MiB as received together. They are what a crash can
// lose of an input whose sender cannot repeat. A single alert may be larger than the bytes.
const (
	QueueLength = 256
	QueueBytes  = 16 << 20
)

// Intake hands the alerts of one input to the journal, in order. What has queued up while one
// batch was being written is the next batch. Its methods may be called concurrently.
type Intake struct {
	name   string
	to     Appender
	ledger *Ledger
	log    *slog.Logger
	queue  chan *alert.Alert
	held   *semaphore // of the bytes in the queue and in the batch being written
}

// NewIntake makes the intake of the named input.
func NewIntake(name string, to Appender, ledger *Ledger, log *slog.Logger) *Intake {
	return &Intake{name: name, to: to, ledger: ledger, log: log, queue: make(chan *alert.Alert, QueueLength), held: newSemaphore(QueueBytes)}
}

// Take decodes nothing and rejects nothing: it stamps an alert with its input and the time,
// counts it, and queues it, waiting while the queue is full. It fails only when ctx ends; the
// alert is then counted as lost. It must not be called after Close.
func (in *Intake) Take(ctx context.Context, a *alert.Alert) error {
	a.Input, a.ReceivedNanos = in.name, time.Now().UnixNano()
	in.ledger.receive(a.ReceivedNanos)
	if err := in.held.acquire(ctx, len(a.Raw)); err != nil {
		in.ledger.lose(1)
		return err
	}
	select {
	case in.queue <- a:
		return nil
	case <-ctx.Done():
		in.held.release(len(a.Raw))
		in.ledger.lose(1)
		return ctx.Err()
	}
}

// Reject counts a message that is no alert.
func (in *Intake) Reject(raw []byte, reason error) {
	in.ledger.receive(time.Now().UnixNano())
	in.ledger.reject(raw, reason)
}

// HasRoom reports whether at least half of the queue is free: whether it makes sense to ask
// the sender for more.
func (in *Intake) HasRoom() bool { return len(in.queue) <= QueueLength/2 && in.held.isHalfFree() }

// Close says that no alert will follow; Run then ends after the last one.
func (in *Intake) Close() { close(in.queue) }

// Run writes alerts to the journal until Close and the end of the queue, and returns nil; or
// until ctx ends: what is then queued is counted as lost.
func (in *Intake) Run(ctx context.Context) error {
	for {
		var batch []*alert.Alert
		select {
		case a, ok := <-in.queue:
			if !ok {
				return nil
			}
			batch = append(batch, a)
		case <-ctx.Done():
			in.abandon(0)
			return ctx.Err()
		}
		batch = in.more(batch)
		if err := in.append(ctx, batch); err != nil {
			in.abandon(len(batch))
			return err
		}
	}
}

// more adds what is queued already.
func (in *Intake) more(batch []*alert.Alert) []*alert.Alert {
	for len(batch) < QueueLength {
		select {
		case a, ok := <-in.queue:
			if !ok {
				return batch
			}
			batch = append(batch, a)
		default:
			return batch
		}
	}
	return batch
}

// append writes a batch, however long the journal cannot: the alerts exist nowhere else.
func (in *Intake) append(ctx context.Context, batch []*alert.Alert) error {
	backoff := Backoff{Base: 50 * time.Millisecond, Max: 5 * time.Second}
	for failed := false; ; failed = true {
		isNew, err := in.to.AppendAlerts(ctx, batch)
		if err == nil {
			if failed {
				in.log.Info("the journal takes alerts again", "input", in.name)
			}
			in.ledger.journal(isNew)
			for _, a := range batch {
				in.held.release(len(a.Raw))
			}
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) {
			return fmt.Errorf("input %s: append to the alert log: %w", in.name, err)
		}
		if !failed {
			in.log.Error("the journal does not take alerts; the input waits and tries on", "input", in.name, "error", err)
		}
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// abandon counts the queue, and some alerts more, as lost.
func (in *Intake) abandon(more int) {
	for {
		select {
		case _, ok := <-in.queue:
			if ok {
				more++
				continue
			}
		default:
		}
		in.ledger.lose(more)
		return
	}
}
