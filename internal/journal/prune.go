package journal

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strings"
)

const (
	// pruneStep is how many entries a transaction prunes beyond those that it makes room for:
	// some milliseconds.
	pruneStep = 64
	// metaRows is how many rows pruning looks ahead.
	metaRows = 64
	// measureEvery is after how many bytes the size of the file is measured.
	measureEvery = 256 << 10
	// vacuumPages is how many free pages are given back at a time, and slackPages how many
	// stay for what is written next: 2 MiB.
	vacuumPages = 64
	slackPages  = (2 << 20) / pageBytes
)

// pruner is what the writer knows of what goes next. All but written is read again from the
// database when it is forgotten.
type pruner struct {
	// head is the row of the oldest kept alert.
	head *alertRow
	// floor are the reports from the floor on, held those below it: the first of them.
	floor, held []reportMeta
	// cleaned is the epoch before which no unpinned content is left.
	cleaned int64
	// written is what was written since the file was measured, excess what it has too much.
	written, excess int64
}

func (p *pruner) forget() { p.head, p.floor, p.held, p.cleaned = nil, nil, nil, 0 }

// alertRow is a row of alerts without their data.
type alertRow struct {
	seq     uint64
	written int64
	alerts  []packed
}

// reportMeta is a report without its data.
type reportMeta struct {
	seq        uint64
	urgent     bool
	written    int64
	size, cost int64
}

// pruneSome prunes what is too much or too old, as far as the budget goes.
func (t *tx) pruneSome() error {
	floor := t.reportFloor
	done := false
	for ; !done && t.budget > 0; t.budget-- {
		var err error
		if done, err = t.pruneOne(); err != nil {
			return fmt.Errorf("prune: %w", err)
		}
	}
	t.more = t.more || !done
	if t.reportFloor > floor {
		err := t.exec("DELETE FROM reports WHERE seq >= ? AND seq < ? AND urgent = 0", signed(floor), signed(t.reportFloor))
		if err != nil {
			return fmt.Errorf("prune reports: %w", err)
		}
	}
	return t.pruneContent()
}

// pruneOne prunes one entry, or is done.
func (t *tx) pruneOne() (done bool, err error) {
	b, excess := &t.w.bounds, t.w.prune.excess > 0
	if t.alertEntries() > b.alertEntries || t.alertBytes > b.alertBytes || excess && t.alertCost > b.disk/4 {
		if pruned, err := t.pruneAlert(math.MaxInt64); pruned || err != nil {
			return false, err
		}
	}
	if excess || !t.counters.reports.within(*b, 1) {
		if pruned, err := t.pruneReport(); pruned || err != nil {
			return false, err
		}
	}
	if excess {
		if pruned, err := t.pruneAlert(math.MaxInt64); pruned || err != nil {
			return false, err
		}
	}
	tooOld := t.now - int64(b.age)
	if pruned, err := t.pruneAlert(tooOld); pruned || err != nil {
		return false, err
	}
	pruned, err := t.pruneOldReport(tooOld)
	return !pruned, err
}

// pruneAlert prunes the oldest alert, if it is accounted for and was written before a time.
func (t *tx) pruneAlert(before int64) (bool, error) {
	if t.alertFirst >= t.alertNext || t.alertFirst > t.done {
		return false, nil
	}
	if err := t.loadHead(); err != nil {
		return false, err
	}
	h := t.w.prune.head
	if h.written >= before {
		return false, nil
	}
	p := h.alerts[t.alertFirst-h.seq]
	t.alertFirst++
	t.alertBytes -= p.raw
	t.alertCost -= p.cost()
	t.w.prune.excess -= p.cost()
	if end := h.seq + uint64(len(h.alerts)); t.alertFirst < end {
		return true, t.begin()
	}
	return true, t.deleteHead()
}

