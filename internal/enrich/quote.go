package enrich

import (
	"strconv"
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
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// hidden reports whether a character must not stand in a sentence as it is. Besides what
// Unicode calls unprintable these are the quotes that quote itself uses, spaces other than
// the plain one, and marks that stack up on the character before.
func hidden(r rune) bool {
	return r == '“' || r == '”' || !unicode.IsPrint(r) || (r != ' ' && unicode.IsSpace(r)) || unicode.Is(unicode.M, r)
}
