package render

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxValue bounds a value on a line, in bytes of the value. What is longer loses its middle;
// the original alert has it in full.
const maxValue = 512

// line is text that belongs together: a sentence, a heading, a cell of a table.
type line []span

// span is a stretch of a line.
type span struct {
	kind spanKind
	text string
	url  string // of links; safe to stand in any format
}

// spanKind says how a span is shown.
type spanKind uint8

const (
	// spanWords is prose. It wraps.
	spanWords spanKind = iota
	// spanValue is a value out of the alert; text puts it in quotes where it could be
	// mistaken for what stands around it.
	spanValue
	// spanQuoted is a value in a sentence; text always puts it in quotes.
	spanQuoted
	// spanLink is text with a link, which text spells out at the end of the line.
	spanLink
	// spanQuietLink is text with a link that text leaves out.
	spanQuietLink
)

// words adds prose.
func (l line) words(s string) line {
	if s == "" {
		return l
	}
	if n := len(l); n > 0 && l[n-1].kind == spanWords {
		// One stretch, for writers must see whole words to know what to escape.
		l[n-1].text += s
		return l
	}
	return l.add(span{kind: spanWords, text: s})
}

// add adds a span, with room for some more.
func (l line) add(s span) line {
	if cap(l) == 0 {
		l = make(line, 0, 4)
	}
	return append(l, s)
}

// value adds a value out of the alert, cut to maxValue.
func (l line) value(s string) line { return l.cutValue(spanValue, s, maxValue) }

// number adds an integer as words.
func (l line) number(n int64) line { return l.words(strconv.FormatInt(n, 10)) }

// values adds values with commas between them.
func (l line) values(list []string) line {
	for i, s := range list {
		if i > 0 {
			l = l.words(", ")
		}
		l = l.value(s)
	}
	return l
}

// cutValue adds a value. The note about what was cut stands outside of it, where no value can
// forge it.
func (l line) cutValue(kind spanKind, s string, limit int) line {
	if s == "" {
		return l
	}
	head, tail := cutMiddle(s, limit)
	if tail == "" {
		return l.add(span{kind: kind, text: head})
	}
	note := " (" + strconv.Itoa(len(s)-len(head)-len(tail)) + " bytes cut) "
	return l.add(span{kind: spanQuoted, text: head}).words(note).add(span{kind: spanQuoted, text: tail})
}

// link adds text that links to url, where that is one of MITRE's pages; plain text otherwise.
// A single character is not linked: in brackets it could be a box to tick.
func (l line) link(kind spanKind, text, url string) line {
	if !isAttackURL(url) || len(text) < 2 {
		return l.words(text)
	}
	return l.add(span{kind: kind, text: text, url: url})
}

// sentence is a sentence of ours: values out of the alert stand between typographic quotes.
func sentence(s string) line {
	const open, end = "“", "”"
	var l line
	s = strings.Trim(s, " ")
	for from := 0; ; {
		i := strings.Index(s[from:], open)
		if i < 0 {
			return l.words(s)
		}
		i += from
		n := strings.Index(s[i:], end)
		switch {
		case n < 0:
			return l.words(s)
		case n == len(open): // nothing between them
			from = i + n + len(end)
		default:
			l = l.words(s[:i]).cutValue(spanQuoted, s[i+len(open):i+n], maxValue)
			s, from = s[i+n+len(end):], 0
		}
	}
}

// prose is a sentence from a file, whose line ends and indentation mean nothing.
func prose(s string) line { return sentence(strings.Join(strings.Fields(s), " ")) }

// cutMiddle returns s and "" if it has at most limit bytes, and else its beginning and its end,
// about limit bytes in all and whole characters.
func cutMiddle(s string, limit int) (head, tail string) {
	if len(s) <= limit {
		return s, ""
	}
	return s[:runeStart(s, limit/2)], s[runeStart(s, len(s)-limit/2):]
}

// runeStart is the beginning of the character that the byte at i belongs to, or i if there is
// none.
func runeStart(s string, i int) int {
	for j := i; j > i-utf8.UTFMax && j >= 0 && j < len(s); j-- {
		if utf8.RuneStart(s[j]) {
			return j
		}
	}
	return i
}

// countWords counts the words of a line as strings.Fields does on the rendered text: every
// other space is spelt out, and Markdown keeps values apart from what stands before them.
func countWords(l line) int {
	n, inside := 0, false
	for _, s := range l {
		inside = inside && s.kind != spanValue && s.kind != spanQuoted
		for i := range len(s.text) {
			space := s.text[i] == ' '
			if !space && !inside {
				n++
			}
			inside = !space
		}
	}
	return n
}

// wordsIn counts the words of prose.
func wordsIn(s string) int {
	one := [1]span{{kind: spanWords, text: s}}
	return countWords(one[:])
}
