package falcosim

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestSubDrainsOnceForEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := inMemory()
		s := start(t, tr, Options{})
		s.Enqueue(several(3, made)...) // nobody is connected yet
		stream := subscribe(t, dial(t, tr))
		request(t, stream)
		if got := receive(t, stream, 3); !slices.Equal(got, []string{"rule 0", "rule 1", "rule 2"}) {
			t.Errorf("got %q", got)
		}

		s.Enqueue(made(3))
		synctest.Wait()
		if st := s.Stats(); st.Queued != 1 || st.RequestsReceived != 1 || st.Subs != 1 {
			t.Errorf("without another request: %+v", st)
		}
		request(t, stream)
		if got := receive(t, stream, 1)[0]; got != "rule 3" {
			t.Errorf("got %q", got)
		}
		if st := s.Stats(); st.Enqueued != 4 || st.Taken != 4 || st.Queued != 0 {
			t.Errorf("at the end: %+v", st)
		}
	})
}

func TestSubNeverEndsAfterCloseSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := inMemory()
		s := start(t, tr, Options{})
		stream := subscribe(t, dial(t, tr))
		request(t, stream)
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := stream.Recv()
			ended <- err
		}()
		select {
		case err := <-ended:
			t.Fatalf("the call ended with %v", err)
		case <-time.After(24 * time.Hour):
		}
		s.Enqueue(made(0))
		s.Terminate()
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("terminated, the call ended with %v, want EOF", err)
		}
	})
}

func TestCancelledStreamLosesWhatWasTaken(t *testing.T) {
	tr, _ := unixSocket(t)
	s := start(t, tr, Options{})
	s.Enqueue(several(200, big)...)
	c := dial(t, tr)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := outputs.NewServiceClient(c).Sub(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request(t, stream)
	await(t, s, func(st Stats) bool { return st.Sent > 0 })
	cancel() // without having read anything
	await(t, s, func(st Stats) bool { return st.Subs == 0 })
	st := s.Stats()
	lost := st.Taken
	if lost == 0 || lost == 200 || st.Queued != 200-lost {
		t.Fatalf("%d of 200 alerts were taken off the queue, %d are in it", lost, st.Queued)
	}

	next := subscribe(t, c)
	request(t, next)
	rest := receive(t, next, 200-lost)
	if want := big(lost).Rule; rest[0] != want {
		t.Errorf("after the loss of %d the next client began with %q", lost, rest[0])
	}
}

func TestGetDrainsAndEnds(t *testing.T) {
	tr, _ := unixSocket(t)
	s := start(t, tr, Options{})
	client := outputs.NewServiceClient(dial(t, tr))
	for _, n := range []int{2, 0} {
		s.Enqueue(several(n, made)...)
		stream, err := client.Get(t.Context(), &outputs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		receive(t, stream, n)
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after %d alerts get ended with %v", n, err)
		}
	}
}

func TestClientsCompete(t *testing.T) {
	tr, _ := unixSocket(t)
	s := start(t, tr, Options{})
	const n = 300
	s.Enqueue(several(n, big)...) // more than one client's buffers hold
	one, two := subscribe(t, dial(t, tr)), subscribe(t, dial(t, tr))
	request(t, one)
	got := receive(t, one, 1)
	request(t, two)
	got = append(got, receive(t, two, 1)...)

	rules := make(chan string)
	for _, stream := range []outputs.Service_SubClient{one, two} {
		go func() {
			for {
				r, err := stream.Recv()
				if err != nil {
					return // the test has ended
				}
				rules <- r.GetRule()
			}
		}()
	}
	for len(got) < n {
		got = append(got, <-rules)
	}
	slices.Sort(got)
	if distinct := len(slices.Compact(got)); distinct != n {
		t.Errorf("of %d alerts, %d came to one of the clients", n, distinct)
	}
}

func TestMoreThanTwentyStreamsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := inMemory()
		s := start(t, tr, Options{})
		c := dial(t, tr)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, err := outputs.NewServiceClient(c).Sub(ctx)
		if err != nil {
			t.Fatal(err)
		}
		request(t, first)
		for range 19 {
			request(t, subscribe(t, c))
		}
		synctest.Wait()
		last := subscribe(t, c)
		request(t, last)
		got := make(chan string, 1)
		go func() {
			r, err := last.Recv()
			if err != nil {
				got <- err.Error()
				return
			}
			got <- r.GetRule()
		}()
		synctest.Wait()
		s.Enqueue(made(0))
		select {
		case answer := <-got:
			t.Fatalf("the stream too many got %q", answer)
		case <-time.After(24 * time.Hour):
		}
		if st := s.Stats(); st.Subs != 20 || st.Hanging != 1 || st.Queued != 1 {
			t.Errorf("with one too many: %+v", st)
		}
		cancel()
		if answer := <-got; answer != "rule 0" {
			t.Errorf("when another had ended, the stream got %q", answer)
		}
	})
}

