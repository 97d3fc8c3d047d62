package ancestry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

// nested is a script of so many shells, each in the one before, of which each says its pid,
// the innermost last, and all wait for the innermost to read a line.
func nested(depth int) string {
	script := "echo $$; read x; :"
	for range depth - 1 {
		script = "echo $$; sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'; :"
	}
	return script
}

// TestDeepChainThatEndsAtOnce: eight shells, all gone when the alert arrives.
func TestDeepChainThatEndsAtOnce(t *testing.T) {
	tr := start(t, options(true))
	s := run(t, "sh", "-c", nested(8))
	var pids []int64
	for range 8 {
		pids = append([]int64{s.pid(t)}, pids...)
	}
	at := time.Now()
	s.end()
	a := makeAlert(t, at, map[string]any{"proc.pid": pids[0], "proc.name": "sh", "evt.type": "openat"})
	r := report(t, tr, a)
	wantChain(t, r, pids[1:]...)
	for _, anc := range r.GetAncestry()[:7] {
		if !anc.GetEnded() || anc.GetName() != "sh" || !strings.HasPrefix(anc.GetCommandLine(), "sh -c echo $$; ") ||
			anc.GetProvenance() != pb.Provenance_PROVENANCE_PROCESS_TABLE || anc.GetExePath() == "" || anc.GetUser() == nil {
			t.Errorf("an ancestor is %v", anc)
		}
	}
}

// TestRunningChain finds a chain whose members are all still there.
func TestRunningChain(t *testing.T) {
	bothLayers(t, func(t *testing.T, tr *ancestry.Tracker, events bool) {
		s := run(t, "sh", "-c", nested(3))
		pids := []int64{s.pid(t), s.pid(t), s.pid(t)}
		at := time.Now().Add(20 * time.Millisecond)
		<-time.After(time.Until(at)) // beyond the tick of their start, for /proc
		fields := map[string]any{"proc.pid": pids[2], "proc.name": "sh", "proc.ppid": pids[1]}
		if !events {
			// Without events, who was the parent then must be said by the alert, or have been
			// seen before.
			fields["proc.apid[2]"], fields["proc.apid[3]"] = pids[0], os.Getpid()
		}
		r := report(t, tr, makeAlert(t, at, fields))
		for i, want := range []int64{pids[1], pids[0], int64(os.Getpid())} {
			if i >= len(r.GetAncestry()) || r.GetAncestry()[i].GetPid() != want {
				t.Fatalf("level %d is not pid %d:\n%s", i+1, want, show(r))
			}
		}
		if events && !r.GetAncestryComplete() {
			t.Errorf("not complete:\n%s", show(r))
		}
	})
}

// TestExecWithoutFork: the parent has become another program, before the event and after it.
func TestExecWithoutFork(t *testing.T) {
	tr := start(t, options(true))
	s := run(t, "bash", "-c", `exec sh -c 'sh -c "echo \$\$; read x; echo; read x; :"; :'`)
	pid := s.pid(t)
	between := time.Now()
	r := report(t, tr, makeAlert(t, between, map[string]any{"proc.pid": pid, "proc.name": "sh"}))
	wantChain(t, r, int64(s.cmd.Process.Pid))
	if p := r.GetAncestry()[0]; p.GetName() != "sh" {
		t.Errorf("the parent is %v", p)
	}
}

// TestImageAtTheEvent wants the program that a parent ran at the event, not what it runs now.
func TestImageAtTheEvent(t *testing.T) {
	tr := start(t, options(true))
	path, tellIt := fifo(t)
	s := run(t, "sh", "-c", `sh -c 'echo $$; read x; :' <"$0" & read y; exec sleep 60`, path)
	pid := s.pid(t)
	at := time.Now()
	s.tell(t, "go")
	waitFor(t, func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.cmd.Process.Pid))
		return err == nil && string(b) == "sleep\n"
	})
	r := report(t, tr, makeAlert(t, at, map[string]any{"proc.pid": pid, "proc.name": "sh"}))
	_ = s.cmd.Process.Kill()
	tellIt()
	wantChain(t, r, int64(s.cmd.Process.Pid))
	if p := r.GetAncestry()[0]; p.GetName() != "sh" || !strings.Contains(p.GetCommandLine(), "exec sleep") {
		t.Errorf("the parent was a shell then:\n%s", show(r))
	}
}

// TestReparenting: a daemon's parent ends; the event comes before that, and after.
func TestReparenting(t *testing.T) {
	tr := start(t, options(true))
	path, tellIt := fifo(t)
	s := run(t, "sh", "-c", `sh -c 'echo $$; sh -c "echo \$\$; read x; :" <&3 & read y <"$0"' "$0" 3<&0; echo over; read z`, path)
	mid, leaf := s.pid(t), s.pid(t)
	before := time.Now()
	tellIt()
	if got := s.line(t); got != "over" {
		t.Fatal(got)
	}
	<-time.After(2 * time.Millisecond) // within a tenth of that the order of things is not certain
	after := time.Now()
	fields := map[string]any{"proc.pid": leaf, "proc.name": "sh"}
	wantChain(t, report(t, tr, makeAlert(t, before, fields)), mid, int64(s.cmd.Process.Pid))
	r := report(t, tr, makeAlert(t, after, fields))
	if len(r.GetAncestry()) == 0 || r.GetAncestry()[0].GetPid() == mid {
		t.Fatalf("its parent had ended:\n%s", show(r))
	}
	reaper := r.GetAncestry()[0].GetPid()
	if !r.GetAncestryComplete() || !strings.Contains(show(r), fmt.Sprintf("Pid %d was taken over by pid %d when its parent, pid %d, had ended.", leaf, reaper, mid)) {
		t.Errorf("the reparenting is not told:\n%s", show(r))
	}
}

