package ancestry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
)

// workerScript starts one short process for each line that it reads.
const workerScript = `while read x; do /bin/true "$x"; done; :`

// watcher stands for Falco: it sees the processes that workers start, knows what each is,
// from their order, and makes alerts of their execs.
type watcher struct {
	t       *testing.T
	conn    *procevent.Conn
	exe     string
	offset  int64           // of the wall clock to the monotonic one
	next    map[int32]int   // by worker, the number of its next process
	started map[int32]begun // the processes that are to exec
	out     chan *alert.Alert
}

type begun struct {
	name   string
	worker int32
	at     int64
}

func (w *watcher) run(ctx context.Context, want int) {
	defer close(w.out)
	for made := 0; made < want; {
		e, err := w.conn.Next()
		switch {
		case errors.Is(err, procevent.ErrEmpty):
			if w.conn.Wait(ctx) != nil {
				return
			}
			continue
		case errors.Is(err, procevent.ErrLost):
			w.t.Log("the test itself lost events; its numbers are off from here on")
			return
		case err != nil:
			w.t.Error(err)
			return
		}
		if n, ok := w.next[e.Parent]; ok && e.Kind == procevent.Fork {
			w.next[e.Parent]++
			w.started[e.PID] = begun{fmt.Sprintf("%d-%d", e.Parent, n), e.Parent, e.Time}
		}
		if s, ok := w.started[e.PID]; ok && e.Kind == procevent.Exec {
			delete(w.started, e.PID)
			w.out <- w.full(e, s)
			made++
		}
	}
}

// full is an alert as Falco makes it with our added fields.
func (w *watcher) full(e procevent.Event, s begun) *alert.Alert {
	at := time.Unix(0, e.Time+w.offset+20_000)
	return makeAlert(w.t, at, map[string]any{
		"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "true", "proc.cmdline": "true " + s.name, "proc.exepath": w.exe,
		"proc.pname": "sh", "user.uid": os.Geteuid(), "container.id": "host",
		"proc.pid": e.PID, "proc.pid.ts": s.at + w.offset + 5_000, "proc.ppid": s.worker,
	})
}

// withoutPids is the same alert as the rules print it by themselves.
func withoutPids(t *testing.T, a *alert.Alert) *alert.Alert {
	fields := map[string]any{}
	for _, f := range a.Fields() {
		if !strings.Contains(f.Name, "pid") {
			fields[f.Name] = f.Value.Text()
		}
	}
	return makeAlert(t, a.Time(), fields)
}

// TestManyShortProcesses: thousands of processes that live for a millisecond each, with an
// alert of each.
func TestManyShortProcesses(t *testing.T) {
	want, tries := 20_000, 3
	if testing.Short() || raceDetector {
		want = 2_000
	}
	for {
		full, bare := flood(t, want, 0)
		if full.wrong+bare.wrong > 0 {
			t.Errorf("%d and %d are wrong", full.wrong, bare.wrong)
		}
		// How soon a process is looked at depends on what else the machine does, and the race
		// detector makes it too late.
		tries--
		switch {
		case full.all >= want && full.share() >= 95 && bare.share() >= 60, raceDetector, !alone() && full.share() >= 95:
			return
		case tries == 0:
			t.Fatalf("want %d alerts, 95 %% and 60 %% complete; got %+v and %+v", want, full, bare)
		}
	}
}

// TestLosingEvents loses events again and again in such a flood: chains get lost, and none
// becomes wrong.
func TestLosingEvents(t *testing.T) {
	full, bare := flood(t, 2_000, 100)
	if full.wrong+bare.wrong > 0 || full.complete == 0 {
		t.Errorf("got %+v and %+v", full, bare)
	}
}

