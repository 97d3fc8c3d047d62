package serve

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// What a standard client decodes from a frame is the generated message.
func TestFrame(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 70_000} {
		for _, data := range [][]byte{encoded(t, 1, size).Data, nil} { // an empty report is a report
			wire, err := newCodec().Marshal(&frame{cursor: cursor(1), report: data})
			if err != nil {
				t.Fatal(err)
			}
			got, want := new(pb.SubscribeResponse), &pb.SubscribeResponse{Cursor: cursor(1)}
			if err := proto.Unmarshal(wire.Materialize(), got); err != nil {
				t.Fatal(err)
			}
			r := new(pb.Report)
			if err := proto.Unmarshal(data, r); err != nil {
				t.Fatal(err)
			}
			want.Event = &pb.SubscribeResponse_Report{Report: r}
			if !proto.Equal(got, want) {
				t.Errorf("%d bytes: got %.100v, want %.100v", len(data), got, want)
			}
			if len(data) > 0 && &wire[len(wire)-1].ReadOnlyData()[0] != &data[0] {
				t.Error("the report was copied")
			}
		}
	}
}

func TestSubscribeStart(t *testing.T) {
	tests := []struct {
		name    string
		written int // of which the newest 10 are kept
		req     *pb.SubscribeRequest
		first   int // the first report that comes; 21 is written after the call
	}{
		{"no start", 20, &pb.SubscribeRequest{}, 21},
		{"last 0", 20, last(0), 21},
		{"last 2", 20, last(2), 19},
		{"last as many as are kept", 20, last(10), 11},
		{"last more than are kept", 20, last(math.MaxUint32), 11},
		{"after the newest", 20, after(cursor(20)), 21},
		{"after one in the middle", 20, after(cursor(15)), 16},
		{"after the newest that is gone", 20, after(cursor(10)), 11},
		{"no start, empty journal", 0, &pb.SubscribeRequest{}, 1},
		{"last, empty journal", 0, last(5), 1},
		{"before everything, empty journal", 0, after(""), 1},
		{"before everything", 10, after(""), 1},
		{"before the first", 10, after(cursor(0)), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal(t, 10, tt.written)
				s := subscribe(t, t.Context(), serveBuf(t, Options{Journal: j}).client(t), tt.req)
				if tt.first <= tt.written {
					synctest.Wait() // else the next report might push the first out before it is read
				}
				write(t, j, tt.written+1, tt.written+1, 0) // the headers are there: it must come
				wantReports(t, s, tt.first, tt.written+1, 0)
			})
		})
	}
}

func TestSubscribeRefused(t *testing.T) {
	tests := []struct {
		name, cursor string
		code         codes.Code
		text         string
	}{
		{"not a cursor", "\x1b[31mhello", codes.InvalidArgument, "not a cursor"},
		{"of another journal", "0123456789abcdef-12", codes.FailedPrecondition, "another journal"},
		{"before another journal", "0123456789abcdef-0", codes.FailedPrecondition, "another journal"},
		{"beyond the end", cursor(21), codes.FailedPrecondition, "another journal"},
		{"too old by one", cursor(9), codes.OutOfRange, "1 report revisions after the cursor are no longer kept; what is kept begins after cursor " + cursor(10)},
		{"before everything", "", codes.OutOfRange, "10 report revisions"},
	}
	j := newJournal(t, 10, 20)
	r := serveBuf(t, Options{Journal: j})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := r.client(t).Subscribe(t.Context(), after(tt.cursor))
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Recv()
			wantStatus(t, err, tt.code, tt.text)
			if headers, _ := s.Header(); headers != nil {
				t.Errorf("the headers %v say that it was subscribed", headers)
			}
		})
	}
}

