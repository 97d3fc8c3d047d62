package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// maxReadBytes bounds what one read takes from disk, unless the first entry is larger.
const maxReadBytes = 4 << 20

// Pauses of a reader that cannot read, growing from the first to the last.
const (
	readAgainFirst = 50 * time.Millisecond
	readAgainLast  = 5 * time.Second
)

// lookUntil is look that tries again until ctx ends while the disk cannot be read. F may run more
// than once. Stats tell meanwhile. Damage, which does not pass, is ErrDamaged at once.
func (s *SQLite) lookUntil(ctx context.Context, f func(c *conn) error) error {
	err := s.look(ctx, f)
	if err == nil || isFinal(ctx, err) {
		return err
	}
	s.beginUnread(err)
	defer func() { s.endUnread(err == nil) }()
	for wait := readAgainFirst; ; wait = min(2*wait, readAgainLast) {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.closed:
		case <-ctx.Done():
		}
		timer.Stop()
		if err = s.look(ctx, f); err == nil || isFinal(ctx, err) {
			return err
		}
	}
}

// isFinal reports whether trying again is of no use.
func isFinal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrDamaged)
}

// look runs f in a short read transaction.
func (s *SQLite) look(ctx context.Context, f func(c *conn) error) error {
	if err := usable(ctx, s.closed); err != nil {
		return err
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-s.closed:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("wait to read the journal: %w", ctx.Err())
	}
	defer func() { s.readers <- c }()
	err := inSnapshot(c, func() error { return f(c) })
	switch {
	case err == nil:
		return nil
	case isDamage(err):
		s.tellDamage(err)
		return fmt.Errorf("read the journal: %w", asDamage(err))
	default:
		return fmt.Errorf("read the journal: %w", err)
	}
}

// inSnapshot runs f in a read transaction, which sees one moment of the database.
func inSnapshot(c *conn, f func() error) error {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	err := f()
	if end := c.exec("COMMIT"); end != nil {
		return errors.Join(err, end, c.exec("ROLLBACK"))
	}
	return err
}

// source is one of the two logs to read from.
type source[E entry] struct {
	name string
	tail *tail[E]
	// holds reports whether a cursor is a place in the log, next is the end.
	holds func(v *counters, c Cursor) bool
	next  func(v *counters) uint64
	// disk reads entries from number from on, at most limit, as of a view. It returns none
	// when there is nothing as the view says, or a *PrunedError.
	disk func(ctx context.Context, v *counters, from uint64, limit int) ([]E, error)
}

// ReadAlerts implements [Journal].
func (s *SQLite) ReadAlerts(ctx context.Context, after Cursor, limit int) ([]AlertEntry, error) {
	return read(ctx, s, after, limit, source[AlertEntry]{
		name: "alert", tail: &s.alerts,
		holds: func(v *counters, c Cursor) bool { return v.holdsAlert(s.id, c) },
		next:  func(v *counters) uint64 { return v.alertNext },
		disk:  s.diskAlerts,
	})
}

// ReadReports implements [Journal].
func (s *SQLite) ReadReports(ctx context.Context, after Cursor, limit int) ([]ReportEntry, error) {
	return read(ctx, s, after, limit, source[ReportEntry]{
		name: "report", tail: &s.reports,
		holds: func(v *counters, c Cursor) bool { return v.holdsReport(s.id, c) },
		next:  func(v *counters) uint64 { return v.reportNext },
		disk:  s.diskReports,
	})
}

// read returns entries after the cursor, and waits for the first.
func read[E entry](ctx context.Context, s *SQLite, after Cursor, limit int, from source[E]) ([]E, error) {
	if err := usable(ctx, s.closed); err != nil {
		return nil, err
	}
	limit = max(limit, 1)
	for {
		// What is pushed before this is not sent here, so that the look comes after it.
		grown := from.tail.grown.wait()
		if got, err := tryRead(ctx, s, after, limit, from); err != nil || len(got) > 0 {
			return got, err
		}
		select {
		case <-grown:
		case <-s.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the %s log to grow: %w", from.name, ctx.Err())
		}
	}
}

// tryRead returns entries after the cursor, or none at the end.
func tryRead[E entry](ctx context.Context, s *SQLite, after Cursor, limit int, from source[E]) ([]E, error) {
	for {
		v := s.view.Load()
		if !from.holds(v, after) {
			return nil, ErrForeignCursor
		}
		first, next := after.Seq+1, from.next(v)
		if after == (Cursor{}) {
			first = v.oldest(from.name)
		}
		if first >= next {
			return nil, nil
		}
		if first >= v.first(from.name) {
			if got := from.tail.read(first, min(first+uint64(limit), next)); len(got) > 0 { //nolint:gosec // positive
				return got, nil
			}
		}
		got, err := from.disk(ctx, v, first, limit)
		if err != nil || len(got) > 0 {
			return got, err
		}
		if s.view.Load() == v {
			err := fmt.Errorf("read the %s log after %s: %w", from.name, after, errPacked)
			s.tellDamage(err)
			return nil, err
		}
		// Pruned in the meantime.
	}
}

// oldest is the number of the oldest kept entry of a log, or the next if there is none; first
// is the number from which on there are no gaps.
func (s *counters) oldest(log string) uint64 {
	if log == "report" && s.held > 0 {
		return s.heldFirst
	}
	return s.first(log)
}

