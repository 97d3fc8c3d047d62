package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// CheckResult is what a check found.
type CheckResult struct {
	// ID is the journal's identity, Alerts and Reports how many were looked at.
	ID              string
	Alerts, Reports uint64
	// Problems are in words; none if all is well, and at most 100.
	Problems []string
}

// maxProblems bounds what a check tells.
const maxProblems = 100

// checker checks one moment of a journal.
type checker struct {
	c      *conn
	state  counters
	result CheckResult
}

// Check reads the whole journal in a directory and holds it against what must be true of it,
// while another process may write to it, whose WAL grows meanwhile by what it writes. An error
// means that it could not look.
func Check(ctx context.Context, dir string) (result CheckResult, err error) {
	c, err := openToRead(ctx, dir)
	if err != nil {
		return CheckResult{}, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	k := &checker{c: c}
	err = inSnapshot(c, func() error {
		for _, step := range []func() error{k.integrity, k.counters, k.alerts, k.reports, k.contents} {
			if err := errors.Join(ctx.Err(), step()); err != nil {
				return err
			}
		}
		return nil
	})
	if hasCode(err, codeCorrupt, codeNotADatabase) || errors.Is(err, errPacked) || errors.Is(err, ErrUnusable) {
		k.problem("%v", err)
		err = nil
	}
	if err != nil {
		return CheckResult{}, fmt.Errorf("check the journal: %w", err)
	}
	return k.result, nil
}

func (k *checker) problem(format string, args ...any) {
	if len(k.result.Problems) < maxProblems {
		k.result.Problems = append(k.result.Problems, fmt.Sprintf(format, args...))
	}
}

// integrity is SQLite's own check.
func (k *checker) integrity() error {
	return k.c.query("PRAGMA integrity_check", nil, func(r []driver.Value) error {
		if s := text(r[0]); s != "ok" {
			k.problem("SQLite: %s", s)
		}
		return nil
	})
}

// counters checks them against each other.
func (k *checker) counters() error {
	err := k.c.query("SELECT id FROM journal", nil, func(r []driver.Value) error { k.result.ID = text(r[0]); return nil })
	if err != nil {
		return err
	}
	k.state, err = loadCounters(k.c)
	return err
}

// alerts checks that they are all there, once, can be decoded, and are found by their ids.
func (k *checker) alerts() error {
	next, bytes, cost := k.state.alertFirst, int64(0), int64(0)
	begun := false
	var keys uint64
	err := k.c.query("SELECT seq, n, entries, data FROM alerts ORDER BY seq", nil, func(r []driver.Value) error {
		seq := count(r[0])
		list, err := unpackEntries(blob(r[2]))
		if err != nil {
			k.problem("alerts from %d on: %v", seq, err)
			return nil
		}
		if uint64(len(list)) != count(r[1]) || begun && seq != next || !begun && (seq > next || seq+count(r[1]) <= next && next < k.state.alertNext) {
			k.problem("alerts from %d on: %d of %d, where %d is due", seq, len(list), count(r[1]), next)
		}
		begun = true
		next = seq + count(r[1])
		for i, p := range list {
			n := seq + uint64(i)
			if n < k.state.alertFirst {
				continue
			}
			bytes, cost, keys = bytes+p.raw, cost+p.cost(), keys+1
			if err := k.alertID(p.key, n); err != nil {
				return err
			}
		}
		if err := unpackRow(seq, blob(r[2]), blob(r[3]), seq, func(uint64, *alert.Alert) bool { return true }); err != nil {
			k.problem("alerts from %d on: %v", seq, err)
		}
		return nil
	})
	if next != k.state.alertNext {
		k.problem("alerts end at %d, not at %d", next-1, k.state.alertNext-1)
	}
	if bytes != k.state.alertBytes || cost != k.state.alertCost {
		k.problem("alerts have %d bytes, not %d", bytes, k.state.alertBytes)
	}
	k.result.Alerts = keys
	return err
}

// alertID checks that the index finds an alert.
func (k *checker) alertID(key string, seq uint64) error {
	at, _, err := k.c.number("SELECT seq FROM alert_ids WHERE id = ?", []byte(key))
	if err == nil && count(at) != seq {
		k.problem("alert %d (%s) is found at %d", seq, idOf([]byte(key)), at)
	}
	return err
}

// reports checks that they are all there and can be put together.
func (k *checker) reports() error {
	next := k.state.reportFloor
	var all, urgent usage
	var held uint64
	err := k.c.query("SELECT seq, id, revision, urgent, size, data, cost FROM reports ORDER BY seq", nil, func(r []driver.Value) error {
		m := reportMeta{seq: count(r[0]), urgent: integer(r[3]) == 1, size: integer(r[4]), cost: integer(r[6])}
		switch {
		case m.seq < k.state.reportFloor && m.urgent:
			held++
		case m.seq != next:
			k.problem("report %d, where %d is due", m.seq, next)
			next = m.seq + 1
		default:
			next++
		}
		all = all.plus(m)
		if m.urgent {
			urgent = urgent.plus(m)
		}
		k.result.Reports++
		return k.report(m, blob(r[5]))
	})
	if next != k.state.reportNext {
		k.problem("reports end at %d, not at %d", next-1, k.state.reportNext-1)
	}
	if all != k.state.reports || urgent != k.state.urgent || held != k.state.held {
		k.problem("reports are %+v, not %+v; urgent %+v, not %+v; held %d, not %d", all, k.state.reports, urgent, k.state.urgent, held, k.state.held)
	}
	return err
}

// report checks that the parts of one are there, and will be for as long as it is.
func (k *checker) report(m reportMeta, kept []byte) error {
	var broken error
	_, err := join(kept, m.size, func(id int64) ([]byte, error) {
		var data []byte
		found := false
		err := k.c.query("SELECT epoch, pins, data FROM content WHERE id = ?", []any{id}, func(r []driver.Value) error {
			data, found = blob(r[2]), true
			if m.seq >= k.state.reportFloor && integer(r[0]) < epochOf(m.seq) || m.seq < k.state.reportFloor && integer(r[1]) < 1 {
				k.problem("report %d refers to content %d, which may be pruned before it", m.seq, id)
			}
			return nil
		})
		if err == nil && !found {
			k.problem("report %d refers to content %d, which is missing", m.seq, id)
		}
		broken = errors.Join(broken, err)
		return data, err
	})
	if err != nil && broken == nil {
		k.problem("report %d: %v", m.seq, err)
	}
	return broken
}

// contents checks that none has an id that is yet to be given.
func (k *checker) contents() error {
	highest, _, err := k.c.number("SELECT max(id) FROM content")
	if err == nil && highest >= k.state.contentNext {
		k.problem("content %d is there, and %d is the next", highest, k.state.contentNext)
	}
	return err
}
