package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Bounds of a Memory whose options leave them out.
const (
	defaultAlertEntries  = 16_384
	defaultReportEntries = 16_384
	defaultAlertBytes    = 16 << 20
	defaultReportBytes   = 64 << 20
)

// MemoryOptions choose the bounds and the identity of a [Memory]. A bound of zero or less
// means the default.
type MemoryOptions struct {
	// AlertEntries and AlertBytes bound the alert log: by default 16,384 alerts and 16 MiB.
	// Bytes are those of the alerts as received. Decoded, with the bookkeeping, an alert
	// takes 2.2 to 4 times as much memory (measured on alerts recorded from Falco 0.43):
	// 16 MiB can become 64 MiB.
	AlertEntries int
	AlertBytes   int64
	// ReportEntries and ReportBytes bound the report log: by default 16,384 report
	// revisions and 64 MiB. Bytes are those of the encoded reports.
	ReportEntries int
	ReportBytes   int64
	// ID is the journal's identity, 16 lower-case hexadecimal characters; random if empty.
	// It is for tests: two journals must not have the same one.
	ID string
}

// Memory is a [Journal] that ends with the process. It has no goroutine of its own.
//
// The alert log goes beyond its bounds only for one AppendAlerts call that is larger by
// itself, which is let in when every alert is accounted for. Calls that wait for room get it
// in the order in which they came, so that a large one is not passed over for ever. The
// report log goes beyond its bounds only for a single report that is larger by itself, or
// than what urgent reports leave: the newest report is always kept, and urgent ones within a
// quarter of the bounds are pushed out only by urgent ones.
//
// Readers share what is kept: entries are copied, neither alerts nor Data are.
type Memory struct {
	id string
	// turn is held by the one AppendAlerts call that may look for room.
	turn   chan struct{}
	closed chan struct{}
	// accounted is sent after done has moved.
	accounted broadcast

	// Of the two locks, that of alerts is taken first.
	alerts  memoryLog[AlertEntry]
	reports memoryLog[ReportEntry]
	// done is the number of the last alert that is accounted for, pending the bytes of
	// those after it. The lock of alerts guards both.
	done    uint64
	pending int64
	// positions of the inputs, states and rejected messages, under the lock of alerts.
	positions map[string][]byte
	states    map[string][]byte
	rejected  []Rejected
}

var _ Journal = (*Memory)(nil)

// NewMemory returns an empty journal.
func NewMemory(o MemoryOptions) *Memory {
	if o.ID == "" {
		o.ID = randomID()
	}
	m := &Memory{id: o.ID, turn: make(chan struct{}, 1), closed: make(chan struct{}), positions: make(map[string][]byte), states: make(map[string][]byte)}
	m.alerts.init("alert", o.ID, orDefault(o.AlertEntries, defaultAlertEntries), orDefault(o.AlertBytes, defaultAlertBytes))
	m.reports.init("report", o.ID, orDefault(o.ReportEntries, defaultReportEntries), orDefault(o.ReportBytes, defaultReportBytes))
	return m
}

// orDefault is n, or the default where n is no bound.
func orDefault[N int | int64](n, def N) N {
	if n <= 0 {
		return def
	}
	return n
}

// randomID makes the identity of a journal.
func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never returns an error
	return hex.EncodeToString(b[:])
}

// isClosed reports whether the channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// usable returns the error of a call that comes after the journal was closed or ctx ended.
func usable(ctx context.Context, closed <-chan struct{}) error {
	if isClosed(closed) {
		return ErrClosed
	}
	return ctx.Err()
}

// AppendAlerts implements [Journal].
func (m *Memory) AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...Position) ([]bool, error) {
	if err := usable(ctx, m.closed); err != nil {
		return nil, err
	}
	if err := checkPositions(positions); err != nil {
		return nil, err
	}
	if len(alerts) == 0 {
		m.alerts.mu.Lock()
		defer m.alerts.mu.Unlock()
		m.note(positions)
		return nil, nil
	}
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-m.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, noRoom(ctx)
	}
	for {
		isNew, accounted, err := m.tryAppendAlerts(alerts, positions)
		if slices.Contains(isNew, true) {
			m.alerts.grown.send()
		}
		if err != nil || accounted == nil {
			return isNew, err
		}
		select {
		case <-accounted:
		case <-m.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, noRoom(ctx)
		}
	}
}