// loadHead reads the row of the oldest alert, unless it is known.
func (t *tx) loadHead() error {
	if t.w.prune.head != nil {
		return nil
	}
	var h *alertRow
	err := t.w.c.query("SELECT seq, written, entries FROM alerts WHERE seq <= ? ORDER BY seq DESC LIMIT 1", []any{signed(t.alertFirst)},
		func(r []driver.Value) (err error) {
			h = &alertRow{seq: count(r[0]), written: integer(r[1])}
			h.alerts, err = unpackEntries(blob(r[2]))
			return err
		})
	if err != nil {
		return err
	}
	if h == nil || t.alertFirst-h.seq >= uint64(len(h.alerts)) {
		return errPacked
	}
	t.w.prune.head = h
	return nil
}

// deleteHead deletes the row of alerts that are all pruned, and their keys. A key may belong to
// an alert that came again since.
func (t *tx) deleteHead() error {
	h := t.w.prune.head
	t.w.prune.head = nil
	if err := t.exec("DELETE FROM alerts WHERE seq = ?", signed(h.seq)); err != nil {
		return err
	}
	args := make([]any, len(h.alerts))
	for i, p := range h.alerts {
		args[i] = []byte(p.key)
	}
	end := signed(h.seq) + int64(len(h.alerts))
	return inGroups(args, 1, func(group []any, n int) error {
		return t.exec("DELETE FROM alert_ids WHERE id IN (?"+strings.Repeat(", ?", n-1)+") AND seq < ?", append(group[:n:n], end)...)
	})
}

// pruneReport prunes a report to make room: the oldest, but for urgent ones that are within
// the part that is reserved for them. These are held: they stay below the floor.
func (t *tx) pruneReport() (bool, error) {
	const reserved = 4 // a quarter
	if t.held > 0 && !t.urgent.within(t.w.bounds, reserved) {
		return true, t.pruneHeld()
	}
	if t.reportFloor+1 >= t.reportNext {
		return false, nil // the newest stays
	}
	m, err := t.floorReport()
	if err != nil {
		return false, err
	}
	if m.urgent && t.urgent.within(t.w.bounds, reserved) {
		return true, t.hold(m)
	}
	return true, t.pruneFloor(m)
}

// pruneOldReport prunes the oldest report if it was written before a time.
func (t *tx) pruneOldReport(before int64) (bool, error) {
	if t.held > 0 {
		m, err := t.heldReport()
		if err != nil || m.written >= before {
			return false, err
		}
		return true, t.pruneHeld()
	}
	if t.reportFloor >= t.reportNext {
		return false, nil
	}
	m, err := t.floorReport()
	if err != nil || m.written >= before {
		return false, err
	}
	return true, t.pruneFloor(m)
}

// floorReport is the report at the floor, heldReport the first below it; there must be one.
func (t *tx) floorReport() (reportMeta, error) {
	return t.oldest(&t.w.prune.floor, "SELECT seq, urgent, written, size, cost FROM reports WHERE seq >= ? ORDER BY seq LIMIT ?")
}

func (t *tx) heldReport() (reportMeta, error) {
	return t.oldest(&t.w.prune.held, "SELECT seq, urgent, written, size, cost FROM reports WHERE urgent = 1 AND seq < ? ORDER BY seq LIMIT ?")
}

func (t *tx) oldest(known *[]reportMeta, query string) (reportMeta, error) {
	if len(*known) == 0 {
		err := t.w.c.query(query, []any{signed(t.reportFloor), int64(metaRows)}, func(r []driver.Value) error {
			*known = append(*known, reportMeta{count(r[0]), integer(r[1]) == 1, integer(r[2]), integer(r[3]), integer(r[4])})
			return nil
		})
		if err != nil {
			return reportMeta{}, err
		}
	}
	if len(*known) == 0 {
		return reportMeta{}, errPacked
	}
	return (*known)[0], nil
}

// hold leaves an urgent report where it is and moves the floor beyond it. Its contents stay
// with it.
func (t *tx) hold(m reportMeta) error {
	if err := t.pin(m.seq, 1); err != nil {
		return err
	}
	t.w.prune.floor = t.w.prune.floor[1:]
	t.reportFloor++
	if t.held++; t.held == 1 {
		t.heldFirst = m.seq
	}
	return t.begin()
}

