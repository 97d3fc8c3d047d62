// Package consumer is where alerts come in. Each kind of input has a package of its own below
// this one; what they share is here: the [Intake] that hands alerts to the journal, the
// [Ledger] that counts what became of everything received, and the [Backoff] between tries.
//
// Nothing is dropped silently. An intake that is full lets its input wait, and so the sender;
// an input whose sender must not wait asks with [Intake.TryPut] and counts what it refuses.
// What could not be journaled at the end is counted as lost, or, where the input can read it again
// in the next run, as left at its source.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Appender is the part of a journal that takes alerts in.
type Appender interface {
	AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...journal.Position) (isNew []bool, err error)
	KeepRejected(ctx context.Context, rejected ...journal.Rejected) error
}

// Bounds of what lies between an input and the journal, unless its options say otherwise: 256
// alerts with 16 MiB as received, those included that are just being written. They are what a
// crash can lose of an input whose sender cannot repeat. A single batch may be larger.
const (
	QueueLength = 256
	QueueBytes  = 16 << 20
)

// maxAppend bounds how many alerts are written at once, unless a single batch has more.
const maxAppend = 256

// IntakeOptions change what an intake does. The zero value is the usual one.
type IntakeOptions struct {
	// MaxAlerts and MaxBytes bound what it holds; 0 is QueueLength and QueueBytes.
	MaxAlerts, MaxBytes int
	// Capture, if set, is called with alerts right before they are written, to add what only
	// this moment knows of them. It must be quick and must not fail.
	Capture func(ctx context.Context, alerts []*alert.Alert)
	// Seen, if set, is called with alerts that are in the journal, new ones only.
	Seen func(alerts []*alert.Alert)
}

// Batch is alerts that are written together, all or none, with what goes with them.
type Batch struct {
	// Alerts may be empty where there is a position.
	Alerts []*alert.Alert
	// Position is where the input stands behind them; nil where it has no position. One that has
	// reads them again after a restart, unless this position is in the journal.
	Position *journal.Position
	// Done, if set, is called once when the batch is in the journal, by the goroutine of Run:
	// it must not block. It is not called for what is lost.
	Done func()
}

// size is what a batch takes of the intake's room. One without alerts counts as one, so that
// these are bounded, too.
func (b Batch) size() (alerts, bytes int) {
	for _, a := range b.Alerts {
		bytes += len(a.Raw)
	}
	return max(len(b.Alerts), 1), bytes
}

// Intake hands the alerts of one input to the journal, in order. What has queued up while one
// write went on is the next write. Its methods may be called concurrently.
type Intake struct {
	name   string
	to     Appender
	ledger *Ledger
	log    *slog.Logger
	opts   IntakeOptions
	queue  chan Batch
	held   *room // of what is in the queue and just being written
	// failing is whether the journal has refused the last write.
	failing atomic.Bool

	rejectedMu sync.Mutex
	rejected   []journal.Rejected // not kept yet
	wake       chan struct{}      // has an element when there are rejected messages to keep
}

// NewIntake makes the intake of the named input.
func NewIntake(name string, to Appender, ledger *Ledger, log *slog.Logger, opts IntakeOptions) *Intake {
	if opts.MaxAlerts <= 0 {
		opts.MaxAlerts = QueueLength
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = QueueBytes
	}
	return &Intake{
		name: name, to: to, ledger: ledger, log: log, opts: opts,
		// Every batch counts as an alert at least: the queue is never full while there is room.
		queue: make(chan Batch, opts.MaxAlerts), held: newRoom(opts.MaxAlerts, opts.MaxBytes), wake: make(chan struct{}, 1),
	}
}

// Take is Put for a single alert.
func (in *Intake) Take(ctx context.Context, a *alert.Alert) error {
	return in.Put(ctx, Batch{Alerts: []*alert.Alert{a}})
}

// Put stamps alerts with their input and the time, counts them, and queues them, waiting while
// there is no room. It fails only when ctx ends; the alerts are then given up. Alerts
// that only falco-reporter itself may make are rejected. Put must not be called after Close.
func (in *Intake) Put(ctx context.Context, b Batch) error {
	b.Alerts = in.receive(b.Alerts)
	alerts, bytes := b.size()
	if err := in.held.acquire(ctx, alerts, bytes); err != nil {
		in.giveUp(b)
		return err
	}
	in.queue <- b
	return nil
}

// TryPut is Put that never waits: it reports whether there was room. Where there was none the
// alerts are given up.
func (in *Intake) TryPut(b Batch) bool {
	b.Alerts = in.receive(b.Alerts)
	alerts, bytes := b.size()
	if in.held.try(alerts, bytes) != nil {
		in.giveUp(b)
		return false
	}
	in.queue <- b
	return true
}

// errOwn is why an alert of our own making is rejected.
var errOwn = errors.New("it is falco-reporter's own: a report or notice that comes back would go round for ever")

// receive stamps and counts alerts, and returns those that may come in.
func (in *Intake) receive(alerts []*alert.Alert) []*alert.Alert {
	now := time.Now().UnixNano()
	in.ledger.receive(len(alerts), now)
	out := alerts[:0]
	for _, a := range alerts {
		if a.Kind == alert.KindReporterInternal {
			in.reject(a.Raw, errOwn)
			continue
		}
		a.Input, a.ReceivedNanos = in.name, now
		out = append(out, a)
	}
	return out
}

