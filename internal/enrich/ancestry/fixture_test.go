package ancestry_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

const host = "test-host"

// options are those of a tracker that believes alerts of the input "local".
func options(events bool) ancestry.Options {
	return ancestry.Options{
		ProcessTable: events, Procfs: true, Hosts: []string{host}, MaxWait: 2 * time.Second,
		LocalInput: func(name string) bool { return name == "local" },
	}
}

// alone reports whether nothing else runs beside this test, as its caller says: then the share of
// alerts without pids counts.
func alone() bool { return os.Getenv("FALCO_REPORTER_ALONE") != "" }

// start runs a tracker until the test ends.
func start(t testing.TB, o ancestry.Options) *ancestry.Tracker {
	t.Helper()
	tr := ancestry.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-tr.Ready()
	layers := tr.Status().GetLayers()
	skip := t.Skipf
	if alone() {
		skip = t.Fatalf // who asks for the shares must not get none
	}
	if o.ProcessTable && !layers[1].GetLive() {
		skip("process events cannot be had here: %s", layers[1].GetReason())
	}
	if o.Procfs && !layers[2].GetLive() {
		skip("the host's /proc cannot be had here: %s", layers[2].GetReason())
	}
	return tr
}

// makeAlert is an alert with these fields beside its time.
func makeAlert(t testing.TB, at time.Time, fields map[string]any) *alert.Alert {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"rule": "r", "source": "syscall", "hostname": host, "time": at.UTC().Format(time.RFC3339Nano), "output_fields": fields,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := alert.DecodeJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	a.Input = "local"
	return a
}

// report captures and applies.
func report(t testing.TB, tr *ancestry.Tracker, a *alert.Alert) *pb.Report {
	t.Helper()
	tr.Capture(t.Context(), []*alert.Alert{a})
	return applied(a)
}

func applied(a *alert.Alert) *pb.Report {
	r := &pb.Report{Process: &pb.Process{Name: a.String("proc.name")}}
	if pid, ok := a.Int("proc.pid"); ok {
		r.Process.Pid = &pid
	}
	ancestry.Apply(a, r)
	return r
}

// show is a chain, nearest first: "NAME PID NAME PID …".
func show(r *pb.Report) string {
	var out []string
	for _, x := range r.GetAncestry() {
		out = append(out, fmt.Sprintf("%d:%s/%d", x.GetLevel(), x.GetName(), x.GetPid()))
	}
	if r.GetAncestryComplete() {
		out = append(out, "complete")
	}
	return strings.Join(out, " ") + "\n  " + strings.Join(r.GetAncestryNotes(), "\n  ")
}

// shell is a running script that talks with the test: its lines come out of say, and it waits
// for a line wherever it reads one.
type shell struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func run(t testing.TB, name string, args ...string) *shell {
	t.Helper()
	s := &shell{cmd: exec.Command(name, args...)} //nolint:gosec // tests run what they name
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = append(os.Environ(), helperEnv+"=1")
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Skipf("cannot run %s here: %v", name, err)
	}
	t.Cleanup(s.end)
	return s
}

// line is the next line that the script says.
func (s *shell) line(t testing.TB) string {
	t.Helper()
	if !s.out.Scan() {
		t.Fatalf("the script said nothing more: %v", s.out.Err())
	}
	return s.out.Text()
}

// pid is the next line as a pid.
func (s *shell) pid(t testing.TB) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(s.line(t)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *shell) tell(t testing.TB, line string) {
	t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// end closes its input and waits for it, a second time at once.
func (s *shell) end() {
	_ = s.in.Close()
	for s.out.Scan() { // until all that hold the pipe have ended
	}
	_ = s.cmd.Wait()
}

// wantChain checks the pids of a chain from the parent on, and that it goes on up to this test
// and to pid 1.
func wantChain(t *testing.T, r *pb.Report, pids ...int64) {
	t.Helper()
	pids = append(pids, int64(os.Getpid()))
	for i, want := range pids {
		if i >= len(r.GetAncestry()) || r.GetAncestry()[i].GetPid() != want {
			t.Errorf("level %d is not pid %d:\n%s", i+1, want, show(r))
			return
		}
	}
	if !r.GetAncestryComplete() {
		t.Errorf("not complete:\n%s", show(r))
	}
}

// bothLayers runs a test with process events, and with /proc alone.
func bothLayers(t *testing.T, f func(t *testing.T, tr *ancestry.Tracker, events bool)) {
	for _, events := range []bool{true, false} {
		t.Run(map[bool]string{true: "events", false: "procfs"}[events], func(t *testing.T) { f(t, start(t, options(events)), events) })
	}
}

func clone(a *alert.Alert) *alert.Alert {
	b := *a
	b.Captured = nil
	return &b
}

// fifo is a named pipe that this test holds open; tell writes a line into it.
func fifo(t *testing.T) (path string, tell func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return path, func() {
		if _, err := f.WriteString("go\n"); err != nil {
			t.Error(err)
		}
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s in vain")
		}
		<-time.After(time.Millisecond)
	}
}

// childOf is the only child of a process.
func childOf(t *testing.T, pid int64) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Skipf("the kernel does not list children: %v", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// recorder is a log, and what is in it.
func recorder() (log *slog.Logger, lines func() string) {
	var mu sync.Mutex
	var b strings.Builder
	return slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return b.Write(p)
		}), nil)), func() string {
			mu.Lock()
			defer mu.Unlock()
			return b.String()
		}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
