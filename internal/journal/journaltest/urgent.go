package journaltest

import (
	"context"
	"errors"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// urgentReport is a sample report that is urgent.
func urgentReport(n int) journal.Report {
	r := sampleReport(n)
	r.Urgent = true
	return r
}

// appendReport appends a report.
func appendReport(t *testing.T, j journal.Journal, r journal.Report) {
	t.Helper()
	must(t, j.AppendReports(context.Background(), journal.Cursor{}, []journal.Report{r}))
}

// keptReports reads the report log from the zero cursor to its end, and returns the numbers of
// the entries and how many were missed in between.
func keptReports(t *testing.T, j journal.Journal) (kept []uint64, missed uint64) {
	t.Helper()
	for after := (journal.Cursor{}); after.Seq < statsOf(t, j).Reports.Tail.Seq; {
		got, err := j.ReadReports(context.Background(), after, 7)
		if gone, ok := errors.AsType[*journal.PrunedError](err); ok {
			if len(kept) == 0 || gone.Missed == 0 || gone.Resume.Seq != after.Seq+gone.Missed {
				t.Fatalf("reading after %s: %v", after, err)
			}
			after, missed = gone.Resume, missed+gone.Missed
			continue
		}
		must(t, err)
		for i, e := range got {
			if i > 0 && e.Cursor.Seq != after.Seq+1 {
				t.Fatalf("after %s comes %s in one call", after, e.Cursor)
			}
			kept, after = append(kept, e.Cursor.Seq), e.Cursor
		}
	}
	return kept, missed
}

// urgent: a flood of other reports leaves urgent ones alone, within a quarter of the limits.
func (s suite) urgent(t *testing.T) {
	for _, limits := range []Limits{{ReportEntries: 16}, {ReportBytes: 16 * reportBytes()}} {
		j := s.start(t, limits)
		urgent := map[uint64]bool{}
		for n := range 200 {
			r := sampleReport(n)
			if n < 40 && n%5 == 0 { // 8 of them, of which 4 have room
				r = urgentReport(n)
				urgent[uint64(n+1)] = true
			}
			appendReport(t, j, r)
			kept, missed := keptReports(t, j)
			if len(kept) != min(n+1, 16) || kept[len(kept)-1] != uint64(n+1) {
				t.Fatalf("%+v: after %d reports, kept are %v", limits, n+1, kept)
			}
			if want := uint64(n+1) - kept[0] + 1 - uint64(len(kept)); missed != want {
				t.Fatalf("after %d reports %v are kept, and %d were missed between, not %d", n+1, kept, missed, want)
			}
			if got := statsOf(t, j).Reports; got.Entries != int64(len(kept)) || got.Bytes != int64(len(kept))*reportBytes() ||
				got.Oldest.Seq != kept[0] || got.Newest.Seq != uint64(n+1) {
				t.Fatalf("stats are %+v, kept are %v", got, kept)
			}
		}
		kept, _ := keptReports(t, j)
		for i, want := range []uint64{21, 26, 31, 36} {
			if kept[i] != want || !urgent[want] {
				t.Errorf("kept are %v, want the last four urgent ones first", kept)
			}
		}
		if e, err := j.Report(context.Background(), urgentReport(35).ID); err != nil || !e.Urgent || e.Cursor.Seq != 36 {
			t.Errorf("looking up an urgent report that is held: %+v, %v", e, err)
		}
		if _, err := j.Report(context.Background(), sampleReport(34).ID); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("looking up one that gave way to it: %v, want ErrNotFound", err)
		}
		for n := 200; n < 230; n++ {
			appendReport(t, j, urgentReport(n))
		}
		if kept, _ := keptReports(t, j); len(kept) != 16 || kept[0] != 215 {
			t.Errorf("a flood of urgent reports leaves %v, want the newest", kept)
		}
	}
}

// urgentHoles: who reads between urgent reports that are held learns exactly what is gone.
func (s suite) urgentHoles(t *testing.T) {
	j := s.start(t, Limits{ReportEntries: 8})
	for n := range 30 {
		r := sampleReport(n)
		r.Urgent = n == 3 || n == 4
		appendReport(t, j, r)
	}
	id := statsOf(t, j).ID
	at := func(seq uint64) journal.Cursor { return journal.Cursor{Journal: id, Seq: seq} }
	for _, test := range []struct {
		after journal.Cursor
		first uint64 // read, or
		count int
		gone  journal.PrunedError
	}{
		{after: at(0), gone: journal.PrunedError{Missed: 3, Resume: at(3)}},
		{after: at(2), gone: journal.PrunedError{Missed: 1, Resume: at(3)}},
		{after: journal.Cursor{}, first: 4, count: 2},
		{after: at(3), first: 4, count: 2},
		{after: at(4), first: 5, count: 1},
		{after: at(5), gone: journal.PrunedError{Missed: 19, Resume: at(24)}},
		{after: at(23), gone: journal.PrunedError{Missed: 1, Resume: at(24)}},
		{after: at(24), first: 25, count: 6},
	} {
		got, err := j.ReadReports(context.Background(), test.after, 10)
		gone, pruned := errors.AsType[*journal.PrunedError](err)
		switch {
		case test.count == 0 && pruned && *gone == test.gone:
		case test.count > 0 && err == nil && len(got) == test.count && got[0].Cursor.Seq == test.first:
		default:
			t.Errorf("reading after %q: %v, %v, want %+v", test.after, got, err, test)
		}
	}
}
