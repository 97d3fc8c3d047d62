package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tx is one transaction of the writer. All that it changes in memory is in here until it is
// committed, or can be taken back.
type tx struct {
	w *writer
	counters
	pendingBytes int64
	now          int64
	begun        bool
	answers      []answer

	// Alerts that were appended: their keys, and those that are in no row yet.
	keys   map[string]uint64
	alerts []AlertEntry
	bytes  int64
	row    row

	reports []ReportEntry
	parts   parts
	made    []*content
	touched []touch

	written int64 // bytes, about
	budget  int   // of entries to be pruned
	more    bool
}

// answer is what a request gets when the transaction is committed.
type answer struct {
	r   *request
	err error
}

// touch is the epoch that content had before the transaction.
type touch struct {
	c     *content
	epoch int64
}

// row is a row of alerts being put together.
type row struct {
	seq           uint64
	keys          []string
	entries, data []byte
}

func newTx(w *writer) *tx {
	return &tx{w: w, counters: w.counters, pendingBytes: w.pendingBytes, now: w.now().UnixNano(), budget: pruneStep}
}

// exec changes something; the transaction begins with the first change.
func (t *tx) exec(text string, args ...any) error {
	if err := t.begin(); err != nil {
		return err
	}
	return t.w.c.exec(text, args...)
}

func (t *tx) begin() error {
	if t.begun {
		return nil
	}
	if t.w.inDoubt {
		if err := t.w.rollback(); err != nil {
			return err
		}
		t.w.inDoubt = false
	}
	if err := t.w.c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t.begun = true
	return nil
}

// run does the requests: those that make room before those that need it, and alerts in their
// order.
func (t *tx) run(always bool) error {
	if always {
		if err := t.begin(); err != nil {
			return err
		}
	}
	others := t.w.others
	t.w.others = nil
	for i, r := range others {
		if t.bytes > maxCommitBytes {
			t.w.others, t.more = others[i:], true
			break
		}
		if err := t.other(r); err != nil {
			t.w.others = others[i+1:]
			return err
		}
	}
	for len(t.w.alerts) > 0 {
		if t.bytes > maxCommitBytes || len(t.alerts) > maxCommitAlerts {
			t.more = true
			break
		}
		r := t.w.alerts[0]
		if r.state.Load() == givenUp {
			t.w.alerts = slices.Delete(t.w.alerts, 0, 1)
			continue
		}
		room, err := t.appendAlerts(r)
		if err == nil && !room {
			break
		}
		t.w.alerts = slices.Delete(t.w.alerts, 0, 1)
		if err != nil && !errors.Is(err, errGivenUp) {
			return err
		}
	}
	if err := t.flushRow(); err != nil {
		return err
	}
	return t.pruneSome()
}

// asked is about how many bytes were to be written.
func (t *tx) asked() (n int64) {
	for _, a := range t.answers {
		n += a.r.asked()
	}
	return n
}

// other does a request without alerts.
func (t *tx) other(r *request) error {
	if !r.take() {
		return nil
	}
	t.answers = append(t.answers, answer{r: r})
	if r.accounts {
		if !t.w.holdsAlert(t.w.s.id, r.done) {
			t.answers[len(t.answers)-1].err = fmt.Errorf("account for the alert log up to %q: %w", r.done, ErrForeignCursor)
			return nil
		}
		return t.account(r)
	}
	if err := t.note(r.positions); err != nil {
		return err
	}
	return t.keepRejected(r.rejected)
}

// holdsAlert reports whether the cursor is a place in the alert log, of what is kept or was.
func (s *counters) holdsAlert(id string, c Cursor) bool {
	return c == Cursor{} || c.Journal == id && c.Seq < s.alertNext
}

// holdsReport is the same for the report log.
func (s *counters) holdsReport(id string, c Cursor) bool {
	return c == Cursor{} || c.Journal == id && c.Seq < s.reportNext
}

// note keeps positions.
func (t *tx) note(positions []Position) error {
	for _, p := range positions {
		if err := t.exec("INSERT OR REPLACE INTO positions VALUES (?, ?)", p.Input, notNull(p.Data)); err != nil {
			return fmt.Errorf("note the position of input %q: %w", p.Input, err)
		}
	}
	return nil
}

// notNull is b as a blob also where it is nil.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (t *tx) keepRejected(rejected []Rejected) error {
	for _, r := range rejected {
		raw := notNull(r.Raw[:min(len(r.Raw), MaxRejectedBytes)])
		if err := t.exec("INSERT INTO rejected (time, input, reason, raw) VALUES (?, ?, ?, ?)", r.Time, r.Input, r.Reason, raw); err != nil {
			return fmt.Errorf("keep a rejected message: %w", err)
		}
		t.bytes += int64(len(raw))
	}
	if len(rejected) == 0 {
		return nil
	}
	return t.exec("DELETE FROM rejected WHERE seq <= (SELECT max(seq) FROM rejected) - ?", int64(MaxRejected))
}

// appendAlerts does a request with alerts, unless it has no room yet.
func (t *tx) appendAlerts(r *request) (room bool, err error) {
	keys, isNew, entries, bytes, err := t.claim(r)
	if err == nil && !t.hasRoom(entries, bytes) {
		t.unclaim(keys, isNew)
		return false, nil
	}
	if !r.take() {
		t.unclaim(keys, isNew)
		return true, errGivenUp
	}
	t.answers = append(t.answers, answer{r: r})
	r.isNew = isNew
	if err != nil {
		return true, err
	}
	for i, a := range r.alerts {
		if isNew[i] {
			if err := t.addAlert(keys[i], AlertEntry{Cursor: t.w.s.cursor(t.alertNext), Alert: a}); err != nil {
				return true, err
			}
		}
	}
	return true, t.note(r.positions)
}

