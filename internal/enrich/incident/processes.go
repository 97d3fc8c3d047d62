package incident

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

const (
	// maxNodes bounds the processes of the tree.
	maxNodes = 128
	// sameStartWithin is by how much two starts of one pid may differ and still be one process's:
	// Falco gives the start of the thread. No system comes round to a pid again so soon.
	sameStartWithin = int64(1e9)
)

// forest is the processes of several alerts, merged. A process is known by its pid with its
// start. Without pids, alerts share a process only where they say the same of it and of all
// above it.
type forest struct {
	nodes  []*pb.ProcessNode
	up     []int // the parent of each; -1 where it is not known
	byPID  map[int64][]int
	byText map[string]int
}

// processes is the tree of the processes of some alerts, parents before children.
func processes(tellings []telling) []*pb.ProcessNode {
	f := forest{byPID: make(map[int64][]int), byText: make(map[string]int)}
	for i := range tellings {
		f.addChain(&tellings[i])
	}
	return f.ordered()
}

// addChain enters the process of an alert and those above it.
func (f *forest) addChain(t *telling) {
	own := ownProcess(t.view)
	if own == nil {
		return
	}
	at, text := f.find(own), describeAll(own, t.view.GetAncestry())
	if known, ok := f.byText[text]; ok && text != "" {
		f.addAlert(known, t)
		return
	}
	if at < 0 {
		if at = f.add(own); at < 0 {
			return
		}
		if text != "" {
			f.byText[text] = at
		}
	} else {
		f.describe(at, own)
	}
	f.addAlert(at, t)
	level := uint32(0)
	for _, anc := range t.view.GetAncestry() {
		next := f.above(at, anc)
		if next < 0 {
			return
		}
		if anc.GetLevel() != level+1 {
			f.nodes[at].Gap = true
		}
		at, level = next, anc.GetLevel()
	}
}

func (f *forest) addAlert(at int, t *telling) {
	if ids := f.nodes[at].GetAlertIds(); len(ids) < maxEvidence {
		f.nodes[at].AlertIds = append(ids, string(t.id))
	}
}

// describeAll is all that an alert says of a process without a pid and of those above it; empty
// for one with a pid.
func describeAll(own *pb.Ancestor, chain []*pb.Ancestor) string {
	if own.Pid != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range append([]*pb.Ancestor{own}, chain...) {
		for _, s := range [...]string{
			strconv.FormatUint(uint64(p.GetLevel()), 10), strconv.FormatInt(p.GetPid(), 10),
			strconv.FormatUint(uint64(p.GetUser().GetUid()), 10), p.GetUser().GetName(), p.GetName(), p.GetExePath(), p.GetCommandLine(), p.GetContainerId(),
		} {
			b.WriteString(strconv.Itoa(len(s)) + ":" + s)
		}
	}
	return b.String()
}

// above is the node of what an alert has above a node, linked to it; -1 where it contradicts
// what another alert says, and where there is no more room.
func (f *forest) above(at int, anc *pb.Ancestor) int {
	known := f.find(anc)
	old := f.up[at]
	switch {
	case old >= 0 && (known == old || known < 0 && alike(f.nodes[old].GetProcess(), anc)):
		f.identify(old, anc)
		return old
	case old >= 0 && known >= 0 && alike(f.nodes[old].GetProcess(), anc) && !f.isAbove(at, known):
		f.up[at] = known // the same, which one alert knows with its start and the other without
		f.nodes[at].Gap = false
		return known
	case old >= 0:
		return -1
	case known >= 0 && f.isAbove(at, known):
		return -1
	case known < 0:
		if known = f.add(anc); known < 0 {
			return -1
		}
	}
	f.up[at] = known
	return known
}

// isAbove reports whether a node is another or stands above it.
func (f *forest) isAbove(node, other int) bool {
	for ; other >= 0; other = f.up[other] {
		if other == node {
			return true
		}
	}
	return false
}

