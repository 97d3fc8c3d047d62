package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/app"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait.
const patience = 20 * time.Second

// daemon is a running daemon with its own Falco.
type daemon struct {
	*testing.T
	app    *app.App
	sim    *falcosim.Server
	client pb.ReportServiceClient
	health grpc_health_v1.HealthClient
	cancel context.CancelCauseFunc
	stop   func() error
}

// startDaemon starts a daemon; change may set further options.
func startDaemon(t *testing.T, change func(*app.Options)) *daemon {
	t.Helper()
	dir := t.TempDir()
	falco, reports := filepath.Join(dir, "falco.sock"), filepath.Join(dir, "reports.sock")
	l, err := net.Listen("unix", falco)
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{T: t, sim: falcosim.New(falcosim.Options{})}
	served := make(chan error, 1)
	go func() { served <- d.sim.Serve(l) }()
	t.Cleanup(func() {
		d.sim.Terminate()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	opts := app.Options{
		Version: "test", Listen: "unix://" + reports, Log: slog.New(slog.DiscardHandler),
		Inputs: app.Inputs{Falco: []falcogrpc.Options{{Address: "unix://" + falco}}},
	}
	change(&opts)
	if d.app, err = app.New(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	d.cancel = cancel
	done := make(chan error, 1)
	go func() { done <- d.app.Run(ctx) }()
	d.stop = sync.OnceValue(func() error { cancel(nil); return <-done })
	t.Cleanup(func() { _ = d.stop() }) // checked where it matters
	conn, err := grpc.NewClient("unix://"+reports, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d.client, d.health = pb.NewReportServiceClient(conn), grpc_health_v1.NewHealthClient(conn)
	return d
}

// play lets Falco have n alerts, numbered from first.
func (d *daemon) play(first, n int) {
	for i := first; i < first+n; i++ {
		at := time.Unix(1795311912, int64(i)).UTC()
		d.sim.Enqueue(falcosim.Alert{Time: at, Priority: alert.PriorityNotice, Rule: fmt.Sprintf("rule %d", i), Source: "syscall", Hostname: "h", Output: "x"})
	}
}

// subscribe starts a stream with everything that is kept.
func (d *daemon) subscribe() pb.ReportService_SubscribeClient {
	d.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.Cleanup(cancel)
	s, err := d.client.Subscribe(ctx, &pb.SubscribeRequest{Start: &pb.SubscribeRequest_Last{Last: 1 << 30}}, grpc.WaitForReady(true))
	if err != nil {
		d.Fatal(err)
	}
	return s
}

// want checks that the next n reports of a stream are numbered from first.
func (d *daemon) want(s pb.ReportService_SubscribeClient, first, n int) {
	d.Helper()
	for i := first; i < first+n; i++ {
		e, err := s.Recv()
		if err != nil {
			d.Fatalf("report %d: %v", i, err)
		}
		if got := e.GetReport().GetTitle(); got != fmt.Sprintf("rule %d", i) {
			d.Fatalf("report %d is %q: %v", i, got, e)
		}
	}
}

func TestStatusAndHealth(t *testing.T) {
	d := startDaemon(t, func(*app.Options) {})
	d.play(0, 200)
	d.want(d.subscribe(), 0, 200)
	s, err := d.client.GetStatus(t.Context(), &pb.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	in := s.GetInputs()[0]
	if s.GetVersion() != "test" || s.GetAttackVersion() != "18.1" || s.GetEnrichment().GetRevisions() != 200 || s.GetJournal().GetReports().GetEntries() != 200 ||
		in.GetState() != pb.InputState_INPUT_STATE_CONNECTED || in.GetFalcoVersion() != "0.43.0" || in.GetReceived() != 200 || in.GetJournaled() != 200 || in.GetAtRisk() != 0 {
		t.Errorf("status %v", s)
	}
	for service, want := range map[string]grpc_health_v1.HealthCheckResponse_ServingStatus{
		"": grpc_health_v1.HealthCheckResponse_SERVING, "falcoreporter.v1.ReportService": grpc_health_v1.HealthCheckResponse_SERVING,
		"falcoreporter.inputs": grpc_health_v1.HealthCheckResponse_SERVING,
	} {
		if r, err := d.health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service}); err != nil || r.GetStatus() != want {
			t.Errorf("health of %q: %v, %v", service, r, err)
		}
	}
	// Without Falco the inputs are not well, and we are.
	watch, err := d.health.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "falcoreporter.inputs"})
	if err != nil {
		t.Fatal(err)
	}
	d.sim.Terminate()
	for {
		r, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.GetStatus() == grpc_health_v1.HealthCheckResponse_NOT_SERVING {
			break
		}
	}
	if r, err := d.health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health of the daemon: %v, %v", r, err)
	}
	if err := d.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// gatedWriter blocks every write until it is opened.
type gatedWriter struct {
	open    chan struct{}
	blocked chan struct{} // closed at the first write
	once    sync.Once
	mu      sync.Mutex
	b       strings.Builder
}

func newGatedWriter() *gatedWriter {
	return &gatedWriter{open: make(chan struct{}), blocked: make(chan struct{})}
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.blocked) })
	<-w.open
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// TestASlowStdoutHoldsUpNobody: others get everything meanwhile; stdout is told what it
// missed, and goes on.
func TestASlowStdoutHoldsUpNobody(t *testing.T) {
	out, logs := newGatedWriter(), new(lockedBuilder)
	d := startDaemon(t, func(o *app.Options) {
		o.Stdout, o.Render.Format, o.Log = out, render.JSON, slog.New(slog.NewTextHandler(logs, nil))
		o.Memory = journal.MemoryOptions{ReportEntries: 100}
	})
	s := d.subscribe()
	d.play(0, 1)
	<-out.blocked
	d.want(s, 0, 1)
	for i := 1; i < 1001; i += 50 {
		d.play(i, 50)
		d.want(s, i, 50)
	}
	close(out.open)
	if err := d.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n := strings.Count(out.b.String(), "\n"); n != 101 {
		t.Errorf("%d reports on stdout; want the one that was under way and the 100 that were kept", n)
	}
	if !strings.Contains(logs.String(), "missed=900") {
		t.Errorf("the log does not say that 900 reports were missed:\n%s", logs)
	}
}

