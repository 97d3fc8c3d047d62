package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// batch is how many alerts are read, enriched and appended at once: enough to spread the cost
// of an append, few enough that a report does not wait for others.
const batch = 64

// attempts is how often an alert is tried before it is reported plainly.
const attempts = 3

// settle is how long after the time of a revision the worker waits before it writes it, when
// no alert comes: an alert that was received before that time may still be on its way.
const settle = time.Second

// retryAfter is the pause before the journal is asked again to take reports.
const retryAfter = 500 * time.Millisecond

// Joiner makes reports of incidents out of the reports of single alerts. It is used by one
// goroutine.
type Joiner interface {
	// Add takes in the next alert of the alert log with its own report, and returns the
	// revisions that come of it and of the time that has passed, in order.
	Add(seq uint64, a *alert.Alert, r *pb.Report) []*pb.Report
	// Advance returns the revisions that are due by now.
	Advance(now time.Time) []*pb.Report
	// Next is when Advance will have something to return; false for never.
	Next() (time.Time, bool)
	// End ends incidents because no alert will come any more, at most so many, and returns their
	// last revisions; none once all have ended.
	End(limit int) []*pb.Report
	// Changed is what must be kept of the Joiner's state since the last call. The keys begin with
	// StatePrefix.
	Changed() []journal.State
	// Restore takes up the state that was kept. Lookup finds an alert again, with its report.
	Restore(states []journal.State, lookup func(alert.ID) (*alert.Alert, *pb.Report, bool)) error
}

// StatePrefix begins the keys of a Joiner's state: those of others in the journal are not its.
const StatePrefix = "incident/"

