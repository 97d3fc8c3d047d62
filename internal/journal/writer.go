package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

const (
	// maxCommitBytes and maxCommitAlerts bound what one transaction takes in, unless a single
	// call has more: the others would wait too long for it.
	maxCommitBytes  = 8 << 20
	maxCommitAlerts = 4096
	// probeEvery is how often writing is tried while it fails.
	probeEvery = time.Second
	// pruneEvery is how often entries that became too old are looked for while nothing is
	// written.
	pruneEvery = time.Hour
)

// States of a request.
const (
	waiting int32 = iota
	taken         // by the writer: it will be answered
	givenUp       // by the caller: it must not be done
)

// request is a call that writes.
type request struct {
	state    atomic.Int32
	answered chan struct{}
	err      error

	alerts    []*alert.Alert
	isNew     []bool
	positions []Position

	accounts bool
	done     Cursor
	reports  []Report
	states   []State

	rejected []Rejected
}

// asked is about how many bytes the request wants written: what is known of it to be a repeat
// is not.
func (r *request) asked() (n int64) {
	for i, a := range r.alerts {
		if r.isNew == nil || r.isNew[i] {
			n += int64(len(a.Raw))
		}
	}
	for _, p := range r.positions {
		n += int64(len(p.Data))
	}
	for _, p := range r.reports {
		n += int64(len(p.Data))
	}
	for _, s := range r.states {
		n += int64(len(s.Data))
	}
	for _, m := range r.rejected {
		n += int64(min(len(m.Raw), MaxRejectedBytes))
	}
	return n
}

func newRequest() *request { return &request{answered: make(chan struct{})} }

// take makes sure that the request will be answered, and is false if the caller gave it up.
func (r *request) take() bool { return r.state.CompareAndSwap(waiting, taken) }

func (r *request) answer(err error) {
	if err != nil {
		r.err, r.isNew = err, nil
	}
	close(r.answered)
}

// writer is the goroutine that writes, and what it alone knows.
type writer struct {
	s          *SQLite
	c          *conn
	now        func() time.Time
	bounds     bounds
	maxPending uint64
	maxBytes   int64
	power      bool

	mu    sync.Mutex
	queue []*request
	over  bool // no more requests
	wake  chan struct{}

	// Requests that are not done yet: alerts in their order, and all others.
	alerts, others []*request

	counters
	recent *recent
	// pendingSizes are the bytes of the alerts after done, pendingBytes their sum.
	pendingSizes []int64
	pendingBytes int64

	prune pruner
	// inDoubt is set when a transaction could not be ended.
	inDoubt bool
	// trial is when writing is tried next while it fails.
	trial time.Time
	// damage is set when the file turned out to be damaged: then nothing is written any more.
	damage error
}

func newWriter(s *SQLite, c *conn, o SQLiteOptions) *writer {
	w := &writer{
		s: s, c: c, now: o.Now, bounds: o.Retention.bounds(), wake: make(chan struct{}, 1),
		maxPending: uint64(orDefault(o.PendingAlerts, defaultPendingAlerts)), //nolint:gosec // positive
		maxBytes:   orDefault(o.PendingBytes, defaultPendingBytes),
		power:      o.Durability == DurabilityPower,
	}
	if o.bounds != nil {
		w.bounds = *o.bounds
	}
	return w
}

// prepare sets the connection up.
func (w *writer) prepare() error {
	// A copy of a database, put in its place, has another mode.
	err := w.c.query("PRAGMA journal_mode = WAL", nil, func(r []driver.Value) error {
		if mode := text(r[0]); mode != "wal" {
			return fmt.Errorf("%w: SQLite cannot use a WAL there, but mode %q", ErrUnusable, mode)
		}
		return nil
	})
	if err != nil {
		return err
	}
	setup := fmt.Sprintf("PRAGMA journal_size_limit = %d;", w.bounds.wal)
	if w.power {
		setup += "PRAGMA synchronous = FULL;"
	}
	return w.c.script(setup)
}

