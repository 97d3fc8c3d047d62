package journal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// Result codes of SQLite that are more than an error.
const (
	codeError        = sqlite3.SQLITE_ERROR
	codeCorrupt      = sqlite3.SQLITE_CORRUPT
	codeNotADatabase = sqlite3.SQLITE_NOTADB
)

const (
	// syncAfter is how long after a commit a sync begins: it has 50 ms to end within 100.
	syncAfter = 50 * time.Millisecond
	// walBytes is the size of the WAL from which on its content goes into the database, unless
	// little may be kept: a larger one makes reading slower, a smaller one writes the same
	// pages more often.
	walBytes = 8 << 20
	// maxWALs is at how many times that size the writer waits for it.
	maxWALs = 4
)

// syncer is the goroutine that brings what was committed to the disk for good. It does most of
// a checkpoint too, beside the writer. Only the last of it needs the writer to pause: that part
// is left to it.
type syncer struct {
	s     *SQLite
	c     *conn
	power bool
	bytes int64 // of the WAL that are enough for a checkpoint
	dirty chan struct{}
	wal   *os.File // nil until there is one
	// wanted is set when the writer should end a checkpoint.
	wanted atomic.Bool
}

func newSyncer(s *SQLite, c *conn, d Durability, walBytes int64) *syncer {
	return &syncer{s: s, c: c, power: d == DurabilityPower, bytes: walBytes, dirty: make(chan struct{}, 1)}
}

// committed says that there is something to sync.
func (y *syncer) committed() {
	select {
	case y.dirty <- struct{}{}:
	default:
	}
}

func (y *syncer) wantsWriter() bool { return y.wanted.Load() }

// run syncs until the journal is closed.
func (y *syncer) run() {
	timer := time.NewTimer(syncAfter)
	defer timer.Stop()
	after := syncAfter
	for {
		select {
		case <-y.dirty:
		case <-y.s.closed:
			return
		}
		timer.Reset(after)
		select {
		case <-timer.C:
		case <-y.s.closed:
			return // closing syncs
		}
		// What is committed from here on begins the next round.
		select {
		case <-y.dirty:
		default:
		}
		if after = syncAfter; !y.tryToSync() {
			after = probeEvery
			y.committed() // try again
		}
	}
}

// tryToSync syncs, says when that begins to fail and when it works again, and reports whether it
// does.
func (y *syncer) tryToSync() bool {
	err := y.sync()
	if err == nil {
		if since, cleared := y.s.unsynced.clear(math.MaxInt64); cleared {
			y.s.log.Info("journal can be synced to disk again", "dir", y.s.dir, "failed_for", y.s.w.now().Sub(since))
		}
		return true
	}
	why := "it cannot be synced to disk, so that a power cut could lose alerts: " + explain(y.s.dir, err)
	if y.s.unsynced.set(why, y.s.w.now(), 0, false) {
		y.s.log.Error("journal cannot be synced to disk; a power cut could lose alerts", "dir", y.s.dir, "why", why)
	}
	return false
}

// sync brings the WAL to the disk, and what is in it into the database when it is large.
func (y *syncer) sync() error {
	if y.wal == nil {
		f, err := os.Open(filepath.Join(y.s.dir, databaseFile+"-wal"))
		if err != nil {
			return fmt.Errorf("open the WAL: %w", err)
		}
		y.wal = f
	}
	if !y.power {
		if err := errors.Join(y.c.faulty("sync"), y.wal.Sync()); err != nil {
			return fmt.Errorf("sync the WAL: %w", err)
		}
	}
	info, err := y.wal.Stat()
	if err != nil {
		return fmt.Errorf("look at the WAL: %w", err)
	}
	if info.Size() < y.bytes || y.s.failing.lasts() { // a damaged file is left as it is
		return nil
	}
	all, err := checkpoint(y.c)
	if err != nil {
		return err
	}
	if !all {
		y.wanted.Store(true)
		y.s.w.poke()
	}
	return nil
}

// finish ends a checkpoint if that is wanted, or if the disk is so slow that the WAL has grown
// all the same. It is for the writer, which does not write meanwhile: then the WAL begins anew
// with the next commit.
func (y *syncer) finish(c *conn) {
	if !y.wanted.CompareAndSwap(true, false) && y.walSize() < maxWALs*y.bytes {
		return
	}
	if _, err := checkpoint(c); err != nil {
		y.s.log.Warn("journal cannot shorten its WAL", "dir", y.s.dir, "why", explain(y.s.dir, err))
	}
}

func (y *syncer) walSize() int64 {
	info, err := os.Stat(filepath.Join(y.s.dir, databaseFile+"-wal"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// checkpoint puts what is in the WAL into the database, as far as readers let it, and reports
// whether that was all.
func checkpoint(c *conn) (all bool, err error) {
	err = c.query("PRAGMA wal_checkpoint(PASSIVE)", nil, func(r []driver.Value) error {
		all = integer(r[0]) == 0 && integer(r[1]) == integer(r[2])
		return nil
	})
	if err != nil {
		err = fmt.Errorf("checkpoint: %w", err)
	}
	return all, err
}

// close syncs what is left and closes the files.
func (y *syncer) close() error {
	var errs []error
	if y.wal != nil {
		errs = append(errs, y.wal.Sync(), y.wal.Close())
	}
	return errors.Join(append(errs, y.c.close())...)
}
