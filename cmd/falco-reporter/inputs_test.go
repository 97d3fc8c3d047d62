package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// freePort is an address on loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// sendUntil posts an alert until the answer says that it is in the journal.
func sendUntil(ctx context.Context, client *http.Client, address string, body []byte) error {
	for !post(ctx, client, "http://"+address+"/", body) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// status is what the daemon says of itself.
func (v *victim) status() *pb.GetStatusResponse {
	v.Helper()
	client, done := v.client()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	s, err := client.GetStatus(ctx, &pb.GetStatusRequest{}, grpc.WaitForReady(true))
	if err != nil {
		v.Fatalf("GetStatus: %v\n%s", err, v.logs)
	}
	return s
}

// TestTwoInputsOneAlert: the same alerts by file, HTTP and gRPC at once, as when a Falco is moved
// from 0.43 to 0.44, are each one alert with one report.
func TestTwoInputsOneAlert(t *testing.T) {
	const n = 500
	address, path, socket := freePort(t), filepath.Join(t.TempDir(), "events.log"), filepath.Join(t.TempDir(), "falco.sock")
	v := newVictim(t, "--http-listen", address, "--alerts-file", path, "--falco", "unix://"+socket)
	var lines bytes.Buffer
	for i := range n {
		lines.Write(nth(i))
	}
	if err := os.WriteFile(path, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sim, end := serveFalco(t, socket)
	t.Cleanup(end)
	enqueue(t, sim, 0, n)
	v.start(nil)
	ctx, cancel := context.WithTimeout(t.Context(), killPatience)
	defer cancel()
	var posts sync.WaitGroup
	posts.Go(func() {
		client := &http.Client{}
		defer client.CloseIdleConnections()
		for i := range n {
			if err := sendUntil(ctx, client, address, nth(i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	posts.Wait()
	for received := uint64(0); received < 3*n; {
		received = 0
		journaled, repeated := uint64(0), uint64(0)
		for _, in := range v.status().GetInputs() {
			received += in.GetReceived()
			journaled += in.GetJournaled()
			repeated += in.GetRepeated()
			if sum := in.GetJournaled() + in.GetRepeated() + in.GetRejected() + in.GetLost() + in.GetAtRisk(); sum != in.GetReceived() {
				t.Fatalf("the sums of %s do not balance: %v", in.GetName(), in)
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("%d of %d received", received, 3*n)
		}
		if received == 3*n && (journaled != n || repeated != 2*n) {
			received = 0 // the last are on their way
			if journaled > n {
				t.Fatalf("%d journaled of %d", journaled, n)
			}
		}
	}
	if seen := v.once(v.await(n)); len(seen) != n {
		t.Errorf("%d reports of %d alerts", len(seen), n)
	}
}

// TestDiskFull: the daemon says that it cannot take anything in, by every way that one can look,
// and goes on by itself when there is room: what waited is there, in order.
func TestDiskFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Skip("a small file system cannot be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	address, metrics, path := freePort(t), freePort(t), filepath.Join(t.TempDir(), "events.log")
	v := newVictim(t, "--alerts-file", path, "--http-listen", address, "--metrics-listen", metrics, "--state-dir", filepath.Join(dir, "state"))
	var lines bytes.Buffer
	const n = 2000
	for i := range n {
		lines.Write(nth(i))
	}
	if err := os.WriteFile(path, nth(0), 0o600); err != nil {
		t.Fatal(err)
	}
	v.start(nil)
	v.await(1)
	ballast := fill(t, filepath.Join(dir, "ballast"))
	if err := os.WriteFile(path, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	v.until("the journal fails", func() bool { return v.status().GetJournal().GetFailure() != "" })
	v.until("health says so", func() bool {
		return v.health("falcoreporter.journal") == grpc_health_v1.HealthCheckResponse_NOT_SERVING
	})
	// It does not claim to be well in between, however often it tries.
	wait := time.After(4 * time.Second)
	for full := true; full; {
		if got := v.status().GetJournal(); got.GetFailure() == "" {
			t.Fatal("the journal claims that it can be written")
		}
		select {
		case <-wait:
			full = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	if got := v.health(""); got != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("what is kept can be read, but the server is %s", got)
	}
	// An HTTP sender is answered all the same, and told that the alert is not safe yet.
	resp, err := http.Post("http://"+address+"/", "application/json", bytes.NewReader(nth(n)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("the answer is %s; want 202", resp.Status)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if seen := v.once(v.await(n + 1)); len(seen) != n+1 {
		t.Errorf("%d reports of %d alerts", len(seen), n+1)
	}
	v.until("the journal is well again", func() bool {
		return v.status().GetJournal().GetFailure() == "" && v.health("falcoreporter.journal") == grpc_health_v1.HealthCheckResponse_SERVING
	})
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// until waits for a condition.
func (v *victim) until(what string, holds func() bool) {
	v.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(killPatience); !holds(); <-tick.C {
		if time.Now().After(end) {
			v.Fatalf("not after %s: %s\n%s", killPatience, what, v.logs)
		}
	}
}

// health is what the health service says of a service.
func (v *victim) health(service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
	v.Helper()
	conn, err := grpc.NewClient("unix://"+v.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing is left on it
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	resp, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
	if err != nil {
		v.Fatalf("health: %v\n%s", err, v.logs)
	}
	return resp.GetStatus()
}

// TestAnUncleanStopIsTold by the next run, once, for the inputs that can have lost something by it.
func TestAnUncleanStopIsTold(t *testing.T) {
	v := newVictim(t, "--http-listen", freePort(t), "--alerts-file", filepath.Join(t.TempDir(), "events.log"))
	losses := func() map[string]uint64 {
		out := make(map[string]uint64)
		for _, in := range v.status().GetInputs() {
			out[in.GetKind()] = in.GetPossibleLosses()
			if n := len(in.GetRecentLosses()); n != int(in.GetPossibleLosses()) {
				t.Errorf("%d losses with their times: %v", n, in)
			}
		}
		return out
	}
	want := func(http uint64) {
		t.Helper()
		if got := losses(); got["http"] != http || got["file"] != 0 {
			t.Errorf("possible losses %v; want %d by HTTP\n%s", got, http, v.logs)
		}
	}
	v.start(nil)
	want(0)
	v.kill()
	v.start(nil)
	want(1)
	if err := v.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		t.Errorf("stop: %v\n%s", err, v.logs)
	}
	if logs := v.logs.String(); !strings.Contains(logs, `"http":{"received":0,`) || !strings.Contains(logs, `"possible_losses":1,`) ||
		!strings.Contains(logs, `"subscribers":{"delivered":0,"missed":0,"behind":0,"pruned_unread":0}`) {
		t.Errorf("the last line is not the ledger:\n%s", logs)
	}
	v.start(nil)
	want(0)
}

// TestAFileIsGivenOnce: by no second spelling, link or place that leads to the same.
func TestAFileIsGivenOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, err := range []error{
		os.WriteFile("events.log", nil, 0o600), os.WriteFile("other.log", nil, 0o600), os.Symlink("events.log", "soft"), os.Link("events.log", "hard"),
		os.Symlink(dir, filepath.Join(dir, "here")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		paths []string
		wrong int
	}{
		{[]string{"events.log", "other.log", "not yet", "not yet either"}, 0},
		{[]string{"events.log", "events.log"}, 1},
		{[]string{"events.log", "./events.log", filepath.Join(dir, "events.log")}, 2},
		{[]string{"events.log", "soft"}, 1},
		{[]string{"events.log", "hard"}, 1},
		{[]string{"events.log", "here/events.log"}, 1},
		{[]string{"not yet", "here/not yet"}, 1},
	} {
		f := inputFlags{files: test.paths, busy: 1, idle: 1}
		if _, err := f.options(nil); len(sameFiles(test.paths)) != test.wrong || (err != nil) != (test.wrong > 0) {
			t.Errorf("%q: %v, %v", test.paths, sameFiles(test.paths), err)
		}
	}
}
