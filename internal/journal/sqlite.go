package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Durability is what a power cut may take of what was accepted. The end of the process, also
// by kill -9, takes nothing.
type Durability int

// The durabilities.
const (
	// DurabilityNormal syncs within 100 ms after a commit: a power cut takes no more than that.
	DurabilityNormal Durability = iota
	// DurabilityPower syncs with every commit: a power cut takes nothing.
	DurabilityPower
)

// Retention bounds what a [SQLite] keeps. Alerts that are not accounted for are kept in any
// case, and so is the newest report until it is too old.
type Retention struct {
	// Age is for how long entries are kept, by the clock of this machine when they were
	// written; by default 7 days. An entry that was written while the clock was ahead goes when
	// that time has come and gone, and holds those behind it until then.
	Age time.Duration
	// Count bounds the alerts, and the report revisions; without bound by default.
	Count int
	// Bytes bounds the files; by default 512 MiB, and no less than 8 MiB. Writing goes on
	// while pruning, in small steps, so that they are larger by some MiB for moments. Alerts
	// get a quarter of them, unless reports do not need the rest. Of the rest, a quarter of
	// Bytes is reserved for urgent reports.
	Bytes int64
}

// Bounds of alerts that are not accounted for, unless [SQLiteOptions] say otherwise.
const (
	defaultPendingAlerts = 65_536
	defaultPendingBytes  = 64 << 20
)

// SQLiteOptions choose where and how a [SQLite] keeps its entries.
type SQLiteOptions struct {
	// Dir is the directory, which is created with mode 0700 if need be. One that others can
	// write to is refused.
	Dir        string
	Durability Durability
	Retention  Retention
	// PendingAlerts and PendingBytes bound the alerts that are not accounted for, in bytes as
	// received; AppendAlerts waits beyond that. By default 65,536 alerts and 64 MiB.
	PendingAlerts int
	PendingBytes  int64
	// Log gets what an operator should know; required.
	Log *slog.Logger
	// Now is the clock, for tests; time.Now if nil.
	Now func() time.Time

	// What only tests set: other bounds than Retention's, other migrations, and what is asked
	// before every statement of the writer, of readers and of the syncer; and another checkFor.
	checkFor                    time.Duration
	bounds                      *bounds
	migrations                  []migration
	fault, readFault, syncFault func(statement string) error
}

// SQLite is a [Journal] in a directory. What it accepted is there again when the directory is
// opened the next time, cursors, positions and Done included. Its methods may be called
// concurrently, and other processes may read the directory meanwhile: see [Backup], [Export]
// and [Check].
//
// One goroutine writes, and there is no timer for commits: what has queued up while one commit
// ran is the next. A second one syncs to disk what was committed, a third checks a large file for
// damage once. All end with Close. Readers
// find the newest entries in memory (2,048 of each log, at most 12 MiB in all); who is further
// behind reads from disk, a short transaction at a time, two readers at once.
//
// When nothing can be written, because the disk is full or read-only, appending returns an
// error and has done nothing: the caller tries again. Reading goes on, [Stats] say since when
// and why, and the journal tries once a second whether as much as failed can be written again.
// When what is on disk cannot be read, reading waits and tries on until its ctx ends.
//
// A file that is damaged is refused when it is opened, as far as SQLite's own check finds that
// within 0.1 s; a large file is checked to its end afterwards. If damage shows then, or when
// writing, nothing is written any more: every call that writes is ErrDamaged until the process
// starts anew, and what can be read still is. If it shows when reading, that call is ErrDamaged.
// Stats say both.
//
// On disk an alert takes its bytes as received and some 100 more. A report takes what other
// reports do not have as well: the texts of a rule are kept once. Of alerts recorded from
// Falco 0.43, reports of 7.2 KB take 4.2 KB each, and with all fields of the alert, 8.9 KB take
// 5.1 KB: 512 MiB hold some 80,000 of them beside their alerts.
type SQLite struct {
	id     string
	dir    string
	log    *slog.Logger
	lock   *os.File
	closed chan struct{}
	ended  sync.Once
	endErr error

	w       *writer
	syncer  *syncer
	readers chan *conn
	opened  int // readers
	running sync.WaitGroup

	// view is the counters as of the last commit.
	view    atomic.Pointer[counters]
	alerts  tail[AlertEntry]
	reports tail[ReportEntry]
	content *contents

	// Writing, syncing and reading fail apart from each other.
	failing, unsynced failure
	unread            unread
	// unchecked is whether the file was not checked to its end before it was used, found the
	// damage that the rest of the check has found.
	unchecked bool
	found     atomic.Pointer[error]
	stopCheck context.CancelFunc
}

