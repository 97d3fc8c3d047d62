package render

import (
	"path"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// layProcesses lays out the chain of processes, the topmost first, what must be known to read
// it, and the processes of all alerts of an incident.
func layProcesses(r *pb.Report, n numbering) []block {
	chain, all := layChain(r), layIncident(r, n)
	var out []block
	if chain != nil {
		out = append(out, chain, paragraph(completeness(r)))
	}
	out = append(out, layList(r.GetAncestryNotes())...)
	var t table
	t.add("Login", login(r.GetLogin()))
	t.addValue("Systemd unit", r.GetProcess().GetSystemdUnit())
	if t != nil {
		out = append(out, t)
	}
	if all == nil {
		return out
	}
	if out != nil {
		out = slices.Insert(out, 0, block(subheading(line{}.words("Of the first alert"))))
	}
	return append(out, subheading(line{}.words("Of all alerts")), all)
}

// layChain lays out the process of the event and those above it.
func layChain(r *pb.Report) tree {
	ancestors := sortedAncestors(r)
	name := containerNamer(r.GetContainer())
	var t tree
	var up above
	for i, a := range ancestors {
		if i > 0 {
			up = t.addLevels(ancestors[i-1].GetLevel(), a.GetLevel(), up)
		}
		up = t.add(ancestor(a, r.GetEventTime()), up, name)
	}
	p := r.GetProcess()
	if p == nil {
		return t
	}
	event := process{node: node{
		name: either(p.GetName(), p.GetExePath()), pid: p.Pid, command: p.GetCommandLine(), source: "this event", event: true,
	}, user: userOf{r.GetUser()}, unit: p.GetSystemdUnit()}
	if s := pidSource(p.GetPidProvenance()); s != "" && p.Pid != nil {
		event.source += ", pid " + s
	}
	event.addNamespacePID(p.Pid, p.NamespacePid)
	if n := len(ancestors); n > 0 {
		up = t.addLevels(ancestors[n-1].GetLevel(), 0, up)
		event.place = place{r.GetWorkload(), r.GetContainer().GetId()}
	}
	t.add(event, up, name)
	return t
}

// sortedAncestors are the ancestors of the report, the topmost first.
func sortedAncestors(r *pb.Report) []*pb.Ancestor {
	list := slices.DeleteFunc(slices.Clone(r.GetAncestry()), func(a *pb.Ancestor) bool { return a == nil })
	slices.SortStableFunc(list, func(a, b *pb.Ancestor) int { return int(int64(b.GetLevel()) - int64(a.GetLevel())) })
	return list
}

// addLevels notes the levels between two that are known.
func (t *tree) addLevels(high, low uint32, up above) above {
	if high <= low+1 {
		return up
	}
	from, to := strconv.FormatUint(uint64(high-1), 10), strconv.FormatUint(uint64(low+1), 10)
	if from == to {
		return t.addGap("... (level "+to+": not known)", up)
	}
	return t.addGap("... (levels "+from+" to "+to+": not known)", up)
}

// layIncident lays out the processes of all alerts, each with its alerts. A node whose parent
// does not stand before it is one of those without a known parent.
func layIncident(r *pb.Report, n numbering) tree {
	nodes := r.GetProcesses()
	if len(nodes) == 0 {
		return nil
	}
	list := make([]process, len(nodes)+1) // the first holds those without a parent
	for i, m := range nodes {
		p := ancestor(m.GetProcess(), r.GetEventTime())
		p.isGap = m.GetGap() && m.GetParent() > 0
		p.facts = append(p.facts, n.facts(m.GetAlertIds())...)
		list[i+1] = p
		parent := int64(m.GetParent())
		if parent > int64(i) {
			parent = 0
		}
		list[parent].children = append(list[parent].children, i+1)
	}
	type visit struct {
		process int
		up      above
	}
	var t tree
	name := containerNamer(r.GetContainer())
	stack := []visit{{}}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		down := v.up
		if p := list[v.process]; v.process > 0 {
			if p.isGap {
				down = t.addGap("... (not known)", down)
			}
			down = t.add(p, down, name)
		}
		for _, child := range slices.Backward(list[v.process].children) {
			stack = append(stack, visit{child, down})
		}
	}
	return t
}

