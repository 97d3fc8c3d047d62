package serve

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// errForeignCursor is how a call with a cursor of another journal ends.
var errForeignCursor = status.Error(codes.FailedPrecondition,
	"the cursor is of another journal than the one that is served now; begin anew without it")

// startPlace is the cursor after which a subscription begins, in a journal that is in the
// given state, or the status with which it is refused.
func startPlace(req *pb.SubscribeRequest, stats journal.Stats) (journal.Cursor, error) {
	log := span{id: stats.ID, tail: stats.Reports.Tail.Seq, kept: stats.Reports.Tail.Seq}
	if stats.Reports.Entries > 0 && stats.Reports.Oldest.Seq > 0 {
		log.kept = stats.Reports.Oldest.Seq - 1
	}
	switch start := req.GetStart().(type) {
	case *pb.SubscribeRequest_AfterCursor:
		return log.after(start.AfterCursor)
	case *pb.SubscribeRequest_Last:
		return log.at(log.tail - min(uint64(start.Last), log.tail-log.kept)), nil
	default:
		return log.at(log.tail), nil
	}
}

// span is the part of the report log that is kept: what stands after kept, up to tail.
type span struct {
	id         string
	kept, tail uint64
}

// at is the cursor behind the entry with the number seq, or before the first one. It is never
// the zero Cursor: after that the journal would begin with the oldest entry it keeps, and not
// tell what is gone.
func (s span) at(seq uint64) journal.Cursor {
	return journal.Cursor{Journal: s.id, Seq: seq}
}

// after is the place that a client's cursor names.
func (s span) after(text string) (journal.Cursor, error) {
	c, err := journal.ParseCursor(text)
	switch {
	case err != nil:
		return journal.Cursor{}, status.Error(codes.InvalidArgument, "after_cursor: "+err.Error())
	case c != journal.Cursor{} && c.Journal != s.id, c.Seq > s.tail:
		return journal.Cursor{}, errForeignCursor
	case c.Seq < s.kept:
		return journal.Cursor{}, status.Errorf(codes.OutOfRange,
			"%d report revisions after the cursor are no longer kept; what is kept begins after cursor %s",
			s.kept-c.Seq, s.at(s.kept))
	default:
		return s.at(c.Seq), nil
	}
}
