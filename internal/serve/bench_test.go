package serve

import (
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// discard is the codec of a client that throws away what it gets.
type discard struct{ encoding.CodecV2 }

func (discard) Unmarshal(mem.BufferSlice, any) error { return nil }

// processorTime is what this process has used so far.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSubscribers writes reports of 4 kB, 64 at a time, to subscribers on unix sockets
// that throw them away, each on its own connection. An operation is a report that all have.
// The clients' transport runs in the same process: cpu-us/delivery is both sides of it.
func BenchmarkSubscribers(b *testing.B) {
	const at, size = 64, 4000
	for _, subscribers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(subscribers), func(b *testing.B) {
			j := newJournal(b, 4096, 0)
			r := serveUnix(b, Options{Journal: j}, socketIn(b))
			batch := make([]journal.Report, at)
			for i := range batch {
				batch[i] = encoded(b, i, size)
			}
			var pending, readers sync.WaitGroup
			for range subscribers {
				c := pb.NewReportServiceClient(r.connect(b, grpc.WithDefaultCallOptions(
					grpc.ForceCodecV2(discard{encoding.GetCodecV2(proto.Name)}))))
				s := subscribe(b, b.Context(), c, last(0))
				readers.Go(func() {
					for s.RecvMsg(io.Discard) == nil {
						pending.Done()
					}
				})
			}
			began := processorTime(b)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; n%at == 0 {
					pending.Add(at * subscribers)
					add(b, j, batch...)
					pending.Wait()
				}
			}
			used := processorTime(b) - began
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "reports/s")
			b.ReportMetric(float64(used.Microseconds())/float64(n*subscribers), "cpu-us/delivery")
			r.stop()
			readers.Wait()
		})
	}
}
