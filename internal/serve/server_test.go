package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

const reportService = "falcoreporter.v1.ReportService"

func TestGetReport(t *testing.T) {
	j := newJournal(t, 2, 3)
	c := serveBuf(t, Options{Journal: j}).client(t)
	get := func(id string) (*pb.GetReportResponse, error) {
		return c.GetReport(t.Context(), &pb.GetReportRequest{Id: id})
	}
	got, err := get(string(reportID(3)))
	if want := (&pb.GetReportResponse{Report: report(3, 0), Cursor: cursor(3)}); err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	_, err = get(string(reportID(1)))
	wantStatus(t, err, codes.NotFound, "no report with this id")
	for _, id := range []string{"", "3", "<NA>\x1b[2J", strings.Repeat("z", 32)} {
		_, err = get(id)
		wantStatus(t, err, codes.InvalidArgument, "not an id")
	}
	_, err = get(strings.Repeat("0", maxRequestBytes))
	wantStatus(t, err, codes.ResourceExhausted, "larger than max")
}

func TestGetStatus(t *testing.T) {
	j := newJournal(t, 2, 3)
	fail := error(nil)
	c := serveBuf(t, Options{Journal: j, Status: func(context.Context) (*pb.GetStatusResponse, error) {
		return &pb.GetStatusResponse{Version: "1.2.3"}, fail
	}}).client(t)
	subscribe(t, t.Context(), c, last(0))
	got, err := c.GetStatus(t.Context(), &pb.GetStatusRequest{})
	for _, r := range got.GetReaders() {
		r.Since = nil
	}
	size := uint64(len(encoded(t, 1, 0).Data))
	want := &pb.GetStatusResponse{Version: "1.2.3", Subscribers: 1, Readers: []*pb.ReaderStatus{{Name: "bufconn"}}, Journal: &pb.JournalStatus{
		Id: journalID, Kind: "memory", Alerts: &pb.LogStatus{},
		Reports: &pb.LogStatus{OldestCursor: cursor(2), NewestCursor: cursor(3), Entries: 2, Bytes: 2 * size},
	}}
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	fail = errBroken
	_, err = c.GetStatus(t.Context(), &pb.GetStatusRequest{})
	wantStatus(t, err, codes.Internal, "could not describe the daemon")
	// Nothing but a journal is needed.
	if _, err := serveBuf(t, Options{Journal: j}).client(t).GetStatus(t.Context(), &pb.GetStatusRequest{}); err != nil {
		t.Error(err)
	}
}

// health is what the server says of a service.
func (r *running) healthOf(tb testing.TB, service string) string {
	got, err := r.health.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: service})
	if err != nil {
		tb.Fatal(err)
	}
	return got.GetStatus().String()
}

func TestHealth(t *testing.T) {
	j := newJournal(t, 1, 1)
	r := serveBuf(t, Options{Journal: j})
	want := func(own, inputs string) {
		t.Helper()
		for service, want := range map[string]string{"": own, reportService: own, InputsHealthService: inputs} {
			if got := r.healthOf(t, service); got != want {
				t.Errorf("%q is %s, want %s", service, got, want)
			}
		}
	}
	want("SERVING", "NOT_SERVING")
	r.SetInputsServing(true)
	want("SERVING", "SERVING")
	r.SetInputsServing(false)
	want("SERVING", "NOT_SERVING")
	for serving, want := range map[bool]string{false: "NOT_SERVING", true: "SERVING"} {
		r.SetJournalServing(serving)
		if got := r.healthOf(t, JournalHealthService); got != want {
			t.Errorf("the journal is %s, want %s", got, want)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := r.client(t).GetStatus(t.Context(), &pb.GetStatusRequest{})
	wantStatus(t, err, codes.Unavailable, "journal is closed")
	want("NOT_SERVING", "NOT_SERVING")
}

// What a client cannot know goes to the log, and a panic ends one call only.
func TestFailures(t *testing.T) {
	tests := []struct {
		name, log string
		fail      func() error
	}{
		{"error", errBroken.Error(), func() error { return errBroken }},
		{"panic", `"stack":"goroutine`, func() error { panic("off by one at /var/lib") }}, //nolint:forbidigo // what is tested
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			r := serveBuf(t, Options{
				Journal: &spy{Journal: newJournal(t, 1, 1), fail: tt.fail}, Logger: log.logger(),
				Status: func(context.Context) (*pb.GetStatusResponse, error) { return nil, tt.fail() },
			})
			c := r.client(t)
			for range 2 { // the server goes on
				_, err := c.GetStatus(t.Context(), &pb.GetStatusRequest{})
				wantStatus(t, err, codes.Internal, "its log says more")
				s, serr := c.Subscribe(t.Context(), last(1))
				if serr != nil {
					t.Fatal(serr)
				}
				_, serr = s.Recv()
				wantStatus(t, serr, codes.Internal, "its log says more")
				if strings.Contains(err.Error()+serr.Error(), "/var/lib") {
					t.Errorf("the client learns too much: %v, %v", err, serr)
				}
			}
			if got := log.lines(`"level":"ERROR"`, tt.log, "/var/lib"); len(got) != 4 {
				t.Errorf("%d failures in the log, want 4:\n%s", len(got), &log.buf)
			}
		})
	}
}