// Worker takes alerts from the alert log to the report log, in order, each exactly once.
type Worker struct {
	journal journal.Journal
	report  func(*alert.Alert) *pb.Report
	joiner  func() Joiner // nil for a report each
	join    Joiner
	stale   []journal.State // to be deleted with the next write
	log     *slog.Logger

	finish     chan struct{} // closed by Finish and End
	ended      atomic.Bool
	lastRead   time.Time // when alerts were last dealt with, or Run began
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

// NewWorker makes a Worker over a journal. Joiner makes an empty Joiner; where it is nil every
// alert has a report of its own.
func NewWorker(j journal.Journal, e *Enricher, joiner func() Joiner, log *slog.Logger) *Worker {
	return &Worker{journal: j, report: e.Report, joiner: joiner, log: log, finish: make(chan struct{})}
}

// Stats may be called concurrently with everything.
func (w *Worker) Stats() WorkerStats {
	return WorkerStats{Alerts: w.alerts.Load(), Revisions: w.revisions.Load(), Plain: w.plainCount.Load()}
}

// Finish lets Run return once it has accounted for every alert that is in the alert log by
// then. Incidents that are open stay so, for the Worker after this one. Of Finish and End one
// may be called, once, after the last alert was appended.
func (w *Worker) Finish() { close(w.finish) }

// End does what Finish does, and has the incidents that are still open then closed, since no
// alert will ever come that could join them.
func (w *Worker) End() {
	w.ended.Store(true)
	close(w.finish)
}

// Run works until Finish or End, then until the end of the alert log, and returns nil. It returns
// earlier with ctx's error or one of the journal's reading. It must be called once.
func (w *Worker) Run(ctx context.Context) error {
	w.lastRead = time.Now()
	if err := w.restore(ctx); err != nil {
		return err
	}
	err := journal.Follow(ctx, w.finish, func(wait context.Context) error { return w.step(ctx, wait) }, w.atEnd)
	if err != nil || w.join == nil || !w.ended.Load() {
		return err
	}
	for {
		last, err := w.due(ctx, func() []*pb.Report { return w.join.End(batch) })
		if err != nil {
			return err
		}
		if err := w.write(ctx, w.journal.Done(), 0, last); err != nil || len(last) == 0 {
			return err
		}
	}
}

// due is what the Joiner has to tell by itself. Where making that panics, which is a defect, all
// open incidents are forgotten: each alert of theirs stands in a report already, and the same
// panic would come again with every start.
func (w *Worker) due(ctx context.Context, tell func() []*pb.Report) ([]*pb.Report, error) {
	out, err := guarded(tell)
	if err == nil {
		return out, nil
	}
	w.log.Error("telling of incidents failed; those that were open grow no more, and new ones begin", "error", err)
	states, err := w.states(ctx)
	if err != nil {
		return nil, err
	}
	w.beginAnew(states)
	return nil, nil
}

// guarded calls a function; a panic is an error.
func guarded(tell func() []*pb.Report) (out []*pb.Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return tell(), nil
}

// atEnd reports whether every alert of the alert log is accounted for.
func (w *Worker) atEnd(ctx context.Context) (bool, error) {
	stats, err := w.journal.Stats(ctx)
	if err != nil {
		return false, fmt.Errorf("look for the end of the alert log: %w", err)
	}
	return w.journal.Done().Seq >= stats.Alerts.Tail.Seq, nil
}

// restore makes an empty Joiner and has it take up what was kept.
func (w *Worker) restore(ctx context.Context) error {
	if w.joiner == nil {
		return nil
	}
	states, err := w.states(ctx)
	if err != nil {
		return err
	}
	err = w.takeUp(states, func(id alert.ID) (*alert.Alert, *pb.Report, bool) {
		e, err := w.journal.Alert(ctx, id)
		if err != nil {
			return nil, nil, false
		}
		return e.Alert, w.enrich(e.Alert), true
	})
	if err == nil {
		return nil
	}
	// A state that cannot be read must not keep the daemon down: the alerts of these incidents have
	// their reports, which just do not grow any more.
	w.log.Error("the incidents that were open could not be taken up; new ones begin", "states", len(states), "error", err)
	w.beginAnew(states)
	return nil
}

// states are those that Joiners have kept.
func (w *Worker) states(ctx context.Context) ([]journal.State, error) {
	states, err := w.journal.States(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of incidents: %w", err)
	}
	return slices.DeleteFunc(states, func(s journal.State) bool { return !strings.HasPrefix(s.Key, StatePrefix) }), nil
}

// beginAnew makes an empty Joiner, and has the states of the one before deleted.
func (w *Worker) beginAnew(states []journal.State) {
	w.join = w.joiner()
	for _, s := range states {
		w.stale = append(w.stale, journal.State{Key: s.Key})
	}
}

// takeUp has a new Joiner take up states; a panic on the way is an error.
func (w *Worker) takeUp(states []journal.State, lookup func(alert.ID) (*alert.Alert, *pb.Report, bool)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	w.join = w.joiner()
	return w.join.Restore(states, lookup)
}

// step waits for alerts, or for the time of the next revision, and writes what comes of it.
func (w *Worker) step(ctx, wait context.Context) error {
	timed := wait
	if w.join != nil {
		if next, ok := w.join.Next(); ok {
			// Not right after alerts either: while the Worker was behind, others may have waited for
			// room in the log, which were received before that time as well.
			var cancel context.CancelFunc
			timed, cancel = context.WithDeadline(wait, later(next, w.lastRead).Add(settle))
			defer cancel()
		}
	}
	entries, err := w.journal.ReadAlerts(timed, w.journal.Done(), batch)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		// What is in the log goes before the clock: it was received earlier, and may belong to what
		// would be closed.
		now := time.Now().Add(-settle)
		end, errEnd := w.atEnd(ctx)
		if errEnd != nil {
			return errEnd
		}
		if end {
			told, err := w.due(ctx, func() []*pb.Report { return w.join.Advance(now) })
			if err != nil {
				return err
			}
			return w.write(ctx, w.journal.Done(), 0, told)
		}
		entries, err = w.journal.ReadAlerts(wait, w.journal.Done(), batch)
	}
	switch {
	case err == nil:
		defer func() { w.lastRead = time.Now() }()
		return w.process(ctx, entries)
	case errors.Is(err, context.Canceled):
		return err
	default:
		return fmt.Errorf("read the alert log: %w", err)
	}
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// process writes the reports of some alerts.
func (w *Worker) process(ctx context.Context, entries []journal.AlertEntry) error {
	reports := make([]*pb.Report, len(entries))
	for i, e := range entries {
		reports[i] = w.enrich(e.Alert)
	}
	if w.join != nil {
		var err error
		if reports, err = w.joined(ctx, entries, reports); err != nil {
			return err
		}
	}
	return w.write(ctx, entries[len(entries)-1].Cursor, len(entries), reports)
}

// joined makes reports of incidents out of those of alerts. An alert that this fails on, which
// is a defect, has a report of its own.
func (w *Worker) joined(ctx context.Context, entries []journal.AlertEntry, single []*pb.Report) ([]*pb.Report, error) {
	var alone []bool
	for {
		out, failed, err := w.tryJoin(entries, single, alone)
		if err == nil {
			return out, nil
		}
		w.plainCount.Add(1)
		w.log.Error("joining alerts failed, reporting one by itself", "alert_id", string(entries[failed].Alert.ID), "rule", entries[failed].Alert.Rule, "error", err)
		if alone == nil {
			alone = make([]bool, len(entries))
		}
		alone[failed] = true
		// What it did to the Joiner is not known: begin anew from what is kept.
		if err := w.restore(ctx); err != nil {
			return nil, err
		}
	}
}

// tryJoin adds alerts to the Joiner, but for those that are to stay alone; a panic on the way
// is an error, and failed the alert that it came with.
func (w *Worker) tryJoin(entries []journal.AlertEntry, single []*pb.Report, alone []bool) (out []*pb.Report, failed int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	for failed = range entries {
		if alone != nil && alone[failed] {
			out = append(out, single[failed])
			continue
		}
		out = append(out, w.join.Add(entries[failed].Cursor.Seq, entries[failed].Alert, single[failed])...)
	}
	return out, failed, nil
}

// write appends reports, and the state that goes with them, however long the journal cannot
// take them: in the alert log, nothing that is not accounted for is lost.
func (w *Worker) write(ctx context.Context, done journal.Cursor, alerts int, reports []*pb.Report) error {
	encoded := make([]journal.Report, len(reports))
	for i, r := range reports {
		data, err := marshal(r)
		if err != nil {
			return fmt.Errorf("encode report %s: %w", r.GetId(), err)
		}
		encoded[i] = journal.Report{
			ID: alert.ID(r.GetId()), Revision: r.GetRevision(), Data: data,
			Urgent: r.GetUrgency().GetLevel() >= pb.UrgencyLevel_URGENCY_LEVEL_TODAY,
		}
	}
	var states []journal.State
	if w.join != nil {
		states = append(w.stale, w.join.Changed()...)
		w.stale = nil
	}
	if alerts == 0 && len(encoded) == 0 && len(states) == 0 {
		return nil
	}
	for failed := false; ; failed = true {
		err := w.append(ctx, done, encoded, states)
		if err == nil {
			if failed {
				w.log.Info("the journal takes reports again")
			}
			break
		}
		if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrForeignCursor) {
			return fmt.Errorf("append to the report log: %w", err)
		}
		if !failed {
			w.log.Error("the journal does not take reports; enrichment waits and tries on", "error", err)
		}
		if err := pause(ctx, retryAfter); err != nil {
			return err
		}
	}
	w.alerts.Add(uint64(alerts)) //nolint:gosec // a count
	w.revisions.Add(uint64(len(encoded)))
	return nil
}

