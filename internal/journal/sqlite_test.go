package journal_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/journal/journaltest"
)

// quiet is a log for tests that do not read it.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// openSQLite opens a journal in a directory.
func openSQLite(tb testing.TB, o journal.SQLiteOptions) *journal.SQLite {
	tb.Helper()
	if o.Log == nil {
		o.Log = quiet()
	}
	j, err := journal.OpenSQLite(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// fastDir is a directory in memory where there is one: the suite commits many thousand times.
func fastDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "journal-test-") //nolint:usetesting // t.TempDir is on disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestSQLite(t *testing.T) {
	base := fastDir(t)
	newDir := func(t *testing.T) string {
		dir, err := os.MkdirTemp(base, "") //nolint:usetesting // in a bubble t must not get a cleanup
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	var dirs sync.Map // of the journals that are open
	open := func(t *testing.T, dir string, l journaltest.Limits) journal.Journal {
		o := journal.SQLiteOptions{Dir: dir}
		j := openSQLite(t, o.Limited(l.AlertEntries, l.AlertBytes, l.ReportEntries, l.ReportBytes))
		dirs.Store(j, dir)
		return j
	}
	journaltest.Run(t, journaltest.Implementation{
		Open: func(t *testing.T, l journaltest.Limits) journal.Journal { return open(t, newDir(t), l) },
		Reopen: func(t *testing.T, j journal.Journal, l journaltest.Limits, killed bool) journal.Journal {
			at, _ := dirs.Load(j)
			dir, _ := at.(string)
			if killed {
				// The files as they are: what a killed process leaves behind.
				dir = copyFiles(t, dir, newDir(t))
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, dir, l)
		},
	})
}

// copyFiles copies the database and its WAL.
func copyFiles(t *testing.T, from, to string) string {
	t.Helper()
	for _, name := range []string{"journal.db", "journal.db-wal"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}
