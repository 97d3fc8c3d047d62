package proctable_test

import (
	"fmt"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// forgetful is a /proc in which one process ends too soon to be read.
type forgetful struct {
	fake
	gone int32
}

func (f *forgetful) Read(pid int32) (procfs.Process, error) {
	if pid == f.gone {
		return procfs.Process{}, procfs.ErrGone
	}
	p, err := f.fake.Read(pid)
	p.UID = 7
	if pid == 1 {
		p.Name = "init"
	}
	return p, err
}

// TestUnread: once the clocks are known to agree, a process of which nothing was read is found
// by the time of its exec, and it is said that nothing was.
func TestUnread(t *testing.T) {
	f := &forgetful{fake: fake{now: 1e12}, gone: 20}
	table := proctable.New(proctable.Options{Bytes: 1 << 20, Source: f, Now: func() int64 { return f.now }})
	table.BeginFill(true)
	table.Look(1)
	f.now += 1e9
	table.EndFill()
	f.now += 1e9
	for pid := int32(11); pid <= 20; pid++ {
		process(table, &f.fake, pid, false)
		at := f.now
		f.now += 1e7
		table.Passed(f.now)
		c := table.Infer(proctable.Description{
			At: at, Exec: true, Name: "program", CommandLine: fmt.Sprintf("program --number %d --and some --more arguments", pid),
			UID: 7, HasUID: true, Parents: []proctable.Hint{{Name: "init"}},
		})
		if c == nil || c.Process.PID != pid || c.Unread != (pid == f.gone) || !c.Prompt {
			t.Fatalf("pid %d: got %+v\n%s", pid, c, table.Dump(pid))
		}
		f.now += 1e9
		table.Apply(procevent.Event{Kind: procevent.Exit, Time: f.now, TID: pid, PID: pid, Parent: 1})
		f.now += 1e9
	}
}

// TestParentsStart: what the alert says of the start of the parent decides whether the table's
// parent is believed.
func TestParentsStart(t *testing.T) {
	table, f := newFlood(1 << 20)
	began := f.now
	process(table, f, 2, false)
	f.now += 1e9
	table.Apply(procevent.Event{Kind: procevent.Fork, Time: f.now, TID: 3, PID: 3, Parent: 2})
	f.now += 1e9
	table.Passed(f.now)
	const hour = int64(3600 * 1e9)
	for _, tc := range []struct {
		start int64
		taken bool
	}{{0, true}, {began + 1000, true}, {began + 5e8, true}, {began - 5e6, true}, {began - hour, false}, {f.now + hour, false}} {
		c, _ := table.Find(proctable.Query{
			Hint: proctable.Hint{PID: 3}, At: f.now, By: f.now, Parents: []proctable.Hint{{PID: 2, Name: "program", Start: tc.start}},
		})
		if c == nil || c.Complete != tc.taken || (len(c.Ancestors) == 2) != tc.taken || (len(c.Notes) == 0) != tc.taken {
			t.Errorf("a parent that began at %d, with a start of %d: %+v", began, tc.start, c)
		}
	}
}
