// Package falcohttp takes alerts that are sent by HTTP POST: by Falco's http_output, by
// falcosidekick's webhook output, and by whoever sends such JSON: one alert, an array of them,
// or one a line, plain or packed with gzip.
//
// Falco looks at no status and waits for the answer without a limit, with all of its outputs
// behind it. So an alert is journaled first and answered then, but the answer never waits for
// anything else, and for the journal 50 ms at most from when the body was read: it then goes
// out all the same, as 202 in place of 200, and the alerts are counted as answered early. (A
// body must be decoded to be answered, which takes 10 to 20 ms per MiB; only batches and
// attacks are as large as to feel that.)
//
// Everything is bounded: connections (the one that has been idle longest makes way for a new
// one), requests, time to read one, its size packed and unpacked, the alerts in it, and the
// memory of all requests together. What exceeds a bound is answered 413 or 503 at once. Alerts
// that the intake has no room for are answered 503, counted as lost, and the input's state is
// "dropping" until there is room. Every message that is no alert is kept, with the address of
// its sender. What is no HTTP at all, has no valid TLS, or has too large a header is refused by
// net/http and not counted.
//
// Without TLS the address must be a loopback one. What comes from a web page in a browser on
// this host is refused there, too.
//
// Run joins the goroutine that accepts connections and all requests. The goroutines of
// connections are those of net/http; each ends with its connection, and all are closed when
// Run returns.
package falcohttp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// Kind is what inputs of this package are called in a status.
const Kind = "http"

// Bounds for the intake of such an input: at most 64 MiB are at risk. A body of MaxElements
// alerts always fits the half of it.
const (
	QueueLength = 2 * MaxElements
	QueueBytes  = 64 << 20
)

// Bounds of one request.
const (
	// MaxBody is the most bytes of a body, packed and unpacked: 32 MiB.
	MaxBody = 32 << 20
	// MaxElements is the most alerts of a body.
	MaxElements = 16_384
)

// Defaults of Options.
const (
	DefaultMaxConnections = 2048
	DefaultAnswerWithin   = 50 * time.Millisecond
	DefaultReadTimeout    = 10 * time.Second
)

const (
	// maxRequests bounds the requests under way.
	maxRequests = 2048
	// maxReading bounds the memory of all requests beyond freeBytes each: 64 MiB.
	maxReading = 64 << 20
	// maxHeader bounds the bytes of a request's header: 16 KiB.
	maxHeader = 16 << 10
	// headerTimeout is how long a header may take.
	headerTimeout = 5 * time.Second
	// idleTimeout closes connections that nobody uses. Falco's libcurl gives up its own after
	// 118 s, Go programs such as falcosidekick after 90 s: if they are first, no alert meets a
	// connection that is just being closed.
	idleTimeout = 3 * time.Minute
	// stopTimeout bounds how long requests under way may take once Run has to end.
	stopTimeout = 2 * time.Second
	// http2Buffer bounds what a connection may send ahead with HTTP/2: 64 KiB.
	http2Buffer = 64 << 10
)

