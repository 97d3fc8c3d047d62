package journal_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// childDir is the variable of the environment that makes TestKilledChild the child of TestKill.
const childDir = "JOURNAL_TEST_CHILD_DIR"

// TestKill: what a process was told to be accepted is there after kill -9, once, and together
// with it its position, its reports and their states.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		accepted := runAndKill(t, dir)
		j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
		tail := holdsOnce(t, j)
		if tail < accepted {
			t.Errorf("round %d: %d alerts were accepted, %d are there", round, accepted, tail)
		}
		at, err := j.Position(t.Context(), "file")
		if err != nil || string(at) != strconv.FormatUint(tail, 10) {
			t.Errorf("round %d: the position is %q, %v, and there are %d alerts", round, at, err, tail)
		}
		states, err := j.States(t.Context())
		reports := statsOf(t, j).Reports.Tail.Seq
		if done := j.Done().Seq; reports != done || err != nil || string(states[0].Data) != strconv.FormatUint(done, 10) {
			t.Errorf("round %d: of %d alerts there are %d reports, and the state is %q, %v", round, done, reports, states, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := journal.Check(t.Context(), dir); err != nil || len(got.Problems) > 0 {
			t.Errorf("round %d: Check = %+v, %v", round, got, err)
		}
	}
}

// statsOf returns a journal's stats.
func statsOf(t *testing.T, j journal.Journal) journal.Stats {
	t.Helper()
	s, err := j.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// holdsOnce fails the test unless the alerts are the samples from 1 on, and returns how many
// they are.
func holdsOnce(t *testing.T, j journal.Journal) uint64 {
	t.Helper()
	end := statsOf(t, j).Alerts.Tail.Seq
	for after := (journal.Cursor{}); after.Seq < end; {
		part, err := j.ReadAlerts(t.Context(), after, 256)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range part {
			if e.Cursor.Seq != after.Seq+1 || e.Alert.ReceivedNanos != int64(e.Cursor.Seq) {
				t.Fatalf("after %s comes alert %d at %s", after, e.Alert.ReceivedNanos, e.Cursor)
			}
			after = e.Cursor
		}
	}
	return end
}

// runAndKill runs the child, kills it at some moment, and returns how many alerts it was told
// to be accepted.
func runAndKill(t *testing.T, dir string) (accepted uint64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$") //nolint:gosec // this very program
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	most := 100
	if raced {
		most = 20
	}
	for left := 5 + rand.IntN(most); lines.Scan(); left-- {
		if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
			accepted = n
		} else {
			t.Error(lines.Text())
		}
		if left == 0 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	if accepted == 0 {
		t.Error("the child was killed before it accepted anything")
	}
	return accepted
}

// TestKilledChild appends alerts, some of them twice, and accounts for those before, until it
// is killed. It prints how many were accepted.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("this is the child of TestKill")
	}
	j := openSQLite(t, journal.SQLiteOptions{Dir: dir})
	for n := int(statsOf(t, j).Alerts.Tail.Seq); ; {
		var alerts []*alert.Alert
		for i := max(n-4, 0); i < n+1+rand.IntN(64); i++ {
			alerts = append(alerts, realistic(t, i+1))
		}
		done := journal.Cursor{Journal: j.Done().Journal, Seq: uint64(n)}
		n = int(alerts[len(alerts)-1].ReceivedNanos)
		at := journal.Position{Input: "file", Data: strconv.AppendInt(nil, int64(n), 10)}
		if _, err := j.AppendAlerts(t.Context(), alerts, at); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Println(n); err != nil { //nolint:forbidigo // the parent reads it
			t.Fatal(err)
		}
		var reports []journal.Report
		for i := j.Done().Seq; i < done.Seq; i++ {
			reports = append(reports, realisticReport(int(i)))
		}
		state := journal.State{Key: "done", Data: strconv.AppendUint(nil, done.Seq, 10)}
		if err := j.AppendReports(t.Context(), done, reports, state); err != nil {
			t.Fatal(err)
		}
	}
}
