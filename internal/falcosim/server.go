package falcosim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
)

// defaultVersion is the last Falco that has gRPC.
const defaultVersion = "0.43.0"

// terminateGrace bounds how long Terminate waits for clients that do not read what they asked
// for. Real service managers wait 90 s before they kill.
const terminateGrace = 2 * time.Second

// ErrStopped says that the server is dead.
var ErrStopped = errors.New("the stand-in of Falco has stopped")

// Options configure a Server. The zero value is a Falco 0.43.0 with json_output off.
type Options struct {
	// JSONOutput is json_output of falco.yaml: the output of every alert is the whole alert in
	// JSON instead of the plain line.
	JSONOutput bool
	// Version is what the version service says; empty is 0.43.0.
	Version string
	// Hostname is the hostname of alerts that have none. Falco always says one.
	Hostname string
	// Logger gets what happens to the server, at debug level; nil is none.
	Logger *slog.Logger
}

// Server is one run of Falco: it lives from New until one of Terminate, Kill and Reload ends
// it, and must be ended by one of them. All methods may be called concurrently.
type Server struct {
	options Options
	log     *slog.Logger
	grpc    *grpc.Server
	queue   queue
	conns   connections
	readers sync.WaitGroup // the goroutines that read the requests of sub calls
	down    chan struct{}  // closed when the streams must end
	end     sync.Once

	mu        sync.Mutex // guards what follows
	listeners []net.Listener
	dead      bool
}

// New makes a server. It takes alerts at once and clients from Serve on.
func New(options Options) *Server {
	if options.Version == "" {
		options.Version = defaultVersion
	}
	s := &Server{options: options, log: options.Logger, down: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.conns.changed = func(open int) { s.queue.update(func(st *Stats) { st.Connections = open }) }
	s.grpc = grpc.NewServer(grpc.ForceServerCodecV2(newCodec()), grpc.WaitForHandlers(true))
	outputs.RegisterServiceServer(s.grpc, newOutputsService(s))
	version.RegisterServiceServer(s.grpc, versionService{version: options.Version})
	return s
}

// Serve serves clients that connect to l, until the server dies, and returns nil then. It
// owns l from now on. It may be called for several listeners; they share the queue. A dead
// server returns ErrStopped.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		return errors.Join(ErrStopped, l.Close())
	}
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	err := s.grpc.Serve(listener{l, &s.conns})
	if err != nil && !s.isDead() {
		return fmt.Errorf("serve the stand-in of Falco on %s: %w", l.Addr(), err)
	}
	return nil
}

// Enqueue puts alerts into the queue, whether or not anybody is connected. Alerts for a dead
// server vanish: there is nobody to make them.
//
// With JSONOutput, an alert with invalid UTF-8 kills the server as it does the real Falco
// 0.43; the alerts before it have been queued and are gone, too.
func (s *Server) Enqueue(alerts ...Alert) {
	for i := range alerts {
		s.enqueue(alerts[i])
	}
}

func (s *Server) enqueue(a Alert) {
	if s.options.JSONOutput && !a.validUTF8() {
		s.log.Debug("falcosim: invalid UTF-8 with json_output", "rule", a.Rule)
		s.Kill()
		return
	}
	if a.Hostname == "" {
		a.Hostname = s.options.Hostname
	}
	s.queue.put(a.Message(s.options.JSONOutput))
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats { return s.queue.snapshot() }

// Wait waits until the condition holds, and returns nil then, or an error that has the
// counters if ctx ends before. Every change of the counters is looked at, however short. The
// condition must not call the server.
func (s *Server) Wait(ctx context.Context, holds func(Stats) bool) error {
	return s.queue.wait(ctx, holds)
}

// Terminate is SIGTERM: open calls end with OK, those that hang with Unavailable, the queue is
// gone with what is in it, and the socket file is removed. It returns when all is ended. A
// client that does not read gets its connection broken after two seconds.
func (s *Server) Terminate() { s.end.Do(s.terminate) }

// Kill is SIGKILL: connections break, so that clients see Unavailable, the queue is gone, and
// the file of a unix socket stays behind, stale. It returns when all is ended.
func (s *Server) Kill() {
	s.end.Do(func() {
		s.log.Debug("falcosim: killed")
		s.markDead(true)
		s.conns.resetAll() // first: whoever is served must not get a proper end
		close(s.down)
		s.queue.drop()
		s.grpc.Stop()
		s.readers.Wait()
	})
}

// Reload is SIGHUP, or a change of the rules. The queue survives and nobody notices, unless a
// sub is open: Falco 0.43 with Debian's gRPC then ends it with OK and aborts, and leaves a stale
// socket file.
func (s *Server) Reload() {
	if s.Stats().Subs == 0 {
		return
	}
	s.end.Do(func() {
		s.keepSocketFiles()
		s.terminate()
	})
}

// Reset lets every open connection break in the middle of the next message that it carries:
// the client gets the beginning of the message and then the end of the connection. The server
// lives on, and the message is lost.
func (s *Server) Reset() {
	for _, c := range s.conns.all() {
		c.cut.Store(true)
	}
}

// terminate ends the server properly.
func (s *Server) terminate() {
	s.log.Debug("falcosim: terminated")
	s.markDead(false)
	close(s.down)
	s.queue.drop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	}()
	grace := time.NewTimer(terminateGrace)
	defer grace.Stop()
	select {
	case <-stopped:
	case <-grace.C:
		s.conns.resetAll()
		s.grpc.Stop()
		<-stopped
	}
	s.readers.Wait()
}

// markDead keeps Serve from being called again.
func (s *Server) markDead(keepSockets bool) {
	s.mu.Lock()
	s.dead = true
	s.mu.Unlock()
	if keepSockets {
		s.keepSocketFiles()
	}
}

// keepSocketFiles lets the files of unix sockets stay when their listeners are closed.
func (s *Server) keepSocketFiles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if u, ok := l.(interface{ SetUnlinkOnClose(unlink bool) }); ok {
			u.SetUnlinkOnClose(false)
		}
	}
}

func (s *Server) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}
