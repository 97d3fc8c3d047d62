package ancestry_test

import (
	"os"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// BenchmarkCapture looks alerts of this process up, in batches as an input brings them.
func BenchmarkCapture(b *testing.B) {
	tr := start(b, options(true))
	base := makeAlert(b, time.Now(), map[string]any{"proc.pid": os.Getpid(), "evt.type": "openat"})
	batch := make([]*alert.Alert, 256)
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch {
			batch[i] = clone(base)
		}
		tr.Capture(b.Context(), batch)
	}
	if len(batch[0].Captured) == 0 {
		b.Fatal("nothing was captured")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/alert")
}

// BenchmarkCaptureWithoutPid does the same for alerts that name no pid.
func BenchmarkCaptureWithoutPid(b *testing.B) {
	tr := start(b, options(true))
	base := makeAlert(b, time.Now(), map[string]any{"proc.name": "nobody", "proc.cmdline": "nobody x", "proc.pname": "sh"})
	b.ReportAllocs()
	for b.Loop() {
		tr.Capture(b.Context(), []*alert.Alert{clone(base)})
	}
}