// Reject counts a message that is no alert, and has the journal keep it for inspection.
func (in *Intake) Reject(raw []byte, reason error) {
	in.ledger.receive(1, time.Now().UnixNano())
	in.reject(raw, reason)
}

func (in *Intake) reject(raw []byte, reason error) {
	in.ledger.reject(raw, reason)
	in.rejectedMu.Lock()
	defer in.rejectedMu.Unlock()
	if len(in.rejected) == journal.MaxRejected {
		in.rejected = append(in.rejected[:0], in.rejected[1:]...) // the newest are kept
	}
	raw = append([]byte(nil), raw[:min(len(raw), journal.MaxRejectedBytes)]...)
	in.rejected = append(in.rejected, journal.Rejected{Time: time.Now().UnixNano(), Input: in.name, Reason: reason.Error(), Raw: raw})
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// HasRoom reports whether at least half of the room is free: whether it makes sense to ask
// the sender for more.
func (in *Intake) HasRoom() bool { return in.held.isHalfFree() }

// IsFailing reports whether the journal refuses what is written to it: waiting for it is then of
// no use to a sender.
func (in *Intake) IsFailing() bool { return in.failing.Load() }

// Close says that no alert will follow; Run then ends after the last one.
func (in *Intake) Close() { close(in.queue) }

// Run writes alerts to the journal until Close and the end of the queue, and returns nil; or
// until ctx ends: what is then queued is given up.
func (in *Intake) Run(ctx context.Context) error {
	for {
		var batches []Batch
		select {
		case b, ok := <-in.queue:
			if !ok {
				in.keepRejected(ctx)
				return nil
			}
			batches = append(batches, b)
		case <-in.wake:
			in.keepRejected(ctx)
			continue
		case <-ctx.Done():
			in.abandon(nil)
			return ctx.Err()
		}
		batches = in.more(batches)
		if err := in.write(ctx, batches); err != nil {
			in.abandon(batches)
			return err
		}
	}
}

// more adds what is queued already.
func (in *Intake) more(batches []Batch) []Batch {
	for n := len(batches[0].Alerts); n < maxAppend; {
		select {
		case b, ok := <-in.queue:
			if !ok {
				return batches
			}
			batches = append(batches, b)
			n += len(b.Alerts)
		default:
			return batches
		}
	}
	return batches
}

// write writes batches in one step.
func (in *Intake) write(ctx context.Context, batches []Batch) error {
	var alerts []*alert.Alert
	var position []journal.Position
	for _, b := range batches {
		alerts = append(alerts, b.Alerts...)
		if b.Position != nil {
			position = append(position[:0], *b.Position) // the last one holds for all
		}
	}
	if in.opts.Capture != nil && len(alerts) > 0 {
		in.opts.Capture(ctx, alerts)
	}
	isNew, err := in.append(ctx, alerts, position)
	if err != nil {
		return err
	}
	fresh := in.ledger.journal(alerts, isNew)
	for _, b := range batches {
		in.held.release(b.size())
		if b.Done != nil {
			b.Done()
		}
	}
	if in.opts.Seen != nil && len(fresh) > 0 {
		in.opts.Seen(fresh)
	}
	return nil
}

// append writes alerts, however long the journal cannot: they exist nowhere else.
func (in *Intake) append(ctx context.Context, alerts []*alert.Alert, position []journal.Position) (isNew []bool, err error) {
	backoff := Backoff{Base: 50 * time.Millisecond, Max: 5 * time.Second}
	for failed := false; ; failed = true {
		isNew, err := in.to.AppendAlerts(ctx, alerts, position...)
		if err == nil {
			in.failing.Store(false)
			if failed {
				in.log.Info("the journal takes alerts again", "input", in.name)
			}
			return isNew, nil
		}
		in.failing.Store(true)
		if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) {
			return nil, fmt.Errorf("input %s: append to the alert log: %w", in.name, err)
		}
		if !failed {
			in.log.Error("the journal does not take alerts; the input waits and tries on", "input", in.name, "error", err)
		}
		if err := backoff.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// keepRejected hands rejected messages to the journal. They are counted already: if the
// journal does not take them, they are only not there to be looked at.
func (in *Intake) keepRejected(ctx context.Context) {
	in.rejectedMu.Lock()
	rejected := in.rejected
	in.rejected = nil
	in.rejectedMu.Unlock()
	if len(rejected) == 0 {
		return
	}
	if err := in.to.KeepRejected(ctx, rejected...); err != nil {
		in.log.Warn("rejected messages could not be kept for inspection", "input", in.name, "messages", len(rejected), "error", err)
	}
}

// abandon gives up some batches, and the queue.
func (in *Intake) abandon(batches []Batch) {
	for _, b := range batches {
		in.giveUp(b)
	}
	for {
		select {
		case b, ok := <-in.queue:
			if ok {
				in.giveUp(b)
				continue
			}
		default:
		}
		return
	}
}

// giveUp counts the alerts of a batch that cannot be journaled: as lost, or as left at their source
// where that has a position, from which they are read again.
func (in *Intake) giveUp(b Batch) { in.ledger.giveUp(len(b.Alerts), b.Position != nil) }
