package falcohttp_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// patience bounds every wait of these tests; none takes nearly as long.
const patience = 20 * time.Second

// made is an alert as Falco posts it, of about 2.5 kB; n tells alerts apart.
func made(n int) []byte {
	return fmt.Appendf(nil, `{"hostname":"h","output":"10:00:00.000000001: Warning something %d","priority":"Warning","rule":"r","source":"syscall",`+
		`"tags":["a"],"time":"2026-11-22T01:00:00.%09dZ","output_fields":{"proc.cmdline":"%s","n":%d}}`, n, n, strings.Repeat("x", 2300), n)
}

// gated is a journal that takes alerts only while its gate is open.
type gated struct {
	*journal.Memory
	arrived chan struct{} // gets something when a write begins to wait
	open    chan struct{}
}

func (g *gated) AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...journal.Position) ([]bool, error) {
	select {
	case g.arrived <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return g.Memory.AppendAlerts(ctx, alerts, positions...)
}

// bench is an input on its way to a journal.
type bench struct {
	testing.TB
	journal *gated
	ledger  *consumer.Ledger
	logs    *lockedBuffer
	address string
	url     string
	client  *http.Client
	change  chan struct{} // gets something after a change of the ledger's state
	cancel  context.CancelFunc
	ended   chan struct{}
	stop    func() consumer.Status
}

// listen starts an input on a free port, with an open gate and, unless options say otherwise,
// time enough for a machine that is busy. It ends, at the latest, with the test, where the sums
// of its ledger must hold.
func listen(t testing.TB, opts falcohttp.Options) *bench {
	t.Helper()
	opts.AnswerWithin = cmp.Or(opts.AnswerWithin, patience)
	opts.ReadTimeout = cmp.Or(opts.ReadTimeout, patience)
	b := stuck(t, opts, consumer.IntakeOptions{})
	close(b.journal.open)
	return b
}

// stuck is listen with a closed gate.
func stuck(t testing.TB, opts falcohttp.Options, bounds consumer.IntakeOptions) *bench {
	t.Helper()
	if opts.Address == "" {
		opts.Address = "127.0.0.1:0"
	}
	b := &bench{TB: t, logs: new(lockedBuffer), change: make(chan struct{}, 1), ended: make(chan struct{})}
	b.journal = &gated{
		Memory:  journal.NewMemory(journal.MemoryOptions{AlertEntries: 1 << 20, AlertBytes: 1 << 30}),
		arrived: make(chan struct{}, 1), open: make(chan struct{}),
	}
	if bounds.MaxAlerts == 0 {
		bounds = consumer.IntakeOptions{MaxAlerts: falcohttp.QueueLength, MaxBytes: falcohttp.QueueBytes}
	}
	log := slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.ledger = consumer.NewLedger("http", falcohttp.Kind, opts.Address)
	b.ledger.OnState(func() {
		select {
		case b.change <- struct{}{}:
		default:
		}
	})
	intake := consumer.NewIntake("http", b.journal, b.ledger, log, bounds)
	in, err := falcohttp.New(t.Context(), opts, intake, b.ledger, log)
	if err != nil {
		t.Fatal(err)
	}
	b.address = in.Addr().String()
	b.url = "http://" + b.address + opts.SecretPath
	b.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 2000}}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	hard, cancelHard := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(b.ended)
		defer intake.Close()
		if err := in.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	wg.Go(func() { _ = intake.Run(hard) })
	b.stop = sync.OnceValue(func() consumer.Status {
		b.client.CloseIdleConnections()
		cancel()
		timer := time.AfterFunc(patience, cancelHard)
		defer timer.Stop()
		wg.Wait()
		cancelHard()
		return b.ledger.Status()
	})
	t.Cleanup(func() {
		s := b.stop()
		stats, err := b.journal.Stats(context.Background())
		if err != nil || s.AtRisk() != 0 || s.Journaled != uint64(stats.Alerts.Entries) || s.State != consumer.StateStopped {
			t.Errorf("in the end: %+v with %d alerts in the journal, %v", s, stats.Alerts.Entries, err)
		}
	})
	b.until(func(s consumer.Status) bool { return s.State == consumer.StateConnected && s.Reason == "" })
	return b
}

// until waits for a change of the state after which the status is as wanted.
func (b *bench) until(wanted func(consumer.Status) bool) {
	b.Helper()
	for timeout := time.After(patience); !wanted(b.ledger.Status()); {
		select {
		case <-b.change:
		case <-timeout:
			b.Fatalf("the status stays %+v", b.ledger.Status())
		}
	}
}

// answered is an answer and what it says.
type answered struct {
	status             int
	proto              string
	header             http.Header
	text               string
	Accepted, Rejected int
	took               time.Duration
}

// send makes a request; header is names and values.
func (b *bench) send(method, url string, body io.Reader, header ...string) (answered, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return answered{}, err
	}
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	start := time.Now()
	resp, err := b.client.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	a := answered{status: resp.StatusCode, proto: resp.Proto, header: resp.Header, text: string(text), took: time.Since(start)}
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// post sends a body as Falco does, and fails the test unless it gets the status.
func (b *bench) post(status int, body []byte) answered {
	b.Helper()
	a, err := b.send(http.MethodPost, b.url, bytes.NewReader(body), "Content-Type", "application/json")
	if err != nil || a.status != status {
		b.Fatalf("answer %d %s, %v; want %d", a.status, a.text, err, status)
	}
	return a
}

// dial opens a connection for what no HTTP client would do.
func (b *bench) dial() net.Conn {
	b.Helper()
	c, err := (&net.Dialer{Timeout: patience}).DialContext(context.Background(), "tcp", b.address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		b.Fatal(err)
	}
	return c
}

// write writes to a connection.
func (b *bench) write(c net.Conn, text string) {
	b.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		b.Fatal(err)
	}
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// BenchmarkPost is a POST of one alert of 2.5 kB by a client in the same process; with a
// server that only reads it, what is left is net/http's and the client's part.
func BenchmarkPost(b *testing.B) {
	b.Run("taken", func(b *testing.B) {
		s := listen(b, falcohttp.Options{})
		bodies(b, func(body []byte) { s.post(http.StatusOK, body) })
	})
	b.Run("read only", func(b *testing.B) {
		l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"accepted":1,"rejected":0}`)
		})}
		done := make(chan struct{})
		go func() { defer close(done); _ = srv.Serve(l) }()
		s := &bench{TB: b, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
		bodies(b, func(body []byte) { s.post(http.StatusOK, body) })
		s.client.CloseIdleConnections()
		_ = srv.Close()
		<-done
	})
}

func bodies(b *testing.B, post func([]byte)) {
	b.ReportAllocs()
	b.SetBytes(int64(len(made(0))))
	for n := 0; b.Loop(); n++ {
		post(made(n))
	}
}
