package serve

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// reader counts what became of the report log with one subscriber. It may be used
// concurrently.
type reader struct {
	name  string
	since time.Time
	// delivered and missed count report revisions; place is the number of the last one that
	// is behind it.
	delivered, missed, place atomic.Uint64
}

// readers are the subscribers that are here, and the sums of those that have left.
type readers struct {
	mu              sync.Mutex
	here            []*reader
	delivered, lost uint64 // of those that have left
	left            bool
}

// enter adds a subscriber.
func (rs *readers) enter(name string) *reader {
	r := &reader{name: name, since: time.Now()}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.here = append(rs.here, r)
	return r
}

// leave takes a subscriber out and keeps its counts.
func (rs *readers) leave(r *reader) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.here = slices.DeleteFunc(rs.here, func(x *reader) bool { return x == r })
	rs.delivered += r.delivered.Load()
	rs.lost += r.missed.Load()
	rs.left = true
}

// Unread says how far a reader is behind in the report log that stands after the entry with a
// number: how many revisions follow, and how many of these, at least, are not kept any more.
func Unread(after uint64, reports journal.LogStats) (behind, pruned uint64) {
	behind = reports.Tail.Seq - min(reports.Tail.Seq, after)
	return behind, behind - min(behind, uint64(max(reports.Entries, 0)))
}

// status describes them all.
func (rs *readers) status(reports journal.LogStats) (out []*pb.ReaderStatus) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.here {
		s := &pb.ReaderStatus{Name: r.name, Delivered: r.delivered.Load(), Missed: r.missed.Load(), Since: timestamppb.New(r.since)}
		s.Behind, s.PrunedUnread = Unread(r.place.Load(), reports)
		out = append(out, s)
	}
	if rs.left {
		out = append(out, &pb.ReaderStatus{Name: "left", Delivered: rs.delivered, Missed: rs.lost})
	}
	return out
}
