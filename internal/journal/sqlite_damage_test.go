package journal_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// overwrite puts random bytes over pages of the database.
func overwrite(t *testing.T, dir string, page, pages int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "journal.db"), os.O_RDWR, 0)
	must(t, err)
	garbage := make([]byte, pages*4096)
	_, _ = rand.Read(garbage) // it never fails
	_, err = f.WriteAt(garbage, page*4096)
	must(t, errors.Join(err, f.Close()))
}

// fillBoth appends alerts, and as many reports.
func fillBoth(t *testing.T, j *journal.SQLite, n int) {
	t.Helper()
	var alerts []*alert.Alert
	for i := range n {
		alerts = append(alerts, realistic(t, i))
	}
	_, err := j.AppendAlerts(t.Context(), alerts)
	must(t, err)
	fill(t, j, 0, n)
}

// size is how many pages the database has.
func size(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "journal.db"))
	must(t, err)
	return info.Size() / 4096
}

// TestSQLiteRefusesDamage: one page that is not what it was is enough, wherever it is; and the
// file is left as it is.
func TestSQLiteRefusesDamage(t *testing.T) {
	base := fastDir(t)
	whole := filepath.Join(base, "whole")
	j := openSQLite(t, journal.SQLiteOptions{Dir: whole})
	fillBoth(t, j, 1000)
	must(t, j.Close())
	pages := size(t, whole)
	for n := range int64(12) {
		page := 2 + n*(pages-3)/11
		dir := filepath.Join(base, fmt.Sprint(page))
		must(t, os.CopyFS(dir, os.DirFS(whole)))
		must(t, os.Chmod(dir, 0o700))
		overwrite(t, dir, page, 1)
		before := databases(t, dir)
		j, err := journal.OpenSQLite(t.Context(), journal.SQLiteOptions{Dir: dir, Log: quiet()}.CheckedFor(time.Minute))
		if err == nil {
			t.Errorf("with page %d of %d damaged it was opened", page, pages)
			must(t, j.Close())
			continue
		}
		if !errors.Is(err, journal.ErrUnusable) || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "falco-reporter journal check") {
			t.Errorf("with page %d damaged: %v", page, err)
		}
		if !reflect.DeepEqual(databases(t, dir), before) {
			t.Errorf("with page %d damaged, the file was changed", page)
		}
	}
}

// TestSQLiteIsDamagedLater: a journal whose file is damaged while it is used says so until it ends,
// writes nothing any more, and gives out what can be read.
func TestSQLiteIsDamagedLater(t *testing.T) {
	dir := filepath.Join(fastDir(t), "j")
	j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
	fillBoth(t, j, 1000)
	must(t, j.Close())
	once := sync.OnceFunc(func() { overwrite(t, dir, 10, size(t, dir)-10) })
	j = openSQLite(t, journal.SQLiteOptions{Dir: dir}.CheckedFor(time.Minute).Faulty(func(string) error { once(); return nil }))
	var err error
	for n := 0; err == nil && n < 100; n++ { // what is in memory can still be written
		_, err = j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, 2000+n)})
	}
	if !errors.Is(err, journal.ErrDamaged) {
		t.Fatalf("AppendAlerts: %v", err)
	}
	before := databases(t, dir)
	if err := j.AppendReports(t.Context(), j.Done(), []journal.Report{realisticReport(5000)}); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("AppendReports: %v", err)
	}
	for range 30 { // longer than the second after which a journal that fails tries again
		if got := statsOf(t, j); !strings.Contains(got.Failure, "damaged") || !strings.Contains(got.Failure, "falco-reporter journal check") || got.Since.IsZero() {
			t.Fatalf("stats are %+v", got)
		}
		<-time.After(50 * time.Millisecond)
	}
	_ = j.Close() // it may or may not find something wrong
	if !reflect.DeepEqual(databases(t, dir)["journal.db"], before["journal.db"]) {
		t.Error("the damaged file was written")
	}
}