// TestSubreaper: a double fork below a process that takes over orphans.
func TestSubreaper(t *testing.T) {
	tr := start(t, options(true))
	path, tellIt := fifo(t)
	s := run(t, os.Args[0], `sh -c 'echo $$; sh -c "echo \$\$; read x; :" <"`+path+`" & :'; echo over; read y <"`+path+`"`)
	t.Cleanup(func() { tellIt(); tellIt() }) // both readers, before their end is waited for
	s.line(t)
	s.tell(t, "reap")
	mid := s.pid(t)
	lines := []string{s.line(t), s.line(t)} // in either order
	slices.Sort(lines)
	leaf, err := strconv.ParseInt(lines[0], 10, 64)
	if err != nil || lines[1] != "over" {
		t.Fatal(lines)
	}
	wantReaper(t, tr, leaf, mid, int64(s.cmd.Process.Pid))
}

// TestInit: a double fork below the first process of a pid namespace, which takes over orphans.
func TestInit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make pid namespaces here")
	}
	tr := start(t, options(true))
	path, tellIt := fifo(t)
	s := run(t, "unshare", "--pid", "--mount", "--fork", "sh", "-c", `sh -c 'sh -c "echo ready; read x; :" <"$0" & read y' "$0"; echo over; read z; :`, path)
	t.Cleanup(tellIt) // before its end is waited for
	if got := s.line(t); got != "ready" {
		t.Fatal(got)
	}
	first := childOf(t, int64(s.cmd.Process.Pid))
	mid := childOf(t, first)
	leaf := childOf(t, mid)
	s.tell(t, "end")
	if got := s.line(t); got != "over" {
		t.Fatal(got)
	}
	wantReaper(t, tr, leaf, mid, first, int64(s.cmd.Process.Pid))
}

// wantReaper checks that a process is now below others, the first of which took it over.
func wantReaper(t *testing.T, tr *ancestry.Tracker, leaf, before int64, above ...int64) {
	t.Helper()
	<-time.After(2 * time.Millisecond) // within a tenth of that the order of things is not certain
	r := report(t, tr, makeAlert(t, time.Now(), map[string]any{"proc.pid": leaf, "proc.name": "sh"}))
	wantChain(t, r, above...)
	if note := fmt.Sprintf("Pid %d was taken over by pid %d when its parent, pid %d, had ended.", leaf, above[0], before); !strings.Contains(show(r), note) {
		t.Errorf("the reparenting is not told; want %q:\n%s", note, show(r))
	}
}

// TestUserAndName follows a change of user and of name.
func TestUserAndName(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change its user")
	}
	tr := start(t, options(true))
	s := run(t, "setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c",
		`printf renamed > /proc/$$/comm; sh -c 'echo $$; read x; :'; :`)
	pid := s.pid(t)
	r := report(t, tr, makeAlert(t, time.Now(), map[string]any{"proc.pid": pid, "proc.name": "sh"}))
	wantChain(t, r, int64(s.cmd.Process.Pid))
	if p := r.GetAncestry()[0]; p.GetName() != "renamed" || p.GetUser().GetUid() != 65534 || !strings.HasPrefix(p.GetCommandLine(), "sh -c ") {
		t.Errorf("the parent is %v", p)
	}
}

// TestNamespaces: a process that is pid 1 in a pid namespace of its own.
func TestNamespaces(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make pid namespaces here")
	}
	tr := start(t, options(true))
	s := run(t, "unshare", "--pid", "--mount", "--fork", "sh", "-c", `echo $$; sh -c 'echo $$; read x; :'; :`)
	if one, two := s.pid(t), s.pid(t); one != 1 || two != 2 {
		t.Fatalf("the pids in the namespace are %d and %d", one, two)
	}
	at := time.Now()
	unshare := int64(s.cmd.Process.Pid)
	first := childOf(t, unshare)
	leaf := childOf(t, first)
	r := report(t, tr, makeAlert(t, at, map[string]any{"proc.pid": leaf, "proc.vpid": 2, "proc.name": "sh"}))
	wantChain(t, r, first, unshare)
	if n := r.GetAncestry()[0].GetNamespacePid(); n != 1 {
		t.Errorf("the pid in the namespace is %d; want 1", n)
	}
	// The number that the process has in its namespace means another process on the host.
	r = report(t, tr, makeAlert(t, at, map[string]any{"proc.pid": 2, "proc.name": "sh"}))
	if len(r.GetAncestry()) > 0 {
		t.Errorf("a pid of another namespace was believed:\n%s", show(r))
	}
}

