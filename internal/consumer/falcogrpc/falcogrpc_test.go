package falcogrpc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// patience bounds every wait of these tests; none takes nearly as long.
const patience = 20 * time.Second

// made are n alerts of one rule, each its own event; first tells rounds apart.
func made(first, n int) []falcosim.Alert {
	out := make([]falcosim.Alert, n)
	for i := range out {
		at := time.Unix(1795311912, int64(first+i)).UTC()
		out[i] = falcosim.Alert{
			Time: at, Priority: alert.PriorityWarning, Rule: "rule", Source: "syscall", Hostname: "h",
			Fields: []falcosim.Field{{Name: "proc.name", Value: "x"}, {Name: "n", Value: fmt.Sprint(first + i)}},
			Output: at.Format("15:04:05.000000000") + ": Warning something",
		}
	}
	return out
}

// bench is an input on its way to a journal.
type bench struct {
	*testing.T
	path    string
	journal journal.Journal
	ledger  *consumer.Ledger
	logs    *lockedBuffer
	at      journal.Cursor
	changed chan struct{} // gets something after a change of the ledger's state
	stop    func()
}

// subscribe starts an input on a unix socket that need not exist yet. It is stopped, at the
// latest, at the end of the test.
func subscribe(t *testing.T, to consumer.Appender, change func(*falcogrpc.Options)) *bench {
	t.Helper()
	b := &bench{T: t, path: filepath.Join(t.TempDir(), "falco.sock"), logs: new(lockedBuffer), changed: make(chan struct{}, 1)}
	if to == nil {
		b.journal = journal.NewMemory(journal.MemoryOptions{})
		to = b.journal
	}
	opts := falcogrpc.Options{Address: "unix://" + b.path, BackoffBase: 20 * time.Millisecond, BackoffMax: 50 * time.Millisecond}
	if change != nil {
		change(&opts)
	}
	log := slog.New(slog.NewTextHandler(b.logs, nil))
	b.ledger = consumer.NewLedger("grpc", falcogrpc.Kind, opts.Address)
	b.ledger.OnState(func() {
		select {
		case b.changed <- struct{}{}:
		default:
		}
	})
	intake := consumer.NewIntake("grpc", to, b.ledger, log, consumer.IntakeOptions{})
	in, err := falcogrpc.New(opts, intake, b.ledger, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	hard, cancelHard := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer intake.Close()
		if err := in.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	wg.Go(func() { _ = intake.Run(hard) })
	b.stop = sync.OnceFunc(func() {
		cancel()
		timer := time.AfterFunc(patience, cancelHard)
		wg.Wait()
		timer.Stop()
		cancelHard()
	})
	t.Cleanup(b.stop)
	return b
}

// falco starts a stand-in on the socket. What a killed one left there is removed first, as
// Falco does it.
func (b *bench) falco(opts falcosim.Options) *falcosim.Server {
	b.Helper()
	if err := os.Remove(b.path); err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	l, err := net.Listen("unix", b.path)
	if err != nil {
		b.Fatal(err)
	}
	return serveFalco(b.T, l, opts)
}

func serveFalco(t *testing.T, l net.Listener, opts falcosim.Options) *falcosim.Server {
	t.Helper()
	sim := falcosim.New(opts)
	done := make(chan error, 1)
	go func() { done <- sim.Serve(l) }()
	t.Cleanup(func() {
		sim.Terminate()
		if err := <-done; err != nil {
			t.Errorf("the stand-in: %v", err)
		}
	})
	return sim
}

// next waits for n more alerts in the journal and returns the values of their field n.
func (b *bench) next(n int) []string {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out []string
	for len(out) < n {
		entries, err := b.journal.ReadAlerts(ctx, b.at, n-len(out))
		if err != nil {
			b.Fatalf("after %d of %d alerts: %v\n%s", len(out), n, err, b.logs)
		}
		for _, e := range entries {
			out = append(out, e.Alert.String("n"))
			b.at = e.Cursor
		}
	}
	return out
}

// want checks that values count up from first.
func (b *bench) want(got []string, first int) {
	b.Helper()
	for i, s := range got {
		if s != fmt.Sprint(first+i) {
			b.Fatalf("alert %d is number %s; want %d: lost, repeated or out of order", i, s, first+i)
		}
	}
}

// until waits for a condition of the stand-in.
func until(t *testing.T, sim *falcosim.Server, holds func(falcosim.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := sim.Wait(ctx, holds); err != nil {
		t.Fatalf("%v: %+v", err, sim.Stats())
	}
}

func TestEveryAlertArrivesInOrder(t *testing.T) {
	for _, jsonOutput := range []bool{false, true} {
		t.Run(fmt.Sprint("json_output=", jsonOutput), func(t *testing.T) {
			b := subscribe(t, nil, nil)
			sim := b.falco(falcosim.Options{JSONOutput: jsonOutput})
			sim.Enqueue(made(0, 3000)...)
			b.want(b.next(3000), 0)
			sim.Enqueue(made(3000, 1)...) // after a pause, too
			b.want(b.next(1), 3000)
			b.stop()
			s := b.ledger.Status()
			if s.Received != 3001 || s.Journaled != 3001 || s.AtRisk() != 0 || s.Lost != 0 || s.Uncertain != 0 || s.FalcoVersion != "0.43.0" {
				t.Errorf("status %+v", s)
			}
			if s.State != consumer.StateStopped {
				t.Errorf("state %v after the stop", s.State)
			}
		})
	}
}

// TestFalcoMayComeAndGo: the socket missing at the start, an orderly end, a kill that leaves
// the socket behind, a connection that breaks in mid-message.
func TestFalcoMayComeAndGo(t *testing.T) {
	b := subscribe(t, nil, nil)
	sim := b.falco(falcosim.Options{})
	sim.Enqueue(made(0, 100)...)
	b.want(b.next(100), 0)
	sim.Terminate()

	sim = b.falco(falcosim.Options{})
	sim.Enqueue(made(100, 100)...)
	b.want(b.next(100), 100)
	sim.Kill()
	if _, err := os.Stat(b.path); err != nil {
		t.Fatalf("the kill left no socket: %v", err)
	}

	sim = b.falco(falcosim.Options{})
	sim.Enqueue(made(200, 100)...)
	b.want(b.next(100), 200)
	sim.Reset()
	sim.Enqueue(made(300, 1)...) // lost: its message is cut off
	until(t, sim, func(s falcosim.Stats) bool { return s.Taken == 101 && s.Subs == 0 })
	sim.Enqueue(made(400, 100)...)
	b.want(b.next(100), 400)
	b.stop()

	s := b.ledger.Status()
	if s.Received != 400 || s.Journaled != 400 || s.Disconnects != 4 || s.Uncertain != 3 {
		t.Errorf("status %+v; want 400 journaled, 4 disconnects, 3 of them uncertain", s)
	}
	for _, want := range []string{"connected to Falco", "the connection to Falco ended"} {
		if n := strings.Count(b.logs.String(), want); n > 4 {
			t.Errorf("%q was logged %d times for 4 connections:\n%s", want, n, b.logs)
		}
	}
}

// TestTryingIsLoggedOnce: what stays the same is said once, with what to do about it.
func TestTryingIsLoggedOnce(t *testing.T) {
	tries := make(chan struct{}, 1000)
	b := subscribe(t, nil, func(o *falcogrpc.Options) {
		path := strings.TrimPrefix(o.Address, "unix://")
		o.Dial = func(ctx context.Context) (net.Conn, error) {
			select {
			case tries <- struct{}{}:
			default:
			}
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	})
	for range 5 {
		<-tries
	}
	if n := strings.Count(b.logs.String(), "\n"); n != 1 {
		t.Errorf("%d lines for several tries:\n%s", n, b.logs)
	}
	if s := b.ledger.Status(); s.State != consumer.StateConnecting || !strings.Contains(s.Reason, "does not exist") || !strings.Contains(s.Reason, "file_output") {
		t.Errorf("state %v, reason %q; want the missing socket and the other inputs named", s.State, s.Reason)
	}
}

func TestReasonForNobodyListening(t *testing.T) {
	b := subscribe(t, nil, nil)
	sim := b.falco(falcosim.Options{})
	until(t, sim, func(s falcosim.Stats) bool { return s.Subs == 1 })
	sim.Kill()
	b.waitReason("nobody listens")
}

// TestOtherServer: something answers gRPC and is no Falco that has it.
func TestOtherServer(t *testing.T) {
	b := subscribe(t, nil, nil)
	l, err := net.Listen("unix", b.path)
	if err != nil {
		t.Fatal(err)
	}
	other := grpc.NewServer()
	done := make(chan error, 1)
	go func() { done <- other.Serve(l) }()
	t.Cleanup(func() {
		other.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	b.waitReason("no Falco outputs service; Falco 0.44 and later have no gRPC")
}

// waitReason waits until the reason of the state holds a text.
func (b *bench) waitReason(want string) {
	b.Helper()
	timeout := time.After(patience)
	for !strings.Contains(b.ledger.Status().Reason, want) {
		select {
		case <-b.changed:
		case <-timeout:
			b.Fatalf("reason %q; want %q", b.ledger.Status().Reason, want)
		}
	}
}

// TestInvalidUTF8 would end the stream of a standard client, with everything on it.
func TestInvalidUTF8(t *testing.T) {
	b := subscribe(t, nil, nil)
	sim := b.falco(falcosim.Options{})
	alerts := made(0, 3)
	alerts[1].Fields = []falcosim.Field{{Name: "n", Value: "1"}, {Name: "proc.cmdline", Value: "a \xff\xfe b"}}
	sim.Enqueue(alerts...)
	b.want(b.next(3), 0)
	b.stop()
	if s := b.ledger.Status(); s.Journaled != 3 || s.Rejected != 0 || s.Disconnects != 1 {
		t.Errorf("status %+v", s)
	}
}

// TestWhatIsNoAlert is counted and shown, and the rest goes on.
func TestWhatIsNoAlert(t *testing.T) {
	b := subscribe(t, nil, nil)
	sim := b.falco(falcosim.Options{})
	alerts := made(0, 3)
	alerts[1].Rule = ""
	sim.Enqueue(alerts...)
	if got := b.next(2); got[0] != "0" || got[1] != "2" {
		t.Errorf("got %v", got)
	}
	b.stop()
	s := b.ledger.Status()
	if s.Received != 3 || s.Journaled != 2 || s.Rejected != 1 || s.AtRisk() != 0 || !strings.Contains(s.LastRejected, "no rule") {
		t.Errorf("status %+v", s)
	}
}

// TestRepeatsAreCounted: the same event twice is one alert.
func TestRepeatsAreCounted(t *testing.T) {
	b := subscribe(t, nil, nil)
	sim := b.falco(falcosim.Options{})
	sim.Enqueue(append(made(0, 5), made(0, 6)...)...)
	b.want(b.next(6), 0)
	b.stop()
	if s := b.ledger.Status(); s.Received != 11 || s.Journaled != 6 || s.Repeated != 5 || s.AtRisk() != 0 {
		t.Errorf("status %+v", s)
	}
}

// gate is a journal that takes alerts once it is opened.
type gate struct {
	journal.Journal
	open chan struct{}
}

func (g gate) AppendAlerts(ctx context.Context, alerts []*alert.Alert, _ ...journal.Position) ([]bool, error) {
	select {
	case <-g.open:
		return g.Journal.AppendAlerts(ctx, alerts)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestASlowJournalLeavesAlertsWithFalco: what cannot be taken in is not asked for.
func TestASlowJournalLeavesAlertsWithFalco(t *testing.T) {
	g := gate{journal.NewMemory(journal.MemoryOptions{}), make(chan struct{})}
	b := subscribe(t, g, nil)
	b.journal = g
	sim := b.falco(falcosim.Options{})
	until(t, sim, func(s falcosim.Stats) bool { return s.Subs == 1 })
	// Fill the intake alert by alert: each is asked for while there is room.
	n := 0
	for ; n < consumer.QueueLength; n++ {
		sim.Enqueue(made(n, 1)...)
		if n < consumer.QueueLength/2 {
			until(t, sim, func(s falcosim.Stats) bool { return s.Sent == n+1 })
		}
	}
	sim.Enqueue(made(n, 2000)...)
	close(g.open)
	b.want(b.next(n+2000), 0)
	b.stop()
	if s := b.ledger.Status(); s.Lost != 0 || s.Journaled != uint64(n+2000) {
		t.Errorf("status %+v", s)
	}
}

// TestStopLosesNothing: what Falco has handed out when the stop comes still arrives.
func TestStopLosesNothing(t *testing.T) {
	b := subscribe(t, nil, nil)
	sim := b.falco(falcosim.Options{})
	sim.Enqueue(made(0, 4000)...)
	until(t, sim, func(s falcosim.Stats) bool { return s.Sent > 100 })
	b.stop()
	s, falco := b.ledger.Status(), sim.Stats()
	if s.Journaled != uint64(falco.Taken) || s.Lost != 0 || s.AtRisk() != 0 {
		t.Errorf("Falco handed out %d alerts; %+v", falco.Taken, s)
	}
}

// TestPacing: requests go out at the idle interval without alerts. With a busy interval of
// hours a burst arrives in one drain.
func TestPacing(t *testing.T) {
	b := subscribe(t, nil, func(o *falcogrpc.Options) {
		o.IdleInterval, o.BusyInterval = time.Millisecond, time.Hour
	})
	sim := b.falco(falcosim.Options{})
	until(t, sim, func(s falcosim.Stats) bool { return s.RequestsReceived >= 5 })
	sim.Enqueue(made(0, 1)...)
	b.next(1)
}

func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	server := certificates(t, dir)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	clientTLS, err := falcogrpc.MutualTLS(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	b := subscribe(t, nil, func(o *falcogrpc.Options) { o.Address, o.TLS = inner.Addr().String(), clientTLS })
	// The stand-in speaks plain gRPC; TLS ends in the listener.
	sim := serveFalco(t, tls.NewListener(inner, server), falcosim.Options{})
	sim.Enqueue(made(0, 50)...)
	b.want(b.next(50), 0)
}

func TestOptionsAreChecked(t *testing.T) {
	for address, want := range map[string]string{
		"/run/falco.sock":     "want unix:///PATH or HOST:PORT",
		"unix:run/falco.sock": "absolute path",
		"falco.example:5060":  "mutual TLS",
		"":                    "want unix:///PATH or HOST:PORT",
	} {
		if _, err := falcogrpc.New(falcogrpc.Options{Address: address}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("address %q: error %v; want %q", address, err, want)
		}
	}
	if _, err := falcogrpc.New(falcogrpc.Options{Address: "unix:///x", TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, nil, nil, nil); err == nil {
		t.Error("TLS for a unix socket passes")
	}
	dir := t.TempDir()
	certificates(t, dir)
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, files := range [][3]string{
		{"", file("client.pem"), file("client.key")},
		{file("none"), file("client.pem"), file("client.key")},
		{file("client.key"), file("client.pem"), file("client.key")},
		{file("ca.pem"), file("ca.pem"), file("client.key")},
	} {
		if _, err := falcogrpc.MutualTLS(files[0], files[1], files[2]); err == nil {
			t.Errorf("%v passes for CA, certificate and key", files)
		}
	}
}

// certificates writes a CA and a client's certificate and key, and returns the server's side.
func certificates(t *testing.T, dir string) *tls.Config {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey := newKey()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
	}
	ca := template(1, "ca")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	sign := func(c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	caDER := sign(ca, caKey)
	write("ca.pem", "CERTIFICATE", caDER)
	clientKey := newKey()
	write("client.pem", "CERTIFICATE", sign(template(2, "client"), clientKey))
	der, err := x509.MarshalECPrivateKey(clientKey)
	if err != nil {
		t.Fatal(err)
	}
	write("client.key", "EC PRIVATE KEY", der)
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	serverKey := newKey()
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{sign(template(3, "falco"), serverKey)}, PrivateKey: serverKey}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	}
}

// lockedBuffer collects logs.
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