// Whoever has a place and is run over is told exactly what is gone, and goes on; also if it
// was waiting for its first report, in an empty journal.
func TestMissed(t *testing.T) {
	for _, before := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			j := newJournal(t, 10, before)
			var log logBuffer
			ctx, leave := context.WithCancel(t.Context())
			c := serveBuf(t, Options{Journal: j, Logger: log.logger()}).client(t)
			s := subscribe(t, ctx, c, &pb.SubscribeRequest{})
			reader := func(name string) *pb.ReaderStatus {
				st, err := c.GetStatus(t.Context(), &pb.GetStatusRequest{})
				if err != nil || len(st.GetReaders()) != 1 || st.GetReaders()[0].GetName() != name {
					t.Fatalf("readers of %v, %v", st, err)
				}
				return st.GetReaders()[0]
			}
			var batch []journal.Report
			for n := before + 1; n <= before+50; n++ {
				batch = append(batch, encoded(t, n, 0))
			}
			add(t, j, batch...) // of which 10 are kept
			got, err := s.Recv()
			want := &pb.SubscribeResponse{Cursor: cursor(before + 40), Event: &pb.SubscribeResponse_Missed{Missed: &pb.Missed{Count: 40}}}
			if err != nil || !proto.Equal(got, want) {
				t.Fatalf("got %v, %v, want %v", got, err, want)
			}
			wantReports(t, s, before+41, before+50, 0)
			write(t, j, before+51, before+51, 0)
			wantReports(t, s, before+51, before+51, 0)
			if r := reader("bufconn"); r.GetDelivered() != 11 || r.GetMissed() != 40 || r.GetBehind() != 0 {
				t.Errorf("the reader is %v", r)
			}
			leave()
			synctest.Wait()
			if r := reader("left"); r.GetDelivered() != 11 || r.GetMissed() != 40 {
				t.Errorf("when it has left it is %v", r)
			}
			if left := log.lines(`"reason":"it went away"`, `"peer":"bufconn"`, `"sent":11`, `"missed":40`); len(left) != 1 {
				t.Errorf("%d lines tell of the end, want 1:\n%s", len(left), &log.buf)
			}
		})
	}
}

// A subscriber that never reads delays neither the writer nor others, on its own connection
// or on theirs; and when it reads at last, it gets a part, a count, and the rest.
func TestStuckSubscriber(t *testing.T) {
	const kept, reports, size = 50, 2000, 70_000 // each larger than the 64 KiB window
	j := newJournal(t, kept, 0)
	r := serveUnix(t, Options{Journal: j}, socketIn(t))
	shared := r.client(t)
	reader := subscribe(t, t.Context(), shared, &pb.SubscribeRequest{})
	stuck := []stream{
		subscribe(t, t.Context(), shared, &pb.SubscribeRequest{}),
		subscribe(t, t.Context(), r.client(t), &pb.SubscribeRequest{}),
	}
	r1 := encoded(t, 1, size)
	for n := 1; n <= reports; n++ { // in step: the reader misses nothing
		add(t, j, r1)
		if got, err := reader.Recv(); err != nil || got.GetCursor() != cursor(n) || got.GetReport() == nil {
			t.Fatalf("got %.200v, %v, want report %d", got, err, n)
		}
	}
	for i, s := range stuck {
		place, missed := journal.Cursor{Journal: journalID}, uint64(0)
		for place.Seq < reports {
			got, err := s.Recv()
			if err != nil {
				t.Fatal(err)
			}
			step := uint64(1)
			if m := got.GetMissed(); m != nil {
				step = m.GetCount()
				missed += step
			}
			if place.Seq += step; got.GetCursor() != place.String() {
				t.Fatalf("stuck %d: got %s, want %s", i, got.GetCursor(), place)
			}
		}
		if missed == 0 {
			t.Errorf("stuck %d missed nothing: it was not stuck", i)
		}
	}
}

// A batch is bounded by entries and by bytes, but for a single report.
func TestBatch(t *testing.T) {
	tests := []struct{ maxReports, maxBytes, size, want int }{
		{4, 1 << 20, 10_000, 4},
		{1000, 50_000, 1000, 46}, // with what is around the summary
		{1000, 50_000, 300_000, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			j := newJournal(t, 1000, 0)
			write(t, j, 1, 10*tt.want, tt.size)
			opts := Options{Journal: j, BatchReports: tt.maxReports, BatchBytes: tt.maxBytes}
			sub := &subscription{reports: newReports(opts, nil), limit: 1}
			largest := 0
			for range 10 {
				sub.batch = nil
				if err := sub.read(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, e := range sub.batch {
					if e.Cursor.Seq != sub.place.Seq+1 {
						t.Fatalf("%v comes after %v", e.Cursor, sub.place)
					}
					sub.place = e.Cursor
				}
				largest = max(largest, len(sub.batch))
			}
			if largest != tt.want {
				t.Errorf("the largest batch has %d reports, want %d", largest, tt.want)
			}
		})
	}
}

