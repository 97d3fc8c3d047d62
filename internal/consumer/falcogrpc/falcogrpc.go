// Package falcogrpc subscribes to the gRPC outputs service of Falco 0.18 to 0.43.
//
// Falco hands out its queue once for every request on the stream and then waits for the next
// request, without telling where a hand-out ends. So [Input] keeps asking: every BusyInterval
// while alerts arrive, every IdleInterval otherwise; an alert reaches us within that time.
// What Falco has taken off its queue and not delivered is lost, hence a healthy stream is
// never cancelled; at a stop the requests end first and the stream only once it is quiet.
// When a stream ends, for whatever reason, the input connects again, for ever.
//
// Run works in its caller's goroutine and joins the one that receives. When the journal is
// slow the queue of the intake fills, no more is asked for, and alerts wait in Falco's own
// queue.
package falcogrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// Kind is what inputs of this package are called in a status.
const Kind = "grpc"

// Options configure an Input.
type Options struct {
	// Address is unix:///PATH, or HOST:PORT for Falco's network server.
	Address string
	// TLS is for HOST:PORT, where Falco wants mutual TLS; it must be nil for a unix socket.
	TLS *tls.Config
	// BusyInterval is how often to ask while alerts arrive; 0 is 2 ms.
	BusyInterval time.Duration
	// IdleInterval is how often to ask otherwise; 0 is 25 ms.
	IdleInterval time.Duration
	// BackoffBase and BackoffMax bound the wait before connecting again; 0 is 100 ms, 10 s.
	BackoffBase, BackoffMax time.Duration
	// Dial replaces the way to reach the address, for tests; nil is the network.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Defaults of Options.
const (
	DefaultBusyInterval = 2 * time.Millisecond
	DefaultIdleInterval = 25 * time.Millisecond
	defaultBackoffBase  = 100 * time.Millisecond
	defaultBackoffMax   = 10 * time.Second
)

const (
	// versionTimeout bounds the question for Falco's version, which is the first thing on a
	// connection and so also shows whether there is one.
	versionTimeout = 5 * time.Second
	// quiet is how long a stream must bring nothing, after the last request and while we wait
	// for it, to be ended without loss. Falco answers a request at once; the rest is for a
	// machine that is busy.
	quiet = 300 * time.Millisecond
	// stopTimeout bounds the wait for a quiet stream. The daemon has 5 s to stop in all.
	stopTimeout = 3 * time.Second
	// healthyAfter is how long a stream must have lived, if it brought nothing, to count as
	// a success that lets the backoff begin anew.
	healthyAfter = time.Second
)

// Input is a subscription to one Falco.
type Input struct {
	opts    Options
	intake  *consumer.Intake
	ledger  *consumer.Ledger
	log     *slog.Logger
	dialErr atomic.Pointer[error] // why the last attempt to dial failed

	arrived atomic.Uint64 // messages received, of all streams
	waiting atomic.Bool   // whether the stream is being waited for: not while a message is taken in
}

// New checks the options and makes an input that hands its alerts to the intake. The ledger
// must be the intake's.
func New(opts Options, intake *consumer.Intake, ledger *consumer.Ledger, log *slog.Logger) (*Input, error) {
	unix := strings.HasPrefix(opts.Address, "unix:")
	switch {
	case unix && !strings.HasPrefix(opts.Address, "unix:///"):
		return nil, fmt.Errorf("falco address %q: a unix socket is written unix:///PATH, with an absolute path", opts.Address)
	case unix && opts.TLS != nil:
		return nil, fmt.Errorf("falco address %q: certificates are for HOST:PORT; Falco's unix socket has no TLS", opts.Address)
	case !unix:
		if _, _, err := net.SplitHostPort(opts.Address); err != nil {
			return nil, fmt.Errorf("falco address %q: want unix:///PATH or HOST:PORT: %w", opts.Address, err)
		}
		if opts.TLS == nil {
			return nil, fmt.Errorf("falco address %q: Falco's network server wants mutual TLS: give a CA, a certificate and a key", opts.Address)
		}
	default:
	}
	setDefault(&opts.BusyInterval, DefaultBusyInterval)
	setDefault(&opts.IdleInterval, DefaultIdleInterval)
	setDefault(&opts.BackoffBase, defaultBackoffBase)
	setDefault(&opts.BackoffMax, defaultBackoffMax)
	return &Input{opts: opts, intake: intake, ledger: ledger, log: log}, nil
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// Run subscribes, again and again, until ctx ends, and then stops without losing what is on
// its way, within stopTimeout. It returns nil, or an error that says that this failed. It must
// be called once.
func (in *Input) Run(ctx context.Context) error {
	backoff := consumer.Backoff{Base: in.opts.BackoffBase, Max: in.opts.BackoffMax}
	for ctx.Err() == nil {
		before, start := in.arrived.Load(), time.Now()
		connected, err := in.subscribe(ctx)
		if ctx.Err() != nil {
			in.ledger.SetState(consumer.StateStopped, "")
			if errors.Is(err, errCutOff) {
				return fmt.Errorf("%s: %w: some may be lost", in.opts.Address, err)
			}
			return nil
		}
		if connected && (in.arrived.Load() > before || time.Since(start) > healthyAfter) {
			backoff.Reset()
		}
		in.disconnected(err)
		if backoff.Wait(ctx) != nil {
			break
		}
	}
	in.ledger.SetState(consumer.StateStopped, "")
	return nil
}

// subscribe makes one connection and one stream on it, and stays until either ends.
func (in *Input) subscribe(ctx context.Context) (connected bool, err error) {
	conn, err := in.dial()
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }() // nothing is left on it to fail
	if err := in.askVersion(ctx, conn); err != nil {
		return false, err
	}
	// The stream outlives ctx by the time that it takes to become quiet.
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTimeout, cancel) })()
	stream, err := outputs.NewServiceClient(conn).Sub(streamCtx, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return false, err
	}
	received := make(chan error, 1)
	go func() { received <- in.receive(streamCtx, stream) }()
	in.connected()
	stopped, err := in.pace(ctx, stream, received)
	if stopped {
		cancel()
		if end := <-received; err == nil && status.Code(end) != codes.Canceled {
			err = end // it broke just before it was cancelled
		}
	}
	in.ledger.Disconnected(err != nil)
	return true, err
}

