package falcosim

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// made is alert number i of a test.
func made(i int) Alert {
	at := time.Unix(1795311912, int64(i)).UTC()
	return Alert{
		Time: at, Priority: alert.PriorityWarning, Rule: fmt.Sprintf("rule %d", i), Source: "syscall", Hostname: "h",
		Tags: []string{"host"}, Fields: []Field{{"proc.name", "x"}},
		Output: at.Format(lineTimeLayout) + ": Warning something happened",
	}
}

// big is an alert too large for more than a few to be on their way to a client that does not
// read.
func big(i int) Alert {
	a := made(i)
	a.Output += strings.Repeat(" and more", 2000)
	return a
}

// several are n alerts.
func several(n int, one func(int) Alert) []Alert {
	alerts := make([]Alert, n)
	for i := range alerts {
		alerts[i] = one(i)
	}
	return alerts
}

// transport is a way to reach a server.
type transport struct {
	target string
	listen func() (net.Listener, error)
	dial   []grpc.DialOption
}

// unixSocket is a transport over a socket file.
func unixSocket(tb testing.TB) (transport, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "falco.sock")
	return transport{target: "unix://" + path, listen: func() (net.Listener, error) { return net.Listen("unix", path) }}, path
}

// inMemory is a transport within the process, which runs on the fake time of synctest.
func inMemory() transport {
	l := bufconn.Listen(64 << 10)
	return transport{
		target: "passthrough:///falco",
		listen: func() (net.Listener, error) { return l, nil },
		dial: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return l.DialContext(ctx)
		})},
	}
}

// start serves until the test's end.
func start(tb testing.TB, t transport, options Options) *Server {
	tb.Helper()
	l, err := t.listen()
	if err != nil {
		tb.Fatal(err)
	}
	s := New(options)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	tb.Cleanup(func() {
		s.Kill()
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return s
}

// dial makes a connection with a client's options beside the transport's.
func dial(tb testing.TB, t transport, options ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	c, err := grpc.NewClient(t.target, append(options, t.dial...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("close the connection: %v", err)
		}
	})
	return c
}

// subscribe opens a sub call that ends with the test.
func subscribe(tb testing.TB, c *grpc.ClientConn) outputs.Service_SubClient {
	tb.Helper()
	stream, err := outputs.NewServiceClient(c).Sub(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return stream
}

// request sends one request on a sub call.
func request(tb testing.TB, stream outputs.Service_SubClient) {
	tb.Helper()
	if err := stream.Send(&outputs.Request{}); err != nil {
		tb.Fatalf("send a request: %v", err)
	}
}

// receive receives n alerts and returns their rules.
func receive(tb testing.TB, stream interface {
	Recv() (*outputs.Response, error)
}, n int,
) []string {
	tb.Helper()
	rules := make([]string, 0, n)
	for range n {
		r, err := stream.Recv()
		if err != nil {
			tb.Fatalf("after %d of %d alerts: %v", len(rules), n, err)
		}
		rules = append(rules, r.GetRule())
	}
	return rules
}

// await waits for a condition of the server.
func await(tb testing.TB, s *Server, holds func(Stats) bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	if err := s.Wait(ctx, holds); err != nil {
		tb.Fatal(err)
	}
}

// rawCodec is a client's codec that takes messages as bytes, valid or not.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// withRawCodec makes a connection use it.
func withRawCodec() grpc.DialOption {
	return grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
}
