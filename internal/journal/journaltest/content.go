package journaltest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// empty: a journal without entries says so.
func (s suite) empty(t *testing.T) {
	j := s.start(t, Limits{})
	got := statsOf(t, j)
	if got.ID == "" || got.Kind == "" {
		t.Errorf("Stats has no ID or no Kind: %+v", got)
	}
	nothing := journal.LogStats{Tail: journal.Cursor{Journal: got.ID}}
	if want := (journal.Stats{ID: got.ID, Kind: got.Kind, Alerts: nothing, Reports: nothing}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
	if got, want := j.Done(), nothing.Tail; got != want {
		t.Errorf("Done = %+v, want %+v", got, want)
	}
	if other := s.start(t, Limits{}); statsOf(t, other).ID == got.ID {
		t.Errorf("two journals have the ID %s", got.ID)
	}
}

// content: entries come back as they went in, read or looked up.
func (s suite) content(t *testing.T) {
	ctx := context.Background()
	j := s.start(t, Limits{})
	id := statsOf(t, j).ID
	wantAlert := journal.AlertEntry{Cursor: journal.Cursor{Journal: id, Seq: 1}, Alert: sampleAlert(7)}
	wantReport := journal.ReportEntry{Cursor: wantAlert.Cursor, Report: sampleReport(7)}
	if _, err := j.Alert(ctx, wantReport.ID); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("Alert before there is one: %v, want ErrNotFound", err)
	}
	if _, err := j.Report(ctx, wantReport.ID); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("Report before there is one: %v, want ErrNotFound", err)
	}
	_, err := j.AppendAlerts(ctx, []*alert.Alert{sampleAlert(7)})
	must(t, err)
	must(t, j.AppendReports(ctx, wantAlert.Cursor, []journal.Report{sampleReport(7)}))

	alerts, err := j.ReadAlerts(ctx, journal.Cursor{}, 10)
	if want := []journal.AlertEntry{wantAlert}; err != nil || !reflect.DeepEqual(alerts, want) {
		t.Errorf("ReadAlerts = %+v, %v, want %+v", alerts, err, want)
	}
	if got, err := j.Alert(ctx, wantAlert.Alert.ID); err != nil || !reflect.DeepEqual(got, wantAlert) {
		t.Errorf("Alert = %+v, %v, want %+v", got, err, wantAlert)
	}
	reports, err := j.ReadReports(ctx, journal.Cursor{}, 10)
	if want := []journal.ReportEntry{wantReport}; err != nil || !reflect.DeepEqual(reports, want) {
		t.Errorf("ReadReports = %+v, %v, want %+v", reports, err, want)
	}
	if got, err := j.Report(ctx, wantReport.ID); err != nil || !reflect.DeepEqual(got, wantReport) {
		t.Errorf("Report = %+v, %v, want %+v", got, err, wantReport)
	}
}

// revisions: a report is looked up in its newest revision for as long as that one is kept.
func (s suite) revisions(t *testing.T) {
	ctx := context.Background()
	j := s.start(t, Limits{ReportEntries: 3})
	write := func(n int, revision uint32) {
		t.Helper()
		r := sampleReport(n)
		r.Revision = revision
		must(t, j.AppendReports(ctx, journal.Cursor{}, []journal.Report{r}))
	}
	id := sampleReport(1).ID
	write(1, 1)
	write(2, 1)
	write(1, 2)
	for n := 3; n < 5; n++ {
		// The second revision stays while the first, and then the other report, goes.
		write(n, 1)
		if got, err := j.Report(ctx, id); err != nil || got.Revision != 2 || got.Cursor.Seq != 3 {
			t.Errorf("Report = revision %d at %s, %v, want revision 2 at 3", got.Revision, got.Cursor, err)
		}
	}
	write(5, 1)
	if got, err := j.Report(ctx, id); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("Report after every revision was evicted = %+v, %v, want ErrNotFound", got, err)
	}
}

