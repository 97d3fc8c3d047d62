package ancestry

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// Capture sets Captured of each alert that is of this host's own system calls to what is known
// of its process now. It takes at most MaxWait, and what looking up the alerts themselves
// takes; alerts that it does not get to stay as they are. It must be called before the alerts
// are shared, in the order of their arrival.
func (t *Tracker) Capture(ctx context.Context, alerts []*alert.Alert) {
	var ours []*alert.Alert
	for _, a := range alerts {
		if t.isOurs(a) {
			ours = append(ours, a)
		}
	}
	if len(ours) == 0 {
		return
	}
	arrived, deadline := now(), time.Now().Add(t.o.MaxWait)
	t.catchUp(ctx, deadline)
	again := t.captureAll(ours, arrived, deadline)
	if len(again) > 0 && time.Now().Before(deadline) {
		// Looking up has read something of /proc: events from before that are still to come.
		t.catchUp(ctx, deadline)
		t.captureAll(again, arrived, deadline)
	}
}

// isOurs reports whether an alert is of a system call on this host. A hostname alone does not
// prove that: the input must be one of our own Falco.
func (t *Tracker) isOurs(a *alert.Alert) bool {
	if a.Kind != alert.KindRule || a.Source != "syscall" || t.o.LocalInput == nil || !t.o.LocalInput(a.Input) {
		return false
	}
	if id := a.String("machine_id"); id != "" && t.o.MachineID != "" {
		return id == t.o.MachineID
	}
	// What falcosidekick has passed on may be of any host, also of one that is called as this one.
	return a.UUID == "" && a.Hostname != "" && t.hosts[a.Hostname]
}

// catchUp applies the events that there are, until the deadline. All that happened before an
// alert was made is among them: the kernel queues an event before the system call goes on.
func (t *Tracker) catchUp(ctx context.Context, deadline time.Time) {
	for t.applySome() && ctx.Err() == nil && time.Now().Before(deadline) {
	}
}

// captureAll looks up alerts, and returns those of which more could be known soon.
func (t *Tracker) captureAll(alerts []*alert.Alert, arrived int64, deadline time.Time) (again []*alert.Alert) {
	for len(alerts) > 0 {
		n := min(chunk, len(alerts))
		t.mu.Lock()
		if t.table != nil {
			t.measure()
			for _, a := range alerts[:n] {
				if t.capture(a, arrived, deadline) {
					again = append(again, a)
				}
			}
		}
		t.mu.Unlock()
		alerts = alerts[n:]
	}
	return again
}

// capture looks up one alert. It reports whether more could be known soon.
func (t *Tracker) capture(a *alert.Alert, arrived int64, deadline time.Time) (again bool) {
	first := len(a.Captured) == 0
	if first {
		t.lookups++
	}
	q := questionOf(a)
	q.arrived = arrived
	r, again, why := t.ask(q, deadline)
	if r == nil {
		if why == "" {
			return false
		}
		r = &pb.Report{AncestryNotes: []string{upper(why) + "."}}
	} else {
		t.count(r, first)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		t.o.Log.Error("ancestry: what is known of a process cannot be encoded", "error", err)
		return false
	}
	a.Captured = b
	return again
}

// count counts what was found, once for each alert.
func (t *Tracker) count(r *pb.Report, first bool) {
	if first {
		t.found++
	}
	if first && r.GetAncestryComplete() {
		t.complete++
	}
}

// upper makes the first letter of a sentence of ours a capital.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// question is what an alert asks, in wall clock time at first.
type question struct {
	chain []proctable.Hint // the process and those above it, as far as the alert tells
	about proctable.Description

	arrived int64 // when the alert had arrived, in the table's time
}

