// Package ancestry finds the processes above the one that an alert is about.
//
// There are three layers, best first. The alert's own fields ([FromAlert]): the parent's name
// that most rules print, and pids, names, executables and command lines of further ancestors
// where append_output adds them. Our own process table, kept live from the kernel's process
// events. And /proc, read when the alert arrives. The latter two are what a [Tracker] knows:
// [Tracker.Capture] looks an alert's process up while it is fresh, and keeps the answer with
// the alert; [Apply] later joins that with the alert's fields, which are believed where the two
// contradict each other. A wrong ancestor is worse than none: what is certain, and why, is laid
// down in package proctable. What is not certain stays a gap; nothing is guessed.
//
// Only alerts of this host's own system calls are looked up: of source syscall, from an input
// that the options call local, with one of this host's names or its machine-id.
//
// Process events need the host's pid, network and user namespaces, and with older kernels
// CAP_NET_ADMIN; the paths of other users' executables need CAP_SYS_PTRACE. Without the first,
// /proc alone is read:
// then only the parents that the alert names, or that were seen both before and after the
// event, are certain. Without the host's /proc the alert's fields are all there is.
//
// [Tracker.Run] works in its caller's goroutine, in a thread of its own, and starts no other.
// When events come faster than they are read, the kernel throws some away: the table is then
// filled from /proc again, and what happened in between stays unknown. When the table is full,
// the process that ended first leaves it.
package ancestry

import (
	"cmp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// MaxLevels bounds how far up a chain is followed: 64 levels. Falco's own walk is bounded
// too, and an alert whose field names claim more is not believed.
const MaxLevels = 64

// FromAlert returns the ancestors that the alert's own fields name, nearest first, and
// whether they are the whole chain: without a gap up to pid 1, every link with its pid.
// Every ancestor has the provenance ALERT. It may be called concurrently.
func FromAlert(a *alert.Alert) (chain []*pb.Ancestor, complete bool) {
	top := highestLevel(a)
	for level := 1; level <= top; level++ {
		if anc := ancestor(a, level); anc != nil {
			chain = append(chain, anc)
		}
	}
	return chain, isComplete(a, chain)
}

// highestLevel is the highest level that any field of the alert speaks of, at least 1.
func highestLevel(a *alert.Alert) int {
	top := 1
	for _, f := range a.Fields() {
		if !strings.HasPrefix(f.Name, "proc.a") || alert.Absent(f.Name, f.Value) {
			continue
		}
		if n, ok := level(f.Name); ok && n > top && n <= MaxLevels {
			top = n
		}
	}
	return top
}

// level reads the index of proc.aname[n], proc.apid[n], proc.aexepath[n], proc.acmdline[n].
func level(field string) (int, bool) {
	name, rest, ok := strings.Cut(field, "[")
	if !ok {
		return 0, false
	}
	switch name {
	case "proc.aname", "proc.apid", "proc.aexepath", "proc.acmdline":
	default:
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	return n, err == nil
}

// ancestor is what the alert says of one level, nil if nothing. Level 1, the parent, has
// field names of its own beside the indexed ones.
func ancestor(a *alert.Alert, level int) *pb.Ancestor {
	index := "[" + strconv.Itoa(level) + "]"
	anc := &pb.Ancestor{
		Level:       uint32(level), //nolint:gosec // between 1 and MaxLevels
		Name:        a.String("proc.aname" + index),
		ExePath:     a.String("proc.aexepath" + index),
		CommandLine: a.String("proc.acmdline" + index),
		Provenance:  pb.Provenance_PROVENANCE_ALERT,
	}
	pid, hasPID := a.Int("proc.apid" + index)
	if level == 1 {
		anc.Name = cmp.Or(a.String("proc.pname"), anc.Name)
		anc.ExePath = cmp.Or(a.String("proc.pexepath"), anc.ExePath)
		anc.CommandLine = cmp.Or(a.String("proc.pcmdline"), anc.CommandLine)
		if p, ok := a.Int("proc.ppid"); ok {
			pid, hasPID = p, true
		}
		if t, ok := a.FieldTime("proc.ppid.ts"); ok {
			anc.StartTime = timestamppb.New(t)
		}
	}
	if hasPID && pid > 0 { // 0 is the kernel's idle task: the parent of pid 1 and of nothing else
		anc.Pid = &pid
	}
	if anc.Name == "" && anc.ExePath == "" && anc.CommandLine == "" && anc.Pid == nil {
		return nil
	}
	return anc
}

// isComplete reports whether the chain goes from the process to pid 1 without a gap.
func isComplete(a *alert.Alert, chain []*pb.Ancestor) bool {
	pid, _ := a.Int("proc.pid")
	return linksUp(pid, chain)
}

// linksUp reports whether a chain goes from a process, whose pid is 0 if it is not known, level
// by level up to pid 1. No process is above itself.
func linksUp(pid int64, chain []*pb.Ancestor) bool {
	seen := map[int64]bool{pid: true}
	for i, anc := range chain {
		if int(anc.GetLevel()) != i+1 || anc.Pid == nil || seen[anc.GetPid()] {
			return false
		}
		pid = anc.GetPid()
		seen[pid] = true
	}
	return pid == 1
}
