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

// status describes them all; tail is the end of the report log.
func (rs *readers) status(tail journal.Cursor) (out []*pb.ReaderStatus) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.here {
		s := &pb.ReaderStatus{Name: r.name, Delivered: r.delivered.Load(), Missed: r.missed.Load(), Since: timestamppb.New(r.since)}
		if at := r.place.Load(); tail.Seq > at {
			s.Behind = tail.Seq - at
		}
		out = append(out, s)
	}
	if rs.left {
		out = append(out, &pb.ReaderStatus{Name: "left", Delivered: rs.delivered, Missed: rs.lost})
	}
	return out
}
