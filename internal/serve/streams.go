package serve

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errStopping is how streams end when the server stops.
var errStopping = status.Error(codes.Unavailable, "falco-reporter is stopping; connect again and go on after your last cursor")

// streams knows the open streams, so that they can be ended: gRPC itself would wait for them
// for ever. All methods may be called concurrently.
type streams struct {
	mu      sync.Mutex
	ended   bool
	cancels map[*openStream]context.CancelCauseFunc
	running sync.WaitGroup
}

func newStreams() *streams {
	return &streams{cancels: make(map[*openStream]context.CancelCauseFunc)}
}

// openStream is a stream whose context also ends when the server stops.
type openStream struct {
	grpc.ServerStream
	ctx context.Context // grpc.ServerStream hands it out by a method
}

// Context implements grpc.ServerStream.
func (o *openStream) Context() context.Context { return o.ctx }

// intercept implements grpc.StreamServerInterceptor.
func (s *streams) intercept(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	open := &openStream{ServerStream: stream, ctx: ctx}
	if !s.add(open, cancel) {
		return errStopping
	}
	if !info.IsClientStream {
		defer s.remove(open)
		return stoppedOr(ctx, handler(srv, open))
	}
	// A handler that waits for the client to say something (reflection) does not see the
	// context; it ends when its stream has ended.
	done := make(chan error, 1)
	go func() {
		defer s.remove(open)
		done <- handler(srv, open)
	}()
	select {
	case err := <-done:
		return stoppedOr(ctx, err)
	case <-ctx.Done():
		if stopping(ctx) {
			return errStopping
		}
		return <-done
	}
}

// add registers a stream; it is false once streams have been ended.
func (s *streams) add(o *openStream, cancel context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.cancels[o] = cancel
	s.running.Add(1)
	return true
}

func (s *streams) remove(o *openStream) {
	s.mu.Lock()
	delete(s.cancels, o)
	s.mu.Unlock()
	s.running.Done()
}

// end makes all streams end, now and from now on.
func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, cancel := range s.cancels {
		cancel(errStopping)
	}
}

// wait waits for the handlers of all streams. Call it after end.
func (s *streams) wait() { s.running.Wait() }

// stopping reports whether ctx ended because the server stops.
func stopping(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errStopping) }

// stoppedOr is errStopping for a stream that the server ended, and else err.
func stoppedOr(ctx context.Context, err error) error {
	if err != nil && stopping(ctx) {
		return errStopping
	}
	return err
}
