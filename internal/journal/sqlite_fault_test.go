package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

var errInjected = errors.New("injected")

// TestSQLiteFaults makes every statement of the writer fail, one after the other, and that with
// the one after it. A call that failed has done nothing; tried again, it does what it should.
func TestSQLiteFaults(t *testing.T) {
	base := fastDir(t)
	var want journal.Stats
	step := 1
	if raced {
		step = 9
	}
	for at := -1; ; at += step { // the first run has no fault
		failed := 0
		for _, burst := range []int{1, 2} {
			statements := 0
			o := journal.SQLiteOptions{Dir: filepath.Join(base, fmt.Sprint(at, burst))}.Faulty(func(string) error {
				statements++
				if n := statements - 1 - at; at >= 0 && n >= 0 && n < burst {
					failed++
					return errInjected
				}
				return nil
			})
			j := openSQLite(t, o.Limited(20, 0, 8, 0))
			scenario(t, j)
			got := statsOf(t, j)
			got.ID, got.Path, got.DiskBytes = "", "", 0
			clearIDs(&got)
			if at < 0 {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("with fault %d: stats are %+v, want %+v", at, got, want)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if got, err := journal.Check(t.Context(), o.Dir); err != nil || len(got.Problems) > 0 {
				t.Errorf("with fault %d: Check = %+v, %v", at, got, err)
			}
		}
		if at >= 0 && failed == 0 {
			if at < 50 {
				t.Errorf("the scenario has only %d statements", at)
			}
			return
		}
	}
}

// clearIDs makes stats of different journals comparable.
func clearIDs(s *journal.Stats) {
	for _, l := range []*journal.LogStats{&s.Alerts, &s.Reports} {
		l.Oldest.Journal, l.Newest.Journal, l.Tail.Journal = "", "", ""
	}
}

// scenario does a bit of everything, again where it fails.
func scenario(t *testing.T, j *journal.SQLite) {
	t.Helper()
	again := func(what string, call func() error) {
		t.Helper()
		for range 5 {
			before := statsOf(t, j)
			err := call()
			if err == nil {
				return
			}
			after := statsOf(t, j)
			if !errors.Is(err, errInjected) || after.Failure == "" || after.Since.IsZero() {
				t.Fatalf("%s: %v, and stats are %+v", what, err, after)
			}
			if after.Alerts != before.Alerts || after.Reports != before.Reports {
				t.Fatalf("%s failed and changed %+v to %+v", what, before, after)
			}
		}
		t.Fatalf("%s does not recover", what)
	}
	for round := range 4 {
		from := round * 7
		again("AppendAlerts", func() error {
			var alerts []*alert.Alert
			for n := max(from-2, 0); n < from+7; n++ {
				alerts = append(alerts, realistic(t, n+1))
			}
			_, err := j.AppendAlerts(t.Context(), alerts, journal.Position{Input: "a", Data: []byte{byte(round)}})
			return err
		})
		again("AppendReports", func() error {
			// Reports of one rule, so that there is content, some of them urgent.
			reports := []journal.Report{realisticReport(from * 20), realisticReport((from + 1) * 20), realisticReport((from + 2) * 20)}
			reports[0].Urgent = round < 2
			done := journal.Cursor{Journal: j.Done().Journal, Seq: uint64(from + 5)}
			return j.AppendReports(t.Context(), done, reports, journal.State{Key: "k", Data: []byte{byte(round)}})
		})
		again("KeepRejected", func() error { return j.KeepRejected(t.Context(), journal.Rejected{Raw: []byte("x")}) })
	}
}

// TestSQLiteRecovers: a journal that could not be written finds out by itself when it can.
func TestSQLiteRecovers(t *testing.T) {
	base := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		o := journal.SQLiteOptions{Dir: filepath.Join(base, "j")}
		j := openSQLite(t, o.Faulty(func(string) error {
			if failing.Load() {
				return errInjected
			}
			return nil
		}))
		if err := j.KeepRejected(t.Context(), journal.Rejected{}); !errors.Is(err, errInjected) {
			t.Errorf("KeepRejected: %v", err)
		}
		begin := statsOf(t, j).Since
		waitSeconds(3)
		if got := statsOf(t, j); got.Failure == "" || !got.Since.Equal(begin) {
			t.Errorf("while it fails, stats are %+v", got)
		}
		failing.Store(false)
		waitSeconds(2)
		if got := statsOf(t, j); got.Failure != "" || !got.Since.IsZero() {
			t.Errorf("when it works again, stats are %+v", got)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSQLiteDiskFull fills a small disk.
func TestSQLiteDiskFull(t *testing.T) {
	at := t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=4m,mode=0700"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	defer func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(at, "j")})
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	var err error
	for ; err == nil && n < 100_000; n++ {
		_, err = j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, n+1)})
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("after %d alerts: %v, want that the disk is full", n, err)
	}
	accepted := uint64(n - 1)
	if got := statsOf(t, j); got.Failure == "" || got.Alerts.Tail.Seq != accepted {
		t.Errorf("stats are %+v, want a failure and %d alerts", got, accepted)
	}
	if got := holdsOnce(t, j); got != accepted {
		t.Errorf("%d alerts can be read, want %d", got, accepted)
	}
	stayFailed(t, j)
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if _, err := j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, n)}); err != nil {
		t.Errorf("when there is room: %v", err)
	}
	if got := statsOf(t, j); got.Alerts.Tail.Seq != accepted+1 {
		t.Errorf("when there is room, stats are %+v", got)
	}
	for statsOf(t, j).Failure != "" { // until it has tried as much as failed
		<-time.After(50 * time.Millisecond)
	}
}

