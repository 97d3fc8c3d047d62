package journal

import (
	"database/sql/driver"
	"fmt"
	"math"
	"time"
)

// counters is the counters of a journal on disk: a row of the database. It is a value, so that
// what a transaction makes of it is forgotten if that fails.
type counters struct {
	// The kept alerts are those with alertFirst <= n < alertNext, accounted for up to done.
	alertFirst, alertNext, done uint64
	alertBytes, alertCost       int64
	// The kept reports are all with reportFloor <= n < reportNext, and below reportFloor those
	// held urgent ones that pruning had to leave.
	reportFloor, reportNext uint64
	reports, urgent         usage  // urgent are part of reports
	held, heldFirst         uint64 // how many, and the first of them
	contentNext             int64
}

// usage is what reports take: encoded, and about what they take on disk.
type usage struct {
	entries     uint64
	bytes, cost int64
}

func (u usage) plus(m reportMeta) usage {
	return usage{u.entries + 1, u.bytes + m.size, u.cost + m.cost}
}

func (u usage) minus(m reportMeta) usage {
	return usage{u.entries - 1, u.bytes - m.size, u.cost - m.cost}
}

// within reports whether the usage is no more than the part-th part of the bounds.
func (u usage) within(b bounds, part int64) bool {
	return u.entries <= b.reportEntries/uint64(part) && u.bytes <= b.reportBytes/part && u.cost <= b.disk/part //nolint:gosec // positive
}

func (s *counters) alertEntries() uint64 { return s.alertNext - s.alertFirst }
func (s *counters) pending() uint64      { return s.alertNext - 1 - s.done }

// bounds are what pruning keeps to. Bytes are encoded, disk and wal are of the files.
type bounds struct {
	alertEntries, reportEntries uint64
	alertBytes, reportBytes     int64
	disk, wal                   int64
	age                         time.Duration
}

// Defaults of [Retention].
const (
	defaultAge   = 7 * 24 * time.Hour
	defaultBytes = 512 << 20
	minBytes     = 8 << 20
)

// bounds makes bounds of what an operator chose.
func (r Retention) bounds() bounds {
	b := bounds{
		alertEntries: math.MaxUint64, reportEntries: math.MaxUint64,
		alertBytes: math.MaxInt64, reportBytes: math.MaxInt64,
		disk: orDefault(r.Bytes, int64(defaultBytes)), age: r.Age,
	}
	if r.Age <= 0 {
		b.age = defaultAge
	}
	if r.Count > 0 {
		b.alertEntries, b.reportEntries = uint64(r.Count), uint64(r.Count)
	}
	b.disk = max(b.disk, minBytes)
	// Beside the file stands the WAL, which overshoots by what is written during a checkpoint.
	b.wal = min(b.disk/8, walBytes)
	b.disk -= 2 * b.wal
	return b
}

const (
	selectCounters = `SELECT alert_first, alert_next, done, alert_bytes, alert_cost, report_floor, report_next,
		report_entries, report_bytes, report_cost, urgent_entries, urgent_bytes, urgent_cost, held, content_next FROM counters`
	updateCounters = `UPDATE counters SET alert_first = ?, alert_next = ?, done = ?, alert_bytes = ?, alert_cost = ?, report_floor = ?, report_next = ?,
		report_entries = ?, report_bytes = ?, report_cost = ?, urgent_entries = ?, urgent_bytes = ?, urgent_cost = ?, held = ?, content_next = ?`
)

// loadCounters reads the counters and checks what can be checked at once.
func loadCounters(c *conn) (counters, error) {
	var s counters
	found := false
	err := c.query(selectCounters, nil, func(r []driver.Value) error {
		s = counters{
			alertFirst: count(r[0]), alertNext: count(r[1]), done: count(r[2]), alertBytes: integer(r[3]), alertCost: integer(r[4]),
			reportFloor: count(r[5]), reportNext: count(r[6]),
			reports: usage{count(r[7]), integer(r[8]), integer(r[9])},
			urgent:  usage{count(r[10]), integer(r[11]), integer(r[12])},
			held:    count(r[13]), contentNext: integer(r[14]),
		}
		found = true
		return nil
	})
	if err != nil {
		return counters{}, err
	}
	if !found || s.fault() != "" {
		return counters{}, fmt.Errorf("%w: its counters contradict each other: %s", ErrUnusable, s.fault())
	}
	return s, nil
}

// fault says what contradicts itself in the counters.
func (s *counters) fault() string {
	switch {
	case s.alertFirst < 1 || s.alertFirst > s.alertNext:
		return fmt.Sprintf("the first kept alert is %d, the next %d", s.alertFirst, s.alertNext)
	case s.done >= s.alertNext:
		return fmt.Sprintf("done is %d, beyond the end at %d", s.done, s.alertNext-1)
	case s.alertFirst > s.done+1:
		return fmt.Sprintf("alerts up to %d are pruned, but only %d are accounted for", s.alertFirst-1, s.done)
	case s.reportFloor < 1 || s.reportFloor > s.reportNext:
		return fmt.Sprintf("the first kept report is %d, the next %d", s.reportFloor, s.reportNext)
	case s.reports.entries != s.reportNext-s.reportFloor+s.held:
		return fmt.Sprintf("%d reports are kept, not %d", s.reports.entries, s.reportNext-s.reportFloor+s.held)
	case s.urgent.entries > s.reports.entries || s.held > s.urgent.entries:
		return fmt.Sprintf("of %d reports %d are urgent and %d held", s.reports.entries, s.urgent.entries, s.held)
	default:
		return ""
	}
}

// save writes the counters.
func (s *counters) save(exec func(text string, args ...any) error) error {
	return exec(
		updateCounters,
		signed(s.alertFirst), signed(s.alertNext), signed(s.done), s.alertBytes, s.alertCost,
		signed(s.reportFloor), signed(s.reportNext),
		signed(s.reports.entries), s.reports.bytes, s.reports.cost,
		signed(s.urgent.entries), s.urgent.bytes, s.urgent.cost, signed(s.held), s.contentNext,
	)
}
