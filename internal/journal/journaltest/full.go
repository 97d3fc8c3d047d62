package journaltest

import (
	"context"
	"errors"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// done: AppendReports accounts for alerts, forwards only, and always has room.
func (s suite) done(t *testing.T) {
	ctx := context.Background()
	j := s.start(t, Limits{})
	_, err := j.AppendAlerts(ctx, sampleAlerts(0, 5))
	must(t, err)
	id := statsOf(t, j).ID
	for i, step := range []struct {
		done journal.Cursor
		want uint64
		err  error
	}{
		{done: journal.Cursor{}, want: 0},
		{done: journal.Cursor{Journal: id}, want: 0},
		{done: journal.Cursor{Journal: id, Seq: 3}, want: 3},
		{done: journal.Cursor{Journal: id, Seq: 2}, want: 3},
		{done: journal.Cursor{}, want: 3},
		{done: journal.Cursor{Journal: id, Seq: 6}, want: 3, err: journal.ErrForeignCursor},
		{done: journal.Cursor{Journal: "f00", Seq: 4}, want: 3, err: journal.ErrForeignCursor},
		{done: journal.Cursor{Seq: 4}, want: 3, err: journal.ErrForeignCursor},
		{done: journal.Cursor{Journal: id, Seq: 5}, want: 5},
	} {
		before := statsOf(t, j).Reports.Tail.Seq
		if err := j.AppendReports(ctx, step.done, sampleReports(2*i, 2*i+2)); !errors.Is(err, step.err) {
			t.Errorf("AppendReports with done %+v: %v, want %v", step.done, err, step.err)
		}
		if got, want := j.Done(), (journal.Cursor{Journal: id, Seq: step.want}); got != want {
			t.Errorf("Done after %+v = %+v, want %+v", step.done, got, want)
		}
		written := uint64(2)
		if step.err != nil {
			written = 0
		}
		if got := statsOf(t, j).Reports.Tail.Seq - before; got != written {
			t.Errorf("AppendReports with done %+v wrote %d reports, want %d", step.done, got, written)
		}
	}
	must(t, j.AppendReports(ctx, j.Done(), nil))
}

// filled opens a journal with room for ten alerts and fills it with alerts that are not
// accounted for.
func (s suite) filled(t *testing.T) journal.Journal {
	t.Helper()
	j := s.start(t, Limits{AlertEntries: 10})
	must(t, appendAlerts(j, 0, 10)())
	return j
}

// appendAlerts is the call that appends the samples.
func appendAlerts(j journal.Journal, from, to int) func() error {
	return func() error {
		_, err := j.AppendAlerts(context.Background(), sampleAlerts(from, to))
		return err
	}
}

// account accounts for the alerts up to the number.
func account(t *testing.T, j journal.Journal, seq uint64) {
	t.Helper()
	must(t, j.AppendReports(context.Background(), journal.Cursor{Journal: j.Done().Journal, Seq: seq}, nil))
}

// holdsAlerts fails the test unless the alert log's entries and end are these.
func holdsAlerts(t *testing.T, j journal.Journal, entries int64, tail uint64) {
	t.Helper()
	if got := statsOf(t, j).Alerts; got.Entries != entries || got.Tail.Seq != tail {
		t.Fatalf("the alert log holds %d of %d ever written, want %d of %d", got.Entries, got.Tail.Seq, entries, tail)
	}
}

// full: alerts wait for those before them to be accounted for, and are accepted together.
func (s suite) full(t *testing.T) {
	j := s.filled(t)
	three := begin(appendAlerts(j, 8, 13)) // two of them repeats
	waits(t, "appending to a full log", three)
	account(t, j, 2)
	waits(t, "appending three where there is room for two", three)
	holdsAlerts(t, j, 10, 10)
	account(t, j, 3)
	must(t, ends(t, "appending three where there is room for three", three))
	holdsAlerts(t, j, 10, 13)
}

// fullOfBytes: the same for bytes.
func (s suite) fullOfBytes(t *testing.T) {
	j := s.start(t, Limits{AlertBytes: 10*alertBytes() + 1})
	must(t, appendAlerts(j, 0, 9)())
	two := begin(appendAlerts(j, 9, 11))
	waits(t, "appending two where there are bytes for one", two)
	account(t, j, 1)
	must(t, ends(t, "appending two where there are bytes for two", two))
	holdsAlerts(t, j, 10, 11)
}

// fullGivenUp: a call that gives up has done nothing, and what needs no room never waits.
func (s suite) fullGivenUp(t *testing.T) {
	j := s.filled(t)
	must(t, ends(t, "appending nothing to a full log", begin(appendAlerts(j, 0, 0))))
	must(t, ends(t, "appending repeats to a full log", begin(appendAlerts(j, 3, 10))))

	ctx, giveUp := context.WithCancel(context.Background())
	call := begin(func() error { _, err := j.AppendAlerts(ctx, sampleAlerts(9, 13)); return err })
	behind := begin(func() error { _, err := j.AppendAlerts(ctx, sampleAlerts(13, 14)); return err })
	must(t, ends(t, "appending nothing while others wait", begin(appendAlerts(j, 0, 0))))
	waits(t, "appending to a full log", call)
	waits(t, "appending behind it", behind)
	giveUp()
	for _, call := range []<-chan error{call, behind} {
		if err := ends(t, "a call that was given up", call); !errors.Is(err, context.Canceled) {
			t.Errorf("AppendAlerts that was given up: %v", err)
		}
	}
	account(t, j, 10)
	holdsAlerts(t, j, 10, 10)
	if _, err := j.Alert(context.Background(), sampleAlert(12).ID); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("Alert that was given up: %v, want ErrNotFound", err)
	}
	got, err := j.AppendAlerts(context.Background(), sampleAlerts(9, 13))
	if err != nil || count(got) != 3 || got[0] {
		t.Errorf("AppendAlerts after giving up = %v, %v, want all but the first new", got, err)
	}
}

