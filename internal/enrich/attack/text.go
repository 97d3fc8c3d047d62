package attack

import (
	"bytes"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTextBytes bounds a description. The first paragraph of nine in ten of MITRE's has less
// than 720.
const maxTextBytes = 1200

// maxRawTextBytes is how much of a description is looked at; MITRE's longest has 5 kB.
const maxRawTextBytes = 16 << 10

// text makes plain text of a description: its first paragraphs, up to a list or heading that
// could not do without its form, and as many as fit into maxTextBytes. If the first alone does
// not fit it ends with a sentence.
func text(s string) string {
	var out string
	paragraphs, cut := prose(clipBytes(s, maxRawTextBytes))
	for i, p := range paragraphs {
		p = plain(p)
		if cut && i == len(paragraphs)-1 {
			p = withoutIntroduction(p, out == "")
		}
		switch {
		case p == "":
		case out == "":
			out = cutSentence(p)
			if len(p) > maxTextBytes {
				return out
			}
		case len(out)+1+len(p) > maxTextBytes:
			return out
		default:
			out += " " + p
		}
	}
	return out
}

// clipBytes cuts s to at most n bytes, between characters.
func clipBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// prose is the paragraphs that s begins with, and whether a list or heading comes after them.
func prose(s string) (paragraphs []string, cut bool) {
	var p strings.Builder
	end := func() {
		if p.Len() > 0 {
			paragraphs = append(paragraphs, p.String())
			p.Reset()
		}
	}
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		switch rest, isBlock := cutMarker(line); {
		case line == "":
			end()
		case isBlock && (p.Len() > 0 || len(paragraphs) > 0):
			end()
			return paragraphs, true
		default:
			p.WriteString(rest)
			p.WriteByte(' ')
		}
	}
	end()
	return paragraphs, false
}

// cutMarker cuts what marks a heading or an item of a list in Markdown off a line.
func cutMarker(line string) (rest string, isBlock bool) {
	marker, rest, _ := strings.Cut(line, " ")
	switch digits := countDigits(marker); {
	case marker == "*", marker == "-", marker == "+":
		return rest, true
	case marker != "" && strings.Trim(marker, "#") == "":
		return rest, true
	case digits > 0 && digits < 3 && (marker[digits:] == "." || marker[digits:] == ")"):
		return rest, true
	default:
		return line, false
	}
}

// withoutIntroduction takes the sentence that introduces a list off the end. Where a text has
// nothing else it stays, as a sentence of its own.
func withoutIntroduction(p string, alone bool) string {
	if p == "" || endsSentence(p) {
		return p
	}
	if n := lastSentence(p); n > 0 {
		return p[:n]
	}
	if !alone {
		return ""
	}
	return strings.TrimSuffix(p, ":") + "."
}

// cutSentence cuts p to at most maxTextBytes, after a sentence or at least after a word.
func cutSentence(p string) string {
	if len(p) <= maxTextBytes {
		return p
	}
	const ellipsis = "…"
	head := clipBytes(p, maxTextBytes+1) // may see the space after a sentence that just fits
	if n := lastSentence(head); n > 0 {
		return p[:n]
	}
	head = clipBytes(p, maxTextBytes-len(ellipsis))
	if n := strings.LastIndexByte(head, ' '); n > 0 {
		head = head[:n]
	}
	return head + ellipsis
}

// lastSentence is where the last sentence of p ends that another one follows, 0 for none.
func lastSentence(p string) int {
	for n := len(p) - 1; n > 0; n-- {
		if p[n] == ' ' && endsSentence(p[:n]) {
			return n
		}
	}
	return 0
}

// endsSentence is whether p ends as a sentence does.
func endsSentence(p string) bool {
	p = strings.TrimRight(p, `)"'”’`)
	if !strings.HasSuffix(p, ".") && !strings.HasSuffix(p, "!") && !strings.HasSuffix(p, "?") {
		return false
	}
	word := strings.TrimLeft(p[strings.LastIndexByte(p, ' ')+1:], `("'“‘`)
	switch strings.ToLower(word) {
	case "e.g.", "i.e.", "ex.", "etc.", "vs.", "cf.", "no.", "inc.":
		return false
	default:
		return true
	}
}

// plain makes one line of plain text of MITRE's mixture of Markdown and HTML: without
// citations, code marks and emphasis, with links as their text alone, and without characters
// that are not visible.
func plain(s string) string {
	m := markup{in: clipBytes(s, maxRawTextBytes)}
	for m.at < len(m.in) {
		m.step()
	}
	return line(string(m.out))
}

