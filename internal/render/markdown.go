package render

import (
	"bytes"
	"strconv"
	"strings"
)

// treeWidth bounds the lines of a process tree in Markdown, in columns.
const treeWidth = 120

// fenceIndent stands before every line of a fenced block. Markdown takes it away again; it
// keeps what is inside (a comment of a shell script) from beginning a line with "# ".
const fenceIndent = "  "

// markdown writes documents as Markdown. No line of it is ever broken, and every line begins
// with something of ours, so that no text can begin a block.
type markdown struct{ dst []byte }

func appendMarkdown(dst []byte, d *document) []byte {
	m := &markdown{dst}
	m.screen(&d.screen)
	for _, s := range d.sections {
		m.string("\n## ")
		m.line(line{}.words(s.heading))
		for _, b := range s.blocks {
			m.newline()
			m.block(b)
		}
	}
	m.newline()
	m.line(d.footer)
	m.string("\n---\n\n")
	return m.dst
}

func (m *markdown) string(s string) { m.dst = append(m.dst, s...) }

func (m *markdown) newline() { m.dst = append(m.dst, '\n') }

func (m *markdown) screen(s *screen) {
	m.string("# ")
	m.line(s.title)
	m.lead(s)
	facts := s.facts()
	if len(facts)+len(s.doFirst) > 0 {
		m.newline()
	}
	for _, f := range facts {
		m.string("- **" + f.label + ":** ")
		m.line(f.cell)
	}
	if len(s.doFirst) > 0 {
		m.string("- **" + labelDoFirst + ":**\n")
	}
	for i, a := range s.doFirst {
		m.string("  " + strconv.Itoa(i+1) + ". ")
		m.line(a)
	}
}

// lead writes urgency with its reason, and below it place and time.
func (m *markdown) lead(s *screen) {
	between := "\n"
	switch {
	case s.urgency != "" && len(s.why) > 0:
		m.string("\n**" + s.urgency + "**" + separator)
		m.line(s.why)
	case len(s.why) > 0:
		m.newline()
		m.line(s.why)
	case s.urgency != "":
		m.string("\n**" + s.urgency + "**")
		between = separator
	}
	for _, l := range []line{s.where, line{}.words(s.when)} {
		if len(l) > 0 {
			m.string(between)
			m.inline(l)
			between = separator
		}
	}
	if between == separator {
		m.newline()
	}
}

func (m *markdown) block(b block) {
	switch b := b.(type) {
	case paragraph:
		m.line(line(b))
	case subheading:
		m.string("### ")
		m.line(line(b))
	case bullets:
		for _, l := range b {
			m.string("- ")
			m.line(l)
		}
	case table:
		m.row("Detail", "Value")
		m.string("|---|---|\n")
		for _, r := range b {
			m.cells(line{}.words(r.label), r.cell)
		}
	case grid:
		m.row(b.head...)
		m.string(strings.Repeat("|---", len(b.head)) + "|\n")
		for _, cells := range b.rows {
			m.cells(cells...)
		}
	case timeline:
		m.row("Time", "From the event", "What")
		m.string("|---|---|---|\n")
		for _, h := range b {
			m.cells(line{}.words(h.clock), line{}.words(h.offset), h.what)
		}
	case tree:
		m.fenced("text", string(b.appendLines(nil, "", treeWidth)))
	case code:
		m.fenced(b.language, b.text)
	case action:
		m.action(b)
	}
}

// row writes a row of words of ours.
func (m *markdown) row(cells ...string) {
	m.string("| " + strings.Join(cells, " | ") + " |\n")
}

// cells writes a row of a table.
func (m *markdown) cells(cells ...line) {
	for _, l := range cells {
		m.string("| ")
		for _, s := range l {
			m.span(s, inTable)
		}
		m.string(" ")
	}
	m.string("|\n")
}

// line writes a line and its end.
func (m *markdown) line(l line) {
	m.inline(l)
	m.newline()
}

// inline writes a line without its end.
func (m *markdown) inline(l line) {
	at := atStart
	for _, s := range l {
		m.span(s, at)
		at = inLine
	}
	m.dst = bytes.TrimRight(m.dst, " ")
}

func (m *markdown) span(s span, at position) {
	switch s.kind {
	case spanValue, spanQuoted:
		m.dst = appendCodeSpan(m.dst, visible(s.text), at)
	case spanLink, spanQuietLink:
		m.string("[")
		m.dst = appendMarkdownWords(m.dst, visible(s.text), inLine)
		m.string("](" + s.url + ")")
	case spanWords:
		m.dst = appendMarkdownWords(m.dst, visible(s.text), at)
	}
}

func (m *markdown) action(a action) {
	m.string("**" + strconv.Itoa(a.number) + ". ")
	m.inline(a.title)
	m.string("**\n")
	if len(a.why) > 0 {
		m.newline()
		m.line(a.why)
	}
	if a.tool != "" {
		m.string("\nFor ")
		m.line(a.toolLine())
	}
	if a.snippet != "" {
		m.newline()
		m.fenced(a.language, a.snippet)
	}
	switch {
	case a.reference == "":
	case a.referenceOK:
		m.string("\nSee <" + a.reference + ">\n")
	default:
		m.string("\nSee ")
		m.line(line{}.value(a.reference))
	}
}

// fenced writes text as a fenced block, with a fence longer than any in the text.
func (m *markdown) fenced(language, s string) {
	fence := strings.Repeat("`", max(3, longestRun(s)+1))
	m.string(fenceIndent + fence)
	if isOneOf(language, "+-") {
		m.string(language)
	}
	m.newline()
	for s := range strings.Lines(s) {
		if s = strings.TrimSuffix(s, "\n"); s != "" {
			m.dst = appendVisible(append(m.dst, fenceIndent...), s)
		}
		m.newline()
	}
	m.string(fenceIndent + fence + "\n")
}

// longestRun is the length of the longest run of backticks.
func longestRun(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
