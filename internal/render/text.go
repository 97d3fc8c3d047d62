package render

import (
	"bytes"
	"strconv"
	"strings"
)

// The layout of text, in columns.
const (
	textWidth = 80
	// indents of the levels: content of a section, and below a subheading.
	textIndent = "  "
	textDeeper = "    "
	// labelWidth is the room for a label, with the space behind it.
	labelWidth = 18
	// wideLabelWidth is the room for a label of the first screen.
	wideLabelWidth = 15
	// clockWidth and offsetWidth are the room for the times of a timeline.
	clockWidth  = 17
	offsetWidth = 15
)

// blank is a line of spaces, rule the line that a report begins with.
const (
	blank = "                                                                                "
	rule  = "================================================================================"
)

// text writes documents for a terminal. Only what is ours begins a line without a space:
// rules of "=", headings, and the line with urgency and title.
//
// Marks for colour go around what is wrapped, never into it: wrap counts columns.
type text struct {
	dst    []byte
	colour bool
	// flat is the line at hand, made visible.
	flat []byte
	// indent stands before the content of the current block.
	indent string
	// tight says that a heading stands before the current block.
	tight bool
}

func appendText(dst []byte, d *document, colour bool) []byte {
	t := &text{dst: dst, colour: colour, indent: textIndent}
	t.screen(&d.screen)
	for _, s := range d.sections {
		t.heading(s.heading)
		t.indent = textIndent
		for _, b := range s.blocks {
			t.block(b)
		}
	}
	t.newline()
	t.put(textIndent, textIndent, d.footer)
	t.newline()
	return t.dst
}

func (t *text) newline() { t.dst = append(t.dst, '\n') }

func (t *text) screen(s *screen) {
	t.dst = append(t.dst, rule...)
	t.newline()
	urgency := s.urgency
	if urgency == "" {
		urgency = "REPORT"
	}
	t.mark(urgencyMark(s.urgency))
	t.dst = append(append(t.dst, urgency...), ':')
	t.unmark()
	t.dst = append(t.dst, ' ')
	t.wrap(s.title, len(urgency)+len(": "), len(textIndent))
	if len(s.why) > 0 {
		t.put(textIndent, textDeeper, s.why)
	}
	place := line{}.join(s.where)
	if s.when != "" {
		place = place.comma().words(s.when)
	}
	if len(place) > 0 {
		t.put(textIndent, textDeeper, place)
	}
	facts := s.facts()
	if len(facts)+len(s.doFirst) > 0 {
		t.newline()
	}
	for _, f := range facts {
		t.screenLabel(f.label)
		t.cell(f.cell, wideLabelWidth)
	}
	for i, a := range s.doFirst {
		label := ""
		if i == 0 {
			label = labelDoFirst
		}
		t.numbered(label, i+1, a)
	}
}

// numbered writes a thing to do on the first screen.
func (t *text) numbered(label string, number int, title line) {
	t.screenLabel(label)
	t.dst = append(strconv.AppendInt(t.dst, int64(number), 10), ". "...)
	hang := len(t.indent) + wideLabelWidth + len("1. ")
	t.wrap(title, hang, hang)
}

func (t *text) heading(s string) {
	t.newline()
	t.mark(bold)
	t.dst = append(t.dst, strings.ToUpper(s)...)
	t.unmark()
	t.newline()
	t.tight = true
}

// screenLabel writes a label of the first screen.
func (t *text) screenLabel(s string) {
	t.mark(bold)
	t.label(s, wideLabelWidth)
	t.unmark()
}

// label writes a label of ours and fills it up to the given width.
func (t *text) label(s string, width int) {
	t.dst = append(t.dst, t.indent...)
	t.dst = append(t.dst, s...)
	t.dst = append(t.dst, blank[:width-len(s)]...)
}

// row writes a labelled value.
func (t *text) row(label string, cell line, width int) {
	t.label(label, width)
	t.cell(cell, width)
}

// cell writes a value behind its label. Alone, a value needs no quotes.
func (t *text) cell(cell line, width int) {
	if len(cell) == 1 && cell[0].kind == spanValue {
		cell = line{{kind: spanWords, text: cell[0].text}}
	}
	hang := len(t.indent) + width
	t.wrap(cell, hang, hang)
}

// put writes a line with its beginning and with what comes before its further lines.
func (t *text) put(begin, hang string, l line) {
	t.dst = append(t.dst, begin...)
	t.wrap(l, len(begin), len(hang))
}

func (t *text) block(b block) {
	switch b := b.(type) {
	case paragraph:
		t.apart()
		t.put(t.indent, t.indent, line(b))
	case subheading:
		t.apart()
		t.subheading(line(b))
	case bullets:
		for _, l := range b {
			t.put(t.indent+"- ", t.indent+"  ", l)
		}
	case table:
		for _, r := range b {
			t.row(r.label, r.cell, labelWidth)
		}
	case grid:
		t.grid(b)
	case tree:
		t.dst = b.appendLines(t.dst, t.indent, textWidth)
	case timeline:
		t.timeline(b)
	case code:
		t.apart()
		t.code(b.text)
	case action:
		t.apart()
		t.action(b)
	}
	_, t.tight = b.(subheading)
}

