package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
)

// Here the daemon is killed with SIGKILL at random moments under load, and started again, for
// each kind of input. Whatever the moment: nothing that was accepted is missing, nothing is
// there twice, and a subscriber's cursor goes on without gap or repeat.

// kills is how often each daemon is killed: 5 times in CI, 50 by `make soak`.
func kills() int {
	if os.Getenv("FALCO_REPORTER_SOAK") != "" {
		return 50
	}
	return 5
}

// killPatience bounds every wait.
const killPatience = 60 * time.Second

// victim is a daemon that is killed and started again, and a subscriber that follows it.
type victim struct {
	*testing.T
	dir  string
	args []string
	logs *lockedLog
	cmd  *exec.Cmd

	mu     sync.Mutex
	cursor string
	got    []string // numbers of the alerts whose reports came, in their order
	all    []*pb.Report
	more   chan struct{}
}

// lockedLog is what a daemon logs, which can be read while it is written.
type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newVictim(t *testing.T, args ...string) *victim {
	v := &victim{T: t, dir: t.TempDir(), more: make(chan struct{}, 1)}
	v.args = append([]string{
		"run", "--state-dir", filepath.Join(v.dir, "state"), "--listen", "unix://" + v.socket(), "-o", "none", "--rules=", "--join=off",
	}, args...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); v.subscribe(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if v.cmd != nil {
			v.kill()
		}
	})
	return v
}

func (v *victim) socket() string { return filepath.Join(v.dir, "reports.sock") }

// start starts the daemon, with a standard input that begins so and stays open.
func (v *victim) start(stdin []byte) {
	v.Helper()
	self, err := os.Executable()
	if err != nil {
		v.Fatal(err)
	}
	v.logs = new(lockedLog)
	v.cmd = &exec.Cmd{Path: self, Args: append([]string{"falco-reporter"}, v.args...), Env: os.Environ(), Stderr: v.logs}
	in, err := v.cmd.StdinPipe()
	if err != nil {
		v.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.Fatal(err)
	}
	go func() { _, _ = in.Write(stdin) }() // it fails when the daemon is killed before it has read all
}

// kill kills it. That it was killed, and did not end before, is checked.
func (v *victim) kill() {
	v.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.Errorf("the daemon was gone already: %v\n%s", err, v.logs)
	}
	if err := v.cmd.Wait(); err == nil {
		v.Errorf("the daemon ended by itself:\n%s", v.logs)
	}
	v.cmd = nil
}

// client is a connection to the daemon's socket.
func (v *victim) client() (pb.ReportServiceClient, func()) {
	v.Helper()
	conn, err := grpc.NewClient("unix://"+v.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		v.Fatal(err)
	}
	return pb.NewReportServiceClient(conn), func() { _ = conn.Close() }
}

// subscribe follows the daemon through all its lives by the cursor.
func (v *victim) subscribe(ctx context.Context) {
	for ctx.Err() == nil {
		v.follow(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond): // between tries to connect
		}
	}
}

func (v *victim) follow(ctx context.Context) {
	client, done := v.client()
	defer done()
	req := &pb.SubscribeRequest{Start: &pb.SubscribeRequest_Last{Last: 1 << 30}}
	if v.cursor != "" {
		req.Start = &pb.SubscribeRequest_AfterCursor{AfterCursor: v.cursor}
	}
	stream, err := client.Subscribe(ctx, req)
	for err == nil {
		var e *pb.SubscribeResponse
		if e, err = stream.Recv(); err != nil {
			return
		}
		v.mu.Lock()
		v.cursor = e.GetCursor()
		if m := e.GetMissed(); m != nil {
			v.Errorf("the subscriber missed %d", m.GetCount())
		} else {
			v.got = append(v.got, strings.TrimPrefix(e.GetReport().GetTitle(), "rule "))
			v.all = append(v.all, e.GetReport())
		}
		v.mu.Unlock()
		select {
		case v.more <- struct{}{}:
		default:
		}
	}
}

// count is how many reports the subscriber has.
func (v *victim) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.got)
}

// await waits until the subscriber has n reports.
func (v *victim) await(n int) []string {
	v.Helper()
	timeout := time.After(killPatience)
	for {
		v.mu.Lock()
		got := v.got
		v.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-v.more:
		case <-timeout:
			for i, x := range got {
				if x != strconv.Itoa(i) {
					v.Errorf("report %d is of alert %s", i, x)
					break
				}
			}
			v.Fatalf("%d of %d reports after %s\n%s", len(got), n, killPatience, v.logs)
		}
	}
}

// journaled is how many alerts the daemon has accepted in this life, by its own word.
func (v *victim) journaled() uint64 {
	client, done := v.client()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	s, err := client.GetStatus(ctx, &pb.GetStatusRequest{}, grpc.WaitForReady(true))
	if err != nil {
		v.Fatalf("GetStatus: %v\n%s", err, v.logs)
	}
	n := uint64(0)
	for _, in := range s.GetInputs() {
		n += in.GetJournaled()
	}
	return n
}

