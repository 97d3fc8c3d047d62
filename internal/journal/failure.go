package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged says that the journal's file is damaged: what was read or written is not what was
// written there. It does not pass.
var ErrDamaged = errors.New("the journal's file is damaged")

// afterDamage says what is to be done about a damaged journal.
const afterDamage = "`falco-reporter journal check` says more; put a backup in its place, or move it away to begin anew"

// failure is what does not work, and since when.
type failure struct {
	mu      sync.Mutex
	why     string
	since   time.Time
	lasting bool
	// size is the most that could not be written since, in bytes.
	size int64
}

// get returns the reason, which is empty while all is well.
func (f *failure) get() (why string, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.why, f.since
}

// set notes a failure, of writing so many bytes, and reports whether it is the first. One that
// lasts is not replaced.
func (f *failure) set(why string, now time.Time, size int64, lasting bool) (first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lasting {
		return false
	}
	if first = f.why == "" || lasting; f.why == "" {
		f.since = now
	}
	f.why, f.lasting, f.size = why, lasting, max(f.size, size)
	return first
}

// clear notes that so much could be written, and returns since when that failed, if it is as
// much as failed: less says nothing.
func (f *failure) clear(size int64) (since time.Time, cleared bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why == "" || f.lasting || size < f.size {
		return time.Time{}, false
	}
	since = f.since
	f.why, f.since, f.size = "", time.Time{}, 0
	return since, true
}

// lasts reports whether there is a failure that does not pass.
func (f *failure) lasts() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lasting
}

// lacking is how much could not be written.
func (f *failure) lacking() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// unread is what cannot be read: damage that was met, and for how many readers what is there
// cannot be read at the moment.
type unread struct {
	failure, damage failure
	mu              sync.Mutex
	readers         int
}

// beginUnread notes that a reader waits because the disk cannot be read.
func (s *SQLite) beginUnread(err error) {
	s.unread.mu.Lock()
	defer s.unread.mu.Unlock()
	s.unread.readers++
	why := "it cannot be read: " + explain(s.dir, err)
	if s.unread.failure.set(why, s.w.now(), 0, false) {
		s.log.Error("journal cannot be read; what reads it waits and tries on", "dir", s.dir, "why", why)
	}
}

// endUnread notes that the reader waits no longer, and whether it could read.
func (s *SQLite) endUnread(read bool) {
	s.unread.mu.Lock()
	defer s.unread.mu.Unlock()
	if s.unread.readers--; s.unread.readers > 0 {
		return
	}
	if since, cleared := s.unread.failure.clear(0); cleared && read {
		s.log.Info("journal can be read again", "dir", s.dir, "failed_for", s.w.now().Sub(since))
	}
}

// tellDamage notes that a reader met damage.
func (s *SQLite) tellDamage(err error) {
	why := "a part of it cannot be read: " + explain(s.dir, err) + "; " + afterDamage
	if s.unread.damage.set(why, s.w.now(), 0, true) {
		s.log.Error("journal is damaged; a part of it cannot be read", "dir", s.dir, "why", why)
	}
}

// isDamage reports whether an error says that the file is damaged. A constraint that breaks does:
// two places in the file contradict each other.
func isDamage(err error) bool {
	return errors.Is(err, ErrDamaged) || hasCode(err, codeCorrupt, codeNotADatabase, sqlite3.SQLITE_CONSTRAINT)
}

// asDamage is an error that says so, as ErrDamaged.
func asDamage(err error) error {
	if errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// damaged marks errors about a file that is none of its own, when a journal is opened.
func damaged(err error) error {
	if hasCode(err, codeCorrupt, codeNotADatabase) || errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w: %w; it is left as it is: %s", ErrUnusable, asDamage(err), afterDamage)
	}
	return err
}

// explain says in plain words what an error of the journal in the directory means, where SQLite's
// own are not plain.
func explain(dir string, err error) string {
	switch {
	case hasCode(err, sqlite3.SQLITE_FULL):
		return "the disk is full: " + err.Error()
	case hasCode(err, sqlite3.SQLITE_READONLY):
		return "the journal is read-only: " + err.Error()
	case isDamage(err):
		return asDamage(err).Error()
	case hasCode(err, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
		// SQLite keeps the system's reason to itself: what does a file beside it get?
		if reason := tryDir(dir); reason != nil {
			return reason.Error() + ": " + err.Error()
		}
	}
	return err.Error()
}

// tryFile is written to learn why the journal cannot be.
const tryFile = "journal.try"

// tryDir writes a file in the directory, and returns why it could not.
func tryDir(dir string) error {
	path := filepath.Join(dir, tryFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, pageBytes))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
}
