package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names of the files in the journal's directory. SQLite puts databaseFile-wal and -shm beside
// the database.
const (
	databaseFile = "journal.db"
	lockFile     = "journal.lock"
	// newFile is a database in the making: it gets its name when it is complete.
	newFile = "journal.db.new"
)

// ErrInUse says that another process writes to a journal's directory.
var ErrInUse = errors.New("another process writes to this journal")

// ErrUnusable says that a directory or file cannot be the journal's: it is damaged, of another
// program, of a newer version, or others could change it. It is left as it is.
var ErrUnusable = errors.New("not usable as a journal")

// prepareDir makes the directory, or checks the one that is there: what others can write to,
// they can forge.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the journal's directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the journal's directory: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%s: %w: others can write to it (mode %04o); make it 0700", dir, ErrUnusable, mode)
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() && sys.Uid != 0 {
		return fmt.Errorf("%s: %w: it belongs to user %d, and this process runs as %d", dir, ErrUnusable, sys.Uid, os.Geteuid())
	}
	return nil
}

// lockDir makes this process the only writer until the file is closed, also if it is killed.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600) //nolint:gosec // the operator names the directory
	if err != nil {
		return nil, fmt.Errorf("lock the journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder := make([]byte, 20)
		n, _ := f.ReadAt(holder, 0) // only to name it
		err = fmt.Errorf("%w: process %s", ErrInUse, strconv.Quote(strings.TrimSpace(string(holder[:n]))))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// syncDir makes names in the directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the directory
	if err != nil {
		return fmt.Errorf("open the journal's directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