var _ Journal = (*SQLite)(nil)

// readConns is how many readers can be at the disk at once.
const readConns = 2

// OpenSQLite opens the journal in a directory, or makes one. Errors are [ErrInUse] where
// another process has it open, [ErrUnusable] where something there is not ours to touch, and
// others.
func OpenSQLite(ctx context.Context, o SQLiteOptions) (*SQLite, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := prepareDir(o.Dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &SQLite{
		dir: o.Dir, log: o.Log, lock: lock, closed: make(chan struct{}),
		readers: make(chan *conn, readConns), content: newContents(),
	}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	checkCtx, stopCheck := context.WithCancel(context.WithoutCancel(ctx))
	s.stopCheck = stopCheck
	s.running.Go(s.w.run)
	s.running.Go(s.syncer.run)
	if s.unchecked {
		s.running.Go(func() { s.checkRest(checkCtx) })
	}
	return s, nil
}

// open opens the connections and loads what is kept in memory.
func (s *SQLite) open(ctx context.Context, o SQLiteOptions) error {
	if o.migrations == nil {
		o.migrations = migrations()
	}
	if o.checkFor <= 0 {
		o.checkFor = checkFor
	}
	if err := s.prepareDatabase(ctx, o); err != nil {
		return err
	}
	c, err := s.connect("rw")
	if err != nil {
		return err
	}
	s.w = newWriter(s, c, o)
	checkpoints, err := s.connect("rw")
	if err != nil {
		return err
	}
	s.syncer = newSyncer(s, checkpoints, o.Durability, s.w.bounds.wal)
	for range readConns {
		r, err := s.connect("ro")
		if err != nil {
			return err
		}
		s.readers <- r
		s.opened++
	}
	if err := s.w.load(); err != nil {
		return fmt.Errorf("read the journal: %w", damaged(err))
	}
	c.fault, checkpoints.fault = o.fault, o.syncFault
	for range readConns {
		r := <-s.readers
		r.fault = o.readFault
		s.readers <- r
	}
	return nil
}

// connect opens a connection with what all of them have in common. The cache is 2 MiB.
func (s *SQLite) connect(mode string) (*conn, error) {
	c, err := openConn(filepath.Join(s.dir, databaseFile), mode)
	if err != nil {
		return nil, err
	}
	err = c.script("PRAGMA busy_timeout = 5000; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;" +
		"PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL;")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal: %w", damaged(err)), c.close())
	}
	return c, nil
}

// Close implements [Journal]. What was accepted is on disk when it returns.
func (s *SQLite) Close() error {
	s.ended.Do(func() {
		close(s.closed)
		s.stopCheck()
		s.running.Wait()
		s.endErr = s.closeFiles()
	})
	return s.endErr
}

// closeFiles closes what is open, in an order that lets SQLite clean up after itself: the last
// connection puts the WAL into the database.
func (s *SQLite) closeFiles() error {
	var errs []error
	readers := func() {
		for range s.opened {
			errs = append(errs, (<-s.readers).close())
		}
	}
	isDamaged := s.w != nil && s.w.damage != nil
	if !isDamaged {
		readers()
	}
	if s.syncer != nil {
		errs = append(errs, s.syncer.close())
	}
	if s.w != nil {
		errs = append(errs, s.w.c.close())
	}
	if isDamaged {
		readers() // last, since a reader leaves the damaged file as it is
	}
	if err := errors.Join(append(errs, s.lock.Close())...); err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}

func (s *SQLite) cursor(seq uint64) Cursor { return Cursor{Journal: s.id, Seq: seq} }

// AppendAlerts implements [Journal].
func (s *SQLite) AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...Position) ([]bool, error) {
	if err := usable(ctx, s.closed); err != nil {
		return nil, err
	}
	if len(alerts) == 0 && len(positions) == 0 {
		return nil, nil
	}
	if err := checkPositions(positions); err != nil {
		return nil, err
	}
	r := newRequest()
	r.alerts, r.positions = alerts, positions
	if err := s.w.submit(ctx, r, "wait for room in the alert log"); err != nil {
		return nil, err
	}
	return r.isNew, nil
}

// checkPositions refuses positions that are too large to be kept.
func checkPositions(positions []Position) error {
	for _, p := range positions {
		if len(p.Data) > MaxPositionBytes {
			return fmt.Errorf("note the position of input %q: it has %d bytes, more than %d", p.Input, len(p.Data), MaxPositionBytes)
		}
	}
	return nil
}

