package ancestry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// Options say where chains are read from, and whose alerts are ours.
type Options struct {
	// ProcessTable is whether to keep a table from the kernel's process events. It needs the
	// host's pid and network namespaces, /proc, and with older kernels CAP_NET_ADMIN.
	ProcessTable bool
	// Procfs is whether to read /proc when an alert arrives, where the table cannot be had.
	Procfs bool
	// Bytes bounds the memory of the table, as estimated; 0 is 16 MiB.
	Bytes int64
	// MaxWait bounds what Capture takes for the events up to an alert's time; 0 is 20 ms.
	MaxWait time.Duration
	// ProcRoots are where the host's /proc is looked for, in this order; empty is /proc and
	// /host/proc.
	ProcRoots []string
	// Hosts are the hostnames under which alerts are of this host; empty is its own name.
	Hosts []string
	// MachineID is this host's machine-id. An alert with a field "machine_id" is ours only if
	// the two are equal, and then whatever its hostname.
	MachineID string
	// LocalInput says whether an input takes alerts from this host's own Falco: a hostname
	// alone does not prove it. Nil is none, so that nothing is looked up.
	LocalInput func(input string) bool
	// Log is where changes of the layers are told.
	Log *slog.Logger
}

// Defaults of Options.
const (
	defaultBytes   = 16 << 20
	defaultMaxWait = 20 * time.Millisecond
)

// Tracker knows the processes of this host. All methods may be called concurrently; Run once.
type Tracker struct {
	o     Options
	hosts map[string]bool
	ready chan struct{} // closed once

	mu     sync.Mutex // of everything below
	table  *proctable.Table
	clock  clock
	reader *procfs.Reader  // nil while /proc cannot be read
	conn   *procevent.Conn // nil while no events come
	blind  bool            // events were lost, and the table has not been filled since
	broken error           // what ended the events

	tableReason, procReason                   string
	events, resyncs, lookups, found, complete uint64
}