func TestVersion(t *testing.T) {
	for said, want := range map[string]*version.Response{
		"":                  {Version: "0.43.0", Minor: 43},
		"1.2.3-rc1+7faf211": {Version: "1.2.3-rc1+7faf211", Major: 1, Minor: 2, Patch: 3, Prerelease: "rc1", Build: "7faf211"},
		"main":              {Version: "main"},
	} {
		tr := inMemory()
		start(t, tr, Options{Version: said})
		got, err := version.NewServiceClient(dial(t, tr)).Version(t.Context(), &version.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", said, diff)
		}
	}
}

// odd is an alert with a byte that is not UTF-8 in its output.
func odd() Alert {
	a := made(1)
	a.Output += " command=x \xff"
	a.Fields = []Field{{"proc.cmdline", "x \xff"}}
	return a
}

func TestInvalidUTF8IsSentAsItIs(t *testing.T) {
	tr, _ := unixSocket(t)
	s := start(t, tr, Options{})

	s.Enqueue(odd())
	standard := subscribe(t, dial(t, tr))
	request(t, standard)
	_, err := standard.Recv()
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "invalid UTF-8") {
		t.Errorf("the standard codec got %v", err)
	}
	await(t, s, func(st Stats) bool { return st.Subs == 0 })

	s.Enqueue(odd())
	raw := subscribe(t, dial(t, tr, withRawCodec()))
	request(t, raw)
	var got []byte
	if err := raw.RecvMsg(&got); err != nil {
		t.Fatal(err)
	}
	want := odd()
	if !slices.Equal(got, want.Message(false)) || !strings.Contains(string(got), "x \xff") {
		t.Errorf("got %q", got)
	}
}

func TestInvalidUTF8InJSONKills(t *testing.T) {
	tr, path := unixSocket(t)
	s := start(t, tr, Options{JSONOutput: true})
	stream := subscribe(t, dial(t, tr))
	request(t, stream)
	await(t, s, func(st Stats) bool { return st.Subs == 1 })
	s.Enqueue(odd())
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	expectStale(t, path)
}

func TestJSONOutputAndHostname(t *testing.T) {
	tr, _ := unixSocket(t)
	s := start(t, tr, Options{JSONOutput: true, Hostname: "elsewhere"})
	a := made(0)
	a.Hostname = ""
	s.Enqueue(a)
	stream := subscribe(t, dial(t, tr))
	request(t, stream)
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if inner, ok := member([]byte(r.GetOutput()), "hostname"); !ok || inner != "elsewhere" || r.GetHostname() != "elsewhere" {
		t.Errorf("hostname %q and output %s", r.GetHostname(), r.GetOutput())
	}
}

// expectStale checks that a socket file is there, and nobody behind it.
func expectStale(t *testing.T, path string) {
	t.Helper()
	if c, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling the stale socket: %v, %v", c, err)
	}
}

func TestTerminate(t *testing.T) {
	tr, path := unixSocket(t)
	s := start(t, tr, Options{})
	c := dial(t, tr)
	stream := subscribe(t, c)
	request(t, stream)
	await(t, s, func(st Stats) bool { return st.RequestsReceived == 1 })
	s.Enqueue(made(0))
	s.Terminate()
	if r, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v, %v; want EOF", r, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file: %v", err)
	}
	if st := s.Stats(); st.Queued != 0 || st.Streams() != 0 || st.Connections != 0 {
		t.Errorf("afterwards: %+v", st)
	}
	s.Enqueue(made(1))
	if s.Stats().Queued != 0 {
		t.Error("a dead server queues")
	}

	// A restarted Falco is found on the same address by the same connection.
	again := start(t, tr, Options{})
	again.Enqueue(made(2))
	next, err := outputs.NewServiceClient(c).Get(t.Context(), &outputs.Request{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	receive(t, next, 1)
}

func TestTerminateBreaksClientsThatDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := inMemory()
		s := start(t, tr, Options{})
		s.Enqueue(several(200, big)...)
		request(t, subscribe(t, dial(t, tr)))
		synctest.Wait()
		if st := s.Stats(); st.Sent == 0 || st.Queued == 0 {
			t.Fatalf("before: %+v", st)
		}
		began := time.Now()
		s.Terminate()
		if took := time.Since(began); took != terminateGrace {
			t.Errorf("it took %v", took)
		}
	})
}

