package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

const journalID = "5eed5eed5eed5eed"

// newJournal returns a journal that keeps so many reports, with the first n in it.
func newJournal(tb testing.TB, kept, n int) *journal.Memory {
	j := journal.NewMemory(journal.MemoryOptions{ID: journalID, ReportEntries: kept, ReportBytes: 1 << 30})
	write(tb, j, 1, n, 0)
	return j
}

// reportID is the id of report n.
func reportID(n int) alert.ID { return alert.ID(fmt.Sprintf("%032d", n)) }

// report is report n, with a summary of so many bytes.
func report(n, size int) *pb.Report {
	return &pb.Report{Id: string(reportID(n)), Revision: 1, Title: "Terminal shell in container", Summary: strings.Repeat("x", size)}
}

// encoded is report n as the journal keeps it.
func encoded(tb testing.TB, n, size int) journal.Report {
	tb.Helper()
	data, err := proto.Marshal(report(n, size))
	if err != nil {
		tb.Fatal(err)
	}
	return journal.Report{ID: reportID(n), Revision: 1, Data: data}
}

// add appends reports to the journal.
func add(tb testing.TB, j journal.Journal, reports ...journal.Report) {
	tb.Helper()
	if err := j.AppendReports(context.Background(), journal.Cursor{}, reports); err != nil {
		tb.Fatal(err)
	}
}

// write appends the reports first to last, whose cursors have these numbers too.
func write(tb testing.TB, j journal.Journal, first, last, size int) {
	tb.Helper()
	for n := first; n <= last; n++ {
		add(tb, j, encoded(tb, n, size))
	}
}

// cursor is the one that comes with report n.
func cursor(n int) string { return journalID + "-" + strconv.Itoa(n) }

// running is a server that serves on one listener.
type running struct {
	*Server
	dial func(context.Context, string) (net.Conn, error)
	stop context.CancelFunc
	err  chan error // what Serve returned
}

// serveOn serves until the test ends.
func serveOn(tb testing.TB, s *Server, lis net.Listener, dial func(context.Context, string) (net.Conn, error)) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Server: s, dial: dial, stop: cancel, err: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.err <- r.Serve(ctx, lis)
	}()
	tb.Cleanup(func() { cancel(); <-done })
	return r
}

// serveBuf serves in memory, which runs on fake time too.
func serveBuf(tb testing.TB, opts Options) *running { return serveBufOn(tb, New(opts)) }

func serveBufOn(tb testing.TB, s *Server) *running {
	lis := bufconn.Listen(64 << 10)
	return serveOn(tb, s, lis, func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) })
}

// serveUnix serves on a unix socket.
func serveUnix(tb testing.TB, opts Options, path string) *running {
	lis, err := Listen(context.Background(), "unix://"+path)
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, New(opts), lis, func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	})
}

// socketIn is a path for a socket that ends with the test.
func socketIn(tb testing.TB) string { return filepath.Join(tb.TempDir(), "s.sock") }

// connect opens a connection of its own.
func (r *running) connect(tb testing.TB, opts ...grpc.DialOption) *grpc.ClientConn {
	opts = append(opts, grpc.WithContextDialer(r.dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient("passthrough:///test", opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (r *running) client(tb testing.TB) pb.ReportServiceClient {
	return pb.NewReportServiceClient(r.connect(tb))
}

type stream = grpc.ServerStreamingClient[pb.SubscribeResponse]

// subscribe opens a stream and waits until the server has it.
func subscribe(tb testing.TB, ctx context.Context, c pb.ReportServiceClient, req *pb.SubscribeRequest) stream { //nolint:revive // tb first, as elsewhere
	tb.Helper()
	s, err := c.Subscribe(ctx, req)
	if err == nil {
		_, err = s.Header()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func last(n uint32) *pb.SubscribeRequest {
	return &pb.SubscribeRequest{Start: &pb.SubscribeRequest_Last{Last: n}}
}

func after(cursor string) *pb.SubscribeRequest {
	return &pb.SubscribeRequest{Start: &pb.SubscribeRequest_AfterCursor{AfterCursor: cursor}}
}

// wantReports receives exactly the reports first to last, of that size, with their cursors.
func wantReports(tb testing.TB, s stream, first, last, size int) {
	tb.Helper()
	for n := first; n <= last; n++ {
		got, err := s.Recv()
		if err != nil {
			tb.Fatalf("waiting for report %d: %v", n, err)
		}
		want := &pb.SubscribeResponse{Cursor: cursor(n), Event: &pb.SubscribeResponse_Report{Report: report(n, size)}}
		if !proto.Equal(got, want) {
			tb.Fatalf("got %.200v, want report %d", got, n)
		}
	}
}

// wantStatus checks the code of an error and that its message holds a text.
func wantStatus(tb testing.TB, err error, code codes.Code, text string) {
	tb.Helper()
	if st := status.Convert(err); st.Code() != code || !strings.Contains(st.Message(), text) {
		tb.Errorf("got %v, want %v with %q", err, code, text)
	}
}

// logBuffer is a log to look into.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// lines are the logged lines that hold all of the texts.
func (l *logBuffer) lines(texts ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		missing := false
		for _, t := range texts {
			missing = missing || !strings.Contains(line, t)
		}
		if !missing {
			found = append(found, line)
		}
	}
	return found
}

// spy is a journal that shows what is read from it, and can be made to fail.
type spy struct {
	journal.Journal
	mu     sync.Mutex
	newest uint64 // the highest number that was handed out
	fail   func() error
}

var errBroken = errors.New("disk on fire at /var/lib")

func (s *spy) ReadReports(ctx context.Context, after journal.Cursor, limit int) ([]journal.ReportEntry, error) {
	if s.fail != nil {
		return nil, s.fail()
	}
	entries, err := s.Journal.ReadReports(ctx, after, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.newest = max(s.newest, e.Cursor.Seq)
	}
	return entries, err
}