// ancestor is a process that is known as an ancestor.
func ancestor(a *pb.Ancestor, event *timestamppb.Timestamp) process {
	p := process{node: node{
		name: either(a.GetName(), a.GetExePath()), command: a.GetCommandLine(), source: provenance(a.GetProvenance()),
	}, user: userOf{a.GetUser()}, unit: a.GetSystemdUnit(), place: place{a.GetWorkload(), a.GetContainerId()}}
	if a == nil {
		return p
	}
	p.pid = a.Pid
	if a.GetEnded() {
		p.source = join(", ", p.source, "ended")
	}
	if isRenamed(a.GetName(), a.GetExePath()) {
		p.facts = append(p.facts, line{}.words("executable ").value(a.GetExePath()))
	}
	p.addNamespacePID(a.Pid, a.NamespacePid)
	if l := moment(a.GetStartTime(), event); len(l) > 0 {
		p.roomy = append(p.roomy, line{}.words("started ").join(l))
	}
	return p
}

// isRenamed reports whether a process goes by another name than that of its executable.
func isRenamed(name, exe string) bool {
	const kernelName = 15 // bytes that the kernel keeps of a name
	base := path.Base(exe)
	return name != "" && exe != "" && name != exe && name != base && name != base[:min(len(base), kernelName)]
}

func (p *process) addNamespacePID(pid, inNamespace *int64) {
	if inNamespace != nil && (pid == nil || *pid != *inNamespace) {
		p.facts = append(p.facts, line{}.words("pid ").number(*inNamespace).words(" in its namespace"))
	}
}

// completeness says how far up the chain is known.
func completeness(r *pb.Report) line {
	name, pid := either(r.GetProcess().GetName(), r.GetProcess().GetExePath()), r.GetProcess().GetPid()
	if a := sortedAncestors(r); len(a) > 0 {
		name, pid = either(a[0].GetName(), a[0].GetExePath()), a[0].GetPid()
	}
	switch {
	case r.GetAncestryComplete():
		return line{}.words("The chain is complete up to pid 1.")
	case pid == 1:
		return line{}.words("The chain reaches pid 1, but is not complete.")
	case name != "":
		return line{}.words("The chain above ").value(name).words(" is not known.")
	case pid != 0:
		return line{}.words("The chain above pid ").number(pid).words(" is not known.")
	default:
		return line{}.words("The chain above this is not known.")
	}
}

func provenance(p pb.Provenance) string {
	switch p {
	case pb.Provenance_PROVENANCE_ALERT:
		return "alert"
	case pb.Provenance_PROVENANCE_PROCESS_TABLE:
		return "process table"
	case pb.Provenance_PROVENANCE_PROCFS:
		return "/proc"
	case pb.Provenance_PROVENANCE_INFERRED:
		return "inferred"
	default:
		return ""
	}
}

// pidSource says where a pid is known from that the alert did not bring.
func pidSource(p pb.Provenance) string {
	switch p {
	case pb.Provenance_PROVENANCE_PROCESS_TABLE:
		return "from the process table"
	case pb.Provenance_PROVENANCE_PROCFS:
		return "from /proc"
	case pb.Provenance_PROVENANCE_INFERRED:
		return "inferred"
	default:
		return ""
	}
}

// login says how somebody came to be on the host.
func login(m *pb.Login) line {
	if m == nil {
		return nil
	}
	l := line{}.words(choose(m.GetRemote(), "remote", ""))
	if m.GetService() != "" {
		l = l.words(choose(len(l) > 0, " ", "") + "through ").value(m.GetService())
	}
	if m.GetSession() != "" {
		l = l.comma().words("session ").value(m.GetSession())
	}
	if evidence := present(m.GetEvidence()...); len(l) > 0 && len(evidence) > 0 {
		l = l.words(" (from ").values(evidence).words(")")
	}
	return l
}