// New makes a Tracker. Until Run is called, it captures nothing.
func New(o Options) *Tracker {
	if o.Bytes == 0 {
		o.Bytes = defaultBytes
	}
	if o.MaxWait == 0 {
		o.MaxWait = defaultMaxWait
	}
	if len(o.ProcRoots) == 0 {
		o.ProcRoots = []string{"/proc", "/host/proc"}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tracker{o: o, hosts: make(map[string]bool), ready: make(chan struct{}), tableReason: "not started", procReason: "not started"}
	if len(o.Hosts) == 0 {
		if name, err := os.Hostname(); err == nil {
			o.Hosts = []string{name}
		}
	}
	for _, h := range o.Hosts {
		t.hosts[h] = true
	}
	return t
}

// Run keeps the process table until ctx ends, and returns nil. Layers that cannot be had are
// left out: the log and Status say why. It never fails for lack of a permission.
func (t *Tracker) Run(ctx context.Context) error {
	defer t.stop()
	defer t.setReady()
	t.start(ctx)
	for ctx.Err() == nil {
		t.mu.Lock()
		conn, reader := t.conn, t.reader
		t.mu.Unlock()
		switch {
		case conn != nil:
			t.follow(ctx, conn)
		case reader != nil:
			t.rescan(ctx)
		default:
			t.setReady()
			<-ctx.Done()
		}
	}
	return nil
}

// Ready is closed when Run knows the processes of the host, or that it will not.
func (t *Tracker) Ready() <-chan struct{} { return t.ready }

// setReady closes ready, the first time.
func (t *Tracker) setReady() {
	select {
	case <-t.ready:
	default:
		close(t.ready)
	}
}

// start finds out which layers can be had.
func (t *Tracker) start(ctx context.Context) {
	reader, procErr := (*procfs.Reader)(nil), errors.New("switched off")
	if t.o.ProcessTable || t.o.Procfs {
		reader, procErr = procfs.Find(t.o.ProcRoots...)
	}
	conn, connErr := (*procevent.Conn)(nil), errors.New("switched off")
	switch {
	case t.o.ProcessTable && reader == nil:
		connErr = procErr
	case t.o.ProcessTable:
		conn, connErr = procevent.Open(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock.measure()
	if reader != nil {
		t.table = proctable.New(proctable.Options{Bytes: t.o.Bytes, Source: reader, Now: now})
		if conn != nil || t.o.Procfs {
			t.reader, t.procReason = reader, whatIsHidden(reader)
		} else {
			procErr = errors.New("switched off")
		}
	}
	if t.reader == nil {
		t.procReason = procErr.Error()
	}
	if t.conn = conn; conn == nil {
		t.tableReason = connErr.Error()
	} else {
		t.tableReason = whatIsSmall(conn)
	}
	t.blind = true
	for _, l := range t.layers() {
		t.o.Log.Info("ancestry: a source of chains of processes", "source", l.GetName(), "live", l.GetLive(), "reason", l.GetReason())
	}
}

// whatIsHidden says what of other users' processes cannot be read.
func whatIsHidden(r *procfs.Reader) string {
	if r.MayNotReadExe(1) {
		return "the paths of other users' executables cannot be read without CAP_SYS_PTRACE"
	}
	return ""
}

// whatIsSmall says that the kernel queues fewer events than it should.
func whatIsSmall(c *procevent.Conn) string {
	if n := c.Queue(); n < procevent.QueueBytes {
		return fmt.Sprintf("the kernel queues %d KiB of process events only, and loses them sooner (CAP_NET_ADMIN or net.core.rmem_max=%d allow %d KiB)", n>>10, procevent.QueueBytes, procevent.QueueBytes>>10)
	}
	return ""
}

// stop ends all layers.
func (t *Tracker) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		if err := t.conn.Close(); err != nil {
			t.o.Log.Warn("ancestry: close the process connector", "error", err)
		}
	}
	t.conn, t.reader, t.table = nil, nil, nil
	t.tableReason, t.procReason = "stopped", "stopped"
}

// Times of the periodic work.
const (
	pause       = time.Second // between two looks at the clock, or at all of /proc
	shareOfTime = 20          // a scan of /proc may take this part of the time at most
	chunk       = 16          // processes read, or events applied, before others get the lock
	mostDropped = 100_000     // events thrown away at once after a loss
)

// follow applies events until ctx ends or the connection does.
func (t *Tracker) follow(ctx context.Context, conn *procevent.Conn) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer hurry()()
	rest := time.Now() // when the table may be filled again
	for ctx.Err() == nil {
		if t.needsFill() && !time.Now().Before(rest) {
			began := time.Now()
			t.fill(ctx, true)
			t.setReady()
			rest = time.Now().Add(shareOfTime * time.Since(began))
		}
		wait, cancel := context.WithTimeout(ctx, pause)
		err := conn.Wait(wait)
		cancel()
		for t.applySome() {
		}
		t.mu.Lock()
		t.measure()
		broken := t.broken
		t.mu.Unlock()
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			broken = err
		}
		if broken != nil {
			t.lose(conn, broken)
			return
		}
	}
}

// What the thread that reads events asks the scheduler for: to be served soon, since a short
// process has ended before long.
const (
	// slice is the time that it wants at once: 0.1 ms, the least there is. Who asks for less is
	// served sooner.
	slice = 100_000
	// niceness is its priority. A real-time policy is no better: it is held up by its bound, and
	// preempts those whose locks it needs.
	niceness = -10
)

// hurry makes the scheduler serve this thread sooner, as far as it may and can, and returns what
// undoes that: the slice needs Linux 6.12 or later and no permission, the priority RLIMIT_NICE
// or CAP_SYS_NICE.
func hurry() (undo func()) {
	was, err := unix.SchedGetAttr(0, 0)
	if err != nil || was.Policy != unix.SCHED_NORMAL {
		return func() {}
	}
	sooner := *was
	sooner.Runtime = slice
	sooner.Nice = min(was.Nice, niceness)
	if unix.SchedSetAttr(0, &sooner, 0) != nil {
		sooner.Nice = was.Nice
		_ = unix.SchedSetAttr(0, &sooner, 0) // it works as well without
	}
	return func() {
		_ = unix.SchedSetAttr(0, was, 0) // so it does
	}
}

// lose gives the process table up for good.
func (t *Tracker) lose(conn *procevent.Conn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.o.Log.Error("ancestry: the process table ends", "error", err)
	t.tableReason = err.Error()
	t.table.Lost()
	t.conn = nil
	if err := conn.Close(); err != nil {
		t.o.Log.Warn("ancestry: close the process connector", "error", err)
	}
	if !t.o.Procfs {
		t.reader, t.procReason = nil, "switched off"
	}
}

