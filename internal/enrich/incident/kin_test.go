package incident_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// identity is a process as it can be told from all others; the zero value is one that is not
// known so well.
type identity struct {
	machine    string
	pid, start int64
}

// identityOf is the process or the parent of an alert.
func identityOf(a *alert.Alert, pid, start string) identity {
	number, ok := a.Int(pid)
	since, okStart := a.Int(start)
	if !ok || !okStart || number <= 1 || since > a.Nanos {
		return identity{}
	}
	return identity{a.Hostname + "/" + a.String("machine_id"), number, since}
}

// anyProcesses draws alerts of few pids that are reused, told without a start, or told wrongly, on
// two machines of one name.
func anyProcesses(t *testing.T, rt *rapid.T) map[string]*alert.Alert {
	pick := func(name string, of ...any) any { return rapid.SampledFrom(of).Draw(rt, name) }
	place, terminal := pick("container", "host", "cccccccccccc"), pick("terminal", 0, 0, 34816)
	out := make(map[string]*alert.Alert)
	for i := range rapid.IntRange(2, 15).Draw(rt, "n") {
		pid, parent := rapid.IntRange(2, 4).Draw(rt, "pid"), rapid.IntRange(2, 4).Draw(rt, "parent")
		at := time.Duration(i) * time.Second
		begun := func(name string, pid int) any {
			return pick(name, started(pid), started(pid), started(pid)+1, nil, start.Add(at+time.Nanosecond).UnixNano())
		}
		f := fields(process(pid, parent, fmt.Sprint("p", pid), fmt.Sprint("p", parent)),
			"proc.cmdline", fmt.Sprint("p", pid, " --jobs=8 build everything"), "proc.pid.ts", begun("start", pid), "proc.ppid.ts", begun("parent's start", parent),
			"container.id", place, "proc.tty", terminal, "user.loginuid", -1,
			"proc.pcmdline", pick("parent's command", nil, fmt.Sprint("p", parent, " --jobs=8 build everything")),
			"host", "localhost", "machine_id", pick("machine", "1", "1", "2"))
		if rapid.Bool().Draw(rt, "no pids") {
			f["proc.pid"], f["proc.ppid"] = nil, nil
		}
		a := made(t, at, rapid.SampledFrom([]string{"R", "S", "T"}).Draw(rt, "rule"), "Notice", f)
		out[string(a.ID)] = a
	}
	return out
}

// TestOtherProcessesAreNotTaken: a tie by pids needs a process that an earlier alert of the incident
// has too, of this machine, with this start. A process that is known by its pid is never found by
// its command line, and two pids never by one command line.
func TestOtherProcessesAreNotTaken(t *testing.T) {
	seen := make(map[string]int)
	rapid.Check(t, func(rt *rapid.T) {
		byID := anyProcesses(t, rt)
		for _, r := range final(t, joined(t, incident.Options{FloodPerMinute: 1000, MaxSamples: 16}, inOrder(byID))) {
			because, alerts := membersOf(byID, r)
			if uint64(len(alerts)) != total(r) {
				rt.Fatalf("%d of %d alerts are samples", len(alerts), total(r))
			}
			for i, a := range alerts {
				why := because[string(a.ID)]
				kind := explains(why, a, alerts[:i])
				if kind == "" {
					rt.Fatalf("an alert of pid %s, start %s, was joined because: %q", a.String("proc.pid"), a.String("proc.pid.ts"), why)
				}
				seen[kind]++
			}
		}
	})
	t.Log(seen)
	for _, kind := range []string{"first", "the same process", "its process", "its parent", "the same parent", "the same command line", "its command line", "the same terminal"} {
		if seen[kind] == 0 {
			t.Errorf("no alert was joined by: %s", kind)
		}
	}
}

// inOrder are alerts in the order of their times.
func inOrder(byID map[string]*alert.Alert) []*alert.Alert {
	return slices.SortedFunc(maps.Values(byID), func(x, y *alert.Alert) int { return cmp.Compare(x.Nanos, y.Nanos) })
}

// explains checks a reason against the earlier alerts of the incident, and returns its kind; empty
// where it does not hold.
func explains(why string, a *alert.Alert, earlier []*alert.Alert) string {
	self := func(a *alert.Alert) identity { return identityOf(a, "proc.pid", "proc.pid.ts") }
	above := func(a *alert.Alert) identity { return identityOf(a, "proc.ppid", "proc.ppid.ts") }
	some := func(holds func(b *alert.Alert) bool) bool {
		for _, b := range earlier {
			if b.Hostname == a.Hostname && b.String("machine_id") == a.String("machine_id") && holds(b) {
				return true
			}
		}
		return false
	}
	unknown := identity{}
	for _, known := range []struct {
		kind  string
		holds bool
	}{
		{"the same process", self(a) != unknown && some(func(b *alert.Alert) bool { return self(b) == self(a) })},
		{"its process", self(a) != unknown && some(func(b *alert.Alert) bool { return above(b) == self(a) })},
		{"its parent", above(a) != unknown && some(func(b *alert.Alert) bool { return self(b) == above(a) })},
		{"the same parent", above(a) != unknown && some(func(b *alert.Alert) bool { return above(b) == above(a) })},
		{"the same command line of the parent", self(a) == unknown && some(func(b *alert.Alert) bool { return self(b) == unknown })},
		{"the same command line", self(a) == unknown && some(func(b *alert.Alert) bool {
			return self(b) == unknown && b.String("proc.pid") == a.String("proc.pid") && b.String("proc.cmdline") == a.String("proc.cmdline")
		})},
		{"its command line", self(a) == unknown},
		{"the command line of its parent", self(a) == unknown},
		{"the same terminal", some(func(b *alert.Alert) bool { return b.String("proc.tty") == a.String("proc.tty") })},
	} {
		if strings.HasPrefix(why, known.kind) {
			if !known.holds {
				return ""
			}
			return known.kind
		}
	}
	switch {
	case why == "" && len(earlier) == 0:
		return "first"
	case strings.HasPrefix(why, "the same rule") && some(func(b *alert.Alert) bool { return b.Rule == a.Rule }):
		return "weak"
	default:
		return ""
	}
}

// membersOf are the alerts of a report, in their order, and why each was joined.
func membersOf(byID map[string]*alert.Alert, r *pb.Report) (because map[string]string, alerts []*alert.Alert) {
	because, members := make(map[string]string), make(map[string]*alert.Alert)
	for _, g := range r.GetAlerts() {
		for _, s := range g.GetSamples() {
			because[s.GetId()], members[s.GetId()] = s.GetJoinedBecause(), byID[s.GetId()]
		}
	}
	return because, inOrder(members)
}
