package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/falcosecurity/client-go/pkg/api/outputs"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// waitSeconds lets the time of a bubble pass.
func waitSeconds(n int) {
	<-time.After(time.Duration(n) * time.Second)
	synctest.Wait()
}

// fill appends reports from a number up to another, that one excluded.
func fill(tb testing.TB, j journal.Journal, from, to int) {
	tb.Helper()
	for ; from < to; from += 100 {
		var reports []journal.Report
		for n := from; n < min(from+100, to); n++ {
			reports = append(reports, realisticReport(n))
		}
		if err := j.AppendReports(context.Background(), journal.Cursor{}, reports); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestSQLiteRetention: the files stay within their bound, urgent reports survive a flood, age
// takes the rest, and the disk gets its space back.
func TestSQLiteRetention(t *testing.T) {
	const bound = 12 << 20
	written := 15_000
	if raced {
		written = 6_000
	}
	base := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		j := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(base, "j"), Retention: journal.Retention{Bytes: bound, Age: 10 * time.Hour}})
		defer func() { must(t, j.Close()) }()
		var largest int64
		for from := 0; from < written; from += 500 {
			fill(t, j, from, from+500)
			waitSeconds(1) // the syncer's turn
			largest = max(largest, statsOf(t, j).DiskBytes)
		}
		full := statsOf(t, j)
		if largest > bound+bound/4 || full.Reports.Entries < 2000 {
			t.Errorf("the files grew to %d bytes, more than a quarter beyond %d, with %d reports", largest, bound, full.Reports.Entries)
		}
		if full.Reports.Oldest.Seq != 1 {
			t.Errorf("the oldest report is %s, want the urgent one at 1", full.Reports.Oldest)
		}
		holdsReports(t, j)
		if got, err := journal.Check(t.Context(), j.Dir()); err != nil || len(got.Problems) > 0 {
			t.Errorf("Check = %+v, %v", got, err)
		}
		waitSeconds(12 * 3600)
		old := statsOf(t, j)
		if old.Reports.Entries != 0 || old.Reports.Tail != full.Reports.Tail {
			t.Errorf("when all are too old, stats are %+v", old.Reports)
		}
		_, err := j.ReadReports(t.Context(), journal.Cursor{Journal: old.ID}, 1)
		gone, ok := errors.AsType[*journal.PrunedError](err)
		if !ok || *gone != (journal.PrunedError{Missed: uint64(written), Resume: old.Reports.Tail}) {
			t.Errorf("reading when all are gone: %v", err)
		}
		fill(t, j, written, written+100)
		waitSeconds(1)
		if got := statsOf(t, j).DiskBytes; got > bound/2 {
			t.Errorf("when all are gone, the files have %d bytes, and had %d", got, full.DiskBytes)
		}
	})
}

// holdsReports fails the test unless every kept report is as it was written.
func holdsReports(t *testing.T, j journal.Journal) {
	t.Helper()
	end := statsOf(t, j).Reports.Tail.Seq
	for after := (journal.Cursor{}); after.Seq < end; {
		got, err := j.ReadReports(t.Context(), after, 100)
		if gone, ok := errors.AsType[*journal.PrunedError](err); ok {
			after = gone.Resume
			continue
		}
		must(t, err)
		for _, e := range got {
			if want := realisticReport(int(e.Cursor.Seq) - 1); e.ID != want.ID || e.Urgent != want.Urgent || !bytes.Equal(e.Data, want.Data) {
				t.Fatalf("report %s is not as it was written", e.Cursor)
			}
			after = e.Cursor
		}
	}
}

// TestSQLiteClock: a clock that jumps back prunes nothing that should stay, and nothing is
// refused.
func TestSQLiteClock(t *testing.T) {
	var since atomic.Int64
	clock := func() time.Time {
		return time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC).Add(time.Duration(since.Load()))
	}
	j := openSQLite(t, journal.SQLiteOptions{Dir: t.TempDir() + "/j", Retention: journal.Retention{Age: time.Hour}, Now: clock})
	defer func() { must(t, j.Close()) }()
	for _, step := range []struct {
		jump time.Duration
		kept int64
	}{{0, 1}, {-5 * time.Hour, 2}, {30 * time.Minute, 3}, {5 * time.Hour, 4}, {2 * time.Hour, 1}} {
		since.Add(int64(step.jump))
		n := int(statsOf(t, j).Reports.Tail.Seq)
		must(t, j.AppendReports(t.Context(), journal.Cursor{}, []journal.Report{realisticReport(n)}))
		if got := statsOf(t, j).Reports.Entries; got != step.kept {
			t.Errorf("at %s: %d reports are kept, want %d", clock(), got, step.kept)
		}
	}
}