// pruneHeld deletes the first of the held reports.
func (t *tx) pruneHeld() error {
	m, err := t.heldReport()
	if err != nil {
		return err
	}
	if err := t.pin(m.seq, -1); err != nil {
		return err
	}
	t.w.prune.held = t.w.prune.held[1:]
	t.heldFirst = 0
	if err := t.deleteReport(m); err != nil {
		return err
	}
	if t.held--; t.held == 0 {
		return nil
	}
	next, err := t.heldReport()
	t.heldFirst = next.seq
	return err
}

// pruneFloor takes the report at the floor away. Those that are not urgent are deleted all at
// once, at the end.
func (t *tx) pruneFloor(m reportMeta) error {
	t.w.prune.floor = t.w.prune.floor[1:]
	t.reportFloor++
	if m.urgent {
		return t.deleteReport(m)
	}
	t.forgetReport(m)
	return t.begin()
}

func (t *tx) deleteReport(m reportMeta) error {
	t.urgent = t.urgent.minus(m)
	t.forgetReport(m)
	return t.exec("DELETE FROM reports WHERE seq = ?", signed(m.seq))
}

func (t *tx) forgetReport(m reportMeta) {
	t.counters.reports = t.counters.reports.minus(m)
	t.w.prune.excess -= m.cost
}

// pin counts the held reports that refer to the contents of one.
func (t *tx) pin(seq uint64, by int64) error {
	var kept []byte
	err := t.w.c.query("SELECT data FROM reports WHERE seq = ?", []any{signed(seq)}, func(r []driver.Value) error {
		kept = blob(r[0])
		return nil
	})
	if err != nil {
		return err
	}
	return eachPart(kept, func([]byte) {}, func(id int64) error {
		return t.exec("UPDATE content SET pins = pins + ? WHERE id = ?", by, id)
	})
}

// pruneContent deletes content that no kept report can refer to: of an epoch before that of
// the floor, and not pinned.
func (t *tx) pruneContent() error {
	p := &t.w.prune
	epoch := epochOf(t.reportFloor)
	if p.cleaned >= epoch {
		return nil
	}
	var ids []int64
	err := t.w.c.query("SELECT id FROM content WHERE pins = 0 AND epoch < ? LIMIT ?", []any{epoch, int64(metaRows)}, func(r []driver.Value) error {
		ids = append(ids, integer(r[0]))
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		t.w.s.content.remove(id)
		if err := t.exec("DELETE FROM content WHERE id = ?", id); err != nil {
			return err
		}
	}
	if len(ids) < metaRows {
		p.cleaned = epoch
	} else {
		t.more = true
	}
	return nil
}

// tidy keeps the file within its size, in small steps between transactions, and reports
// whether there is more to do.
func (w *writer) tidy() (more bool) {
	p := &w.prune
	if p.written < measureEvery && p.excess <= 0 && !w.s.syncer.wantsWriter() {
		return false
	}
	w.s.syncer.finish(w.c)
	free, err := w.measure()
	if err == nil && free > slackPages {
		err = w.c.query(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages), nil, func([]driver.Value) error { return nil })
	}
	if isDamage(err) {
		_ = w.damaged(err) // told to whoever writes next
		return false
	}
	if err != nil {
		w.s.log.Warn("journal cannot give back disk space", "dir", w.s.dir, "why", explain(w.s.dir, err))
		return false
	}
	if free > slackPages {
		w.s.syncer.committed()
		p.written = measureEvery // measure again
		return true
	}
	return p.excess > 0 && w.canPrune()
}

// canPrune reports whether anything is left that may go.
func (w *writer) canPrune() bool {
	return w.alertFirst < w.alertNext && w.alertFirst <= w.done || w.reportFloor+1 < w.reportNext ||
		w.held > 0 && !w.urgent.within(w.bounds, 4)
}

// measure learns how large the file is without what is free in it.
func (w *writer) measure() (free int64, err error) {
	pages, _, err := w.c.number("PRAGMA page_count")
	if err != nil {
		return 0, err
	}
	free, _, err = w.c.number("PRAGMA freelist_count")
	w.prune.written, w.prune.excess = 0, (pages-free)*pageBytes-w.bounds.disk
	return free, err
}
