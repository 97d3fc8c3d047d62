package render

import (
	"slices"
	"strconv"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// maxTreeIndent bounds how far a tree goes to the right, in columns. A shortened name, the
// longest number for a pid (27 columns) and the longest note (16) must fit behind it and the
// indent of text within 80 columns.
const maxTreeIndent = 26

// node is one line of a process tree: a process, or a note about a gap.
type node struct {
	gap     string // if set, the rest is not
	name    string
	pid     *int64
	command string
	user    string
	uid     *uint32
	note    string // where it is known from
}

// layProcesses lays out the chain of processes, the topmost first.
func layProcesses(r *pb.Report) []block {
	ancestors := slices.DeleteFunc(slices.Clone(r.GetAncestry()), func(a *pb.Ancestor) bool { return a == nil })
	slices.SortStableFunc(ancestors, func(a, b *pb.Ancestor) int { return int(int64(b.GetLevel()) - int64(a.GetLevel())) })
	p := r.GetProcess()
	var t tree
	for i, a := range ancestors {
		if i > 0 {
			t = t.addGap(ancestors[i-1].GetLevel(), a.GetLevel())
		}
		n := node{
			name: either(a.GetName(), a.GetExePath()), pid: a.Pid, command: a.GetCommandLine(),
			note: provenance(a.GetProvenance()),
		}
		t = append(t, n.as(a.GetUser()))
	}
	if p != nil {
		if n := len(ancestors); n > 0 {
			t = t.addGap(ancestors[n-1].GetLevel(), 0)
		}
		n := node{
			name: either(p.GetName(), p.GetExePath()), pid: p.Pid, command: p.GetCommandLine(),
			note: "this event",
		}
		t = append(t, n.as(r.GetUser()))
	}
	if t == nil {
		return nil
	}
	return []block{t, paragraph(completeness(t[0], r.GetAncestryComplete()))}
}

// addGap notes the levels between two that are known.
func (t tree) addGap(above, below uint32) tree {
	if above <= below+1 {
		return t
	}
	high, low := strconv.FormatUint(uint64(above-1), 10), strconv.FormatUint(uint64(below+1), 10)
	if high == low {
		return append(t, node{gap: "... (level " + low + ": not known)"})
	}
	return append(t, node{gap: "... (levels " + high + " to " + low + ": not known)"})
}

// completeness says how far up the chain is known.
func completeness(top node, complete bool) line {
	if complete {
		return line{}.words("The chain is complete up to pid 1.")
	}
	if top.pid != nil && *top.pid == 1 {
		return line{}.words("The chain reaches pid 1, but is not complete.")
	}
	l := line{}.words("The chain above ")
	switch {
	case top.name != "":
		l = l.value(top.name)
	case top.pid != nil:
		l = l.words("pid ").number(*top.pid)
	default:
		l = l.words("this")
	}
	return l.words(" is not known.")
}

// as adds whom the process runs as.
func (n node) as(u *pb.User) node {
	if u != nil {
		n.user, n.uid = u.GetName(), u.Uid
	}
	return n
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

// appendLines appends the tree, each line with indent before it and at most so many columns
// wide in all. Names and command lines that could be taken for something else are in quotes.
func (t tree) appendLines(dst []byte, indent string, columns int) []byte {
	for depth, n := range t {
		in := len(indent) + min(2*depth, maxTreeIndent)
		dst = append(dst, indent...)
		dst = append(dst, blank[:in-len(indent)]...)
		dst = n.appendLine(dst, columns-in)
		dst = append(dst, '\n')
	}
	return dst
}

// appendLine appends one process within so many columns. The command line gives way first,
// then the user, then the end of the name.
func (n node) appendLine(dst []byte, columns int) []byte {
	if n.gap != "" {
		return append(dst, n.gap...)
	}
	const (
		maxName = 24 // columns; the kernel's names have at most 15 bytes
		minName = 8  // columns
		minRoom = 12 // columns; less of a command line says nothing
	)
	pid, note := n.pidWord(), ""
	if n.note != "" {
		note = " [" + n.note + "]"
	}
	columns -= len(pid) + len(note)
	name := appendNarrowName(nil, either(n.name, "?"), max(minName, min(maxName, columns)))
	columns -= columnsOf(name)
	user := n.appendUser(nil, maxName)
	if len(user) > 0 && columnsOf(user) > columns {
		user = nil
	}
	columns -= columnsOf(user)
	dst = append(append(dst, name...), pid...)
	if n.command != "" && n.command != n.name && columns > minRoom {
		dst = appendNarrow(append(dst, ' '), n.command, columns-1)
	}
	return append(append(dst, user...), note...)
}

func (n node) pidWord() string {
	if n.pid == nil {
		return ""
	}
	return " (pid " + strconv.FormatInt(*n.pid, 10) + ")"
}

func (n node) appendUser(dst []byte, maxName int) []byte {
	switch {
	case n.user != "":
		return appendNarrowName(append(dst, " user "...), n.user, maxName)
	case n.uid != nil:
		return strconv.AppendUint(append(dst, " uid "...), uint64(*n.uid), 10)
	default:
		return dst
	}
}