// TestSQLiteReadsDamage: whoever reads what is damaged is told, so is who asks how the journal is,
// and others go on.
func TestSQLiteReadsDamage(t *testing.T) {
	dir := filepath.Join(fastDir(t), "j")
	j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
	fillBoth(t, j, 600)
	must(t, j.Close())
	j = openSQLite(t, journal.SQLiteOptions{Dir: dir}.CheckedFor(time.Minute))
	defer func() { _ = j.Close() }() // it may find the damage again
	overwrite(t, dir, 20, size(t, dir)-20)
	if got, err := j.ReadReports(t.Context(), journal.Cursor{}, 1<<20); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("ReadReports: %d, %v", len(got), err)
	}
	// The work of every second may have found the damage first.
	if got := statsOf(t, j); !strings.Contains(got.Failure, "a part of it cannot be read") && !strings.Contains(got.Failure, "is damaged") || !strings.Contains(got.Failure, "journal check") {
		t.Errorf("stats are %+v", got)
	}
}

// TestSQLiteChecksTheRest: what the check of a start has no time for is checked afterwards.
func TestSQLiteChecksTheRest(t *testing.T) {
	dir := filepath.Join(fastDir(t), "j")
	j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
	fillBoth(t, j, 1000)
	must(t, j.Close())
	overwrite(t, dir, size(t, dir)/2, 1)
	j = openSQLite(t, journal.SQLiteOptions{Dir: dir}.CheckedFor(time.Nanosecond))
	for statsOf(t, j).Failure == "" {
		<-time.After(10 * time.Millisecond)
	}
	if _, err := j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, 5000)}); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("AppendAlerts: %v", err)
	}
	_ = j.Close() // the file is damaged
}

// TestSQLiteFailsUntilAsMuchIsWritten: that little can be written does not mean that writing works.
func TestSQLiteFailsUntilAsMuchIsWritten(t *testing.T) {
	base := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		full.Store(true)
		j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(base, "j")}.Faulty(func(statement string) error {
			if full.Load() && (strings.HasPrefix(statement, "INSERT INTO alerts") || strings.Contains(statement, "randomblob")) {
				return errInjected
			}
			return nil
		}))
		if _, err := j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, 1)}); !errors.Is(err, errInjected) {
			t.Errorf("AppendAlerts: %v", err)
		}
		for range 20 {
			if _, err := j.AppendAlerts(t.Context(), nil, journal.Position{Input: "a", Data: []byte("b")}); err != nil {
				t.Errorf("a position: %v", err)
			}
			waitSeconds(1)
			if got := statsOf(t, j); got.Failure == "" {
				t.Fatal("it says that it is well")
			}
		}
		full.Store(false)
		waitSeconds(2)
		if got := statsOf(t, j); got.Failure != "" {
			t.Errorf("when there is room: %s", got.Failure)
		}
		if states, err := j.States(t.Context()); err != nil || len(states) > 0 {
			t.Errorf("what was tried is left: %v, %v", states, err)
		}
		must(t, j.Close())
	})
}