// flood starts short processes, and loses events after each so many alerts.
func flood(t *testing.T, want, lose int) (full, bare tally) {
	t.Helper()
	const workers = 2
	o := options(true)
	o.MaxWait = 0
	tr := start(t, o)
	exe, err := filepath.EvalSymlinks("/bin/true")
	if err != nil {
		t.Skipf("no /bin/true here: %v", err)
	}
	conn, err := procevent.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only read from
	w := &watcher{t: t, conn: conn, exe: exe, offset: wallOffset(t), next: map[int32]int{}, started: map[int32]begun{}, out: make(chan *alert.Alert, 4096)}
	chains := make(map[int64][]link)
	for range workers {
		s := run(t, "sh", "-c", "echo $$; "+workerScript)
		pid := s.pid(t)
		w.next[int32(pid)] = 0
		chains[pid] = chainFromProc(t, pid)
		go feed(s, pid, want/workers)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	go w.run(ctx, want)
	lost := 0
	for a := range w.out {
		batch := []*alert.Alert{a}
		for len(w.out) > 0 && len(batch) < 128 {
			batch = append(batch, <-w.out)
		}
		n := len(batch)
		for _, a := range batch[:n] {
			batch = append(batch, withoutPids(t, a))
		}
		if lose > 0 && full.all >= lost+lose {
			lost = full.all
			tr.LoseEvents()
		}
		tr.Capture(ctx, batch)
		for i := range n {
			worker, _ := batch[i].Int("proc.ppid")
			pid, _ := batch[i].Int("proc.pid")
			full.count(t, applied(batch[i]), pid, chains[worker])
			bare.count(t, applied(batch[n+i]), pid, chains[worker])
		}
	}
	st := tr.Status()
	t.Logf("%d processes, %.0f a second: complete with pids %.2f %%, without %.2f %%; wrong %d and %d; %d events, %d resyncs, %d bytes for each of %d processes",
		full.all, float64(full.all)/time.Since(began).Seconds(), full.share(), bare.share(), full.wrong, bare.wrong,
		st.GetEvents(), st.GetResyncs(), st.GetBytes()/max(1, st.GetProcesses()), st.GetProcesses())
	return full, bare
}

// tally counts reports.
type tally struct{ all, complete, wrong int }

func (c *tally) share() float64 { return 100 * float64(c.complete) / float64(max(1, c.all)) }

// count holds a report against the truth: what is not known is not wrong.
func (c *tally) count(t *testing.T, r *pb.Report, pid int64, chain []link) {
	c.all++
	if r.GetAncestryComplete() {
		c.complete++
	}
	if !disagrees(r, pid, chain) {
		return
	}
	// When a process above this test ends, another takes over what was below it: the chain that
	// the test has is then of before.
	if now := chainFromProc(t, chain[0].pid); !slices.Equal(now, chain) && !disagrees(r, pid, now) {
		return
	}
	if c.wrong++; c.wrong < 5 {
		t.Errorf("pid %d: %s\nwant %d: %v", r.GetProcess().GetPid(), show(r), pid, chain)
	}
}

// disagrees reports whether a report says something else than the truth.
func disagrees(r *pb.Report, pid int64, chain []link) bool {
	bad := r.GetProcess().GetPid() != 0 && r.GetProcess().GetPid() != pid
	for i, a := range r.GetAncestry() {
		bad = bad || int(a.GetLevel()) != i+1 || i >= len(chain) || a.Pid != nil && a.GetPid() != chain[i].pid || a.GetName() != "" && a.GetName() != chain[i].name
	}
	return bad || r.GetAncestryComplete() && len(chain) != len(r.GetAncestry())
}

// link is a process of a chain as it really is.
type link struct {
	pid  int64
	name string
}

// chainFromProc is the chain from a process that stands still, the process first.
func chainFromProc(t *testing.T, pid int64) (chain []link) {
	t.Helper()
	for pid != 0 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		var name string
		var parent int64
		for line := range strings.Lines(string(status)) {
			if v, ok := strings.CutPrefix(line, "Name:\t"); ok {
				name = strings.TrimSuffix(v, "\n")
			}
			_, _ = fmt.Sscanf(line, "PPid:\t%d", &parent)
		}
		chain = append(chain, link{pid, name})
		pid = parent
	}
	return chain
}

func feed(s *shell, worker int64, n int) {
	for i := range n {
		if _, err := fmt.Fprintf(s.in, "%d-%d\n", worker, i); err != nil {
			return
		}
	}
}

// wallOffset is what the wall clock is ahead of the monotonic one.
func wallOffset(t *testing.T) int64 {
	t.Helper()
	var mono, wall unix.Timespec
	if err := errors.Join(unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono), unix.ClockGettime(unix.CLOCK_REALTIME, &wall)); err != nil {
		t.Fatal(err)
	}
	return wall.Nano() - mono.Nano()
}