// once checks that no report came twice.
func (v *victim) once(got []string) map[string]bool {
	v.Helper()
	seen := make(map[string]bool, len(got))
	for _, n := range got {
		if seen[n] {
			v.Errorf("the report of alert %s came twice", n)
		}
		seen[n] = true
	}
	return seen
}

// nth is an alert, as Falco writes it.
func nth(n int) []byte {
	at := time.Unix(1_795_311_912, int64(n)).UTC().Format(time.RFC3339Nano)
	return fmt.Appendf(nil, `{"hostname":"h","output":"%s: Notice alert %d","priority":"Notice","rule":"rule %d","source":"syscall","time":"%s","output_fields":{"proc.name":"p%d"}}`+"\n",
		"02:07:38.364460168", n, n, at, n)
}

// lives calls live for each life of the daemon, which then is killed, and starts it once more.
func (v *victim) lives(stdin func() []byte, live func(i int)) {
	v.Helper()
	for i := range kills() {
		v.start(stdin())
		live(i)
		// A moment that nothing is in step with.
		<-time.After(time.Duration(rand.IntN(60)) * time.Millisecond)
		v.kill()
	}
	v.start(stdin())
}

func noStdin() []byte { return nil }

// TestKilledFollowingAFile: the file has everything, so nothing at all may be missing.
func TestKilledFollowingAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	v := newVictim(t, "--alerts-file", path)
	var written atomic.Int64
	stop := make(chan struct{})
	stopped := make(chan error, 1)
	v.lives(noStdin, func(i int) {
		if i == 0 { // what was rotated away before a file was ever followed is not ours
			if err := os.WriteFile(path, nth(0), 0o600); err != nil {
				t.Fatal(err)
			}
			v.await(1)
			go func() { stopped <- writeAlerts(path, &written, stop, v.count) }()
		}
		v.await(len(v.await(0)) + 200)
	})
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	n := int(written.Load())
	got := v.await(n)
	v.once(got)
	for i, x := range got {
		if x != strconv.Itoa(i) {
			t.Fatalf("report %d is of alert %s", i, x)
		}
	}
	v.check()
	t.Logf("%d alerts, %d kills", n, kills())
}

// TestKilledWhileJoining: incidents that are open when the daemon dies go on in its next life:
// the revisions of each report count up without gap or repeat to one that is closed, and the
// alerts of all of them are all alerts, each once.
func TestKilledWhileJoining(t *testing.T) {
	const n, programs = 4000, 40
	path := filepath.Join(t.TempDir(), "events.log")
	v := newVictim(t, "--alerts-file", path, "--join=on", "--join-idle", "3s")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // what it has is checked
	written := 0
	v.lives(noStdin, func(int) {
		for range n / kills() {
			if _, err := f.Write(ofProgram(written, written%programs)); err != nil {
				t.Fatal(err)
			}
			written++
		}
		v.await(len(v.await(0)) + 1)
	})
	counted := func() (alerts uint64, open int) {
		v.mu.Lock()
		defer v.mu.Unlock()
		last := make(map[string]*pb.Report)
		for _, r := range v.all {
			if before := last[r.GetId()]; before.GetRevision()+1 != r.GetRevision() || before.GetClosed() {
				t.Fatalf("revision %d of %s comes after %d (closed: %t)", r.GetRevision(), r.GetId(), before.GetRevision(), before.GetClosed())
			}
			last[r.GetId()] = r
		}
		for _, r := range last {
			if !r.GetClosed() {
				open++
			}
			for _, g := range r.GetAlerts() {
				alerts += g.GetOccurrences().GetCount()
			}
		}
		return alerts, open
	}
	v.until("every incident is closed", func() bool {
		alerts, open := counted()
		return open == 0 && alerts >= uint64(written)
	})
	if alerts, _ := counted(); alerts != uint64(written) {
		t.Errorf("the reports account for %d alerts of %d", alerts, written)
	}
	if len(v.all) >= written/2 {
		t.Errorf("%d revisions for %d alerts: they were not joined", len(v.all), written)
	}
}

// ofProgram is the n-th alert, of one of some programs that do the same again and again.
func ofProgram(n, program int) []byte {
	at := time.Unix(1_795_311_912, int64(n)*int64(time.Millisecond)).UTC().Format(time.RFC3339Nano)
	return fmt.Appendf(nil, `{"hostname":"h","output":"alert %d","priority":"Notice","rule":"Write below","source":"syscall","time":"%s","output_fields":{"evt.type":"openat","evt.res":"SUCCESS","fd.name":"/srv/f%d","proc.name":"p%d","proc.cmdline":"p%d","user.name":"u","user.uid":7,"container.id":"host"}}`+"\n", n, at, n, program, program)
}

