package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// batch is how many alerts are read, enriched and appended at once: enough to spread the cost
// of an append, few enough that a report does not wait for others.
const batch = 64

// attempts is how often an alert is tried before it is reported plainly.
const attempts = 3

// Worker takes alerts from the alert log to the report log, in order, each exactly once.
type Worker struct {
	journal journal.Journal
	report  func(*alert.Alert) *pb.Report
	log     *slog.Logger

	finish     chan struct{} // closed by Finish
	alerts     atomic.Uint64
	revisions  atomic.Uint64
	plainCount atomic.Uint64
}

// WorkerStats counts what a Worker did.
type WorkerStats struct {
	// Alerts is how many alerts were accounted for, Revisions how many report revisions were
	// written, Plain how many alerts enrichment failed on.
	Alerts, Revisions, Plain uint64
}

// NewWorker makes a Worker over a journal.
func NewWorker(j journal.Journal, e *Enricher, log *slog.Logger) *Worker {
	return &Worker{journal: j, report: e.Report, log: log, finish: make(chan struct{})}
}

// Stats may be called concurrently with everything.
func (w *Worker) Stats() WorkerStats {
	return WorkerStats{Alerts: w.alerts.Load(), Revisions: w.revisions.Load(), Plain: w.plainCount.Load()}
}

// Finish lets Run return once it has accounted for every alert that is in the alert log by
// then. It must be called at most once, after the last alert was appended.
func (w *Worker) Finish() { close(w.finish) }

// Run works until Finish, then until the end of the alert log, and returns nil. It returns
// earlier with ctx's error or one of the journal. It must be called once.
func (w *Worker) Run(ctx context.Context) error {
	wait, stopWaiting := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-w.finish:
			stopWaiting()
		case <-wait.Done():
		}
	}()
	defer func() {
		stopWaiting()
		<-watched
	}()
	for {
		entries, err := w.journal.ReadAlerts(wait, w.journal.Done(), batch)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.Canceled):
			return w.rest(ctx)
		default:
			return fmt.Errorf("read the alert log: %w", err)
		}
		if err := w.process(ctx, entries); err != nil {
			return err
		}
	}
}

// rest accounts for what is left in the alert log, without waiting for more.
func (w *Worker) rest(ctx context.Context) error {
	for {
		stats, err := w.journal.Stats(ctx)
		if err != nil {
			return fmt.Errorf("look for the end of the alert log: %w", err)
		}
		if w.journal.Done().Seq >= stats.Alerts.Tail.Seq {
			return nil
		}
		entries, err := w.journal.ReadAlerts(ctx, w.journal.Done(), batch)
		if err != nil {
			return fmt.Errorf("read the alert log: %w", err)
		}
		if err := w.process(ctx, entries); err != nil {
			return err
		}
	}
}

// process writes the reports of some alerts.
func (w *Worker) process(ctx context.Context, entries []journal.AlertEntry) error {
	reports := make([]journal.Report, 0, len(entries))
	for _, e := range entries {
		r, err := w.encode(e.Alert)
		if err != nil {
			return fmt.Errorf("encode the report of alert %s: %w", e.Alert.ID, err)
		}
		reports = append(reports, r)
	}
	if err := w.journal.AppendReports(ctx, entries[len(entries)-1].Cursor, reports); err != nil {
		return fmt.Errorf("append to the report log: %w", err)
	}
	w.alerts.Add(uint64(len(entries)))
	w.revisions.Add(uint64(len(reports)))
	return nil
}

// encode makes the encoded report of an alert: enriched, or plain if that fails time after
// time.
func (w *Worker) encode(a *alert.Alert) (journal.Report, error) {
	var err error
	for range attempts {
		var r journal.Report
		if r, err = w.try(a, w.report); err == nil {
			return r, nil
		}
	}
	w.plainCount.Add(1)
	w.log.Error("enrichment failed, reporting the alert plainly", "alert_id", string(a.ID), "rule", a.Rule, "attempts", attempts, "error", err)
	return w.try(a, plain)
}

// try makes and encodes a report; a panic on the way is an error.
func (w *Worker) try(a *alert.Alert, report func(*alert.Alert) *pb.Report) (r journal.Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	m := report(a)
	// Deterministic, so that the same alert gives the same bytes.
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return journal.Report{}, err
	}
	return journal.Report{ID: alert.ID(m.GetId()), Revision: m.GetRevision(), Data: data}, nil
}