// A subscription that is over reads no more, however much there is to read.
func TestNothingIsReadAfterTheEnd(t *testing.T) {
	j := &spy{Journal: newJournal(t, 10, 10), fail: func() error {
		t.Error("the journal was read")
		return errBroken
	}}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopping)
	err := (&subscription{reports: newReports(Options{Journal: j}, nil), limit: 1}).read(ctx)
	wantStatus(t, err, codes.Unavailable, "falco-reporter is stopping")
}

// What is read ahead for a subscriber that does not read is bounded: by its window, the pipe
// and gRPC's write quota, 64 KiB each, gRPC's write buffer of 32 KiB, and two batches (the one
// that is held, and what did not fit into it).
func TestStuckSubscriberHoldsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 10_000
		j := &spy{Journal: newJournal(t, 10_000, 0)}
		subscribe(t, t.Context(), serveBuf(t, Options{Journal: j}).client(t), &pb.SubscribeRequest{})
		write(t, j, 1, 600, size)
		synctest.Wait() // until nothing moves any more
		const bound = 3*64<<10 + 32<<10 + 2*defaultBatchBytes + size
		if got := j.newest * size; got == 0 || got > bound {
			t.Errorf("%d bytes were read ahead, want at most %d", got, bound)
		}
	})
}

// Whoever goes on after its last cursor gets everything once, from one server with the
// journal after the other, while reports are written.
func TestResume(t *testing.T) {
	const reports, size = 400, 3000
	j, path := newJournal(t, reports, 0), socketIn(t)
	var writing sync.WaitGroup
	writing.Go(func() { write(t, j, 1, reports, size) })
	next := 1
	for next <= reports {
		r := serveUnix(t, Options{Journal: j}, path)
		s := subscribe(t, t.Context(), r.client(t), after(cursor(next-1)))
		taken := min(50, reports-next+1)
		wantReports(t, s, next, next+taken-1, size)
		next += taken
		r.stop() // what is on its way still comes, and then the reason
		for {
			got, err := s.Recv()
			if err != nil {
				wantStatus(t, err, codes.Unavailable, "is stopping")
				break
			}
			if got.GetCursor() != cursor(next) {
				t.Fatalf("got %s, want %s", got.GetCursor(), cursor(next))
			}
			next++
		}
		if err := <-r.err; err != nil {
			t.Fatal(err)
		}
	}
	writing.Wait()
}

func TestManySubscribers(t *testing.T) {
	const conns, each, reports = 6, 50, 40
	j := newJournal(t, 1000, 10)
	r := serveUnix(t, Options{Journal: j, MaxSubscribers: conns * each}, socketIn(t))
	var readers sync.WaitGroup
	for range conns {
		c := r.client(t)
		for range each {
			s := subscribe(t, t.Context(), c, last(10))
			readers.Go(func() {
				for n := 1; n <= reports; n++ {
					if got, err := s.Recv(); err != nil || got.GetCursor() != cursor(n) {
						t.Errorf("got %v, %v, want report %d", got, err, n)
						return
					}
				}
			})
		}
	}
	write(t, j, 11, reports, 2000)
	readers.Wait()
	if st, err := r.client(t).GetStatus(t.Context(), &pb.GetStatusRequest{}); err != nil || st.GetSubscribers() != conns*each {
		t.Errorf("status %v, %v, want %d subscribers", st, err, conns*each)
	}
}

func TestTooManySubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		j := newJournal(t, 10, 1)
		c := serveBuf(t, Options{Journal: j, MaxSubscribers: 2, Logger: log.logger()}).client(t)
		ctx, leave := context.WithCancel(t.Context())
		subscribe(t, ctx, c, last(0))
		subscribe(t, t.Context(), c, last(0))
		s, err := c.Subscribe(t.Context(), last(1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Recv()
		wantStatus(t, err, codes.ResourceExhausted, "2 subscribers")
		leave()
		synctest.Wait()
		wantReports(t, subscribe(t, t.Context(), c, last(1)), 1, 1, 0) // there is room again
	})
}