// dial prepares a connection; it is made by the first call on it.
func (in *Input) dial() (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials() // a unix socket: the file's permissions guard it
	target, authority := "passthrough:///"+in.opts.Address, in.opts.Address
	if in.opts.TLS != nil {
		creds = credentials.NewTLS(in.opts.TLS)
	} else {
		authority = "localhost" // a path is no authority
	}
	dial := in.opts.Dial
	if dial == nil {
		dial = in.dialNetwork
	}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(alert.MaxBytes)),
		grpc.WithNoProxy(),
		grpc.WithAuthority(authority),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			c, err := dial(ctx)
			in.dialErr.Store(&err)
			return c, err
		}),
	)
}

// dialNetwork reaches the address.
func (in *Input) dialNetwork(ctx context.Context) (net.Conn, error) {
	if path, ok := strings.CutPrefix(in.opts.Address, "unix://"); ok {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return (&net.Dialer{Control: tcpUserTimeout}).DialContext(ctx, "tcp", in.opts.Address)
}

// askVersion asks Falco for its version: the first call, so that its error tells what is
// wrong with the connection.
func (in *Input) askVersion(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	v, err := version.NewServiceClient(conn).Version(ctx, &version.Request{})
	switch status.Code(err) {
	case codes.OK:
		in.ledger.SetFalcoVersion(v.GetVersion())
		return nil
	case codes.Unimplemented:
		return nil // the outputs service is what counts, and says so itself
	default:
		return err
	}
}

// pace asks for alerts until the stream ends or ctx does. It reports whether it stopped of its
// own; the error then says that alerts were still arriving, and is nil otherwise.
func (in *Input) pace(ctx context.Context, stream outputs.Service_SubClient, received <-chan error) (stopped bool, err error) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	last := in.arrived.Load()
	for {
		select {
		case err := <-received:
			return false, err
		case <-ctx.Done():
			return in.settle(received)
		case <-tick.C:
		}
		if in.intake.HasRoom() {
			if err := stream.Send(&outputs.Request{}); err != nil {
				// The reason of the end is what receiving returns.
				return false, <-received
			}
		}
		interval := in.opts.IdleInterval
		if now := in.arrived.Load(); now != last {
			last, interval = now, in.opts.BusyInterval
		}
		tick.Reset(interval)
	}
}