// repeats: an alert is written once for as long as it is kept.
func (s suite) repeats(t *testing.T) {
	j := s.start(t, Limits{AlertEntries: 4})
	for _, step := range []struct {
		what    string
		numbers []int
		want    []bool
	}{
		{"a new one", []int{1}, []bool{true}},
		{"another", []int{2}, []bool{true}},
		{"one that is kept", []int{3, 1}, []bool{true, false}},
		{"one that stands there twice", []int{4, 4}, []bool{true, false}},
		{"all kept", []int{4, 3, 2, 1}, []bool{false, false, false, false}},
		{"one that makes the first go", []int{5}, []bool{true}},
		{"the one that went", []int{1}, []bool{true}},
		{"those that are kept after it", []int{3, 4, 5, 1}, []bool{false, false, false, false}},
	} {
		var alerts []*alert.Alert
		for _, n := range step.numbers {
			alerts = append(alerts, sampleAlert(n))
		}
		before := statsOf(t, j).Alerts.Tail.Seq
		got, err := j.AppendAlerts(context.Background(), alerts)
		if err != nil || !slices.Equal(got, step.want) {
			t.Fatalf("%s: AppendAlerts = %v, %v, want %v", step.what, got, err, step.want)
		}
		tail := statsOf(t, j).Alerts.Tail
		if wrote, want := tail.Seq-before, uint64(count(got)); wrote != want { //nolint:gosec // never negative
			t.Errorf("%s: %d were written, want %d", step.what, wrote, want)
		}
		must(t, j.AppendReports(context.Background(), tail, nil))
	}
}

// count is how many are true.
func count(isNew []bool) int {
	n := 0
	for _, b := range isNew {
		if b {
			n++
		}
	}
	return n
}

// order: entries come in the order of the calls, without a gap, wherever one begins.
func (s suite) order(t *testing.T, l either) {
	j := s.start(t, Limits{})
	must(t, l.write(j, 0, 3))
	must(t, l.write(j, 3, 4))
	must(t, l.write(j, 4, 40))
	id := statsOf(t, j).ID
	for _, limit := range []int{-1, 0, 1, 3, 7, 1000} {
		var got []item
		for after := (journal.Cursor{}); len(got) < 40; after = got[len(got)-1].cursor {
			part, err := l.read(context.Background(), j, after, limit)
			if err != nil || len(part) == 0 || len(part) > max(limit, 1) {
				t.Fatalf("reading %d after %s: %d entries, %v", limit, after, len(part), err)
			}
			got = append(got, part...)
		}
		if want := itemsOf(id, 0, 40); !slices.Equal(got, want) {
			t.Errorf("reading %d at a time: %v, want %v", limit, got, want)
		}
	}
	for from := range 40 {
		got, err := l.read(context.Background(), j, journal.Cursor{Journal: id, Seq: uint64(from)}, 5)
		if want := itemsOf(id, from, min(from+5, 40)); err != nil || !slices.Equal(got, want) {
			t.Errorf("reading after %d: %v, %v, want %v", from, got, err, want)
		}
	}
}

// bounds: what is kept stays within the limits, and is all that fits.
func (s suite) bounds(t *testing.T, l either) {
	for _, limits := range []Limits{l.limits(10, 0), l.limits(0, 10*l.size), l.limits(0, 11*l.size-1)} {
		j := s.start(t, limits)
		id := statsOf(t, j).ID
		for n := range 35 {
			must(t, l.write(j, n, n+1))
			first := max(0, n+1-10)
			want := itemsOf(id, first, n+1)
			got, err := l.read(context.Background(), j, journal.Cursor{}, 1000)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%+v: %d written, kept are %v, %v, want %v", limits, n+1, got, err, want)
			}
			stats := l.stats(statsOf(t, j))
			kept := int64(len(want))
			if stats != (journal.LogStats{
				Oldest: want[0].cursor, Newest: want[kept-1].cursor, Tail: want[kept-1].cursor,
				Entries: kept, Bytes: kept * l.size,
			}) {
				t.Fatalf("%+v: %d written, stats are %+v", limits, n+1, stats)
			}
			for i := range n + 1 {
				got, err := l.look(j, sampleAlert(i).ID)
				if i < first && !errors.Is(err, journal.ErrNotFound) {
					t.Fatalf("looking up evicted entry %d of %d: %v, want ErrNotFound", i, n+1, err)
				}
				if i >= first && (err != nil || got != want[i-first]) {
					t.Fatalf("looking up entry %d of %d: %v, %v, want %v", i, n+1, got, err, want[i-first])
				}
			}
		}
	}
}