// AppendReports implements [Journal]. It waits for the disk.
func (s *SQLite) AppendReports(ctx context.Context, done Cursor, reports []Report, states ...State) error {
	if err := usable(ctx, s.closed); err != nil {
		return err
	}
	if err := checkStates(states); err != nil {
		return err
	}
	r := newRequest()
	r.done, r.reports, r.states, r.accounts = done, reports, states, true
	return s.w.submit(ctx, r, "wait to append reports")
}

// checkStates refuses states that are too large to be kept.
func checkStates(states []State) error {
	for _, st := range states {
		if len(st.Data) > MaxStateBytes {
			return &StateSizeError{Key: st.Key, Bytes: len(st.Data)}
		}
	}
	return nil
}

// States implements [Journal].
func (s *SQLite) States(ctx context.Context) ([]State, error) {
	var out []State
	err := s.lookUntil(ctx, func(c *conn) error {
		out = []State{}
		return c.query("SELECT key, data FROM states WHERE key <> ? ORDER BY key", []any{trialKey}, func(r []driver.Value) error {
			out = append(out, State{Key: text(r[0]), Data: notNull(blob(r[1]))})
			return nil
		})
	})
	return out, err
}

// KeepRejected implements [Journal].
func (s *SQLite) KeepRejected(ctx context.Context, rejected ...Rejected) error {
	if err := usable(ctx, s.closed); err != nil {
		return err
	}
	if len(rejected) == 0 {
		return nil
	}
	r := newRequest()
	r.rejected = rejected
	return s.w.submit(ctx, r, "wait to keep rejected messages")
}

// Done implements [Journal].
func (s *SQLite) Done() Cursor { return s.cursor(s.view.Load().done) }

// Position implements [Journal].
func (s *SQLite) Position(ctx context.Context, input string) ([]byte, error) {
	var data []byte
	found := false
	err := s.lookUntil(ctx, func(c *conn) error {
		return c.query("SELECT data FROM positions WHERE input = ?", []any{input}, func(r []driver.Value) error {
			data, found = blob(r[0]), true
			return nil
		})
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return data, err
}

// Rejected implements [Journal].
func (s *SQLite) Rejected(ctx context.Context) ([]Rejected, error) {
	var out []Rejected
	err := s.look(ctx, func(c *conn) (err error) {
		out, err = readRejected(c)
		return err
	})
	return out, err
}

// readRejected reads the rejected messages, oldest first.
func readRejected(c *conn) ([]Rejected, error) {
	var out []Rejected
	err := c.query("SELECT time, input, reason, raw FROM rejected ORDER BY seq", nil, func(r []driver.Value) error {
		out = append(out, Rejected{Time: integer(r[0]), Input: text(r[1]), Reason: text(r[2]), Raw: blob(r[3])})
		return nil
	})
	return out, err
}

// Stats implements [Journal].
func (s *SQLite) Stats(ctx context.Context) (Stats, error) {
	if err := usable(ctx, s.closed); err != nil {
		return Stats{}, err
	}
	v := s.view.Load()
	out := Stats{
		ID: s.id, Kind: "sqlite", Path: s.dir, DiskBytes: diskBytes(s.dir),
		Alerts:  LogStats{Tail: s.cursor(v.alertNext - 1), Entries: signed(v.alertEntries()), Bytes: v.alertBytes},
		Reports: LogStats{Tail: s.cursor(v.reportNext - 1), Entries: signed(v.reports.entries), Bytes: v.reports.bytes},
	}
	if out.Alerts.Entries > 0 {
		out.Alerts.Oldest, out.Alerts.Newest = s.cursor(v.alertFirst), out.Alerts.Tail
	}
	if out.Reports.Entries > 0 {
		out.Reports.Oldest, out.Reports.Newest = s.cursor(v.reportFloor), out.Reports.Tail
	}
	if v.held > 0 {
		out.Reports.Oldest = s.cursor(v.heldFirst)
	}
	for _, f := range []*failure{&s.failing, &s.unsynced, &s.unread.damage, &s.unread.failure} {
		if out.Failure, out.Since = f.get(); out.Failure != "" {
			break
		}
	}
	return out, nil
}

// diskBytes is what the journal's files take.
func diskBytes(dir string) int64 {
	var sum int64
	for _, end := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(filepath.Join(dir, databaseFile+end)); err == nil {
			sum += info.Size()
		}
	}
	return sum
}