// append is one try of write. A state that is too large, which is a defect, costs the state and
// not the reports: it is deleted, so that a restart does not take up an older one.
func (w *Worker) append(ctx context.Context, done journal.Cursor, reports []journal.Report, states []journal.State) error {
	for {
		err := w.journal.AppendReports(ctx, done, reports, states...)
		tooLarge, ok := errors.AsType[*journal.StateSizeError](err)
		if !ok {
			return err
		}
		w.log.Error("the state of an incident is too large to be kept; after a restart its later alerts are told apart", "key", tooLarge.Key, "bytes", tooLarge.Bytes)
		for i := range states {
			if states[i].Key == tooLarge.Key {
				states[i].Data = nil
			}
		}
	}
}

// marshal encodes a report, deterministically, so that the same alerts give the same bytes. A
// text that is no UTF-8, which is a defect, is repaired: it must not cost the report, nor stop
// those behind it.
func marshal(r *pb.Report) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err == nil {
		return data, nil
	}
	r = proto.CloneOf(r)
	repair(r.ProtoReflect())
	return proto.MarshalOptions{Deterministic: true}.Marshal(r)
}

// repair makes every text of a message valid UTF-8.
func repair(m protoreflect.Message) {
	valid := func(v protoreflect.Value) protoreflect.Value {
		return protoreflect.ValueOfString(strings.ToValidUTF8(v.String(), "\uFFFD"))
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		isText, isMessage := fd.Kind() == protoreflect.StringKind, fd.Message() != nil
		switch {
		case fd.IsMap():
			if fd.MapValue().Kind() != protoreflect.StringKind {
				break
			}
			v.Map().Range(func(k protoreflect.MapKey, x protoreflect.Value) bool {
				v.Map().Clear(k)
				v.Map().Set(valid(k.Value()).MapKey(), valid(x))
				return true
			})
		case fd.IsList():
			for i := range v.List().Len() {
				if isText {
					v.List().Set(i, valid(v.List().Get(i)))
				} else if isMessage {
					repair(v.List().Get(i).Message())
				}
			}
		case isText:
			m.Set(fd, valid(v))
		case isMessage:
			repair(v.Message())
		}
		return true
	})
}

// pause waits, or until ctx ends and returns its error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enrich makes the report of an alert: enriched, or plain if that fails time after time.
func (w *Worker) enrich(a *alert.Alert) *pb.Report {
	var err error
	for range attempts {
		var r *pb.Report
		if r, err = try(a, w.report); err == nil {
			return r
		}
	}
	w.plainCount.Add(1)
	w.log.Error("enrichment failed, reporting the alert plainly", "alert_id", string(a.ID), "rule", a.Rule, "attempts", attempts, "error", err)
	return plain(a)
}

// try makes a report; a panic on the way is an error.
func try(a *alert.Alert, report func(*alert.Alert) *pb.Report) (r *pb.Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return report(a), nil
}
