package journaltest

import (
	"context"
	"fmt"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// sampleAlert is the alert with the number, as an input would hand it over: the same every
// time, for every number another, and all of the same size.
func sampleAlert(n int) *alert.Alert {
	a, err := alert.DecodeJSON(fmt.Appendf(nil,
		`{"time":"2026-11-22T02:07:38.%09[1]dZ","rule":"Sample","priority":"Notice","source":"syscall","hostname":"h",`+
			`"output":"02:07:38.%09[1]d: Notice sample","tags":["T1059"],"output_fields":{"proc.name":"%09[1]d"}}`, n))
	if err != nil {
		return nil // nothing works with these samples
	}
	a.Input, a.ReceivedNanos = "sample", int64(n)
	return a
}

// sampleReport is the report of the alert with the number.
func sampleReport(n int) journal.Report {
	return journal.Report{ID: sampleAlert(n).ID, Revision: 1, Data: fmt.Appendf(nil, "report %09d", n)}
}

// sampleAlerts are the alerts from one number up to another, that one excluded.
func sampleAlerts(from, to int) []*alert.Alert { return samples(from, to, sampleAlert) }

// sampleReports are the reports of sampleAlerts.
func sampleReports(from, to int) []journal.Report { return samples(from, to, sampleReport) }

func samples[T any](from, to int, sample func(int) T) []T {
	var out []T
	for n := from; n < to; n++ {
		out = append(out, sample(n))
	}
	return out
}

// Sizes of the samples, all of them alike.
func alertBytes() int64  { return int64(len(sampleAlert(0).Raw)) }
func reportBytes() int64 { return int64(len(sampleReport(0).Data)) }

// either is one of the two logs, for tests of what holds for both.
type either struct {
	// of is what it is a log of.
	of string
	// limits bound the log to a number of entries, or to a number of bytes.
	limits func(entries int, bytes int64) Limits
	// write appends the samples, accounted for, and returns the error.
	write func(j journal.Journal, from, to int) error
	// each makes ready the calls that append the samples one by one, not accounted for.
	each func(j journal.Journal, from, to int) []func() error
	// read reads and returns the entries' cursors and ids.
	read func(ctx context.Context, j journal.Journal, after journal.Cursor, limit int) ([]item, error)
	// look looks an id up.
	look  func(j journal.Journal, id alert.ID) (item, error)
	stats func(journal.Stats) journal.LogStats
	// size is what a sample takes.
	size int64
}

// item is what the two kinds of entries have in common.
type item struct {
	cursor journal.Cursor
	id     alert.ID
}

func alertLog() either {
	return either{
		of:     "alerts",
		limits: func(entries int, bytes int64) Limits { return Limits{AlertEntries: entries, AlertBytes: bytes} },
		write: func(j journal.Journal, from, to int) error {
			if _, err := j.AppendAlerts(context.Background(), sampleAlerts(from, to)); err != nil {
				return err
			}
			s, err := j.Stats(context.Background())
			if err != nil {
				return err
			}
			return j.AppendReports(context.Background(), s.Alerts.Tail, nil)
		},
		each: func(j journal.Journal, from, to int) []func() error {
			return samples(from, to, func(n int) func() error {
				alerts := sampleAlerts(n, n+1)
				return func() error { _, err := j.AppendAlerts(context.Background(), alerts); return err }
			})
		},
		read: func(ctx context.Context, j journal.Journal, after journal.Cursor, limit int) ([]item, error) {
			entries, err := j.ReadAlerts(ctx, after, limit)
			return items(entries, func(e journal.AlertEntry) item { return item{e.Cursor, e.Alert.ID} }), err
		},
		look: func(j journal.Journal, id alert.ID) (item, error) {
			e, err := j.Alert(context.Background(), id)
			if err != nil {
				return item{}, err
			}
			return item{e.Cursor, e.Alert.ID}, nil
		},
		stats: func(s journal.Stats) journal.LogStats { return s.Alerts },
		size:  alertBytes(),
	}
}

func reportLog() either {
	return either{
		of:     "reports",
		limits: func(entries int, bytes int64) Limits { return Limits{ReportEntries: entries, ReportBytes: bytes} },
		write: func(j journal.Journal, from, to int) error {
			return j.AppendReports(context.Background(), journal.Cursor{}, sampleReports(from, to))
		},
		each: func(j journal.Journal, from, to int) []func() error {
			return samples(from, to, func(n int) func() error {
				reports := sampleReports(n, n+1)
				return func() error { return j.AppendReports(context.Background(), journal.Cursor{}, reports) }
			})
		},
		read: func(ctx context.Context, j journal.Journal, after journal.Cursor, limit int) ([]item, error) {
			entries, err := j.ReadReports(ctx, after, limit)
			return items(entries, func(e journal.ReportEntry) item { return item{e.Cursor, e.ID} }), err
		},
		look: func(j journal.Journal, id alert.ID) (item, error) {
			e, err := j.Report(context.Background(), id)
			return item{e.Cursor, e.ID}, err
		},
		stats: func(s journal.Stats) journal.LogStats { return s.Reports },
		size:  reportBytes(),
	}
}

func items[E any](entries []E, convert func(E) item) []item {
	out := make([]item, 0, len(entries))
	for _, e := range entries {
		out = append(out, convert(e))
	}
	return out
}

// itemsOf are the items of the samples that were written first into the journal, and came
// from the numbers from up to to.
func itemsOf(id string, from, to int) []item {
	return samples(from, to, func(n int) item {
		return item{journal.Cursor{Journal: id, Seq: uint64(n + 1)}, sampleAlert(n).ID} //nolint:gosec // never negative
	})
}
