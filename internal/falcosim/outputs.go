package falcosim

import (
	"context"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// callsAtOnce is how many calls of each method Falco serves at a time: ten for each of its gRPC
// threads, of which it has one for each of two processors. Further calls hang.
const callsAtOnce = 20

// outputsService is falco.outputs.service.
type outputsService struct {
	outputs.UnimplementedServiceServer
	server     *Server
	subs, gets chan struct{} // one element for each call that is served
}

func newOutputsService(s *Server) *outputsService {
	return &outputsService{
		server: s,
		subs:   make(chan struct{}, callsAtOnce),
		gets:   make(chan struct{}, callsAtOnce),
	}
}

// Sub answers each request with what is in the queue, and what comes into it meanwhile, then
// waits for the next one. It goes on after the client has closed its side.
func (o *outputsService) Sub(stream outputs.Service_SubServer) error {
	ctx := stream.Context()
	if err := o.admit(ctx, o.subs); err != nil {
		return err
	}
	defer o.leave(func(st *Stats) { st.Subs-- }, o.subs)
	o.server.queue.update(func(st *Stats) { st.Subs++ })
	requests := o.receive(stream)
	for {
		select {
		case <-o.server.down:
			return nil
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case _, open := <-requests:
			if !open {
				requests = nil // the client has closed its side: wait for the end
				continue
			}
			if err := o.drain(stream); err != nil {
				return err
			}
		}
	}
}

// Get answers with what is in the queue and ends when that is empty.
func (o *outputsService) Get(_ *outputs.Request, stream outputs.Service_GetServer) error {
	if err := o.admit(stream.Context(), o.gets); err != nil {
		return err
	}
	defer o.leave(func(st *Stats) { st.Gets-- }, o.gets)
	o.server.queue.update(func(st *Stats) { st.Gets++ })
	return o.drain(stream)
}

// admit waits until there is a place for the call.
func (o *outputsService) admit(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	o.server.log.Debug("falcosim: too many calls, one hangs")
	o.server.queue.update(func(st *Stats) { st.Hanging++ })
	defer o.server.queue.update(func(st *Stats) { st.Hanging-- })
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-o.server.down:
		return status.Error(codes.Unavailable, "Falco stops")
	}
}

// leave notes the end of a call and frees its place.
func (o *outputsService) leave(change func(*Stats), places chan struct{}) {
	<-places
	o.server.queue.update(change)
}

// receive reads the requests of a sub call, as Falco does: not before the one before is dealt
// with. The channel is closed when no more will come.
func (o *outputsService) receive(stream outputs.Service_SubServer) <-chan struct{} {
	requests := make(chan struct{})
	o.server.readers.Go(func() {
		defer close(requests)
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
			select {
			case requests <- struct{}{}:
			case <-stream.Context().Done():
				return
			}
		}
	})
	return requests
}

// drain sends what is in the queue until it is empty. What it has taken off the queue is lost
// if the stream breaks.
func (o *outputsService) drain(stream grpc.ServerStream) error {
	o.server.queue.update(func(st *Stats) { st.RequestsReceived++ })
	for {
		select {
		case <-o.server.down:
			return nil
		default:
		}
		m, ok := o.server.queue.take()
		if !ok {
			return nil
		}
		if err := stream.SendMsg(message(m)); err != nil {
			return err
		}
		o.server.queue.update(func(st *Stats) { st.Sent++ })
	}
}