// measure looks at the clocks, and tells when they were set.
func (t *Tracker) measure() {
	before := t.clock.wall[0]
	if t.clock.measure(); t.clock.wall[0] != before {
		t.o.Log.Warn("ancestry: the clock of the host was set", "by", time.Duration(t.clock.wall[0]-before))
	}
}

// needsFill reports whether the table has to be read from /proc: at first, and after a loss.
func (t *Tracker) needsFill() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.blind || t.table.Covered() && t.table.Full() && t.table.Stats().Bytes < t.o.Bytes/2
}

// rescan reads all of /proc again and again, for what alerts do not lead to.
func (t *Tracker) rescan(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		t.fill(ctx, false)
		t.setReady()
		select {
		case <-ctx.Done():
		case <-time.After(max(pause, shareOfTime*time.Since(began))):
		}
		t.mu.Lock()
		t.measure()
		t.mu.Unlock()
	}
}

// fill reads the table from /proc, giving others the lock in between. Events that come
// meanwhile are applied as usual.
func (t *Tracker) fill(ctx context.Context, covered bool) {
	t.mu.Lock()
	if covered {
		t.dropEvents()
	}
	t.blind = false
	t.table.BeginFill(covered)
	pids, err := t.reader.PIDs()
	if err != nil {
		t.o.Log.Warn("ancestry: the process table cannot be filled", "error", err)
	}
	t.mu.Unlock()
	for len(pids) > 0 && ctx.Err() == nil {
		n := min(chunk, len(pids))
		t.mu.Lock()
		for _, pid := range pids[:n] {
			t.table.Look(pid)
		}
		t.mu.Unlock()
		pids = pids[n:]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() == nil && !t.blind && err == nil {
		t.table.EndFill()
	}
}

// dropEvents throws away what is left from before and after a loss, so that what comes is
// without a gap.
func (t *Tracker) dropEvents() {
	for range mostDropped {
		if _, err := t.conn.Next(); errors.Is(err, procevent.ErrEmpty) {
			return
		}
	}
}

// applySome applies a few events. It is false when none is left.
func (t *Tracker) applySome() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range chunk {
		if !t.applyOne() {
			return false
		}
	}
	return true
}

// applyOne applies one event, if there is one.
func (t *Tracker) applyOne() bool {
	if t.conn == nil {
		return false
	}
	before := now()
	e, err := t.conn.Next()
	switch {
	case errors.Is(err, procevent.ErrLost):
		t.lostSome()
		return true
	case errors.Is(err, procevent.ErrEmpty):
		t.table.Passed(before)
		return false
	case err != nil:
		t.broken = err
		return false
	}
	t.events++
	e.Time += t.clock.mono
	t.table.Apply(e)
	return true
}

// lostSome gives up what events that were lost may have changed, until the table is filled anew.
func (t *Tracker) lostSome() {
	if t.blind {
		return
	}
	t.blind = true
	t.resyncs++
	t.table.Lost()
	t.o.Log.Warn("ancestry: process events were lost; the process table is filled again")
}

// layers are the sources of chains, best first.
func (t *Tracker) layers() []*pb.AncestryLayer {
	return []*pb.AncestryLayer{
		{Name: "alert", Live: true},
		t.layer("process_table", t.conn != nil, t.tableReason),
		t.layer("procfs", t.reader != nil, t.procReason),
	}
}

// layer says whether a layer is in use, and why it is not, or tells less than it could.
func (t *Tracker) layer(name string, live bool, reason string) *pb.AncestryLayer {
	if live {
		reason = joined(reason, t.clock.reason())
	}
	return &pb.AncestryLayer{Name: name, Live: live, Reason: reason}
}

// joined puts what is said of one thing together.
func joined(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(s string) bool { return s == "" }), "; ")
}

// Status says which layers are in use, and counts.
func (t *Tracker) Status() *pb.AncestryStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &pb.AncestryStatus{
		Layers: t.layers(),
		Events: t.events, Resyncs: t.resyncs, Lookups: t.lookups, Found: t.found, Complete: t.complete,
	}
	if t.table != nil {
		st := t.table.Stats()
		s.Processes, s.Bytes, s.Evicted = uint64(st.Processes), uint64(st.Bytes), st.Evicted //nolint:gosec // never negative
	}
	return s
}

// stamp is the form of a time of the table by a wall clock that is so much ahead.
func stamp(boot, offset int64) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(0, boot+offset))
}
