package procevent_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *procevent.Conn {
	t.Helper()
	c, err := procevent.Open(t.Context())
	if err != nil {
		t.Skipf("process events cannot be had here: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestEvents sees a real process come and go. The kernel may lose events on a busy machine, and
// says so: then it is tried again.
func TestEvents(t *testing.T) {
	c := open(t)
	for try := range 10 {
		if seesProcess(t, c) {
			return
		}
		t.Logf("try %d: events were lost", try+1)
	}
	t.Error("events are lost time after time")
}

// seesProcess runs a process and reports whether its events came without a loss between them.
func seesProcess(t *testing.T, c *procevent.Conn) bool {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := int32(cmd.Process.Pid)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var seen []procevent.Kind
	for len(seen) < 3 {
		e, err := c.Next()
		if errors.Is(err, procevent.ErrEmpty) {
			if err := c.Wait(ctx); err != nil {
				t.Fatalf("%v, after %v", err, seen)
			}
			continue
		}
		if errors.Is(err, procevent.ErrLost) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.PID != pid || e.TID != pid {
			continue
		}
		seen = append(seen, e.Kind)
		if e.Kind == procevent.Fork && e.Parent != int32(os.Getpid()) {
			t.Errorf("the parent is %d; want this test, %d", e.Parent, os.Getpid())
		}
	}
	if seen[0] != procevent.Fork || seen[1] != procevent.Exec || seen[2] != procevent.Exit {
		t.Errorf("events %v; want fork, exec, exit", seen)
	}
	return true
}

// TestOthersMayListen: another program that asks for events makes none look lost.
func TestOthersMayListen(t *testing.T) {
	c := open(t)
	for try := range 10 {
		drain(t, c)
		for range 5 {
			open(t)
		}
		if !drain(t, c) {
			return
		}
		t.Logf("try %d: events were lost", try+1)
	}
	t.Error("events are lost whenever somebody else asks for them")
}

// drain reads what there is, and reports whether events were lost.
func drain(t *testing.T, c *procevent.Conn) (lost bool) {
	t.Helper()
	for {
		_, err := c.Next()
		switch {
		case errors.Is(err, procevent.ErrEmpty):
			return lost
		case errors.Is(err, procevent.ErrLost):
			lost = true
		case err != nil:
			t.Fatal(err)
		}
	}
}

// TestQueue: without CAP_NET_ADMIN the queue is as long as the limit allows, and we are told how
// long that is.
func TestQueue(t *testing.T) {
	c := open(t)
	if got := c.Queue(); got <= 0 || got > procevent.QueueBytes {
		t.Errorf("the queue is of %d bytes; want up to %d", got, procevent.QueueBytes)
	}
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Skipf("there is no limit to compare with: %v", err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Queue(); got < min(limit, procevent.QueueBytes) {
		t.Errorf("the queue is of %d bytes, and the limit is %d", got, limit)
	}
}

// TestWaitEnds wants Wait to end with its context.
func TestWaitEnds(t *testing.T) {
	c := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait returned %v", err)
	}
}