// TestSQLiteReadFaults makes every statement of readers fail, several times: the call waits and
// tries on, stats say so, and it returns what it should.
func TestSQLiteReadFaults(t *testing.T) {
	base := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		var left, failed atomic.Int32
		j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(base, "j")}.FaultyReaders(func(string) error {
			if left.Add(-1) >= 0 {
				failed.Add(1)
				return errInjected
			}
			return nil
		}))
		fillBoth(t, j, 3000) // more than is kept in memory
		state := journal.State{Key: "k", Data: []byte("v")}
		must(t, j.AppendReports(t.Context(), j.Done(), nil, state))
		_, err := j.AppendAlerts(t.Context(), nil, journal.Position{Input: "a", Data: []byte("b")})
		must(t, err)
		first := journal.Cursor{Journal: j.Done().Journal}
		for what, call := range map[string]func() (any, error){
			"States":      func() (any, error) { return j.States(t.Context()) },
			"Position":    func() (any, error) { return j.Position(t.Context(), "a") },
			"ReadAlerts":  func() (any, error) { return j.ReadAlerts(t.Context(), first, 5) },
			"ReadReports": func() (any, error) { return j.ReadReports(t.Context(), first, 5) },
			"Alert":       func() (any, error) { return j.Alert(t.Context(), realistic(t, 7).ID) },
		} {
			want, err := call()
			must(t, err)
			for n := range int32(6) {
				left.Store(n)
				if got, err := call(); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s after %d faults: %v, %v", what, n, got, err)
				}
				if got := statsOf(t, j); got.Failure != "" {
					t.Errorf("%s works again, and stats are %+v", what, got)
				}
			}
		}
		left.Store(1)
		if _, err := j.Report(t.Context(), realisticReport(7).ID); !errors.Is(err, errInjected) {
			t.Errorf("Report, whose caller can ask again: %v", err)
		}
		left.Store(1 << 30)
		done := make(chan error, 1)
		go func() { _, err := j.ReadAlerts(t.Context(), first, 5); done <- err }()
		waitSeconds(60)
		if got := statsOf(t, j); !strings.Contains(got.Failure, "cannot be read") || time.Since(got.Since) < 59*time.Second {
			t.Errorf("while nothing can be read, stats are %+v", got)
		}
		left.Store(0)
		must(t, <-done)
		left.Store(1 << 30)
		go func() { _, err := j.States(t.Context()); done <- err }()
		waitSeconds(1)
		must(t, j.Close())
		if err := <-done; !errors.Is(err, journal.ErrClosed) {
			t.Errorf("a reader that waits when the journal is closed: %v", err)
		}
	})
}

// TestSQLiteSyncFaults: that the disk does not take what was committed is told, and is tried again
// also where nothing more is written.
func TestSQLiteSyncFaults(t *testing.T) {
	base := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(base, "j")}.FaultySyncer(func(string) error {
			if failing.Load() {
				return errInjected
			}
			return nil
		}))
		fill(t, j, 0, 10)
		waitSeconds(5)
		if got := statsOf(t, j); !strings.Contains(got.Failure, "a power cut could lose") || time.Since(got.Since) < 4*time.Second {
			t.Errorf("stats are %+v", got)
		}
		failing.Store(false)
		waitSeconds(2)
		if got := statsOf(t, j); got.Failure != "" {
			t.Errorf("when it works again, stats are %+v", got)
		}
		must(t, j.Close())
	})
}

// TestSQLiteReadOnly: a file system that took itself offline, as after an error of its disk, is
// named as the reason, and never claimed to work.
func TestSQLiteReadOnly(t *testing.T) {
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "mounted")
	must(t, os.Mkdir(at, 0o700))
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 64<<20))
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, at}} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("an ext4 of our own is not to be had here: %v: %v: %s", command, err, out)
		}
	}
	defer func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(at, "j")})
	fill(t, j, 0, 50)
	must(t, unix.Mount("", at, "", unix.MS_REMOUNT, "abort"))
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		_, err = j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, 100+n)})
	}
	if err == nil || !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("AppendAlerts: %v", err)
	}
	stayFailed(t, j)
	_ = j.Close() // it cannot write what it would
}

// stayFailed looks for some seconds whether a journal that cannot be written says otherwise, while
// somebody tries now and then.
func stayFailed(t *testing.T, j *journal.SQLite) {
	t.Helper()
	var batch []*alert.Alert
	for n := range 256 {
		batch = append(batch, realistic(t, 500_000+n))
	}
	end := time.After(5 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		if got := statsOf(t, j); got.Failure == "" {
			t.Fatal("it claims to be well")
		}
		if n%120 == 0 { // 2.4 s apart, so that the journal tries by itself in between
			if _, err := j.AppendAlerts(t.Context(), batch); err == nil {
				t.Fatal("it was written")
			}
		}
	}
}