func TestKill(t *testing.T) {
	tr, path := unixSocket(t)
	s := start(t, tr, Options{})
	stream := subscribe(t, dial(t, tr))
	request(t, stream)
	await(t, s, func(st Stats) bool { return st.RequestsReceived == 1 })
	s.Enqueue(made(0))
	s.Kill()
	if r, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v, %v; want Unavailable", r, err)
	}
	expectStale(t, path)
	if st := s.Stats(); st.Queued != 0 || st.Streams() != 0 || st.Connections != 0 {
		t.Errorf("afterwards: %+v", st)
	}
}

func TestReload(t *testing.T) {
	tr, path := unixSocket(t)
	s := start(t, tr, Options{})
	s.Enqueue(made(0))
	s.Reload() // no sub is open: nobody notices
	c := dial(t, tr)
	polled, err := outputs.NewServiceClient(c).Get(t.Context(), &outputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, polled, 1)

	stream := subscribe(t, c)
	request(t, stream)
	await(t, s, func(st Stats) bool { return st.Subs == 1 })
	s.Reload()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v, want EOF", err)
	}
	expectStale(t, path)
}

// TestReset: the message is lost, the server goes on.
func TestReset(t *testing.T) {
	for name, one := range map[string]func(int) Alert{"small": made, "many frames": big} {
		t.Run(name, func(t *testing.T) {
			tr, _ := unixSocket(t)
			s := start(t, tr, Options{})
			s.Enqueue(one(0))
			c := dial(t, tr)
			stream := subscribe(t, c)
			request(t, stream)
			receive(t, stream, 1)

			s.Reset()
			s.Enqueue(one(1))
			request(t, stream)
			if r, err := stream.Recv(); status.Code(err) != codes.Unavailable {
				t.Fatalf("got %v, %v; want Unavailable", r, err)
			}
			await(t, s, func(st Stats) bool { return st.Subs == 0 && st.Connections == 0 })
			if st := s.Stats(); st.Taken != 2 || st.Queued != 0 {
				t.Errorf("after the reset: %+v", st)
			}

			s.Enqueue(one(2))
			again := subscribe(t, dial(t, tr))
			request(t, again)
			if got := receive(t, again, 1)[0]; got != "rule 2" {
				t.Errorf("the next connection got %q", got)
			}
		})
	}
}

// TestFramesAreFollowed: wherever the writes are split, the cut is within the data.
func TestFramesAreFollowed(t *testing.T) {
	settings := []byte{0, 0, 6, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6}
	data := []byte{0, 0, 4, 0, 0, 0, 0, 0, 1, 'd', 'a', 't', 'a'}
	stream := slices.Concat(settings, settings[:3], []byte{}, settings[3:], data)
	for split := range stream {
		var f frames
		if end := f.follow(stream[:split], true); end >= 0 {
			if end <= len(stream)-4 || end >= split {
				t.Errorf("first of two writes, of %d bytes: cut at %d", split, end)
			}
			continue
		}
		if end := split + f.follow(stream[split:], true); end <= len(stream)-4 || end >= len(stream) {
			t.Errorf("second of two writes, the first of %d bytes: cut at %d", split, end)
		}
	}
	var f frames
	if end := f.follow(stream, false); end >= 0 {
		t.Errorf("uncut: %d", end)
	}
}

func TestServeAfterDeath(t *testing.T) {
	s := New(Options{})
	s.Kill()
	tr, path := unixSocket(t)
	l, err := tr.listen()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, ErrStopped) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("the listener is still open")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := New(Options{})
	defer s.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, func(st Stats) bool { return st.Queued > 0 }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(s.queue.waiters); n != 0 {
		t.Errorf("%d waiters are left", n)
	}
}