// errCutOff says that a stop had to end a stream that was not quiet.
var errCutOff = errors.New("stopped while alerts were still arriving")

// settle waits, without asking for more, until the stream is quiet.
func (in *Input) settle(received <-chan error) (stopped bool, err error) {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for deadline, last := time.Now().Add(stopTimeout), in.arrived.Load(); ; {
		select {
		case err := <-received:
			return false, err
		case <-tick.C:
		}
		now := in.arrived.Load()
		if now == last && in.waiting.Load() {
			return true, nil
		}
		if last = now; time.Now().After(deadline) {
			return true, errCutOff
		}
	}
}

// receive takes messages off the stream until it ends.
func (in *Input) receive(ctx context.Context, stream outputs.Service_SubClient) error {
	for {
		var f frame
		in.waiting.Store(true)
		err := stream.RecvMsg(&f)
		in.waiting.Store(false)
		if err != nil {
			if status.Code(err) == codes.ResourceExhausted {
				in.intake.Reject(nil, alert.ErrTooLarge)
			}
			return err
		}
		in.arrived.Add(1)
		a, err := alert.DecodeGRPC(f.data)
		if err != nil {
			in.intake.Reject(f.data, err)
			continue
		}
		if err := in.intake.Take(ctx, a); err != nil {
			return err
		}
	}
}

// connected notes that Falco is there.
func (in *Input) connected() {
	if in.ledger.SetState(consumer.StateConnected, "") {
		in.log.Info("connected to Falco", "address", in.opts.Address, "falco_version", in.ledger.Status().FalcoVersion)
	}
}

// disconnected notes, and logs once, why Falco is not there.
func (in *Input) disconnected(err error) {
	reason := in.reason(err)
	was := in.ledger.Status().State
	if !in.ledger.SetState(consumer.StateConnecting, reason) {
		return
	}
	if was == consumer.StateConnected {
		in.log.Warn("the connection to Falco ended; connecting again", "address", in.opts.Address, "reason", reason)
		return
	}
	in.log.Warn("cannot subscribe to Falco; trying on", "address", in.opts.Address, "reason", reason)
}

// otherInputs is said where Falco may be too new for gRPC.
const otherInputs = "Falco 0.44 and later have no gRPC: let them write alerts with file_output or http_output"

// reason says in words why Falco is not there. The same trouble always has the same words.
func (in *Input) reason(err error) string {
	if dial := in.dialErr.Load(); dial != nil && *dial != nil && status.Code(err) == codes.Unavailable {
		return dialReason(*dial)
	}
	switch code := status.Code(err); {
	case errors.Is(err, io.EOF):
		return "Falco ended the stream, as it does when it stops or reloads"
	case code == codes.Unimplemented:
		return "the server has no Falco outputs service; " + otherInputs
	case code == codes.Unavailable:
		return "the connection broke: " + status.Convert(err).Message()
	case code == codes.DeadlineExceeded:
		return "the server does not answer"
	case code == codes.ResourceExhausted:
		return "a message was too large: " + status.Convert(err).Message()
	default:
		return err.Error()
	}
}