func (s *counters) first(log string) uint64 {
	if log == "report" {
		return s.reportFloor
	}
	return s.alertFirst
}

// diskAlerts reads alerts from disk.
func (s *SQLite) diskAlerts(ctx context.Context, v *counters, from uint64, limit int) ([]AlertEntry, error) {
	if from < v.alertFirst {
		return nil, &PrunedError{Missed: v.alertFirst - from, Resume: s.cursor(v.alertFirst - 1)}
	}
	var out []AlertEntry
	err := s.lookUntil(ctx, func(c *conn) error {
		size := 0
		out = nil
		return c.query(selectAlerts, []any{signed(from), signed(v.alertNext)}, func(r []driver.Value) error {
			seq, expected := count(r[0]), from+uint64(len(out))
			if len(out) > 0 && seq != expected || seq > expected {
				return errStop // pruned since the view
			}
			err := unpackRow(seq, blob(r[1]), blob(r[2]), expected, func(n uint64, a *alert.Alert) bool {
				out = append(out, AlertEntry{Cursor: s.cursor(n), Alert: a})
				size += len(a.Raw)
				return len(out) < limit && size < maxReadBytes
			})
			if err == nil && (len(out) >= limit || size >= maxReadBytes) {
				err = errStop
			}
			return err
		})
	})
	return out, err
}

const selectAlerts = `SELECT seq, entries, data FROM alerts
	WHERE seq >= coalesce((SELECT max(seq) FROM alerts WHERE seq <= ?1), 0) AND seq < ?2 AND seq + n > ?1 ORDER BY seq`

// diskReports reads reports from disk, up to the next gap.
func (s *SQLite) diskReports(ctx context.Context, v *counters, from uint64, limit int) ([]ReportEntry, error) {
	var out []ReportEntry
	var resume uint64
	err := s.lookUntil(ctx, func(c *conn) error {
		size := 0
		out, resume = nil, v.reportNext-1 // where nothing is kept
		return c.query(selectReports+"seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
			[]any{signed(from), signed(v.reportNext), int64(limit)}, func(r []driver.Value) error {
				seq := count(r[0])
				if seq != from+uint64(len(out)) {
					resume = seq - 1
					return errStop
				}
				e, err := s.report(c, r)
				if err != nil {
					return err
				}
				out = append(out, e)
				if size += len(e.Data); size >= maxReadBytes {
					return errStop
				}
				return nil
			})
	})
	if err == nil && len(out) == 0 && resume >= from {
		err = &PrunedError{Missed: resume - from + 1, Resume: s.cursor(resume)}
	}
	return out, err
}

const selectReports = "SELECT seq, id, revision, urgent, size, data FROM reports WHERE "

// report puts a row of selectReports together.
func (s *SQLite) report(c *conn, r []driver.Value) (ReportEntry, error) {
	data, err := join(blob(r[5]), integer(r[4]), func(id int64) ([]byte, error) {
		if data, ok := s.content.data(id); ok {
			return data, nil
		}
		return readContent(c, id)
	})
	if err != nil {
		return ReportEntry{}, fmt.Errorf("report %d: %w", count(r[0]), err)
	}
	return ReportEntry{Cursor: s.cursor(count(r[0])), Report: Report{
		ID: idOf(blob(r[1])), Revision: uint32(integer(r[2])), Urgent: integer(r[3]) == 1, Data: data, //nolint:gosec // as it was written
	}}, nil
}

// readContent reads content from disk.
func readContent(c *conn, id int64) ([]byte, error) {
	var data []byte
	err := c.query("SELECT data FROM content WHERE id = ?", []any{id}, func(r []driver.Value) error {
		data = blob(r[0])
		return nil
	})
	if err == nil && data == nil {
		err = fmt.Errorf("%w: content %d is missing", errPacked, id)
	}
	return data, err
}

// Alert implements [Journal].
func (s *SQLite) Alert(ctx context.Context, id alert.ID) (AlertEntry, error) {
	var out AlertEntry
	err := s.lookUntil(ctx, func(c *conn) error {
		n, found, err := c.number("SELECT seq FROM alert_ids WHERE id = ?", []byte(keyOf(id)))
		if err != nil || !found {
			return err
		}
		seq := count(n)
		return c.query("SELECT seq, entries, data FROM alerts WHERE seq <= ? ORDER BY seq DESC LIMIT 1", []any{n}, func(r []driver.Value) error {
			return unpackRow(count(r[0]), blob(r[1]), blob(r[2]), seq, func(n uint64, a *alert.Alert) bool {
				out = AlertEntry{Cursor: s.cursor(n), Alert: a}
				return false
			})
		})
	})
	if err == nil && (out.Alert == nil || out.Cursor.Seq < s.view.Load().alertFirst) {
		return AlertEntry{}, ErrNotFound
	}
	return out, err
}

// Report implements [Journal].
func (s *SQLite) Report(ctx context.Context, id alert.ID) (ReportEntry, error) {
	var out ReportEntry
	err := s.look(ctx, func(c *conn) error {
		return c.query(selectReports+"id = ? ORDER BY seq DESC LIMIT 1", []any{[]byte(keyOf(id))}, func(r []driver.Value) (err error) {
			out, err = s.report(c, r)
			return err
		})
	})
	if err == nil && out.Cursor.Seq == 0 {
		err = ErrNotFound
	}
	return out, err
}
