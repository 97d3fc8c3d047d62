package proctable_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// fake is a /proc in which every process looks much the same.
type fake struct{ now int64 }

func (f *fake) Read(pid int32) (procfs.Process, error) {
	line := fmt.Sprintf("/usr/bin/program --number %d --and some --more arguments", pid)
	return procfs.Process{
		PID: pid, Parent: 1, Threads: 1, StartTick: f.now / procfs.Tick, Name: "program", ExePath: fmt.Sprintf("/usr/bin/program%d", pid%100),
		CommandLine: line, Arguments: 17, HasCommandLine: true, HasUID: true,
	}, nil
}
func (f *fake) Stat(pid int32) (procfs.Process, error) { return f.Read(pid) }

// newFlood makes a table that follows events, with pid 1 in it.
func newFlood(bytes int64) (*proctable.Table, *fake) {
	f := &fake{now: 1e12}
	t := proctable.New(proctable.Options{Bytes: bytes, Source: f, Now: func() int64 { return f.now }})
	t.BeginFill(true)
	t.Look(1)
	f.now += 1e9
	t.EndFill()
	return t, f
}

// process makes one process that runs a program, and ends if told to.
func process(t *proctable.Table, f *fake, pid int32, ends bool) {
	send := func(k procevent.Kind) {
		f.now += 1000
		t.Apply(procevent.Event{Kind: k, Time: f.now, TID: pid, PID: pid, Parent: 1, Name: "other"})
	}
	send(procevent.Fork)
	send(procevent.Exec)
	if ends {
		f.now += 200_000
		send(procevent.Exit)
	}
	t.Passed(f.now)
}

// TestBound: the memory stays under its bound in floods of forks, of living processes, and of
// one that renames itself and runs programs without end; and it is what it is estimated to be.
func TestBound(t *testing.T) {
	const bound = 4 << 20
	for name, flood := range map[string]func(t *proctable.Table, f *fake){
		"ending": func(t *proctable.Table, f *fake) {
			for i := range int32(200_000) {
				process(t, f, i%30_000+2, true)
			}
		},
		"living": func(t *proctable.Table, f *fake) {
			for i := range int32(50_000) {
				process(t, f, i+2, false)
			}
		},
		"changing": func(t *proctable.Table, f *fake) {
			process(t, f, 2, false)
			for range 100_000 {
				f.now += 1000
				t.Apply(procevent.Event{Kind: procevent.Exec, Time: f.now, TID: 2, PID: 2})
				f.now += 1000
				t.Apply(procevent.Event{Kind: procevent.Comm, Time: f.now, TID: 2, PID: 2, Name: "another"})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			table, f := newFlood(bound)
			flood(table, f)
			table.Passed(f.now)
			st := table.Stats()
			used := heap() - before
			t.Logf("%d processes, %d bytes estimated, %d used; %d evicted, %d not kept", st.Processes, st.Bytes, used, st.Evicted, st.Unkept)
			if st.Bytes > bound || st.Bytes < 0 || used > bound*3/2 {
				t.Errorf("%d bytes as estimated and %d in use; the bound is %d", st.Bytes, used, bound)
			}
			if c, _ := table.Find(proctable.Query{Hint: proctable.Hint{PID: 1}, At: f.now, By: f.now}); c == nil {
				t.Error("pid 1 has left")
			}
			runtime.KeepAlive(table)
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkEvent applies the events of processes that run a program and end, without what
// reading /proc takes.
func BenchmarkEvent(b *testing.B) {
	t, f := newFlood(16 << 20)
	b.ReportAllocs()
	i := int32(0)
	for b.Loop() {
		process(t, f, i%30_000+2, true)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(3*b.N), "ns/event")
}

// BenchmarkFind looks a process up in a full table.
func BenchmarkFind(b *testing.B) {
	t, f := newFlood(16 << 20)
	for i := range int32(60_000) {
		process(t, f, i%30_000+2, true)
	}
	process(t, f, 2, false)
	b.ReportAllocs()
	for b.Loop() {
		if c, _ := t.Find(proctable.Query{Hint: proctable.Hint{PID: 2, Name: "program"}, At: f.now, By: f.now}); c == nil || !c.Complete {
			b.Fatal("not found")
		}
	}
}

// BenchmarkInfer looks for a process without a pid among 300 that have just run a program.
func BenchmarkInfer(b *testing.B) {
	t, f := newFlood(16 << 20)
	f.now += 1e9
	for i := range int32(300) {
		process(t, f, i+2, false)
	}
	at := f.now
	f.now += 1e9
	t.Passed(f.now)
	b.ReportAllocs()
	for b.Loop() {
		if c := t.Infer(proctable.Description{At: at, Exec: true, Name: "program", CommandLine: "program --number 100 --and some --more arguments"}); c == nil {
			b.Fatal("not found")
		}
	}
}
