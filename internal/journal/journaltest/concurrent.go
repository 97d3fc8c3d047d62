package journaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Sizes of the concurrent test. The logs are much smaller than what runs through them.
const (
	writers   = 4
	perWriter = 500
	readers   = 32
)

// concurrent: writers, one enricher and many readers at once. No alert is lost or doubled,
// writers keep their order, and every reader gets or is told of every report.
func (s suite) concurrent(t *testing.T) {
	j := s.start(t, Limits{AlertEntries: 16, ReportEntries: 64})
	var wg sync.WaitGroup
	try := func(what string, run func() error) {
		wg.Go(func() {
			if err := run(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	for w := range writers {
		try("writer", func() error { return write(j, w) })
	}
	try("enricher", func() error { return enrich(j) })
	for r := range readers {
		try("reader", func() error { return follow(j, 1+r) })
	}
	wg.Wait()
	stats := statsOf(t, j)
	if want := uint64(writers * perWriter); stats.Alerts.Tail.Seq != want || stats.Reports.Tail.Seq != want || j.Done() != stats.Alerts.Tail {
		t.Errorf("done is %s, and at the end of %d alerts stats are %+v", j.Done(), want, stats)
	}
}

// write appends a writer's own alerts, some of them twice.
func write(j journal.Journal, writer int) error {
	const most = 5
	for n := 0; n < perWriter; {
		size := min(1+n%most, perWriter-n)
		from := writer*perWriter + n
		batch := sampleAlerts(from, from+size)
		isNew, err := j.AppendAlerts(context.Background(), append(batch, batch[0]))
		if err != nil {
			return err
		}
		if count(isNew) != size || isNew[size] {
			return fmt.Errorf("of %d alerts and a repeat, new are %v", size, isNew)
		}
		n += size
	}
	return nil
}

// enrich makes a report of every alert and checks that the alerts of each writer come once
// each, in order.
func enrich(j journal.Journal) error {
	var next [writers]int
	after := j.Done()
	for n := 0; n < writers*perWriter; {
		entries, err := j.ReadAlerts(context.Background(), after, 7)
		if err != nil {
			return err
		}
		var reports []journal.Report
		for _, e := range entries {
			if e.Cursor.Seq != after.Seq+1 {
				return fmt.Errorf("after alert %s comes %s", after, e.Cursor)
			}
			after = e.Cursor
			sample := int(e.Alert.ReceivedNanos)
			if w := sample / perWriter; sample%perWriter != next[w] {
				return fmt.Errorf("alert %d of writer %d comes when %d is due", sample%perWriter, w, next[w])
			}
			next[sample/perWriter]++
			reports = append(reports, sampleReport(sample))
		}
		if err := j.AppendReports(context.Background(), after, reports); err != nil {
			return err
		}
		n += len(entries)
	}
	return nil
}

// follow reads the report log to its end and checks that what was read and what was missed
// add up, and that an entry's alert was accounted for when it could be read.
func follow(j journal.Journal, limit int) error {
	stats, err := j.Stats(context.Background())
	if err != nil {
		return err
	}
	seen := make(map[alert.ID]bool)
	after := journal.Cursor{Journal: stats.ID}
	for after.Seq < writers*perWriter {
		entries, err := j.ReadReports(context.Background(), after, limit)
		if gone, ok := errors.AsType[*journal.PrunedError](err); ok {
			if after.Seq+gone.Missed != gone.Resume.Seq {
				return fmt.Errorf("at %s: %w", after, gone)
			}
			after = gone.Resume
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Cursor.Seq != after.Seq+1 {
				return fmt.Errorf("after report %s comes %s", after, e.Cursor)
			}
			if after = e.Cursor; seen[e.ID] {
				return fmt.Errorf("report %s comes twice", e.ID)
			}
			seen[e.ID] = true
		}
		if last := entries[len(entries)-1]; j.Done().Seq < last.Cursor.Seq {
			return fmt.Errorf("report %s can be read before its alert is accounted for", last.Cursor)
		}
		if slices.ContainsFunc(entries, func(e journal.ReportEntry) bool { return e.Revision != 1 }) {
			return errors.New("a report has another revision than it was written with")
		}
	}
	return nil
}