// apart puts an empty line before a block, unless it is the first below a heading.
func (t *text) apart() {
	if !t.tight {
		t.newline()
	}
}

func (t *text) subheading(l line) {
	t.indent = textDeeper
	t.mark(bold)
	t.put(textIndent, textDeeper, l)
	t.unmark()
}

// grid writes each row as a paragraph, for its columns together are wider than a terminal.
func (t *text) grid(g grid) {
	for _, cells := range g.rows {
		var l line
		for i, cell := range cells {
			if len(cell) > 0 {
				l = l.comma().words(strings.ToLower(g.head[i]) + " ").join(cell)
			}
		}
		t.put(t.indent+"- ", t.indent+"  ", l)
	}
}

// timeline writes each thing that happened behind its time and how far it lies from the event.
func (t *text) timeline(list timeline) {
	hang := len(t.indent) + clockWidth + offsetWidth
	for _, h := range list {
		t.label(h.clock, clockWidth)
		t.dst = append(append(t.dst, h.offset...), blank[:offsetWidth-len(h.offset)]...)
		t.wrap(h.what, hang, hang)
	}
}

// code writes text whose line ends count, its long lines wrapped.
func (t *text) code(s string) {
	for s := range strings.Lines(s) {
		s = strings.TrimSuffix(s, "\n")
		body := strings.TrimLeft(s, " ")
		in := len(t.indent) + min(len(s)-len(body), textWidth/2)
		t.dst = append(append(t.dst, t.indent...), s[:in-len(t.indent)]...)
		t.wrap(line{}.words(body), in, in+len(textDeeper))
	}
}

func (t *text) action(a action) {
	number := strconv.Itoa(a.number) + ". "
	deeper := t.indent + blank[:len(number)]
	t.put(t.indent+number, deeper, a.title)
	if len(a.why) > 0 {
		t.put(deeper, deeper, a.why)
	}
	if a.tool != "" {
		t.put(deeper+"For ", deeper+textIndent, a.toolLine())
	}
	if a.snippet != "" {
		t.snippet(deeper+textDeeper, a.snippet)
	}
	if a.reference != "" {
		t.put(deeper+"See ", deeper+textIndent, line{}.words(a.reference))
	}
}

// snippet writes the lines of a snippet as they are, but for what must not reach a terminal.
// They are not wrapped, so that they can be copied.
func (t *text) snippet(indent, s string) {
	for s := range strings.Lines(s) {
		if s = strings.TrimSuffix(s, "\n"); s != "" {
			t.dst = appendVisible(append(t.dst, indent...), s)
		}
		t.newline()
	}
}

// wrap writes a line from column col on and begins further lines at column hang.
func (t *text) wrap(l line, col, hang int) {
	t.flatten(l)
	s := t.flat
	for len(s) > 0 {
		spaces := len(s) - len(bytes.TrimLeft(s, " "))
		word := s[spaces:]
		if i := bytes.IndexByte(word, ' '); i >= 0 {
			word = word[:i]
		}
		s = s[spaces+len(word):]
		if len(word) == 0 {
			break
		}
		col = t.word(spaces, word, col, hang)
	}
	t.newline()
}

// word writes a word behind so many spaces and returns the column behind it. It goes to a
// further line if it does not fit; one that is longer than a line is broken.
func (t *text) word(spaces int, word []byte, col, hang int) int {
	const enough = 20 // columns; with fewer left, a long word had better begin a line
	w := columnsOf(word)
	if left := textWidth - col - spaces; w > left && col > hang && (hang+w <= textWidth || left < enough) {
		t.newHanging(hang)
		col, spaces = hang, 0
	}
	spaces = min(spaces, textWidth-col)
	t.dst = append(t.dst, blank[:spaces]...)
	col += spaces
	for col+w > textWidth {
		n := fit(word, textWidth-col)
		t.dst = append(t.dst, word[:n]...)
		w -= columnsOf(word[:n])
		t.newHanging(hang)
		word, col = word[n:], hang
	}
	t.dst = append(t.dst, word...)
	return col + w
}

// newHanging begins a further line.
func (t *text) newHanging(hang int) {
	t.newline()
	t.dst = append(t.dst, blank[:hang]...)
}

// flatten makes a line visible, into t.flat.
func (t *text) flatten(l line) {
	t.flat = t.flat[:0]
	for _, s := range l {
		switch s.kind {
		case spanValue:
			t.flat = appendName(t.flat, s.text)
		case spanQuoted:
			t.flat = appendQuoted(t.flat, s.text)
		case spanWords, spanLink, spanQuietLink:
			t.flat = appendVisible(t.flat, s.text)
		}
	}
	for _, s := range l {
		if s.kind == spanLink {
			t.flat = append(append(append(t.flat, " ("...), s.url...), ')')
		}
	}
}