// TestStopIsBounded even if nobody ever reads stdout.
func TestStopIsBounded(t *testing.T) {
	out := newGatedWriter()
	d := startDaemon(t, func(o *app.Options) {
		o.Stdout, o.Render.Format, o.StopTimeout = out, render.Text, 500*time.Millisecond
	})
	t.Cleanup(func() { close(out.open) })
	d.play(0, 10)
	<-out.blocked
	start := time.Now()
	err := d.stop()
	if err == nil || !strings.Contains(err.Error(), "stdout: not finished") {
		t.Errorf("error %v; want stdout named", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// TestABrokenStdoutStopsTheDaemon: a pipe without a reader is a failure to be seen by the
// service manager, not a silence.
func TestABrokenStdoutStopsTheDaemon(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	d := startDaemon(t, func(o *app.Options) { o.Stdout, o.Render.Format = w, render.JSON })
	s := d.subscribe()
	d.play(0, 1)
	for {
		if _, err := s.Recv(); err != nil {
			break // the daemon stops by itself
		}
	}
	if err := d.stop(); err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("error %v; want stdout named", err)
	}
	_ = w.Close()
}

// TestListenErrorsComeEarly: New fails, and nothing is left running.
func TestListenErrorsComeEarly(t *testing.T) {
	for _, address := range []string{"tcp:127.0.0.1:1", "unix:///no/such/dir/x.sock"} {
		if _, err := app.New(t.Context(), app.Options{Listen: address, Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s passes", address)
		}
	}
}

// TestLongNamesStopNothing: an alert whose rule, host or fields are as long as an alert may be is
// reported, so are those after it, and after a restart.
func TestLongNamesStopNothing(t *testing.T) {
	state := t.TempDir()
	must(t, os.Chmod(state, 0o700))
	long := strings.Repeat("\x01漢", 500_000) // more than 2 MB, which JSON can make 6 MB of
	for run := range 2 {
		d := startDaemon(t, func(o *app.Options) {
			o.SQLite = &journal.SQLiteOptions{Dir: state, Log: o.Log}
			o.Joiner = func() enrich.Joiner { return incident.New(incident.Options{}) }
			o.SilentAfter = 100 * time.Millisecond
		})
		at := time.Now()
		play := func(n int, rule, host, output string) {
			d.sim.Enqueue(falcosim.Alert{Time: at.Add(time.Duration(n)), Priority: alert.PriorityNotice, Rule: rule, Source: "syscall", Hostname: host, Output: output})
		}
		name := func(s string) string { return s + strconv.Itoa(run) } // what was reported before is told again
		play(0, name("R")+long, "h", "x")
		play(1, name("S"), name("h")+long, "x")
		play(2, name("T"), "h2", "x"+long)
		play(3, name("after"), "h3", "x")
		s := d.subscribe()
		seen := map[string]bool{}
		for !seen[name("after")] || !seen["silent"] {
			e, err := s.Recv()
			if err != nil {
				t.Fatalf("run %d: %v; seen %v", run, err, len(seen))
			}
			r := e.GetReport()
			seen[r.GetRule().GetName()] = true
			if strings.Contains(r.GetAlert().GetOutputFields()["falcoreporter.silent"], "host "+name("h")+"\x01") {
				seen["silent"] = true
			}
		}
		status, err := d.client.GetStatus(t.Context(), &pb.GetStatusRequest{})
		if err != nil || status.GetEnrichment().GetAlerts() < 4 || status.GetEnrichment().GetPlain() > 0 || len(seen) < 4 {
			t.Errorf("run %d: %v, %v; %d rules seen", run, status.GetEnrichment(), err, len(seen))
		}
		if r, err := d.health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "falcoreporter.enrichment"}); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of enrichment: %v, %v", r, err)
		}
		if err := d.stop(); err != nil {
			t.Errorf("run %d: %v", run, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