// alike reports whether two descriptions of the parent of one process can be of one.
func alike(x, y *pb.Ancestor) bool {
	if x.Pid != nil && y.Pid != nil {
		return x.GetPid() == y.GetPid() && (x.GetStartTime() == nil || y.GetStartTime() == nil)
	}
	return x.GetName() == y.GetName()
}

// find is the node of a process that is known by pid and start; -1 for none.
func (f *forest) find(p *pb.Ancestor) int {
	if p.Pid == nil || p.GetStartTime() == nil {
		return -1
	}
	for _, i := range f.byPID[p.GetPid()] {
		if apart := p.GetStartTime().AsTime().Sub(f.nodes[i].GetProcess().GetStartTime().AsTime()); apart.Abs().Nanoseconds() <= sameStartWithin {
			return i
		}
	}
	return -1
}

func (f *forest) add(p *pb.Ancestor) int {
	if len(f.nodes) >= maxNodes {
		return -1
	}
	p = proto.CloneOf(p)
	p.Level = 0
	f.nodes, f.up = append(f.nodes, &pb.ProcessNode{Process: p}), append(f.up, -1)
	at := len(f.nodes) - 1
	if p.Pid != nil && p.GetStartTime() != nil {
		f.byPID[p.GetPid()] = append(f.byPID[p.GetPid()], at)
	}
	return at
}

// identify gives a node the start that another alert knows.
func (f *forest) identify(at int, p *pb.Ancestor) {
	node := f.nodes[at].GetProcess()
	if node.GetStartTime() != nil || p.GetStartTime() == nil || p.Pid == nil {
		return
	}
	node.Pid, node.StartTime = p.Pid, p.GetStartTime()
	f.byPID[p.GetPid()] = append(f.byPID[p.GetPid()], at)
}

// describe takes what an alert says of its own process over what others said of it as a parent,
// and what a later one says over an earlier: a process that starts a program goes by another
// name.
func (f *forest) describe(at int, p *pb.Ancestor) {
	start := f.nodes[at].GetProcess().GetStartTime()
	if p.GetStartTime().AsTime().Before(start.AsTime()) {
		start = p.GetStartTime()
	}
	p.StartTime = start
	f.nodes[at].Process = p
}

// ordered are the nodes, every parent before its children, and these in the order in which they
// came.
func (f *forest) ordered() []*pb.ProcessNode {
	children := make([][]int, len(f.nodes)+1)
	for i, up := range f.up {
		children[up+1] = append(children[up+1], i)
	}
	var out []*pb.ProcessNode
	place := make([]uint32, len(f.nodes))
	stack := append([]int(nil), reversed(children[0])...)
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if up := f.up[at]; up >= 0 {
			f.nodes[at].Parent = place[up]
		}
		out = append(out, f.nodes[at])
		place[at] = uint32(len(out)) //nolint:gosec // at most maxNodes
		stack = append(stack, reversed(children[at+1])...)
	}
	return out
}

func reversed(list []int) []int {
	out := make([]int, len(list))
	for i, x := range list {
		out[len(list)-1-i] = x
	}
	return out
}

// ownProcess is the process of a report as a node; nil where it is not known.
func ownProcess(r *pb.Report) *pb.Ancestor {
	p := r.GetProcess()
	if p.GetName() == "" && p.GetCommandLine() == "" && (p == nil || p.Pid == nil) {
		return nil
	}
	provenance := p.GetPidProvenance()
	if provenance == pb.Provenance_PROVENANCE_UNSPECIFIED {
		provenance = pb.Provenance_PROVENANCE_ALERT
	}
	out := &pb.Ancestor{
		Pid: p.Pid, NamespacePid: p.NamespacePid, Name: p.GetName(), ExePath: p.GetExePath(), CommandLine: p.GetCommandLine(),
		User: r.GetUser(), Workload: r.GetWorkload(), ContainerId: containerID(r), SystemdUnit: p.GetSystemdUnit(), Provenance: provenance,
	}
	if start := p.GetStartTime(); start != nil {
		out.StartTime = timestamppb.New(start.AsTime())
	}
	return out
}