// TestSQLiteRefuses: what is not ours is left as it is.
func TestSQLiteRefuses(t *testing.T) {
	write := func(name, content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// patch changes a journal that is there.
	patch := func(at int64, with string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := openSQLite(t, journal.SQLiteOptions{Dir: dir}).Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(filepath.Join(dir, "journal.db"), os.O_RDWR, 0)
			if err == nil {
				_, err = f.WriteAt([]byte(with), at)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"text":             {write("journal.db", "a letter"), "damaged, or no SQLite database"},
		"nothing":          {write("journal.db", ""), "damaged, or no SQLite database"},
		"another program":  {patch(68, "\x00\x00\x00\x07"), "another program"},
		"newer":            {patch(60, "\x00\x00\x00\x63"), "version 99, and this program knows up to 1"},
		"WAL alone":        {write("journal.db-wal", "x"), "without its database"},
		"damaged schema":   {patch(110, strings.Repeat("\xff", 4000)), "damaged"},
		"others can write": {func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o770)) }, "others can write"},
		"cut": {func(t *testing.T, dir string) {
			patch(0, "S")(t, dir)
			must(t, os.Truncate(filepath.Join(dir, "journal.db"), 9000))
		}, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "j")
			must(t, os.Mkdir(dir, 0o700))
			test.prepare(t, dir)
			before := databases(t, dir)
			j, err := journal.OpenSQLite(t.Context(), journal.SQLiteOptions{Dir: dir, Log: quiet()})
			if err == nil {
				t.Fatal("it was opened", j.Close())
			}
			if !errors.Is(err, journal.ErrUnusable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %q, want %q", err, test.want)
			}
			if after := databases(t, dir); !reflect.DeepEqual(after, before) {
				t.Error("what was there has changed")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// databases are the contents of the database files.
func databases(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"journal.db", "journal.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}

// TestSQLiteInUse: there is one writer.
func TestSQLiteInUse(t *testing.T) {
	dir := t.TempDir()
	j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(dir, "j")})
	_, err := journal.OpenSQLite(t.Context(), journal.SQLiteOptions{Dir: filepath.Join(dir, "j"), Log: quiet()})
	if !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("opening it twice: %v, want that process %d has it", err, os.Getpid())
	}
	must(t, j.Close())
	must(t, openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(dir, "j")}).Close())
}