// line makes one line of visible characters of a text, with single spaces.
func line(s string) string {
	visible := strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, clipBytes(s, maxRawTextBytes))
	return strings.Join(strings.Fields(visible), " ")
}

// Bounds of what is looked for in a text, so that the time is linear in its length.
const (
	maxCitationBytes = 400
	maxLinkText      = 300
	maxLinkURL       = 1000
)

// markup reads marked-up text.
type markup struct {
	in  string
	at  int
	out []byte

	inCode           bool
	linkAt, linkNext int // where the text of a link ends, and where the text after it begins
}

// step reads one mark or one byte.
func (m *markup) step() {
	rest := m.in[m.at:]
	if m.linkNext > 0 && m.at == m.linkAt {
		m.at, m.linkAt, m.linkNext = m.linkNext, 0, 0
		return
	}
	switch n := 0; rest[0] {
	case '(':
		if n = citation(rest); n > 0 {
			m.cite(n)
			return
		}
	case '[':
		if text, next := link(rest); next > 0 && m.linkNext == 0 {
			m.linkAt, m.linkNext = m.at+text, m.at+next
			m.at++
			return
		}
	case '!':
		if _, next := link(rest[1:]); next > 0 {
			m.at++
			return
		}
	case '<':
		if n = m.tag(rest); n > 0 {
			m.at += n
			return
		}
	case '&':
		if n = entity(rest); n > 0 {
			m.out = append(m.out, html.UnescapeString(rest[:n])...)
			m.at += n
			return
		}
	case '`', '*':
		if n = len(rest) - len(strings.TrimLeft(rest, rest[:1])); !m.inCode && (rest[0] == '`' || n > 1) {
			m.at += n
			return
		}
	default:
	}
	m.out = append(m.out, rest[0])
	m.at++
}

// cite leaves a citation out, with the space before it; a letter that stands right after it
// gets one.
func (m *markup) cite(n int) {
	m.at += n
	m.out = bytes.TrimRight(m.out, " ")
	if r, _ := utf8.DecodeRuneInString(m.in[m.at:]); unicode.IsLetter(r) || unicode.IsDigit(r) {
		m.out = append(m.out, ' ')
	}
}

// citation is the length of the citation that s begins with, 0 for none. Parentheses within
// it are balanced.
func citation(s string) int {
	if !strings.HasPrefix(s, "(Citation:") {
		return 0
	}
	return closing(s, '(', ')', maxCitationBytes)
}

// link is where the text of the link that s begins with ends, and where the link ends; 0, 0
// for none.
func link(s string) (text, next int) {
	if !strings.HasPrefix(s, "[") {
		return 0, 0
	}
	text = closing(s, '[', ']', maxLinkText)
	if text == 0 || !strings.HasPrefix(s[text:], "(") {
		return 0, 0
	}
	url := closing(s[text:], '(', ')', maxLinkURL)
	if url == 0 {
		return 0, 0
	}
	return text - 1, text + url
}

// closing is the length of what s begins with up to the bracket that closes its first one, 0
// if there is none within limit bytes.
func closing(s string, opens, closes byte, limit int) int {
	depth := 0
	for i := range min(len(s), limit) {
		switch s[i] {
		case opens:
			depth++
		case closes:
			if depth--; depth == 0 {
				return i + 1
			}
		default:
		}
	}
	return 0
}

// tag is the length of the HTML tag that s begins with, 0 for none. Only what formats is a
// tag: <username> stands for a name.
func (m *markup) tag(s string) int {
	const most = 200
	end := strings.IndexByte(s[:min(len(s), most)], '>')
	if end < 0 {
		return 0
	}
	name, isEnd := strings.CutPrefix(s[1:end], "/")
	name, _, _ = strings.Cut(strings.TrimSuffix(name, "/"), " ")
	switch strings.ToLower(name) {
	case "code", "pre":
		m.inCode = !isEnd && strings.Contains(s, "</") // one that never ends is a mistake
	case "br", "p", "li", "ul", "ol":
		m.out = append(m.out, ' ')
	case "a", "b", "i", "u", "em", "strong", "span", "sub", "sup":
	default:
		return 0
	}
	return end + 1
}

// entity is the length of the HTML character reference that s begins with, 0 for none.
func entity(s string) int {
	const most = 12
	end := strings.IndexByte(s[:min(len(s), most)], ';')
	if end < 2 || strings.Trim(s[1:end], "#0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return 0
	}
	return end + 1
}