// receiver is the client end of any stream.
type receiver interface{ RecvMsg(any) error }

// openStreams opens a stream of each service, and takes its first answer where one comes.
func openStreams(t *testing.T, r *running) map[string]receiver {
	t.Helper()
	conn := r.connect(t)
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	v1, err1 := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err1 == nil {
		err1 = v1.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
	}
	v1alpha, err2 := grpc_reflection_v1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err2 == nil {
		err2 = v1alpha.Send(&grpc_reflection_v1alpha.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1alpha.ServerReflectionRequest_ListServices{}}) //nolint:staticcheck // deprecated, and still what older clients speak
	}
	if err := errors.Join(err, err1, err2); err != nil {
		t.Fatal(err)
	}
	got1, err1 := v1.Recv()
	got2, err2 := v1alpha.Recv()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got1.String(), reportService) || !strings.Contains(got2.String(), reportService) {
		t.Errorf("reflection lists %v and %v", got1, got2)
	}
	return map[string]receiver{
		"watch": watch, "reflection v1": v1, "reflection v1alpha": v1alpha,
		"subscribe": subscribe(t, t.Context(), pb.NewReportServiceClient(conn), last(0)),
	}
}

// At stop health turns first, then streams end and say why, then calls under way finish.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var log logBuffer
		r := serveBuf(t, Options{Journal: newJournal(t, 1, 1), Logger: log.logger(), Status: func(context.Context) (*pb.GetStatusResponse, error) {
			<-release
			return &pb.GetStatusResponse{Version: "1.2.3"}, nil
		}})
		r.SetInputsServing(true)
		streams := openStreams(t, r)
		idle := r.connect(t)
		idle.Connect()
		unary := make(chan error, 1)
		c := r.client(t)
		go func() {
			_, err := c.GetStatus(t.Context(), &pb.GetStatusRequest{})
			unary <- err
		}()
		synctest.Wait()
		began := time.Now()
		r.stop()
		synctest.Wait()
		for _, service := range []string{"", reportService, InputsHealthService} {
			if got := r.healthOf(t, service); got != "NOT_SERVING" {
				t.Errorf("%q is %s", service, got)
			}
		}
		for name, s := range streams {
			var err error
			for err == nil { // the watch may have told of the health first
				err = s.RecvMsg(new(emptypb.Empty)) // whatever it is
			}
			wantStatus(t, fmt.Errorf("%s: %w", name, err), codes.Unavailable, "falco-reporter is stopping")
		}
		select {
		case err := <-unary:
			t.Errorf("the call under way ended with %v", err)
		case err := <-r.err:
			t.Errorf("Serve returned %v before the call under way had its answer", err)
		default:
		}
		close(release)
		if err := errors.Join(<-unary, <-r.err); err != nil || time.Since(began) != 0 {
			t.Errorf("stopped with %v after %v, want at once", err, time.Since(began))
		}
		if got := log.lines(`"reason":"falco-reporter stops"`); len(got) != 1 {
			t.Errorf("%d subscribers left because of the stop, want 1:\n%s", len(got), &log.buf)
		}
	})
}

// lateStream is a stream that the server begins to handle while it stops.
type lateStream struct{ grpc.ServerStream }

func (lateStream) Context() context.Context { return context.Background() }

func TestStreamTooLate(t *testing.T) {
	s := newStreams()
	s.end()
	err := s.intercept(nil, lateStream{}, &grpc.StreamServerInfo{}, func(any, grpc.ServerStream) error {
		t.Error("it was handled")
		return nil
	})
	wantStatus(t, err, codes.Unavailable, "falco-reporter is stopping")
	s.wait()
}

// A handler that only listens to its client may panic like any other, and is waited for even
// where its stream has ended before it.
func TestHandlersThatListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Journal: newJournal(t, 1, 0)})
		release := make(chan struct{})
		desc := &grpc.ServiceDesc{ServiceName: "test.Listen"}
		for name, handle := range map[string]func(){
			"Panic":  func() { panic("listened too closely") }, //nolint:forbidigo // what is tested
			"Linger": func() { <-release },
		} {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: name, ClientStreams: true, ServerStreams: true,
				Handler: func(any, grpc.ServerStream) error { handle(); return nil },
			})
		}
		s.grpc.RegisterService(desc, nil)
		r := serveBufOn(t, s)
		conn := r.connect(t)
		open := func(name string) grpc.ClientStream {
			c, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test.Listen/"+name)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		wantStatus(t, open("Panic").RecvMsg(new(emptypb.Empty)), codes.Internal, "its log says more")
		lingering := open("Linger")
		synctest.Wait()
		r.stop()
		wantStatus(t, lingering.RecvMsg(new(emptypb.Empty)), codes.Unavailable, "falco-reporter is stopping")
		synctest.Wait()
		select {
		case err := <-r.err:
			t.Errorf("Serve returned %v before the handler", err)
		default:
		}
		close(release)
		if err := <-r.err; err != nil {
			t.Error(err)
		}
	})
}

