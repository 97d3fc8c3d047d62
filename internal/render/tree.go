package render

import (
	"slices"
	"strconv"
)

// The layout of trees, in columns.
const (
	// maxTreeIndent bounds how far a tree goes to the right. Behind it, the indent of text (4)
	// and the depth (14), a shortened name (8) and the longest number for a pid (27) must fit
	// within 80 columns; on a further line (4), the longest note and the longest fact.
	maxTreeIndent = 26
	// hangingIndent stands before what does not fit on the line of its process. It is more
	// than the indent of a child, so that nothing on it looks like one.
	hangingIndent = 4
	maxNodeName   = 24 // the kernel's names have at most 15 bytes
	minNodeName   = 8
	minCommand    = 12 // less of a command line says nothing
	enoughCommand = 32 // this much of a command line goes before having all on one line
	maxFactValue  = 40
)

type (
	// tree is a tree of processes, parents before children.
	tree []node
	// node is one entry of a tree: a process, or a note that stands before one.
	node struct {
		depth  int
		text   line // the note; if set, the rest but border is not
		border bool // the note says that another container, or the host, begins

		name    string
		pid     *int64
		command string
		// facts are in all formats, roomy only where lines have no end.
		facts, roomy []line
		source       string // where it is known from, in our words
		event        bool   // it made the event that the report is about
	}
)

func (tree) isBlock() {}

// appendLines appends the tree, each line with indent before it and at most so many columns
// wide in all. Names and command lines that could be taken for something else are in quotes.
func (t tree) appendLines(dst []byte, indent string, columns int) []byte {
	for _, n := range t {
		in := len(indent) + min(2*n.depth, maxTreeIndent)
		dst = append(append(dst, indent...), blank[:in-len(indent)]...)
		switch {
		case n.border:
			dst = append(appendNarrowLine(append(dst, "---- "...), n.text, columns-in-len("----  ----")), " ----"...)
		case n.text != nil:
			dst = appendNarrowLine(dst, n.text, columns-in)
		default:
			dst = n.appendProcess(dst, in, columns-in)
		}
		dst = append(dst, '\n')
	}
	return dst
}

// appendProcess appends one process within so many columns: on one line if enough of its
// command line fits there too, and else with its facts on further lines.
func (n node) appendProcess(dst []byte, in, columns int) []byte {
	head, parts := n.appendHead(nil, columns), n.parts(columns-hangingIndent)
	tail := joinParts(parts)
	room := columns - columnsOf(head) - columnsOf(tail)
	command := ""
	if n.command != n.name {
		command = n.command
	}
	if room < columnsOf(appendCommand(nil, command, enoughCommand)) {
		tail = nil
		if last := len(parts) - 1; n.source != "" && columnsOf(head)+1+len(parts[last]) <= columns {
			tail, parts = append([]byte{' '}, parts[last]...), parts[:last]
		}
		room = columns - columnsOf(head) - len(tail)
	} else {
		parts = nil
	}
	dst = append(append(dst, head...), appendCommand(nil, command, room)...)
	return appendParts(append(dst, tail...), parts, in+hangingIndent, columns-hangingIndent)
}

// appendHead appends the name and the pid.
func (n node) appendHead(dst []byte, columns int) []byte {
	begin, pid := n.depthWord(), n.pidWord()
	dst = append(dst, begin...)
	if n.name == "" {
		return append(append(dst, '?'), pid...)
	}
	room := columns - len(begin) - len(pid)
	return append(appendNarrowName(dst, n.name, max(minNodeName, min(maxNodeName, room))), pid...)
}

// depthWord says how deep a process lies that lies deeper than trees are indented.
func (n node) depthWord() string {
	if 2*n.depth <= maxTreeIndent {
		return ""
	}
	return "(depth " + strconv.Itoa(n.depth+1) + ") "
}

func (n node) pidWord() string {
	if n.pid == nil {
		return ""
	}
	return " (pid " + strconv.FormatInt(*n.pid, 10) + ")"
}

// parts are the facts, and last the source, each within so many columns.
func (n node) parts(columns int) [][]byte {
	var out [][]byte
	for _, f := range n.facts {
		out = append(out, appendNarrowLine(nil, f, columns))
	}
	if n.source != "" {
		out = append(out, []byte("["+n.source+"]"))
	}
	return out
}