// Options configure an Input.
type Options struct {
	// Address is HOST:PORT to listen on. Without TLS it must be a loopback one.
	Address string
	// SecretPath is the path that alerts must be sent to, such as /x3kq0v…: a slash and at
	// least 16 of the characters a-z A-Z 0-9 - . _ ~ and /. It takes the place of a token:
	// Falco can send no headers. Empty is "/".
	SecretPath string
	// CertFile and KeyFile are PEM files of our certificate, for TLS. ClientCAFile is one of
	// the authorities whose client certificates are demanded, for mutual TLS. They are read
	// again when they change.
	CertFile, KeyFile, ClientCAFile string
	// MaxConnections bounds the open connections; 0 is DefaultMaxConnections.
	MaxConnections int
	// AnswerWithin is how long an answer may wait for the journal; 0 is DefaultAnswerWithin.
	AnswerWithin time.Duration
	// ReadTimeout is how long reading a request may take; 0 is DefaultReadTimeout.
	ReadTimeout time.Duration
	// Lookup replaces the resolver of host names, for tests; nil is the system's.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Input is a listening HTTP server.
type Input struct {
	opts     Options
	intake   *consumer.Intake
	ledger   *consumer.Ledger
	log      *slog.Logger
	listener net.Listener
	server   *http.Server
	path     [sha256.Size]byte // hash of the path
	gate     gate
	reading  budget
	pressure pressure
}

// New checks the options and listens: a port that is in use is its error. Requests are
// answered once Run is called; without Run, Close must be. The ledger must be the intake's,
// and the intake have the bounds of this package.
func New(ctx context.Context, opts Options, intake *consumer.Intake, ledger *consumer.Ledger, log *slog.Logger) (*Input, error) {
	in, err := prepare(ctx, &opts, log)
	if err != nil {
		return nil, fmt.Errorf("http input %q: %w", opts.Address, err)
	}
	in.opts, in.intake, in.ledger, in.log = opts, intake, ledger, log
	in.pressure = pressure{intake: intake, ledger: ledger, log: log}
	in.reading.left.Store(maxReading)
	in.path = sha256.Sum256([]byte(opts.SecretPath))
	in.server.Handler = http.HandlerFunc(in.serve)
	in.server.ConnState = (&connections{most: opts.MaxConnections, ledger: ledger}).state
	return in, nil
}

// prepare fills in what the options leave out, and makes the listener and its server.
func prepare(ctx context.Context, opts *Options, log *slog.Logger) (*Input, error) {
	if opts.MaxConnections <= 0 {
		opts.MaxConnections = DefaultMaxConnections
	}
	setDefault(&opts.AnswerWithin, DefaultAnswerWithin)
	setDefault(&opts.ReadTimeout, DefaultReadTimeout)
	secret := opts.SecretPath != ""
	if err := checkSecret(opts.SecretPath); err != nil {
		return nil, err
	}
	if !secret {
		opts.SecretPath = "/"
	}
	in := &Input{server: newServer(opts.ReadTimeout, log)}
	if err := in.setTLS(*opts, log); err != nil {
		return nil, err
	}
	at, loopback, err := place(ctx, *opts)
	if err != nil {
		return nil, err
	}
	if !loopback && (opts.CertFile == "" || opts.ClientCAFile == "" && !secret) {
		return nil, errOpen
	}
	in.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", at)
	return in, err
}

// errOpen says what an address that others can reach takes.
var errOpen = errors.New("other hosts can reach this address: give a certificate and its key (TLS), and with them " +
	"an authority for client certificates (mutual TLS) or a secret path; or listen on a loopback address such as 127.0.0.1:2802")

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// minSecret is the least length of a secret path: 16 random characters cannot be guessed.
const minSecret = 16

// checkSecret checks the characters of a secret path: with these it has one spelling only.
func checkSecret(path string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
	if path == "" {
		return nil
	}
	if path[0] != '/' || len(path) <= minSecret || strings.Trim(path, allowed) != "" {
		return fmt.Errorf("the secret path must be a slash and at least %d of the characters a-z A-Z 0-9 - . _ ~ and /", minSecret)
	}
	return nil
}

// place is where to listen, and whether that is a loopback address. A host's name is resolved
// here, so that what was checked is what is listened on.
func place(ctx context.Context, opts Options) (address string, loopback bool, err error) {
	host, port, err := net.SplitHostPort(opts.Address)
	if err != nil {
		return "", false, fmt.Errorf("want HOST:PORT: %w", err)
	}
	if host == "" {
		return opts.Address, false, nil
	}
	lookup := opts.Lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupNetIP
	}
	addrs, err := lookup(ctx, "ip", host)
	if err != nil {
		return "", false, fmt.Errorf("look up the host: %w", err)
	}
	best := addrs[0] // there is one, or an error
	for _, a := range addrs {
		if a.Unmap().Is4() {
			best = a // as net.Listen chooses
			break
		}
	}
	best = best.Unmap()
	return net.JoinHostPort(best.String(), port), best.IsLoopback(), nil
}

// newServer makes the server with its bounds.
func newServer(readTimeout time.Duration, log *slog.Logger) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: min(headerTimeout, readTimeout),
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// Its lines are about clients that do not speak HTTP or TLS: who sends them could fill
		// a log with them.
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true,
		HTTP2:                        &http.HTTP2Config{MaxReceiveBufferPerConnection: http2Buffer, MaxReceiveBufferPerStream: http2Buffer},
	}
}

// setTLS lets the server speak TLS if there is a certificate.
func (in *Input) setTLS(opts Options, log *slog.Logger) error {
	switch {
	case opts.CertFile == "" && opts.KeyFile == "" && opts.ClientCAFile == "":
		return nil
	case opts.CertFile == "" || opts.KeyFile == "":
		return errors.New("TLS needs both a certificate and its key")
	default:
	}
	certs := &certificates{cert: opts.CertFile, key: opts.KeyFile, clientCA: opts.ClientCAFile, log: log}
	config, err := certs.load()
	if err != nil {
		return err
	}
	config.GetConfigForClient = certs.forClient
	in.server.TLSConfig = config
	return nil
}

// Addr is the address that it listens on.
func (in *Input) Addr() net.Addr { return in.listener.Addr() }

// Close stops listening. It is for an input whose Run is not called.
func (in *Input) Close() error { return in.listener.Close() }

// Run answers requests until ctx ends, and then takes no new ones, gives those under way
// stopTimeout to end, and returns nil. An error says that connections cannot be accepted any
// more. When it returns, nothing uses the intake. It must be called once.
func (in *Input) Run(ctx context.Context) error {
	in.pressure.start()
	in.log.Info("listening for alerts", "address", in.Addr().String(),
		"tls", in.opts.CertFile != "", "client_certificates", in.opts.ClientCAFile != "", "secret_path", in.opts.SecretPath != "/")
	served := make(chan error, 1)
	go func() { served <- in.accept() }()
	var err error
	select {
	case err = <-served:
		in.end(ctx)
	case <-ctx.Done():
		in.end(ctx)
		err = <-served
	}
	in.pressure.stop()
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http input %q: %w", in.opts.Address, err)
	}
	return nil
}

// accept accepts connections until the server is told to end.
func (in *Input) accept() error {
	if in.server.TLSConfig != nil {
		return in.server.ServeTLS(in.listener, "", "")
	}
	return in.server.Serve(in.listener)
}

// end waits for the requests under way, cuts off those that take too long, and lets no more in.
func (in *Input) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if in.server.Shutdown(ctx) != nil {
		_ = in.server.Close() // there is nothing more that one could do
	}
	in.gate.close()
}
