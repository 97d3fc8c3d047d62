package falcofile_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
)

func TestOptionsAreChecked(t *testing.T) {
	for _, path := range []string{"", "/" + strings.Repeat("x", 2000)} {
		if _, err := falcofile.New(falcofile.Options{Path: path}, nil, consumer.NewLedger("x", "x", ""), nil, nil); err == nil {
			t.Errorf("path %.20q is taken", path)
		}
	}
}

func TestAppearsLaterAndGrows(t *testing.T) {
	for _, pollOnly := range []bool{false, true} {
		t.Run(fmt.Sprint("pollOnly=", pollOnly), func(t *testing.T) {
			b := newBench(t)
			b.opts.PollOnly = pollOnly
			b.start()
			b.awaitState(consumer.StateConnecting, "file_output")
			b.write(lines(0, 1000))
			b.wantTo(b, 1000)
			b.awaitState(consumer.StateConnected, "")
			b.write(line(1000)[:50])
			b.write(line(1000)[50:] + "\n" + lines(1001, 1002))
			b.wantTo(b, 1002)
			l := b.ledger
			b.stop()
			s := l.Status()
			if s.Received != 1002 || s.Journaled != 1002 || s.AtRisk() != 0 || s.Lag != 0 || !strings.Contains(s.Position, b.path) {
				t.Errorf("status %+v", s)
			}
			if s.State != consumer.StateStopped || s.PossibleLosses != 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestInotifyWakes: what is written is there long before the next regular look.
func TestInotifyWakes(t *testing.T) {
	b := newBench(t)
	b.opts.PollInterval = time.Hour
	b.start()
	b.awaitState(consumer.StateConnecting, "not there")
	for n := range 20 {
		b.write(lines(n, n+1))
		b.wantTo(b, n+1)
	}
	b.rotate()
	b.open()
	b.write(lines(20, 21))
	b.wantTo(b, 21)
}

func TestLinesThatAreNoAlerts(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		alerts  int
		reasons []string
	}{
		"empty lines":   {"\n\r\n  \n" + lines(0, 1) + "\n" + lines(1, 2), 2, nil},
		"garbage":       {"garbage\n" + lines(0, 1) + "{\"a\":1}\n\xff\xfe\n" + lines(1, 2), 2, []string{"not", "no rule", "not"}},
		"plain text":    {"06:03:00.123456789: Warning Shell (user=x)\n2026-11-22T06:03:00.123456789+0000: Informational x\n" + lines(0, 1), 1, []string{"json_output: true", "json_output: true"}},
		"invalid UTF-8": {strings.Replace(line(0), "something", "some\xffthing", 1) + "\n", 1, nil},
		"cut off":       {line(0)[:40] + "\n" + lines(0, 1), 1, []string{"not"}},
		"mended":        {line(7)[:40] + lines(0, 1) + line(8)[:len(line(8))-30] + lines(1, 2), 2, []string{"cut off", "cut off"}},
		"not mended":    {strings.Replace(line(0), "something", `{\"rule\":\"r\",\"time\":\"2026-11-22T06:03:00Z\"}`, 1)[:120] + "\n" + lines(0, 1), 1, []string{"not"}},
		"zero bytes":    {strings.Repeat("\x00", 5000) + lines(0, 2), 2, nil},
		"too long":      {lines(0, 1) + strings.Repeat("x", alert.MaxBytes+3<<20) + "\n" + lines(1, 3), 3, []string{"larger"}},
		"as long":       {lines(0, 1) + strings.Replace(line(1), "something", strings.Repeat("x", alert.MaxBytes-1000), 1) + "\n" + lines(2, 3), 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(test.text)
			b.start()
			b.wantTo(b, test.alerts)
			b.wantRejected(b, test.reasons...)
			s := b.ledger.Status()
			if s.Received != uint64(test.alerts+len(test.reasons)) || s.Rejected != uint64(len(test.reasons)) || s.PossibleLosses != 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestRecordedAlerts of a real Falco are all taken.
func TestRecordedAlerts(t *testing.T) {
	f, err := os.Open("../../../../shared/alerts/falco-0.43-flood-json.jsonl.gz")
	if err != nil {
		t.Skip("the recorded alerts are not there: ", err)
	}
	defer func() { _ = f.Close() }()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.write(string(text))
	b.start()
	n := uint64(strings.Count(string(text), "\n"))
	b.await(b, "end of the file", func() bool { s := b.ledger.Status(); return s.Received == n && s.AtRisk() == 0 && s.Lag == 0 })
	if s := b.ledger.Status(); s.Rejected != 0 || n < 1000 {
		t.Errorf("%d lines, status %+v", n, s)
	}
}

// TestALongLineInPieces is read over also when we stop within it.
func TestALongLineInPieces(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 1) + strings.Repeat("x", alert.MaxBytes+1<<20))
	b.start()
	b.wantRejected(b, "larger")
	b.stop()
	b.write("still the same line\n" + lines(1, 2))
	b.start()
	b.wantTo(b, 2)
	b.wantRejected(b, "larger")
}

func TestTroubleIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		make   func(path string) error
		reason string
		asUser bool
	}{
		"directory":    {func(path string) error { return os.Mkdir(path, 0o755) }, "is a directory", false},
		"pipe":         {func(path string) error { return syscall.Mkfifo(path, 0o644) }, "named pipe", false},
		"no directory": {func(path string) error { return os.Remove(filepath.Dir(path)) }, "make the directory", false},
		"link to none": {func(path string) error { return os.Symlink("nowhere", path) }, "not there", false},
		"no device":    {func(path string) error { return os.Symlink("/dev/null", path) }, "not a regular file", false},
		"permission":   {func(path string) error { return os.WriteFile(path, nil, 0) }, "chmod g+r", true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.asUser && os.Getuid() == 0 {
				asNobody(t)
				return
			}
			b := newBench(t)
			b.must(test.make(b.path))
			b.start()
			b.awaitState(consumer.StateConnecting, test.reason)
			_ = os.Chmod(b.path, 0o644)
			b.must(errors.Join(os.RemoveAll(b.path), os.MkdirAll(filepath.Dir(b.path), 0o755)))
			b.write(lines(0, 3))
			b.wantTo(b, 3)
			b.awaitState(consumer.StateConnected, "")
		})
	}
}

// asNobody runs the test once more as a user who may not read everything.
func asNobody(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if errors.Is(err, os.ErrPermission) {
		t.Skip("cannot become nobody: ", err)
	}
	if err != nil || !strings.Contains(string(out), "PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func TestPermissionSaysWhichGroup(t *testing.T) {
	name := filepath.Join(t.TempDir(), "events.log")
	if err := os.WriteFile(name, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := falcofile.Permission(name); !strings.Contains(got, "usermod -aG ") {
		t.Error(got)
	}
}

func TestFromEnd(t *testing.T) {
	b := newBench(t)
	b.opts.FromEnd = true
	b.write("old\nold, half a")
	b.start()
	b.await(b, "position", func() bool { return b.position != nil })
	b.write(" line\n" + lines(0, 2))
	b.wantTo(b, 2)
	b.stop()
	b.write(lines(2, 4)) // while nobody reads: no reason to leave it out
	b.start()
	b.wantTo(b, 4)
	b.wantRejected(b, "not")
}

// TestFromEndOfNothing: a file that appears later is read from its start.
func TestFromEndOfNothing(t *testing.T) {
	b := newBench(t)
	b.opts.FromEnd = true
	b.start()
	b.awaitState(consumer.StateConnecting, "not there")
	b.write(lines(0, 2))
	b.wantTo(b, 2)
}

// TestAJournalThatFails stops the reading, costs no alert, and nothing is counted as lost that
// is read after the restart.
func TestAJournalThatFails(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 10))
	b.start()
	b.wantTo(b, 10)
	b.fail(true)
	b.write(lines(10, 5000))
	b.await(b, "lag", func() bool { return b.ledger.Status().AtRisk() > 0 && b.ledger.Status().Lag > 1000 })
	if s := b.ledger.Status(); s.AtRisk() > 256 {
		t.Errorf("status %+v: want one batch at risk", s)
	}
	b.crash()
	b.running = nil
	b.fail(false)
	b.start()
	b.wantTo(b, 5000)
}

// TestNoDescriptorStaysOpen after rotations, restarts and errors.
func TestNoDescriptorStaysOpen(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 1))
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc: ", err)
		}
		return len(entries)
	}
	b.start() // the first one makes the runtime's own descriptors
	b.wantTo(b, 1)
	b.stop()
	before := open()
	for n := 1; n < 8; n++ {
		b.start()
		b.write(lines(2*n-1, 2*n))
		b.rotate()
		b.open()
		b.write(lines(2*n, 2*n+1))
		b.wantTo(b, 2*n+1)
		b.stop()
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