// TestSQLiteScale: neither start, nor appending, nor reading becomes slower with what is kept.
func TestSQLiteScale(t *testing.T) {
	small, large := 10_000, 100_000
	switch {
	case raced:
		small, large = 300, 3_000
	case os.Getenv("FALCO_REPORTER_SOAK") != "":
		large = 1_000_000
	default:
	}
	dir := filepath.Join(fastDir(t), "j")
	options := journal.SQLiteOptions{Dir: dir, Retention: journal.Retention{Bytes: 64 << 30}}
	type cost struct{ open, write, read time.Duration }
	measure := func(n int) cost {
		var c cost
		begin := time.Now()
		j := openSQLite(t, options)
		c.open = time.Since(begin)
		defer func() { must(t, j.Close()) }()
		begin = time.Now()
		fill(t, j, n, n+1000)
		c.write = time.Since(begin) / 1000
		begin = time.Now()
		got, err := j.ReadReports(t.Context(), journal.Cursor{Journal: j.Done().Journal, Seq: uint64(n / 2)}, 256)
		if err != nil || len(got) < 200 {
			t.Fatal(len(got), err)
		}
		c.read = time.Since(begin) / time.Duration(len(got))
		return c
	}
	grow := func(from, to int) {
		j := openSQLite(t, options)
		fill(t, j, from, to)
		must(t, j.Close())
	}
	grow(0, small)
	few := measure(small)
	grow(small+1000, large)
	many := measure(large)
	info, err := os.Stat(filepath.Join(dir, "journal.db"))
	must(t, err)
	t.Logf("at %d: %+v; at %d: %+v; a report takes %d bytes on disk", small, few, large, many, info.Size()/int64(large+1000))
	for what, pair := range map[string][2]time.Duration{
		"open": {few.open, many.open}, "write": {few.write, many.write}, "read": {few.read, many.read},
	} {
		if pair[1] > 4*pair[0]+5*time.Millisecond {
			t.Errorf("%s takes %s with %d reports and %s with %d", what, pair[0], small, pair[1], large)
		}
	}
}

// TestSQLiteTools: backup, export and check beside a journal that is being written.
func TestSQLiteTools(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
	defer func() { must(t, j.Close()) }()
	jsonAlert, grpcAlert := realistic(t, 1), overGRPC(t)
	_, err := j.AppendAlerts(t.Context(), []*alert.Alert{jsonAlert, grpcAlert}, journal.Position{Input: "a", Data: []byte("at")})
	must(t, err)
	fill(t, j, 0, 50)
	must(t, j.KeepRejected(t.Context(), journal.Rejected{Time: 1, Input: "http", Reason: "no alert", Raw: []byte("<x>")},
		journal.Rejected{Time: 2, Input: "http", Reason: "no text", Raw: []byte{0xff}}))

	export := func(what string) string {
		t.Helper()
		var out bytes.Buffer
		must(t, journal.Export(t.Context(), dir, &out, what, func(e journal.ReportEntry) ([]byte, error) {
			return fmt.Appendf(nil, "%s %d", e.Cursor, len(e.Data)), nil
		}))
		return strings.TrimSuffix(out.String(), "\n")
	}
	lines := strings.Split(export(journal.ExportAlerts), "\n")
	if len(lines) != 2 || lines[0] != string(jsonAlert.Raw) {
		t.Errorf("exported alerts are %q", lines)
	}
	if again, err := alert.DecodeJSON([]byte(lines[1])); err != nil || again.ID != grpcAlert.ID || again.String("proc.name") != "sh" {
		t.Errorf("an alert that came over gRPC is exported as %s: %v", lines[1], err)
	}
	lines = strings.Split(export(journal.ExportReports), "\n")
	if want := fmt.Sprintf("%s-50 %d", j.Done().Journal, len(realisticReport(49).Data)); len(lines) != 50 || lines[49] != want {
		t.Errorf("exported reports are %q, want %q last", lines, want)
	}
	want := `{"time":"1970-01-01T00:00:00.000000001Z","input":"http","reason":"no alert","raw":"<x>"}` + "\n" +
		`{"time":"1970-01-01T00:00:00.000000002Z","input":"http","reason":"no text","raw_base64":"/w=="}`
	if got := export(journal.ExportRejected); got != want || !json.Valid([]byte(strings.Split(got, "\n")[1])) {
		t.Errorf("exported rejected messages are\n%s, want\n%s", got, want)
	}
	if err := journal.Export(t.Context(), dir, nil, "everything", nil); err == nil {
		t.Error("an export of what there is not was accepted")
	}

	file := filepath.Join(t.TempDir(), "copy.db")
	must(t, journal.Backup(t.Context(), dir, file))
	if err := journal.Backup(t.Context(), dir, file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a backup over another: %v", err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v, %v, want mode 0600", info, err)
	}
	fill(t, j, 50, 60)
	restored := filepath.Join(t.TempDir(), "restored")
	must(t, os.Mkdir(restored, 0o700))
	must(t, os.Rename(file, filepath.Join(restored, "journal.db")))
	r := openSQLite(t, journal.SQLiteOptions{Dir: restored})
	holdsReports(t, r)
	if _, err := os.Stat(filepath.Join(restored, "journal.db-wal")); err != nil {
		t.Errorf("the backup is not used as a journal is: %v", err)
	}
	if got := statsOf(t, r); got.ID != j.Done().Journal || got.Reports.Tail.Seq != 50 || got.Alerts.Tail.Seq != 2 {
		t.Errorf("the backup holds %+v", got)
	}
	must(t, r.Close())

	got, err := journal.Check(t.Context(), dir)
	if err != nil || len(got.Problems) > 0 || got.Alerts != 2 || got.Reports != 60 {
		t.Errorf("Check = %+v, %v", got, err)
	}
	for _, nowhere := range []error{
		journal.Backup(t.Context(), t.TempDir(), file), journal.Export(t.Context(), t.TempDir(), nil, journal.ExportAlerts, nil),
	} {
		if !errors.Is(nowhere, fs.ErrNotExist) {
			t.Errorf("of no journal: %v", nowhere)
		}
	}
}