// load reads what is kept in memory.
func (w *writer) load() error {
	s := w.s
	if err := w.prepare(); err != nil {
		return err
	}
	err := w.c.query("SELECT id FROM journal", nil, func(r []driver.Value) error { s.id = text(r[0]); return nil })
	if err != nil {
		return err
	}
	if _, err := ParseCursor(Cursor{Journal: s.id}.String()); err != nil || s.id == "" {
		return fmt.Errorf("%w: damaged: its identity is none: %q", ErrUnusable, s.id)
	}
	if w.counters, err = loadCounters(w.c); err != nil {
		return err
	}
	highest := ""
	err = w.c.query("SELECT max(id) FROM alert_ids", nil, func(r []driver.Value) error { highest = string(blob(r[0])); return nil })
	if err != nil {
		return err
	}
	w.recent = newRecent(highest)
	if first, ok, err := w.c.number("SELECT min(seq) FROM reports WHERE urgent = 1 AND seq < ?", signed(w.reportFloor)); err != nil {
		return err
	} else if ok && w.held > 0 {
		w.heldFirst = count(first)
	}
	if err := w.loadPending(); err != nil {
		return err
	}
	if err := w.loadContents(); err != nil {
		return err
	}
	s.alerts.init(w.alertNext, tailAlertBytes)
	s.reports.init(w.reportNext, tailReportBytes)
	w.publish()
	return nil
}

// loadPending learns the sizes of the alerts that are not accounted for.
func (w *writer) loadPending() error {
	err := w.c.query("SELECT seq, entries FROM alerts WHERE seq + n > ? AND seq >= coalesce((SELECT max(seq) FROM alerts WHERE seq <= ?), 0) ORDER BY seq",
		[]any{signed(w.done + 1), signed(w.done + 1)}, func(r []driver.Value) error {
			list, err := unpackEntries(blob(r[1]))
			for i, p := range list {
				if count(r[0])+uint64(i) > w.done {
					w.pendingSizes = append(w.pendingSizes, p.raw)
					w.pendingBytes += p.raw
				}
			}
			return err
		})
	if err == nil && uint64(len(w.pendingSizes)) != w.pending() {
		err = fmt.Errorf("%w: damaged: of %d alerts that are not accounted for, %d are there", ErrUnusable, w.pending(), len(w.pendingSizes))
	}
	return err
}

// loadContents reads the contents that were referred to last, as many as there is room for.
func (w *writer) loadContents() error {
	var sum int64
	t := w.s.content
	return w.c.query("SELECT id, epoch, data FROM content ORDER BY id DESC", nil, func(r []driver.Value) error {
		c := &content{id: integer(r[0]), epoch: integer(r[1]), data: blob(r[2])}
		if sum += int64(len(c.data)); sum > maxContentBytes {
			return errStop
		}
		c.hash = t.hashOf(c.data)
		t.add(c)
		return nil
	})
}

// submit has the writer do a request, until ctx ends.
func (w *writer) submit(ctx context.Context, r *request, what string) error {
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return ErrClosed
	}
	w.queue = append(w.queue, r)
	w.mu.Unlock()
	w.poke()
	select {
	case <-r.answered:
		return r.err
	case <-ctx.Done():
	}
	if r.state.CompareAndSwap(waiting, givenUp) {
		w.poke() // whoever waits behind it
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	<-r.answered
	return r.err
}

// poke makes the writer look at its queue.
func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until the journal is closed.
func (w *writer) run() {
	timer := time.NewTimer(pruneEvery)
	defer timer.Stop()
	for !isClosed(w.s.closed) {
		w.dequeue()
		if w.cycle(false) {
			continue
		}
		var tick <-chan time.Time
		if wait := w.idle(); wait > 0 {
			timer.Reset(wait)
			tick = timer.C
		}
		select {
		case <-w.wake:
		case <-tick:
			w.cycle(true)
		case <-w.s.closed:
		}
	}
	w.refuse()
}

// idle is after what time the writer has something to do by itself; 0 is never.
func (w *writer) idle() time.Duration {
	switch why, _ := w.s.failing.get(); {
	case w.damage != nil:
		return 0
	case why != "":
		return max(time.Until(w.trial), time.Nanosecond)
	case w.alertFirst <= w.done || w.reports.entries > 0:
		return pruneEvery
	default:
		return 0
	}
}

// dequeue takes what has queued up.
func (w *writer) dequeue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range w.queue {
		if len(r.alerts) > 0 {
			w.alerts = append(w.alerts, r)
		} else {
			w.others = append(w.others, r)
		}
		w.queue[i] = nil
	}
	w.queue = w.queue[:0]
}

// refuse answers what is left when the journal is closed.
func (w *writer) refuse() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.dequeue()
	w.answerAll(ErrClosed)
}

// answerAll answers all that waits with an error.
func (w *writer) answerAll(err error) {
	for _, r := range append(w.alerts, w.others...) {
		if r.take() {
			r.answer(err)
		}
	}
	w.alerts, w.others = nil, nil
}