// questionOf reads the fields of an alert.
func questionOf(a *alert.Alert) question {
	exec := false
	switch a.String("evt.type") {
	case "execve", "execveat":
		res := a.String("evt.res")
		exec = res == "" || res == "SUCCESS"
	}
	q := question{
		chain: []proctable.Hint{{PID: pidOf(a, "proc.pid"), Start: nanosOf(a, "proc.pid.ts"), Name: a.String("proc.name")}},
		about: proctable.Description{
			At: a.Nanos, Exec: exec, Name: a.String("proc.name"), CommandLine: a.String("proc.cmdline"),
			ExePath: a.String("proc.exepath"), Container: a.String("container.id"),
		},
	}
	q.about.UID, q.about.HasUID = a.Uint32("user.uid")
	chain, _ := FromAlert(a)
	for _, anc := range chain {
		for len(q.chain) < int(anc.GetLevel()) {
			q.chain = append(q.chain, proctable.Hint{})
		}
		h := proctable.Hint{PID: int32(anc.GetPid()), Name: anc.GetName()} //nolint:gosec // 0 if it does not fit, below
		if anc.GetPid() != int64(h.PID) {
			h.PID = 0
		}
		if anc.GetLevel() == 1 {
			h.Start = nanosOf(a, "proc.ppid.ts")
		}
		q.chain = append(q.chain, h)
	}
	q.about.Parents = q.chain[1:]
	return q
}

func pidOf(a *alert.Alert, field string) int32 {
	n, ok := a.Int(field)
	if !ok || n <= 0 || n > 1<<31-1 {
		return 0
	}
	return int32(n)
}

func nanosOf(a *alert.Alert, field string) int64 {
	n, ok := a.Int(field)
	if !ok || n <= 0 {
		return 0
	}
	return n
}

// ask looks a question up. After the clock was set, every time that the alert may go by must
// lead to the same process; or one that alerts have shown to be Falco's to a process, and the
// others to none.
func (t *Tracker) ask(q question, deadline time.Time) (r *pb.Report, again bool, why string) {
	offsets := t.clock.offsets(q.about.At, q.arrived)
	answers := make([]answer, len(offsets))
	for i, o := range offsets {
		answers[i] = t.askAt(q.since(o), deadline)
		again = again || answers[i].again
	}
	best := 0
	if len(offsets) > 1 {
		var holds bool
		if best, holds = t.choose(offsets, answers); !holds {
			return nil, again, t.clock.setNote()
		}
	}
	return reportOf(answers[best], offsets[best]), again, answers[best].why
}

// choose picks the answer that holds, and reports whether there is one.
func (t *Tracker) choose(offsets []int64, answers []answer) (best int, holds bool) {
	newest, found, same := reportOf(answers[0], t.clock.wall[0]), 0, true
	for i, a := range answers {
		if a.chain != nil {
			best = i
			found++
		}
		same = same && proto.Equal(newest, reportOf(a, t.clock.wall[0]))
	}
	if found == 1 && !same && answers[best].chain.Prompt {
		t.clock.prove(offsets[best])
	}
	if same {
		return 0, true
	}
	return best, found == 1 && t.clock.isShown(offsets[best])
}

// since turns a question's times into those of the table.
func (q question) since(offset int64) question {
	out := question{chain: make([]proctable.Hint, len(q.chain)), about: q.about, arrived: q.arrived}
	for i, h := range q.chain {
		if h.Start != 0 {
			h.Start -= offset
		}
		out.chain[i] = h
	}
	out.about.At -= offset
	out.about.Parents = out.chain[1:]
	return out
}

// answer is what was found for a question: the chain from a level on, nil if nothing.
type answer struct {
	chain    *proctable.Chain
	level    int
	inferred bool
	again    bool
	why      string
}

// askAt looks a question up whose times are those of the table: by the pid of the process, or
// else of the nearest above it that the table is sure of; without a pid, by what it was.
func (t *Tracker) askAt(q question, deadline time.Time) (a answer) {
	for level, h := range q.chain {
		if h.PID == 0 {
			continue
		}
		if t.reader != nil && !t.table.Covered() {
			t.table.LookUp(h.PID, q.arrived)
		}
		query := proctable.Query{Hint: h, At: q.about.At, By: q.arrived, Exec: level == 0 && q.about.Exec, Parents: q.chain[level+1:]}
		c, reason := t.table.Find(query)
		a.why = cmp.Or(a.why, reason)
		if c != nil {
			a.chain, a.level, a.again = c, level, c.Again
			return a
		}
	}
	if q.chain[0].PID != 0 || !time.Now().Before(deadline) {
		return a
	}
	if c := t.table.Infer(q.about); c != nil {
		return answer{chain: c, inferred: true, again: c.Again}
	}
	return a
}