// overGRPC is an alert as it comes over gRPC.
func overGRPC(t *testing.T) *alert.Alert {
	t.Helper()
	raw, err := proto.Marshal(&outputs.Response{
		Time: timestamppb.New(time.Unix(1763777258, 5)), Rule: "A rule", Output: "02:07:38.000000005: Notice it happened", Source: "syscall", Hostname: "h",
		OutputFields: map[string]string{"proc.name": "sh", "fd.name": "<NA>"}, Tags: []string{"T1059"},
	})
	must(t, err)
	a, err := alert.DecodeGRPC(raw)
	must(t, err)
	return a
}

// TestSQLiteCheckFinds: each kind of damage is found.
func TestSQLiteCheckFinds(t *testing.T) {
	for statement, want := range map[string]string{
		"DELETE FROM alert_ids WHERE seq = 2":                           "alert 2",
		"UPDATE alerts SET n = n + 1":                                   "alerts",
		"DELETE FROM reports WHERE seq = 7":                             "report 8, where 7 is due",
		"DELETE FROM content WHERE id = 1":                              "content 1",
		"UPDATE counters SET done = alert_next":                         "done is",
		"UPDATE counters SET report_bytes = 1":                          "reports are",
		"UPDATE content SET data = x'00' WHERE id = 2":                  "not as it was written",
		"UPDATE content SET epoch = -1 WHERE id = 1":                    "may be pruned before it",
		"UPDATE alerts SET data = substr(data, 1, 100) WHERE seq = 1":   "alerts from 1 on",
		"UPDATE reports SET size = size + 1, cost = cost WHERE seq = 3": "report 3",
	} {
		dir := filepath.Join(fastDir(t), "j")
		j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
		_, err := j.AppendAlerts(t.Context(), []*alert.Alert{realistic(t, 1), realistic(t, 2)})
		must(t, err)
		fill(t, j, 0, 45)
		must(t, j.Close())
		must(t, journal.Execute(dir, statement))
		got, err := journal.Check(t.Context(), dir)
		if err != nil || !strings.Contains(strings.Join(got.Problems, "\n"), want) {
			t.Errorf("%s: Check finds %q, %v, want %q", statement, got.Problems, err, want)
		}
	}
}

// TestSQLiteMigration: a copy is kept, what was there stays, and a migration that fails changes
// nothing.
func TestSQLiteMigration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	o := journal.SQLiteOptions{Dir: dir, Log: quiet()}
	j := openSQLite(t, o)
	fill(t, j, 0, 30)
	id := j.Done().Journal
	must(t, j.Close())
	for _, broken := range []string{"CREATE TABLE more (x)", "nonsense"} {
		_, err := journal.OpenSQLite(t.Context(), o.Migrating("ALTER TABLE positions ADD COLUMN y TEXT", "CREATE TABLE more (x); "+broken))
		if err == nil || !strings.Contains(err.Error(), "to version 3") {
			t.Errorf("a migration that fails: %v", err)
		}
		j := openSQLite(t, o)
		holdsReports(t, j)
		must(t, j.Close())
	}
	newer := o.Migrating("ALTER TABLE positions ADD COLUMN y TEXT", "CREATE TABLE more (x)")
	for range 2 {
		j = openSQLite(t, newer)
		holdsReports(t, j)
		if got := statsOf(t, j); got.ID != id || got.Reports.Tail.Seq != 30 {
			t.Errorf("after the migration, stats are %+v", got)
		}
		must(t, j.Close())
	}
	if _, err := journal.OpenSQLite(t.Context(), o); !errors.Is(err, journal.ErrUnusable) || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("an older program opens it: %v", err)
	}
	must(t, os.Rename(filepath.Join(dir, "journal.db.v1.bak"), filepath.Join(dir, "journal.db")))
	j = openSQLite(t, o) // the way back
	holdsReports(t, j)
	must(t, j.Close())
	fresh := openSQLite(t, journal.SQLiteOptions{Dir: filepath.Join(t.TempDir(), "new")}.Migrating("CREATE TABLE more (x)"))
	must(t, fresh.Close())
}