// joinParts puts parts on one line, behind a space.
func joinParts(parts [][]byte) []byte {
	var out []byte
	for i, p := range parts {
		if i > 0 && p[0] != '[' {
			out = append(out, ';')
		}
		out = append(append(out, ' '), p...)
	}
	return out
}

// appendParts appends parts on further lines, as many on each as fit.
func appendParts(dst []byte, parts [][]byte, in, columns int) []byte {
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && columnsOf(joinParts(parts[:n+1]))-1 <= columns {
			n++
		}
		dst = append(append(dst, '\n'), blank[:in-1]...)
		dst = append(dst, joinParts(parts[:n])...)
		parts = parts[n:]
	}
	return dst
}

// appendCommand appends a command line behind a space, unless there is too little room to say
// much of it.
func appendCommand(dst []byte, command string, columns int) []byte {
	if command == "" || columns < minCommand && columnsOf([]byte(spellQuotes(visible(command))))+len("  ”") > columns {
		return dst
	}
	return appendNarrow(append(dst, ' '), command, columns-1)
}

// appendNarrowLine appends a line within so many columns: its values share what its words
// leave them.
func appendNarrowLine(dst []byte, l line, columns int) []byte {
	left, values := columns, 0
	for _, s := range l {
		if s.kind == spanWords {
			left -= columnsOf([]byte(visible(s.text)))
		} else {
			values++
		}
	}
	share := 0
	if values > 0 {
		share = max(minNodeName, min(maxFactValue, left/values))
	}
	begin := len(dst)
	for _, s := range l {
		if s.kind == spanWords {
			dst = appendVisible(dst, s.text)
		} else {
			dst = appendNarrowName(dst, s.text, share)
		}
	}
	if columnsOf(dst[begin:]) > columns {
		dst = append(dst[:begin+fit(dst[begin:], columns-len("..."))], "..."...)
	}
	return dst
}

// nest walks a tree as nested lists: a list is opened and ended, an item begun and, after the
// lists within it, closed. No list is nested deeper than trees of other formats are indented.
func (t tree) nest(open func(first bool), end func(), begin func(node), closeItem func()) {
	depth := -1
	for _, n := range t {
		at := min(n.depth, maxTreeIndent/2, depth+1)
		if at > depth {
			open(depth < 0)
			depth = at
		} else {
			closeItem()
		}
		for ; depth > at; depth-- {
			end()
			closeItem()
		}
		begin(n)
	}
	for ; depth >= 0; depth-- {
		closeItem()
		end()
	}
}

// process is what a tree needs to know of a process to say where it differs from its parent.
type process struct {
	node
	user     userOf
	unit     string
	place    place
	isGap    bool
	children []int
}

// above is what is known of the processes above one.
type above struct {
	depth int
	any   bool
	user  userOf
	unit  string
	place place
	sure  bool // place is that of the process right above
}

// add adds a process below others and returns what its children stand below.
func (t *tree) add(p process, up above, name func(id string) string) above {
	down := above{depth: up.depth + 1, any: true, user: p.user.or(up.user), unit: p.unit, place: up.place}
	if p.place.isKnown() {
		if text := p.place.border(up, name); text != nil {
			*t = append(*t, node{depth: up.depth, text: text, border: true})
		}
		down.place, down.sure = p.place.or(up.place), true
	}
	var facts []line
	if l := p.user.changed(up.user, p.event); l != nil {
		facts = append(facts, l)
	}
	if p.unit != "" && p.unit != up.unit && !p.event { // that of the event has a row of its own
		facts = append(facts, line{}.words("unit ").value(p.unit))
	}
	p.depth, p.facts = up.depth, slices.Concat(facts, p.facts)
	*t = append(*t, p.node)
	return down
}

// addGap adds a note that processes are not known, and returns what those below stand below.
func (t *tree) addGap(text string, up above) above {
	*t = append(*t, node{depth: up.depth, text: line{}.words(text)})
	return above{depth: up.depth + 1, any: true, place: up.place}
}
