package journal_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// BenchmarkAppendAlerts appends to a full log of the default size; one op is one call.
func BenchmarkAppendAlerts(b *testing.B) {
	const different = 1 << 17 // twice what is kept: an alert that comes again has been evicted
	alerts := make([]*alert.Alert, different)
	for n := range alerts {
		alerts[n] = numbered(n)
	}
	for _, size := range []uint64{1, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := journal.NewMemory(journal.MemoryOptions{})
			done := m.Done()
			next := func() {
				at := done.Seq % different
				isNew, err := m.AppendAlerts(b.Context(), alerts[at:at+size])
				if err != nil || !isNew[0] {
					b.Fatal(isNew, err)
				}
				done.Seq += size
				if done.Seq%1024 == 0 {
					if err := m.AppendReports(b.Context(), done, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
			for done.Seq < different {
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}

// BenchmarkAppendReports appends to a full log of the default size.
func BenchmarkAppendReports(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := journal.NewMemory(journal.MemoryOptions{})
			reports := make([]journal.Report, 1<<15)
			for n := range reports {
				reports[n] = journal.Report{ID: numbered(n).ID, Revision: 1, Data: make([]byte, 10)}
			}
			at := 0
			next := func() {
				if err := m.AppendReports(b.Context(), journal.Cursor{}, reports[at:at+size]); err != nil {
					b.Fatal(err)
				}
				at = (at + size) % len(reports)
			}
			for range len(reports) / size {
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}

// BenchmarkReadReports appends a report and waits until every reader has it; all wait at the
// tail. append-ns/op is what the writer spends on it.
func BenchmarkReadReports(b *testing.B) {
	for _, readers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			m := journal.NewMemory(journal.MemoryOptions{})
			var running, got sync.WaitGroup
			for range readers {
				running.Go(func() {
					after := journal.Cursor{}
					for {
						entries, err := m.ReadReports(b.Context(), after, 64)
						if err != nil {
							return // closed
						}
						after = entries[len(entries)-1].Cursor
						got.Done()
					}
				})
			}
			report := []journal.Report{{ID: numbered(1).ID, Revision: 1, Data: make([]byte, 10)}}
			var writing time.Duration
			b.ReportAllocs()
			for b.Loop() {
				got.Add(readers)
				begin := time.Now()
				if err := m.AppendReports(b.Context(), journal.Cursor{}, report); err != nil {
					b.Fatal(err)
				}
				writing += time.Since(begin)
				got.Wait()
			}
			b.ReportMetric(float64(writing.Nanoseconds())/float64(b.N), "append-ns/op")
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
			running.Wait()
		})
	}
}