// fullInTurn: a small call does not overtake a large one that waits.
func (s suite) fullInTurn(t *testing.T) {
	j := s.filled(t)
	large := begin(appendAlerts(j, 10, 15))
	small := begin(appendAlerts(j, 15, 16))
	account(t, j, 2)
	waits(t, "appending five where there is room for two", large)
	waits(t, "appending one behind it", small)
	account(t, j, 6)
	must(t, ends(t, "appending five where there is room for six", large))
	must(t, ends(t, "appending one behind it", small))
	holdsAlerts(t, j, 10, 16)
	last, err := j.Alert(context.Background(), sampleAlert(15).ID)
	if err != nil || last.Cursor.Seq != 16 {
		t.Errorf("the small call's alert: %s, %v, want it at 16", last.Cursor, err)
	}
}

// largerThanTheLog: such a call gets in when nothing else is waiting for its report, and is
// kept until it has its own.
func (s suite) largerThanTheLog(t *testing.T) {
	for _, limits := range []Limits{{AlertEntries: 10}, {AlertBytes: 10 * alertBytes()}} {
		j := s.start(t, limits)
		must(t, appendAlerts(j, 0, 2)())
		large := begin(appendAlerts(j, 1, 32)) // one of them a repeat
		account(t, j, 1)
		waits(t, "appending more than the log holds beside an alert", large)
		account(t, j, 2)
		must(t, ends(t, "appending more than the log holds", large))
		holdsAlerts(t, j, 30, 32)
		next := begin(appendAlerts(j, 32, 33))
		account(t, j, 22)
		waits(t, "appending to a full log", next)
		holdsAlerts(t, j, 10, 32)
		account(t, j, 23)
		must(t, ends(t, "appending one where there is room for one", next))
		holdsAlerts(t, j, 10, 33)
	}
	j := s.start(t, Limits{ReportBytes: reportBytes()})
	r := journal.Report{ID: sampleAlert(1).ID, Revision: 1, Data: make([]byte, 10*reportBytes())}
	must(t, j.AppendReports(context.Background(), journal.Cursor{}, []journal.Report{sampleReport(0), r}))
	got, err := j.ReadReports(context.Background(), journal.Cursor{}, 10)
	if err != nil || len(got) != 1 || got[0].ID != r.ID {
		t.Errorf("after a report that is larger than the log, it holds %v, %v", got, err)
	}
}

// calls are all calls that take a ctx.
func calls(ctx context.Context, j journal.Journal) map[string]func() error {
	return map[string]func() error{
		"AppendAlerts":  func() error { _, err := j.AppendAlerts(ctx, []*alert.Alert{sampleAlert(1)}); return err },
		"AppendNothing": func() error { _, err := j.AppendAlerts(ctx, nil); return err },
		"AppendReports": func() error { return j.AppendReports(ctx, j.Done(), sampleReports(1, 2)) },
		"ReadAlerts":    func() error { _, err := j.ReadAlerts(ctx, journal.Cursor{}, 1); return err },
		"ReadReports":   func() error { _, err := j.ReadReports(ctx, journal.Cursor{}, 1); return err },
		"Alert":         func() error { _, err := j.Alert(ctx, sampleAlert(0).ID); return err },
		"Report":        func() error { _, err := j.Report(ctx, sampleAlert(0).ID); return err },
		"Stats":         func() error { _, err := j.Stats(ctx); return err },
	}
}

// endedContext: a call that comes too late does nothing.
func (s suite) endedContext(t *testing.T) {
	j := s.start(t, Limits{})
	must(t, alertLog().write(j, 0, 1))
	must(t, reportLog().write(j, 0, 1))
	before := statsOf(t, j)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range calls(ctx, j) {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a ctx that has ended: %v", name, err)
		}
	}
	if after := statsOf(t, j); after != before {
		t.Errorf("calls that were too late changed %+v to %+v", before, after)
	}
}

// closed: waiting calls end, later ones fail.
func (s suite) closed(t *testing.T) {
	j := s.filled(t)
	account(t, j, 1)
	done := j.Done()
	waiting := begin(appendAlerts(j, 20, 30))
	behind := begin(appendAlerts(j, 30, 40))
	waits(t, "appending to a full log", waiting)
	waits(t, "appending behind it", behind)
	must(t, j.Close())
	for _, call := range []<-chan error{waiting, behind} {
		if err := ends(t, "appending to a log that was closed", call); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("AppendAlerts that waited: %v, want ErrClosed", err)
		}
	}
	for name, call := range calls(context.Background(), j) {
		if err := call(); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
	if got := j.Done(); got != done {
		t.Errorf("Done after Close = %s, before it %s", got, done)
	}
	must(t, j.Close())
}