// check has the journal checked and copied while the daemon runs.
func (v *victim) check() {
	v.Helper()
	self, err := os.Executable()
	if err != nil {
		v.Fatal(err)
	}
	for _, args := range [][]string{{"check"}, {"backup", filepath.Join(v.dir, "copy.db")}} {
		args = append(append([]string{"falco-reporter", "journal"}, args...), "--state-dir", filepath.Join(v.dir, "state"))
		out, err := (&exec.Cmd{Path: self, Args: args, Env: os.Environ()}).CombinedOutput()
		if err != nil {
			v.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

// maxLead is how far Falco writes ahead of the reports: with the race detector, with which SQLite
// in Go is some 20 times slower, a daemon would never come to the end of what waits for it.
const maxLead = 2000

// writeAlerts is Falco with file_output, and logrotate: it writes behind the first alert until
// stop, at most maxLead ahead of what is reported, and renames the file every 3,000 alerts.
func writeAlerts(path string, written *atomic.Int64, stop <-chan struct{}, reported func() int) (err error) {
	var f *os.File
	defer func() { err = errors.Join(err, f.Close()) }()
	written.Store(1)
	for n := 1; ; n++ {
		if n == 1 || n%3000 == 0 {
			if f != nil {
				if err := errors.Join(f.Close(), os.Rename(path, fmt.Sprintf("%s.%d", path, n/3000))); err != nil {
					return err
				}
			}
			if f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
				return err
			}
		}
		for n > reported()+maxLead {
			select {
			case <-stop:
				return nil
			case <-time.After(time.Millisecond):
			}
		}
		select {
		case <-stop:
			return nil
		default:
		}
		if _, err := f.Write(nth(n)); err != nil {
			return err
		}
		written.Add(1)
		if n%20 == 0 {
			<-time.After(time.Millisecond) // some 10,000 alerts a second
		}
	}
}

// TestKilledListeningToHTTP: what was answered 200 is there; a sender that repeats what was not
// has everything in once.
func TestKilledListeningToHTTP(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	v := newVictim(t, "--http-listen", address)
	ctx, cancel := context.WithTimeout(t.Context(), killPatience*2)
	defer cancel()
	var next, answered atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			client := &http.Client{}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := int(next.Add(1)) - 1
				for !post(ctx, client, "http://"+address+"/", nth(n)) {
					select {
					case <-ctx.Done():
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
				answered.Add(1)
			}
		})
	}
	v.lives(noStdin, func(int) { v.await(len(v.await(0)) + 100) })
	close(stop)
	senders.Wait()
	n := int(answered.Load())
	if seen := v.once(v.await(n)); len(seen) != n {
		t.Errorf("%d reports of %d alerts", len(seen), n)
	}
	t.Logf("%d alerts, %d kills", n, kills())
}

// post sends an alert and reports whether the answer says that it is in the journal.
func post(ctx context.Context, client *http.Client, url string, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body) // only the status counts
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// TestKilledSubscribedToFalco: Falco knows no acknowledgement; what the daemon said that it had
// accepted is there. Falco is killed and started again in between, too.
func TestKilledSubscribedToFalco(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "falco.sock")
	v := newVictim(t, "--falco", "unix://"+socket)
	next := 0
	accepted := uint64(0)
	var end func()
	v.lives(noStdin, func(i int) {
		if i%2 == 0 {
			if end != nil {
				end()
			}
			end = nil
		}
		var sim *falcosim.Server
		if end == nil {
			sim, end = serveFalco(t, socket)
			t.Cleanup(end)
			next = enqueue(t, sim, next, 20_000)
		}
		v.await(len(v.await(0)) + 200)
		accepted += v.journaled()
	})
	end()
	got := v.await(int(accepted))
	v.once(got)
	t.Logf("%d accepted by GetStatus, %d reported, %d kills", accepted, len(got), kills())
}

// serveFalco starts a stand-in for Falco, and returns a way to kill it.
func serveFalco(t *testing.T, socket string) (*falcosim.Server, func()) {
	t.Helper()
	_ = os.Remove(socket) // of the one before, which was killed
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	sim := falcosim.New(falcosim.Options{JSONOutput: true})
	served := make(chan error, 1)
	go func() { served <- sim.Serve(l) }()
	return sim, sync.OnceFunc(func() {
		sim.Kill()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// enqueue gives Falco n alerts, numbered from first, and returns the number after them.
func enqueue(t *testing.T, sim *falcosim.Server, first, n int) int {
	t.Helper()
	var lines bytes.Buffer
	for i := first; i < first+n; i++ {
		lines.Write(nth(i))
	}
	alerts, err := falcosim.Load(&lines)
	if err != nil {
		t.Fatal(err)
	}
	sim.Enqueue(alerts...)
	return first + n
}

// TestKilledReadingStdin: what it said that it had accepted is there.
func TestKilledReadingStdin(t *testing.T) {
	v := newVictim(t, "--stdin")
	n := 0
	accepted := uint64(0)
	pipe := func() (lines []byte) {
		for end := n + 5000; n < end; n++ {
			lines = append(lines, nth(n)...)
		}
		return lines
	}
	v.lives(pipe, func(int) {
		v.await(len(v.await(0)) + 200)
		accepted += v.journaled()
	})
	got := v.await(int(accepted))
	v.once(got)
	t.Logf("%d accepted by GetStatus, %d reported, %d kills", accepted, len(got), kills())
}