// claim tells which alerts are new, how many and how large, and notes their keys, so that an
// alert that stands twice in the call is recognised.
func (t *tx) claim(r *request) (keys []string, isNew []bool, entries uint64, bytes int64, err error) {
	if t.keys == nil {
		t.keys = make(map[string]uint64)
	}
	keys, isNew = make([]string, len(r.alerts)), make([]bool, len(r.alerts))
	for i, a := range r.alerts {
		keys[i] = keyOf(a.ID)
		if _, here := t.keys[keys[i]]; here {
			continue
		}
		kept, err := t.w.keptAt(keys[i], t.alertFirst)
		if err != nil {
			t.unclaim(keys, isNew)
			return nil, nil, 0, 0, err
		}
		if kept {
			continue
		}
		t.keys[keys[i]] = t.alertNext + entries
		isNew[i] = true
		entries++
		bytes += int64(len(a.Raw))
	}
	return keys, isNew, entries, bytes, nil
}

func (t *tx) unclaim(keys []string, isNew []bool) {
	for i, n := range isNew {
		if n {
			delete(t.keys, keys[i])
		}
	}
}

// hasRoom reports whether so much fits beside the alerts that are not accounted for.
func (t *tx) hasRoom(entries uint64, bytes int64) bool {
	pending := t.pending()
	return pending == 0 || entries == 0 || pending+entries <= t.w.maxPending && t.pendingBytes+bytes <= t.w.maxBytes
}

// addAlert puts an alert into the row that is being put together.
func (t *tx) addAlert(key string, e AlertEntry) error {
	size := int64(len(e.Alert.Raw))
	if n := len(t.row.keys); n >= maxRowAlerts || n > 0 && int64(len(t.row.data))+size > maxRowBytes {
		if err := t.flushRow(); err != nil {
			return err
		}
	}
	if len(t.row.keys) == 0 {
		t.row.seq = t.alertNext
	}
	var p packed
	t.row.entries, t.row.data, p = packAlert(t.row.entries, t.row.data, key, e.Alert)
	t.row.keys = append(t.row.keys, key)
	t.alerts = append(t.alerts, e)
	t.alertNext++
	t.alertBytes += size
	t.alertCost += p.cost()
	t.pendingBytes += size
	t.bytes += p.payload
	t.written += p.cost()
	t.budget += 4
	return nil
}

// flushRow writes the row of alerts and their keys.
func (t *tx) flushRow() error {
	r := &t.row
	n := len(r.keys)
	if n == 0 {
		return nil
	}
	err := t.exec("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", signed(r.seq), int64(n), t.now, r.entries, r.data)
	if err != nil {
		return fmt.Errorf("write alerts: %w", err)
	}
	var args []any
	for i, key := range r.keys {
		args = append(args, []byte(key), signed(r.seq)+int64(i))
	}
	err = inGroups(args, 2, func(group []any, n int) error {
		// A key that is there is of an alert that was pruned, whose row was not.
		return t.exec("INSERT OR REPLACE INTO alert_ids VALUES (?, ?)"+strings.Repeat(", (?, ?)", n-1), group...)
	})
	if err != nil {
		return fmt.Errorf("write the ids of alerts: %w", err)
	}
	*r = row{keys: r.keys[:0], entries: r.entries[:0], data: r.data[:0]}
	return nil
}

// inGroups calls f with arguments of 64, 16, 4 or single ones of so many values each: a
// statement for many costs much less than many statements, and each number of them is a
// statement of its own.
func inGroups(args []any, each int, f func(group []any, n int) error) error {
	for _, n := range []int{64, 16, 4, 1} {
		for len(args) >= n*each {
			if err := f(args[:n*each], n); err != nil {
				return err
			}
			args = args[n*each:]
		}
	}
	return nil
}

// commit ends the transaction and does in memory what it did on disk.
func (t *tx) commit() error {
	if !t.begun {
		return nil
	}
	w := t.w
	if err := t.save(w.c.exec); err != nil {
		return err
	}
	if err := w.c.exec("COMMIT"); err != nil {
		return err
	}
	w.works(t.asked())
	accounted := t.done - w.done
	w.pendingSizes = w.pendingSizes[accounted:]
	for _, e := range t.alerts {
		w.pendingSizes = append(w.pendingSizes, e.size())
	}
	for key, seq := range t.keys {
		w.recent.add(key, seq)
	}
	w.counters, w.pendingBytes = t.counters, t.pendingBytes
	w.prune.written += t.written
	// Who has read a report finds its alert accounted for: counters first.
	w.publish()
	pushAll(&w.s.alerts, t.alerts)
	pushAll(&w.s.reports, t.reports)
	w.s.syncer.committed()
	return nil
}

// pushAll shows entries to readers.
func pushAll[E entry](to *tail[E], entries []E) {
	for _, e := range entries {
		to.push(e)
	}
	if len(entries) > 0 {
		to.grown.send()
	}
}

// forget takes back what the transaction did in memory.
func (t *tx) forget() {
	for _, c := range t.made {
		t.w.s.content.remove(c.id)
	}
	for _, touched := range slices.Backward(t.touched) {
		touched.c.epoch = touched.epoch
	}
	t.w.prune.forget()
}
