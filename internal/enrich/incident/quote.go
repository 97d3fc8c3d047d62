package incident

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxQuoted bounds a value inside a sentence: 48 characters, as in the reports of single alerts.
const maxQuoted = 48

// quote puts a value out of an alert into a sentence: between typographic quotes, with what
// cannot be seen or could be taken for a quote written as an escape, and cut to a length that
// can be read. Renderers rely on the quotes: what stands between them is data.
func quote(s string) string { return "“" + visible(shorten(s)) + "”" }

// shorten cuts the middle out of a text of more than maxQuoted characters.
func shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxQuoted {
		return s
	}
	const head, tail = maxQuoted * 2 / 3, maxQuoted / 3
	runes := []rune(s)
	return string(runes[:head]) + " … " + string(runes[len(runes)-tail:])
}

// visible writes what a reader would not see, or not as what it is, as an escape.
func visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(spelling(r))
	}
	return b.String()
}

// spelling spells out a character as the renderers do.
func spelling(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// hidden reports whether a character must not stand in a sentence as it is.
func hidden(r rune) bool {
	return r == '“' || r == '”' || !unicode.IsPrint(r) || (r != ' ' && unicode.IsSpace(r)) || unicode.Is(unicode.M, r)
}

// plural is a count with its word.
func plural(n uint64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.FormatUint(n, 10) + " " + word + "s"
}

// span writes a time span in the one or two units that matter.
func span(nanos int64) string {
	switch d := time.Duration(nanos); {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute && d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour && d%time.Minute < time.Second:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min " + strconv.Itoa(int(d.Seconds())%60) + " s"
	default:
		return strconv.Itoa(int(d.Hours())) + " h " + strconv.Itoa(int(d.Minutes())%60) + " min"
	}
}
