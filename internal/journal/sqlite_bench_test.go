package journal_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// realistic is an alert of the size of Falco's, another for every number.
func realistic(tb testing.TB, n int) *alert.Alert {
	tb.Helper()
	a, err := alert.DecodeJSON(fmt.Appendf(nil, `{"hostname":"node-1","output":"02:07:38.%09[1]d: Notice A shell was spawned in a container with an attached terminal`+
		` | evt_type=execve user=root user_uid=0 user_loginuid=-1 process=sh proc_exepath=/bin/busybox parent=containerd-shim command=sh -c id %[1]d terminal=34816`+
		` exe_flags=EXE_WRITABLE|EXE_LOWER_LAYER container_id=3ad7b26ded6d container_name=web k8s_pod_name=web-0 k8s_ns_name=default",`+
		`"output_fields":{"container.id":"3ad7b26ded6d","container.name":"web","evt.arg.flags":"EXE_WRITABLE|EXE_LOWER_LAYER","evt.time.iso8601":1763777258000000000,`+
		`"evt.type":"execve","k8s.ns.name":"default","k8s.pod.name":"web-0","proc.cmdline":"sh -c id %[1]d","proc.exepath":"/bin/busybox","proc.name":"sh",`+
		`"proc.pname":"containerd-shim","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Notice","rule":"Terminal shell in container",`+
		`"source":"syscall","tags":["T1059","container","maturity_stable","mitre_execution","shell"],"time":"2026-11-22T02:%02[2]d:%02[3]d.%09[1]dZ"}`,
		n%1_000_000_000, n/60_000_000%60, n/1_000_000%60))
	if err != nil {
		tb.Fatal(err)
	}
	a.Input, a.ReceivedNanos = "file", int64(n)
	return a
}

// realisticReport is a report as they are: some 2 KiB of its own and 8 KiB of its rule.
func realisticReport(n int) journal.Report {
	var data []byte
	field := func(num protowire.Number, size, of int) {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte('a' + (i*7+of)%26)
		}
		copy(b, fmt.Sprintf("%d %d ", num, of))
		data = protowire.AppendTag(data, num, protowire.BytesType)
		data = protowire.AppendBytes(data, b)
	}
	rule := n % 20
	for num := range protowire.Number(30) {
		field(num+1, 60, n)
	}
	for num := range protowire.Number(16) {
		field(num+40, 500, rule)
	}
	field(60, 300, n)
	return journal.Report{ID: alert.ID(fmt.Sprintf("%032d", n)), Revision: 1, Data: data, Urgent: n%50 == 0}
}

// cpu is the processor time that this process has taken.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSQLiteAppendAlerts appends and accounts for alerts; one op is one call. CPU is that
// of all goroutines, sync and checkpoints included.
func BenchmarkSQLiteAppendAlerts(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := openSQLite(b, journal.SQLiteOptions{Dir: b.TempDir()})
			done := j.Done()
			var alerts []*alert.Alert
			var spent time.Duration
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				alerts = alerts[:0]
				for range size {
					n++
					alerts = append(alerts, realistic(b, n))
				}
				begin := cpu(b)
				b.StartTimer()
				if isNew, err := j.AppendAlerts(b.Context(), alerts); err != nil || !isNew[size-1] {
					b.Fatal(isNew, err)
				}
				spent += cpu(b) - begin
				if n%4096 == 0 {
					done.Seq = uint64(n)
					if err := j.AppendReports(b.Context(), done, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(n), "cpu-us/alert")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkSQLiteAppendReports appends reports and says what one takes on disk.
func BenchmarkSQLiteAppendReports(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := openSQLite(b, journal.SQLiteOptions{Dir: b.TempDir()})
			reports := make([]journal.Report, size)
			var spent time.Duration
			n, bytes := 0, 0
			for b.Loop() {
				b.StopTimer()
				for i := range reports {
					reports[i] = realisticReport(n)
					bytes += len(reports[i].Data)
					n++
				}
				begin := cpu(b)
				b.StartTimer()
				if err := j.AppendReports(b.Context(), journal.Cursor{}, reports); err != nil {
					b.Fatal(err)
				}
				spent += cpu(b) - begin
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(n), "cpu-us/report")
			b.ReportMetric(float64(bytes)/float64(n), "encoded-B/report")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
			j = openSQLite(b, journal.SQLiteOptions{Dir: j.Dir()})
			stats, err := j.Stats(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(stats.DiskBytes)/float64(n), "disk-B/report")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkSQLiteRead reads 64 reports at a time, at the tail from memory and behind from disk.
func BenchmarkSQLiteRead(b *testing.B) {
	const written = 20_000
	j := openSQLite(b, journal.SQLiteOptions{Dir: b.TempDir()})
	for n := 0; n < written; n += 100 {
		reports := make([]journal.Report, 100)
		for i := range reports {
			reports[i] = realisticReport(n + i)
		}
		if err := j.AppendReports(b.Context(), journal.Cursor{}, reports); err != nil {
			b.Fatal(err)
		}
	}
	for name, seq := range map[string]uint64{"tail": written - 64, "behind": written / 2} {
		b.Run(name, func(b *testing.B) {
			after := journal.Cursor{Journal: j.Done().Journal, Seq: seq}
			for b.Loop() {
				if got, err := j.ReadReports(b.Context(), after, 64); err != nil || len(got) != 64 {
					b.Fatal(len(got), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/64, "us/report")
		})
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
