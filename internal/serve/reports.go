package serve

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// reports implements ReportService.
type reports struct {
	pb.UnimplementedReportServiceServer
	opts        Options
	journal     journal.Journal
	logger      *slog.Logger
	subscribers chan struct{} // holds one for each subscriber
	readers     readers
	closed      func() // called when the journal turns out to be closed
}

func newReports(opts Options, closed func()) *reports {
	return &reports{
		opts: opts, journal: opts.Journal, logger: opts.Logger, closed: closed,
		subscribers: make(chan struct{}, opts.MaxSubscribers),
	}
}

// GetReport implements ReportService.
func (r *reports) GetReport(ctx context.Context, req *pb.GetReportRequest) (*pb.GetReportResponse, error) {
	id, err := alert.ParseID(req.GetId())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "id: "+err.Error())
	}
	entry, err := r.journal.Report(ctx, id)
	if err != nil {
		return nil, r.failure(ctx, "get a report", err)
	}
	report := new(pb.Report)
	if err := proto.Unmarshal(entry.Data, report); err != nil {
		return nil, r.failure(ctx, "decode a report of the journal", err)
	}
	return &pb.GetReportResponse{Report: report, Cursor: entry.Cursor.String()}, nil
}

// GetStatus implements ReportService.
func (r *reports) GetStatus(ctx context.Context, _ *pb.GetStatusRequest) (*pb.GetStatusResponse, error) {
	resp := new(pb.GetStatusResponse)
	if r.opts.Status != nil {
		var err error
		if resp, err = r.opts.Status(ctx); err != nil {
			return nil, r.failure(ctx, "describe the daemon", err)
		}
	}
	stats, err := r.journal.Stats(ctx)
	if err != nil {
		return nil, r.failure(ctx, "describe the journal", err)
	}
	resp.Journal = &pb.JournalStatus{
		Id:        stats.ID,
		Kind:      stats.Kind,
		Alerts:    logStatus(stats.Alerts),
		Reports:   logStatus(stats.Reports),
		Path:      stats.Path,
		Failure:   stats.Failure,
		DiskBytes: uint64(max(stats.DiskBytes, 0)),
	}
	if !stats.Since.IsZero() {
		resp.Journal.FailingSince = timestamppb.New(stats.Since)
	}
	resp.Readers = append(resp.Readers, r.readers.status(stats.Reports)...)
	resp.Subscribers = uint32(len(r.subscribers)) //nolint:gosec // at most MaxSubscribers
	return resp, nil
}

// logStatus describes one log of the journal.
func logStatus(l journal.LogStats) *pb.LogStatus {
	newest := l.Tail.String()
	if l.Tail.Seq == 0 { // a place, but no entry's
		newest = ""
	}
	return &pb.LogStatus{
		OldestCursor: l.Oldest.String(),
		NewestCursor: newest,
		Entries:      uint64(max(0, l.Entries)),
		Bytes:        uint64(max(0, l.Bytes)),
	}
}

// failure is the status of a call that failed while doing what is named. What the caller
// cannot know or mend goes to the log.
func (r *reports) failure(ctx context.Context, doing string, err error) error {
	switch {
	case stopping(ctx):
		return errStopping
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, journal.ErrNotFound):
		return status.Error(codes.NotFound, "no report with this id is kept")
	case errors.Is(err, journal.ErrForeignCursor):
		return errForeignCursor
	case errors.Is(err, journal.ErrClosed):
		r.closed()
		return status.Error(codes.Unavailable, "the journal is closed; falco-reporter must be restarted")
	default:
		r.logger.ErrorContext(ctx, "a call failed", "doing", doing, "error", err)
		return status.Error(codes.Internal, "falco-reporter could not "+doing+"; its log says more")
	}
}
