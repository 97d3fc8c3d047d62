package serve

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Subscribe implements ReportService. The place where it begins is fixed when the call
// arrives. Then the response headers are sent, so that a client that has them knows that it
// misses nothing from there on.
func (r *reports) Subscribe(req *pb.SubscribeRequest, stream grpc.ServerStreamingServer[pb.SubscribeResponse]) error {
	ctx := stream.Context()
	logger := r.logger.With("peer", peerName(ctx))
	logger.DebugContext(ctx, "a subscriber came")
	began := time.Now()
	counts := r.readers.enter(peerName(ctx))
	defer r.readers.leave(counts)
	sub := &subscription{reports: r, stream: stream, limit: 1, counts: counts}
	err := sub.serve(ctx, req)
	logger.InfoContext(ctx, "a subscriber left", "reason", leaveReason(ctx, err),
		"sent", counts.delivered.Load(), "missed", counts.missed.Load(), "duration", time.Since(began))
	return err
}

// subscription is one Subscribe call; it is used by the goroutine of the call only.
type subscription struct {
	reports *reports
	stream  grpc.ServerStreamingServer[pb.SubscribeResponse]
	place   journal.Cursor        // what comes next stands after it
	batch   []journal.ReportEntry // read and not sent yet
	limit   int                   // how many entries to read next
	counts  *reader
}

// serve runs the subscription to its end.
func (s *subscription) serve(ctx context.Context, req *pb.SubscribeRequest) error {
	select {
	case s.reports.subscribers <- struct{}{}:
		defer func() { <-s.reports.subscribers }()
	default:
		return status.Errorf(codes.ResourceExhausted,
			"there are %d subscribers already, and falco-reporter serves no more at once", cap(s.reports.subscribers))
	}
	stats, err := s.reports.journal.Stats(ctx)
	if err != nil {
		return s.reports.failure(ctx, "find the end of the report log", err)
	}
	if s.place, err = startPlace(req, stats); err != nil {
		return err
	}
	s.counts.place.Store(s.place.Seq)
	if err := s.stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		if err := s.read(ctx); err != nil {
			return err
		}
		if err := s.send(); err != nil {
			return err
		}
	}
}

// read fills the batch. It tells the client what it missed if the place is no longer kept;
// the batch may be empty then.
func (s *subscription) read(ctx context.Context) error {
	if ctx.Err() != nil { // at once, also with reports left to read
		return s.reports.failure(ctx, "read reports", ctx.Err())
	}
	entries, err := s.reports.journal.ReadReports(ctx, s.place, s.limit)
	var pruned *journal.PrunedError
	switch {
	case err == nil:
		s.take(entries)
		return nil
	case errors.As(err, &pruned):
		return s.tellMissed(pruned)
	default:
		return s.reports.failure(ctx, "read reports", err)
	}
}

// take keeps as many of the entries as the bounds allow and leaves the others to be read
// again. It copies them, because a part of the slice would hold on to all of it. The next
// read asks for as many as fitted: twice the number if there was room, else no more.
func (s *subscription) take(entries []journal.ReportEntry) {
	room := s.reports.opts.BatchBytes
	for i, e := range entries {
		room -= len(e.Data)
		if room < 0 && i > 0 {
			s.limit = i
			return
		}
		s.batch = append(s.batch, e)
	}
	if len(entries) == s.limit {
		s.limit = min(2*s.limit, s.reports.opts.BatchReports)
	}
}

// send sends the batch. While it waits for the client it holds what is not sent yet, no more.
func (s *subscription) send() error {
	for i, e := range s.batch {
		s.batch[i] = journal.ReportEntry{}
		if err := s.stream.SendMsg(&frame{cursor: e.Cursor.String(), report: e.Data}); err != nil {
			return err
		}
		s.place = e.Cursor
		s.counts.place.Store(e.Cursor.Seq)
		s.counts.delivered.Add(1)
	}
	s.batch = s.batch[:0]
	return nil
}

// tellMissed tells the client of a gap and goes to its end.
func (s *subscription) tellMissed(gap *journal.PrunedError) error {
	err := s.stream.Send(&pb.SubscribeResponse{
		Cursor: gap.Resume.String(),
		Event:  &pb.SubscribeResponse_Missed{Missed: &pb.Missed{Count: gap.Missed}},
	})
	if err != nil {
		return err
	}
	s.place = gap.Resume
	s.counts.place.Store(gap.Resume.Seq)
	s.counts.missed.Add(gap.Missed)
	return nil
}

// peerName names the client of a call for the log.
func peerName(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return "unknown"
	}
	if name := p.Addr.String(); name != "" && name != "@" {
		return name
	}
	return p.Addr.Network() // the client end of a unix socket has no name
}

// leaveReason says in the log why a subscription ended.
func leaveReason(ctx context.Context, err error) string {
	st := status.Convert(err)
	switch {
	case stopping(ctx):
		return "falco-reporter stops"
	case st.Code() == codes.Canceled:
		return "it went away"
	case st.Code() == codes.DeadlineExceeded:
		return "its deadline passed"
	default:
		return st.Message()
	}
}
