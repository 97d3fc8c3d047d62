package serve

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// recovery keeps a panic in the handler of one call from ending the daemon.
type recovery struct{ logger *slog.Logger }

// unary implements grpc.UnaryServerInterceptor.
func (r recovery) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() { err = r.recovered(ctx, info.FullMethod, recover(), err) }()
	return handler(ctx, req)
}

// stream implements grpc.StreamServerInterceptor.
func (r recovery) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() { err = r.recovered(stream.Context(), info.FullMethod, recover(), err) }()
	return handler(srv, stream)
}

// recovered is err, or the status of a call whose handler panicked with p.
func (r recovery) recovered(ctx context.Context, method string, p any, err error) error {
	if p == nil {
		return err
	}
	r.logger.ErrorContext(ctx, "a call failed with a panic",
		"method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return status.Error(codes.Internal, "falco-reporter failed on this call; its log says more")
}
