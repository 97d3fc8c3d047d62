package enrich

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxQuoted bounds a value inside a sentence: 48 characters. A longer one keeps its beginning
// and its end; the whole of it stands in the fields of the report.
const maxQuoted = 48

// quote puts a value out of an alert into a sentence: between typographic quotes, with what
// cannot be seen or could be taken for a quote written as an escape, and cut to a length that
// can be read. Renderers rely on the quotes: what stands between them is data.
func quote(s string) string {
	return "“" + visible(shorten(s)) + "”"
}

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

// hidden reports whether a character must not stand in a sentence as it is. Besides what
// Unicode calls unprintable these are the quotes that quote itself uses, spaces other than
// the plain one, and marks that stack up on the character before.
func hidden(r rune) bool {
	return r == '“' || r == '”' || !unicode.IsPrint(r) || (r != ' ' && unicode.IsSpace(r)) || unicode.Is(unicode.M, r)
}