func noRoom(ctx context.Context) error {
	return fmt.Errorf("wait for room in the alert log: %w", ctx.Err())
}

// tryAppendAlerts appends the alerts, or returns what will be closed when there may be room.
func (m *Memory) tryAppendAlerts(alerts []*alert.Alert, positions []Position) (isNew []bool, accounted <-chan struct{}, err error) {
	l := &m.alerts
	l.mu.Lock()
	defer l.mu.Unlock()
	if isClosed(m.closed) {
		return nil, nil, ErrClosed
	}
	isNew, entries, bytes := m.claim(alerts)
	if !m.hasRoom(entries, bytes) {
		m.unclaim(alerts, isNew)
		return nil, m.accounted.wait(), nil
	}
	for i, a := range alerts {
		if isNew[i] {
			e := AlertEntry{Cursor: l.next(), Alert: a}
			l.makeRoom(1, e.size(), m.done)
			l.push(e)
		}
	}
	m.pending += bytes
	m.note(positions)
	return isNew, nil, nil
}

// note keeps positions. The lock of alerts is held.
func (m *Memory) note(positions []Position) {
	for _, p := range positions {
		m.positions[p.Input] = slices.Clone(p.Data)
	}
}

// Position implements [Journal].
func (m *Memory) Position(ctx context.Context, input string) ([]byte, error) {
	if err := usable(ctx, m.closed); err != nil {
		return nil, err
	}
	m.alerts.mu.RLock()
	defer m.alerts.mu.RUnlock()
	data, ok := m.positions[input]
	if !ok {
		return nil, ErrNotFound
	}
	return slices.Clone(data), nil
}

// KeepRejected implements [Journal].
func (m *Memory) KeepRejected(ctx context.Context, rejected ...Rejected) error {
	if err := usable(ctx, m.closed); err != nil {
		return err
	}
	m.alerts.mu.Lock()
	defer m.alerts.mu.Unlock()
	for _, r := range rejected {
		r.Raw = bytes.Clone(r.Raw[:min(len(r.Raw), MaxRejectedBytes)])
		m.rejected = append(m.rejected, r)
	}
	if over := len(m.rejected) - MaxRejected; over > 0 {
		m.rejected = slices.Delete(m.rejected, 0, over)
	}
	return nil
}

// Rejected implements [Journal].
func (m *Memory) Rejected(ctx context.Context) ([]Rejected, error) {
	if err := usable(ctx, m.closed); err != nil {
		return nil, err
	}
	m.alerts.mu.RLock()
	defer m.alerts.mu.RUnlock()
	return slices.Clone(m.rejected), nil
}

// claim tells which alerts are new, how many and how large, and puts them into the index, so
// that an alert that stands twice in the call is recognised without a set of its own.
func (m *Memory) claim(alerts []*alert.Alert) (isNew []bool, entries uint64, bytes int64) {
	isNew = make([]bool, len(alerts))
	next := m.alerts.entries.next.Load()
	for i, a := range alerts {
		if _, kept := m.alerts.index[a.ID]; kept {
			continue
		}
		m.alerts.index[a.ID] = next + entries
		isNew[i] = true
		entries++
		bytes += int64(len(a.Raw))
	}
	return isNew, entries, bytes
}

// unclaim takes out of the index what claim put there.
func (m *Memory) unclaim(alerts []*alert.Alert, isNew []bool) {
	for i, a := range alerts {
		if isNew[i] {
			delete(m.alerts.index, a.ID)
		}
	}
}

// hasRoom reports whether so much fits beside the alerts that cannot be evicted.
func (m *Memory) hasRoom(entries uint64, bytes int64) bool {
	pending := m.alerts.tail().Seq - m.done
	return pending == 0 || entries == 0 ||
		pending+entries <= m.alerts.maxEntries && m.pending+bytes <= m.alerts.maxBytes
}