// TestOthersAreNotLookedUp: another host, another source, an input that is not ours.
func TestOthersAreNotLookedUp(t *testing.T) {
	bothLayers(t, func(t *testing.T, tr *ancestry.Tracker, _ bool) {
		mine := makeAlert(t, time.Now(), map[string]any{"proc.pid": os.Getpid()})
		for name, change := range map[string]func(a *alert.Alert){
			"host":    func(a *alert.Alert) { a.Hostname = "other" },
			"no host": func(a *alert.Alert) { a.Hostname = "" },
			"source":  func(a *alert.Alert) { a.Source = "k8s_audit" },
			"input":   func(a *alert.Alert) { a.Input = "remote" },
			"kind":    func(a *alert.Alert) { a.Kind = alert.KindFalcoInternal },
			"future":  func(a *alert.Alert) { a.Nanos += int64(time.Minute) },
			"before":  func(a *alert.Alert) { a.Nanos -= int64(24 * 365 * time.Hour) },
		} {
			a := clone(mine)
			change(a)
			tr.Capture(t.Context(), []*alert.Alert{a})
			if len(a.Captured) > 0 {
				t.Errorf("%s: %s", name, show(applied(a)))
			}
		}
		waitFor(t, func() bool { // until the event lies beyond the tolerance of clocks
			a := makeAlert(t, time.Now().Add(-5*time.Millisecond), map[string]any{"proc.pid": os.Getpid()})
			tr.Capture(t.Context(), []*alert.Alert{a})
			return len(a.Captured) > 0
		})
	})
}

// TestThreads: an alert of a thread of a process, with the thread's own start.
func TestThreads(t *testing.T) {
	tr := start(t, options(true))
	cmd := run(t, os.Args[0]) // a Go program has threads
	pid := int64(cmd.cmd.Process.Pid)
	cmd.line(t)
	at := time.Now()
	// proc.pid.ts is the start of the thread: much later than the process's.
	r := report(t, tr, makeAlert(t, at, map[string]any{"proc.pid": pid, "proc.pid.ts": at.Add(-time.Millisecond).UnixNano()}))
	wantChain(t, r)
	cmd.end()
	// After the end there is no such process.
	late := makeAlert(t, time.Now().Add(10*time.Millisecond), map[string]any{"proc.pid": pid})
	if tr.Capture(t.Context(), []*alert.Alert{late}); len(late.Captured) > 0 {
		t.Errorf("found after its end:\n%s", show(applied(late)))
	}
}

// TestNothingIsLeft: no descriptor is open after the end, and what is called then does nothing.
func TestNothingIsLeft(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	before := count()
	ctx, cancel := context.WithCancel(t.Context())
	tr := ancestry.New(options(true))
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	<-tr.Ready()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors are open; there were %d", after, before)
	}
	a := makeAlert(t, time.Now(), map[string]any{"proc.pid": os.Getpid()})
	if tr.Capture(t.Context(), []*alert.Alert{a}); len(a.Captured) > 0 {
		t.Error("captured after the end")
	}
}

// TestLayersFallBack: without the host's /proc nothing is live but the alert, and it is said why.
func TestLayersFallBack(t *testing.T) {
	o := options(true)
	o.ProcRoots = []string{t.TempDir()}
	tr := ancestry.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	<-tr.Ready()
	for i, l := range tr.Status().GetLayers() {
		if l.GetLive() != (i == 0) || i > 0 && !strings.Contains(l.GetReason(), "is no mount of /proc") {
			t.Errorf("%v", l)
		}
	}
	a := makeAlert(t, time.Now(), map[string]any{"proc.pid": os.Getpid()})
	if tr.Capture(t.Context(), []*alert.Alert{a}); len(a.Captured) > 0 {
		t.Error("captured without a layer")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEventsAreReadSooner: the thread that reads process events has a higher priority, where it
// may have that, and no other thread keeps it.
func TestEventsAreReadSooner(t *testing.T) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NICE, &limit)
	if err == nil && limit.Cur < 30 && !hasCapability(t, unix.CAP_SYS_NICE) {
		t.Skip("this process may not raise its priority")
	}
	before := threadsByNiceness(t)
	t.Run("while it runs", func(t *testing.T) {
		start(t, options(true))
		if got := threadsByNiceness(t); got[-10] != before[-10]+1 {
			t.Errorf("threads by niceness were %v and are %v", before, got)
		}
	})
	if got := threadsByNiceness(t); got[-10] != before[-10] {
		t.Errorf("threads by niceness were %v and are %v after the end", before, got)
	}
}

// hasCapability reports whether this process has a capability.
func hasCapability(t *testing.T, number int) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "CapEff:\t")
	set, err := strconv.ParseUint(strings.SplitN(rest, "\n", 2)[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return set>>number&1 == 1
}

// threadsByNiceness counts the threads of this process.
func threadsByNiceness(t *testing.T) map[int]int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	n := make(map[int]int)
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		nice, err := unix.SchedGetAttr(id, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n[int(nice.Nice)]++
	}
	return n
}
