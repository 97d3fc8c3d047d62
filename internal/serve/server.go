// Package serve hands out incident reports over gRPC: falcoreporter.v1.ReportService, with
// the standard health service and server reflection beside it.
//
// Every subscriber is a reader of the report log with a cursor of its own, fed by the
// goroutine of its call. It reads a small batch, sends it, and reads the next. A subscriber
// that does not take its reports blocks that goroutine and nothing else. What it then holds is
// bounded: the batch ([Options].BatchReports and BatchBytes, or a single larger report), and
// in gRPC 64 KiB and one report; with 256 subscribers and the defaults, 32 MiB and 256 reports.
// When it is so far behind that the journal no longer keeps what comes next, it is
// told how many revisions it missed, and goes on with the oldest that is kept. When there are
// as many subscribers as allowed, the next one is refused.
//
// All goroutines belong to [Server.Serve], which has joined them when it returns. gRPC status
// codes appear in this package only.
package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Options is what a Server is made of. The zero value of a bound means its default.
type Options struct {
	// Journal holds the reports. Required.
	Journal journal.Journal
	// Status describes the daemon for GetStatus; the server adds the journal and the number
	// of subscribers. Each call must return a new message, which then belongs to the server,
	// and must end when its context does. May be called concurrently. If nil, GetStatus tells
	// what the server knows by itself.
	Status func(ctx context.Context) (*pb.GetStatusResponse, error)
	// Enrichment says how enrichment stands, for the metrics; nil for not at all. May be called
	// concurrently.
	Enrichment func() Enrichment
	// Logger gets a line for each subscriber that leaves, and what went wrong. Default: none.
	Logger *slog.Logger
	// MaxSubscribers is how many Subscribe calls may be open at once. Default 256.
	MaxSubscribers int
	// BatchReports and BatchBytes bound what is read for one subscriber ahead of sending: that
	// many revisions with that many bytes together, or a single larger one. Defaults 32
	// and 64 KiB.
	BatchReports, BatchBytes int
	// StopTimeout is how long the end of Serve may take before connections are cut.
	// Default 2 s.
	StopTimeout time.Duration
}

// Enrichment is how enrichment stands.
type Enrichment struct {
	// Waiting is how many alerts have no report yet, Stalled whether that has not changed for so
	// long that something is wrong.
	Waiting uint64
	Stalled bool
}

// StdoutReader is the name in a status of the reader that writes to stdout.
const StdoutReader = "stdout"

const (
	defaultMaxSubscribers = 256
	defaultBatchReports   = 32
	defaultBatchBytes     = 64 << 10
	defaultStopTimeout    = 2 * time.Second
)

// Limits of a connection.
const (
	// maxRequestBytes is ample: a cursor, an id, a symbol to describe.
	maxRequestBytes = 64 << 10
	// maxHeaderBytes bounds the metadata of a call; gRPC's default is 16 MiB.
	maxHeaderBytes = 16 << 10
	// otherCalls is how many calls a connection may have open besides subscriptions. A
	// connection must be able to open one subscription too many: it then gets an answer, where
	// gRPC would let it wait in silence.
	otherCalls = 64
	// connectionTimeout is how long a client may take to begin talking HTTP/2.
	connectionTimeout = 10 * time.Second
	// A peer that is silent for pingAfter is asked for a sign of life and, if none comes
	// within pingTimeout, disconnected: its subscriptions are free again after 40 s.
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	// minClientPing is how often clients may ping. The gRPC libraries do not ping more
	// often than every 10 s.
	minClientPing = 5 * time.Second
)

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxSubscribers <= 0 {
		o.MaxSubscribers = defaultMaxSubscribers
	}
	if o.BatchReports <= 0 {
		o.BatchReports = defaultBatchReports
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = defaultBatchBytes
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = defaultStopTimeout
	}
	return o
}

// Server is the gRPC server. Its methods may be called concurrently. It serves once: when it
// has stopped it cannot be started again.
type Server struct {
	opts    Options
	grpc    *grpc.Server
	health  *health.Server
	reports *reports
	streams *streams
	conns   *conns
	stop    func() // stops once; every caller waits for it
}

// New returns a server that is not serving yet. The inputs' health is NOT_SERVING until
// [Server.SetInputsServing] says otherwise.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts:    opts,
		health:  newHealth(),
		streams: newStreams(),
		// Twice the subscribers: each may have a connection of its own, and one that came back
		// may do so before its old connection is found dead.
		conns: newConns(2*opts.MaxSubscribers+otherCalls, opts.Logger),
	}
	s.stop = sync.OnceFunc(s.stopNow)
	guard := recovery{logger: opts.Logger}
	s.grpc = grpc.NewServer(
		grpc.ForceServerCodecV2(newCodec()),
		grpc.ChainUnaryInterceptor(guard.unary),
		// The guard is inside: it must run on the goroutine of the handler.
		grpc.ChainStreamInterceptor(s.streams.intercept, guard.stream),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(uint32(min(opts.MaxSubscribers, 1<<20)+otherCalls)), //nolint:gosec // bounded by min
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	s.reports = newReports(opts, s.setReportsLost)
	pb.RegisterReportServiceServer(s.grpc, s.reports)
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc) // v1 and v1alpha
	return s
}

// Serve serves on the listener until ctx ends, then stops: health turns to NOT_SERVING,
// streams end with UNAVAILABLE, unary calls under way finish, and after StopTimeout what is
// still open is cut. It closes the listener, and has joined all goroutines when it returns.
//
// Serve may be called for several listeners at once. They are one server: when one ends,
// because of its ctx or because it fails, all end. The error is nil if ctx ended or another
// listener was the reason.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	address := lis.Addr().String()
	s.opts.Logger.InfoContext(ctx, "serving reports", "address", address)
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = s.grpc.Serve(s.conns.listener(lis))
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	asked := ctx.Err() != nil
	s.stop()
	<-ended
	if err != nil && !asked {
		return fmt.Errorf("serve on %s: %w", address, err)
	}
	return nil
}

// stopNow stops the server; see Serve.
func (s *Server) stopNow() {
	s.health.Shutdown()
	s.streams.end()
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		s.grpc.GracefulStop()
	}()
	timeout := time.NewTimer(s.opts.StopTimeout)
	defer timeout.Stop()
	select {
	case <-graceful:
	case <-timeout.C:
		s.opts.Logger.Warn("cutting connections that did not end in time", "timeout", s.opts.StopTimeout)
		// gRPC's own Stop waits for connections that have not begun to talk.
		s.conns.cut()
		s.grpc.Stop()
		<-graceful
	}
	s.streams.wait()
}