// AppendReports implements [Journal]. It never waits.
func (m *Memory) AppendReports(ctx context.Context, done Cursor, reports []Report, states ...State) error {
	if err := usable(ctx, m.closed); err != nil {
		return err
	}
	if err := checkStates(states); err != nil {
		return err
	}
	if err := m.account(done, reports, states); err != nil {
		return err
	}
	m.accounted.send()
	if len(reports) > 0 {
		m.reports.grown.send()
	}
	return nil
}

// account moves done and appends the reports. Done waits for the lock, so that who has read
// one of the reports finds its alert accounted for, and the other way round.
func (m *Memory) account(done Cursor, reports []Report, states []State) error {
	m.alerts.mu.Lock()
	defer m.alerts.mu.Unlock()
	l := &m.reports
	l.mu.Lock()
	defer l.mu.Unlock()
	if isClosed(m.closed) {
		return ErrClosed
	}
	if !m.alerts.holds(done) {
		return fmt.Errorf("account for the alert log up to %q: %w", done, ErrForeignCursor)
	}
	m.advance(done.Seq)
	for _, s := range states {
		if s.Data == nil {
			delete(m.states, s.Key)
		} else {
			m.states[s.Key] = bytes.Clone(s.Data)
		}
	}
	for _, r := range reports {
		e := ReportEntry{Cursor: l.next(), Report: r}
		l.push(e)
		l.makeRoom(0, 0, e.Cursor.Seq-1)
	}
	return nil
}

// States implements [Journal].
func (m *Memory) States(ctx context.Context) ([]State, error) {
	if err := usable(ctx, m.closed); err != nil {
		return nil, err
	}
	m.alerts.mu.RLock()
	defer m.alerts.mu.RUnlock()
	out := make([]State, 0, len(m.states))
	for _, key := range slices.Sorted(maps.Keys(m.states)) {
		out = append(out, State{Key: key, Data: bytes.Clone(m.states[key])})
	}
	return out, nil
}

// advance moves done up to the alert with the number, and evicts what a call that was larger
// than the log has put there beyond its bounds.
func (m *Memory) advance(seq uint64) {
	for m.done < seq {
		m.done++
		m.pending -= (*m.alerts.entries.at(m.done)).size()
	}
	m.alerts.makeRoom(0, 0, m.done)
}

// Done implements [Journal].
func (m *Memory) Done() Cursor {
	m.alerts.mu.RLock()
	defer m.alerts.mu.RUnlock()
	return m.alerts.cursor(m.done)
}

// ReadAlerts implements [Journal].
func (m *Memory) ReadAlerts(ctx context.Context, after Cursor, limit int) ([]AlertEntry, error) {
	return m.alerts.read(ctx, m.closed, after, limit)
}

// ReadReports implements [Journal].
func (m *Memory) ReadReports(ctx context.Context, after Cursor, limit int) ([]ReportEntry, error) {
	return m.reports.read(ctx, m.closed, after, limit)
}

// Alert implements [Journal].
func (m *Memory) Alert(ctx context.Context, id alert.ID) (AlertEntry, error) {
	return m.alerts.lookup(ctx, m.closed, id)
}

// Report implements [Journal].
func (m *Memory) Report(ctx context.Context, id alert.ID) (ReportEntry, error) {
	return m.reports.lookup(ctx, m.closed, id)
}

// Stats implements [Journal].
func (m *Memory) Stats(ctx context.Context) (Stats, error) {
	if err := usable(ctx, m.closed); err != nil {
		return Stats{}, err
	}
	m.alerts.mu.RLock()
	defer m.alerts.mu.RUnlock()
	m.reports.mu.RLock()
	defer m.reports.mu.RUnlock()
	return Stats{ID: m.id, Kind: "memory", Alerts: m.alerts.stats(), Reports: m.reports.stats()}, nil
}

// Close implements [Journal].
func (m *Memory) Close() error {
	// With the locks, an append is over before Close returns, or does not happen.
	m.alerts.mu.Lock()
	defer m.alerts.mu.Unlock()
	m.reports.mu.Lock()
	defer m.reports.mu.Unlock()
	if !isClosed(m.closed) {
		close(m.closed)
	}
	return nil
}