// cycle does what it can in one transaction, and reports whether there is more to do at once.
// With always, it looks for what is to be pruned also where there is nothing to write; while
// writing fails, it tries whether it works again.
func (w *writer) cycle(always bool) (more bool) {
	if found := w.s.found.Load(); found != nil && w.damage == nil {
		_ = w.damaged(*found) // told to whoever waits
	}
	if always {
		w.try()
	}
	if w.damage != nil {
		w.answerAll(w.damage)
		return false
	}
	t := newTx(w)
	err := t.run(always)
	if err == nil {
		err = t.commit()
	}
	if err != nil {
		err = w.failed(t, err)
	}
	for _, a := range t.answers {
		if err != nil {
			a.err = err
		}
		a.r.answer(a.err)
	}
	if err != nil {
		// What is left would fail alike, and has its answer in the next cycle. Room that
		// pruning might make is tried for with the next call or probe.
		return len(t.answers) > 0 && (len(w.others) > 0 || len(w.alerts) > 0)
	}
	return t.more || w.tidy()
}

// failed undoes a transaction and words its error.
func (w *writer) failed(t *tx, err error) error {
	t.forget()
	w.inDoubt = t.begun
	if t.begun {
		w.inDoubt = w.rollback() != nil
	}
	w.trial = time.Now().Add(probeEvery)
	if isDamage(err) {
		return w.damaged(err)
	}
	why := explain(w.s.dir, err)
	if w.s.failing.set(why, w.now(), t.asked(), false) {
		w.s.log.Error("journal cannot be written; reading goes on", "dir", w.s.dir, "why", why)
	}
	return fmt.Errorf("write to the journal: %s: %w", why, err)
}

// damaged ends all writing: what is written to a damaged file can damage more of it. The process
// goes on, since what is kept can still be read, and a restart would mend nothing.
func (w *writer) damaged(err error) error {
	why := explain(w.s.dir, err) + "; nothing is written to it any more: " + afterDamage
	w.damage = fmt.Errorf("write to the journal: %w; nothing is written to it any more", asDamage(err))
	if w.s.failing.set(why, w.now(), 0, true) {
		w.s.log.Error("journal is damaged and no longer written; reading goes on", "dir", w.s.dir, "why", why)
	}
	return w.damage
}

// trialKey is the state under which try writes. It is none of the maker of reports.
const trialKey = "journal/trial"

// maxTrial bounds what is written to see whether that works.
const maxTrial = maxCommitBytes

// trialSlack is what is tried beyond what failed, for what SQLite adds to it.
const trialSlack = 64 << 10

// try finds out, while writing fails, whether it works again: it writes as much as failed, and
// takes it away. Less would say nothing: SQLite still finds room for little on a full disk, and
// writes nothing at all where nothing changes.
func (w *writer) try() {
	if why, _ := w.s.failing.get(); why == "" || w.damage != nil {
		return
	}
	size := min(w.s.failing.lacking(), maxTrial)
	for _, args := range [][]any{
		{"INSERT OR REPLACE INTO states VALUES (?, randomblob(?))", trialKey, size + trialSlack},
		{"DELETE FROM states WHERE key = ?", trialKey},
	} {
		t := newTx(w)
		statement, _ := args[0].(string)
		err := t.exec(statement, args[1:]...)
		if err == nil {
			err = w.c.exec("COMMIT")
		}
		if err != nil {
			_ = w.failed(t, err) // it failed before, and is told
			return
		}
	}
	w.s.syncer.committed()
	w.works(math.MaxInt64)
}

// rollback ends a transaction that failed, unless SQLite has done so itself.
func (w *writer) rollback() error {
	err := w.c.exec("ROLLBACK")
	if hasCode(err, codeError) {
		return nil // no transaction is active
	}
	return err
}

// works notes that so many bytes could be written.
func (w *writer) works(size int64) {
	if since, cleared := w.s.failing.clear(size); cleared {
		w.s.log.Info("journal can be written again", "dir", w.s.dir, "failed_for", w.now().Sub(since))
	}
}

// publish shows readers what was committed.
func (w *writer) publish() {
	v := w.counters
	w.s.view.Store(&v)
}

// keptAt tells whether an alert with the key is kept, as far as it was committed.
func (w *writer) keptAt(key string, first uint64) (bool, error) {
	seq, ok, sure := w.recent.find(key)
	if !sure {
		n, found, err := w.c.number("SELECT seq FROM alert_ids WHERE id = ?", []byte(key))
		if err != nil {
			return false, fmt.Errorf("look for a repeat: %w", err)
		}
		seq, ok = count(n), found
	}
	return ok && seq >= first, nil
}

// errGivenUp says that the caller no longer waits.
var errGivenUp = errors.New("given up")
