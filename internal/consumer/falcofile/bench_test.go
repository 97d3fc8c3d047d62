package falcofile_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
)

// BenchmarkBacklog reads 10,000 alerts of 1 kB that wait in a file, into an appender that
// only counts.
func BenchmarkBacklog(b *testing.B) {
	path := b.TempDir() + "/events.log"
	var text strings.Builder
	const alerts = 10_000
	for n := range alerts {
		text.WriteString(strings.Replace(line(n), "something", strings.Repeat("x", 850), 1) + "\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		k := newKeeper()
		r := follow(b, falcofile.Options{Path: path}, k)
		k.await(b, fmt.Sprint(alerts, " alerts"), func() bool { return len(k.got) == alerts })
		r.stop()
	}
	b.ReportMetric(float64(b.N)*alerts/b.Elapsed().Seconds(), "alerts/s")
}