// Whatever clients do, Serve returns after StopTimeout.
func TestStopIsBounded(t *testing.T) {
	tests := map[string]func(t *testing.T, r *running, j *journal.Memory){
		"a call that does not end": func(t *testing.T, r *running, _ *journal.Memory) {
			c := r.client(t)
			go func() { _, _ = c.GetStatus(t.Context(), &pb.GetStatusRequest{}) }() // it fails
		},
		"a subscriber that does not read": func(t *testing.T, r *running, j *journal.Memory) {
			subscribe(t, t.Context(), r.client(t), last(0))
			write(t, j, 1, 100, 10_000)
		},
		"a connection that says nothing": func(t *testing.T, r *running, _ *journal.Memory) {
			dialRaw(t, r, "")
		},
		"a connection that says nothing after its preface": func(t *testing.T, r *running, _ *journal.Memory) {
			go func() { _, _ = io.Copy(io.Discard, dialRaw(t, r, http2Preface)) }() // until it is cut
		},
	}
	for name, busy := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal(t, 100, 0)
				r := serveBuf(t, Options{Journal: j, StopTimeout: 700 * time.Millisecond, Status: func(ctx context.Context) (*pb.GetStatusResponse, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}})
				busy(t, r, j)
				synctest.Wait()
				began := time.Now()
				r.stop()
				if err := <-r.err; err != nil || time.Since(began) != 700*time.Millisecond {
					t.Errorf("Serve returned %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// http2Preface is how an HTTP/2 client begins: the magic and empty SETTINGS.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// dialRaw opens a connection that is no gRPC client, and says something on it.
func dialRaw(t *testing.T, r *running, say string) net.Conn {
	conn, err := r.dial(t.Context(), "")
	if err == nil && say != "" {
		_, err = io.WriteString(conn, say)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestDeadPeersAreFound(t *testing.T) {
	for say, want := range map[string]time.Duration{"": connectionTimeout, http2Preface: pingAfter + pingTimeout} {
		synctest.Test(t, func(t *testing.T) {
			r := serveBuf(t, Options{Journal: newJournal(t, 1, 0)})
			began := time.Now()
			_, err := io.Copy(io.Discard, dialRaw(t, r, say))
			if got := time.Since(began); got != want {
				t.Errorf("after %q: %v after %v, want %v", say, err, got, want)
			}
		})
	}
}

// A client that pings as often as the gRPC libraries let it is not thrown out.
func TestOrdinaryClientsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t, 1, 0)
		r := serveBuf(t, Options{Journal: j})
		dials, dial := 0, r.dial
		r.dial = func(ctx context.Context, address string) (net.Conn, error) {
			dials++
			return dial(ctx, address)
		}
		conn := r.connect(t, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true,
		}))
		conn.Connect()
		<-time.After(10 * time.Minute) // idle
		s := subscribe(t, t.Context(), pb.NewReportServiceClient(conn), last(0))
		<-time.After(10 * time.Minute) // with a stream on which nothing comes
		write(t, j, 1, 1, 0)
		wantReports(t, s, 1, 1, 0)
		if dials != 1 {
			t.Errorf("it had to connect %d times", dials)
		}
	})
}

func TestTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		r := serveBuf(t, Options{Journal: newJournal(t, 1, 0), MaxSubscribers: 1, Logger: log.logger()})
		var open []net.Conn
		for range 2 + otherCalls {
			open = append(open, dialRaw(t, r, ""))
		}
		for range 3 {
			if _, err := dialRaw(t, r, "").Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("a connection too many got %v", err)
			}
		}
		if got := log.lines(`"level":"WARN"`, `"open":66`); len(got) != 1 {
			t.Errorf("the log tells of it %d times", len(got))
		}
		_ = open[0].Close()
		synctest.Wait()
		subscribe(t, t.Context(), r.client(t), last(0)) // there is room again
	})
}

// Several listeners are one server.
func TestListenersEndTogether(t *testing.T) {
	for _, how := range []string{"ctx", "failure"} {
		t.Run(how, func(t *testing.T) {
			s := New(Options{Journal: newJournal(t, 1, 0)})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first, second := bufconn.Listen(1), bufconn.Listen(1)
			ends := make(chan error, 2)
			go func() { ends <- s.Serve(ctx, first) }()
			go func() { ends <- s.Serve(t.Context(), second) }()
			for _, lis := range []*bufconn.Listener{first, second} { // both serve
				r := running{Server: s, dial: func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }}
				subscribe(t, t.Context(), r.client(t), last(0))
			}
			if how == "ctx" {
				cancel()
			} else {
				_ = first.Close()
			}
			err := errors.Join(<-ends, <-ends)
			if how == "ctx" && err != nil || how == "failure" && (err == nil || !strings.Contains(err.Error(), "serve on bufconn")) {
				t.Errorf("got %v", err)
			}
			if err := s.Serve(t.Context(), bufconn.Listen(1)); !errors.Is(err, grpc.ErrServerStopped) {
				t.Errorf("serving again: %v", err)
			}
		})
	}
}
