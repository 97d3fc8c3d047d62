package proctable_test

import (
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// TestNeverWrong holds the table against the truth: a host with twelve pids that are given
// again all the time, events that come late, in another order or not at all, reads of /proc
// that fail or show what came after, processes that overwrite their arguments, rename
// themselves, or whose program is replaced. Whatever the table says must be so.
func TestNeverWrong(t *testing.T) {
	var asked, found, complete, inferred, reuses atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.IntRange(0, 3).Draw(t, "mode") > 0
		m := newModel(t, rapid.SampledFrom([]int64{1 << 20, 12 << 10}).Draw(t, "bytes"))
		m.holes = rapid.Bool().Draw(t, "holes")
		m.fill(events)
		for range rapid.IntRange(20, 300).Draw(t, "steps") {
			m.pass()
			m.step()
			if events {
				m.apply(false)
			}
			switch rapid.IntRange(0, 39).Draw(t, "event") {
			case 0:
				m.lose()
			case 1, 2:
				if m.lost {
					m.fill(events)
				}
			case 3, 4, 5, 6, 7, 8, 9, 10:
				q, p := m.ask()
				if events && !m.lost {
					m.apply(rapid.IntRange(0, 4).Draw(t, "caught up") > 0)
				}
				q.By = m.now
				if !m.table.Covered() {
					m.table.LookUp(q.PID, q.By)
				}
				asked.Add(1)
				if c, _ := m.table.Find(q); c != nil {
					found.Add(1)
					if c.Complete {
						complete.Add(1)
					}
					if w := wrong(c, p, q.At); w != "" {
						t.Fatalf("%s\nasked %+v\ngot %+v\nevents: %v\n%s", w, q, c, events, dump(m, c)+"TRUE\n"+m.table.Dump(p.pid))
					}
				}
				d := m.describe(q, p)
				if c := m.table.Infer(d); c != nil {
					inferred.Add(1)
					if w := wrong(c, p, d.At); w != "" {
						t.Fatalf("inferred: %s\nasked %+v\ngot %+v\n%s", w, d, c, dump(m, c)+"TRUE\n"+m.table.Dump(p.pid))
					}
				}
			}
		}
		reuses.Add(int64(len(m.all) - pids))
	})
	t.Logf("%d alerts, %d processes found, %d chains complete, %d inferred; pids were given again %d times",
		asked.Load(), found.Load(), complete.Load(), inferred.Load(), reuses.Load())
	if found.Load() < asked.Load()/10 || complete.Load() == 0 || inferred.Load() == 0 {
		t.Error("hardly anything was found: the test shows nothing")
	}
}

// dump tells all that the table knows of a chain.
func dump(m *model, c *proctable.Chain) string {
	out := m.table.Dump(c.Process.PID)
	for _, a := range c.Ancestors {
		out += m.table.Dump(a.PID)
	}
	return out
}