// reportOf puts an answer into a report, with the times of an offset; nil if there is none.
func reportOf(a answer, offset int64) *pb.Report {
	switch {
	case a.chain == nil:
		return nil
	case a.inferred:
		return inferredReport(a.chain, offset)
	}
	r := report(a.chain, a.level, offset)
	if a.why != "" {
		r.AncestryNotes = append(r.AncestryNotes, upper(a.why)+".")
	}
	return r
}

// report is what was found from a level of the chain on: 0 is the process itself.
func report(c *proctable.Chain, level int, offset int64) *pb.Report {
	r := &pb.Report{AncestryComplete: c.Complete && level == 0, AncestryNotes: slices.Clone(c.Notes)}
	if level == 0 {
		r.Process = processOf(c.Process, offset)
		if id := c.Process.Cgroup.Container; id != "" {
			r.Container = &pb.Container{Id: id}
		}
	} else {
		r.Ancestry = append(r.Ancestry, ancestorOf(c.Process, level, offset))
	}
	for i, v := range c.Ancestors {
		r.Ancestry = append(r.Ancestry, ancestorOf(v, level+i+1, offset))
	}
	if s := c.Process.Cgroup.Session; s != "" {
		r.Login = &pb.Login{Session: s, Evidence: []string{"cgroup"}}
	}
	return r
}

// inferredReport is report for a process that the alert gives no pid of.
func inferredReport(c *proctable.Chain, offset int64) *pb.Report {
	r := report(c, 0, offset)
	pid := int64(c.Process.PID)
	r.Process.Pid, r.Process.PidProvenance = &pid, pb.Provenance_PROVENANCE_INFERRED
	for _, a := range r.GetAncestry() {
		a.Provenance = pb.Provenance_PROVENANCE_INFERRED
	}
	fit := "by time, name and command line"
	if c.Unread {
		fit = "by time, parent and user (what it ran was not read)"
	}
	r.AncestryNotes = append(r.AncestryNotes, "The alert names no pid; the process "+strconv.FormatInt(pid, 10)+
		" is the only one that fits it "+fit+", and all above it follow from that.")
	return r
}

// processOf is what is known of the process of the alert.
func processOf(v proctable.View, offset int64) *pb.Process {
	p := &pb.Process{
		NamespacePid: inNamespace(v), ExePath: v.ExePath, CommandLine: v.CommandLine,
		StartTime: stamp(v.Start, offset), SystemdUnit: v.Cgroup.Unit,
	}
	pid := int64(v.PID)
	p.Pid = &pid
	return p
}

// ancestorOf is what is known of a process above it.
func ancestorOf(v proctable.View, level int, offset int64) *pb.Ancestor {
	pid := int64(v.PID)
	a := &pb.Ancestor{
		Level: uint32(level), Pid: &pid, Name: v.Name, ExePath: v.ExePath, CommandLine: v.CommandLine, //nolint:gosec // at most 2 MaxLevels
		StartTime: stamp(v.Start, offset), NamespacePid: inNamespace(v), ContainerId: v.Cgroup.Container, SystemdUnit: v.Cgroup.Unit,
		Ended: v.Ended, Provenance: pb.Provenance_PROVENANCE_PROCFS,
	}
	if v.Events {
		a.Provenance = pb.Provenance_PROVENANCE_PROCESS_TABLE
	}
	if v.HasUID {
		uid := v.UID
		a.User = &pb.User{Uid: &uid}
	}
	switch {
	case v.Cgroup.Container != "":
		a.Workload = pb.Workload_WORKLOAD_CONTAINER
	case v.Cgroup.Known:
		a.Workload = pb.Workload_WORKLOAD_HOST
	}
	return a
}

// inNamespace is the pid in the process's own namespace, where that is another.
func inNamespace(v proctable.View) *int64 {
	if v.NamespacePID == 0 {
		return nil
	}
	n := int64(v.NamespacePID)
	return &n
}
