// Package phrase puts what attackers may have chosen, and numbers, into sentences. All
// functions may be called concurrently.
package phrase

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxQuoted bounds a value inside a sentence: 48 characters. A longer one keeps its beginning
// and its end; the whole of it stands in the fields of the report.
const MaxQuoted = 48

// Quote puts a value out of an alert into a sentence: between typographic quotes, with what
// cannot be seen or could be taken for a quote written as an escape, and cut to a length that
// can be read. Renderers rely on the quotes: what stands between them is data.
func Quote(s string) string { return "“" + Visible(Shorten(s)) + "”" }

// Shorten cuts the middle out of a text of more than MaxQuoted characters.
func Shorten(s string) string {
	if utf8.RuneCountInString(s) <= MaxQuoted {
		return s
	}
	const head, tail = MaxQuoted * 2 / 3, MaxQuoted / 3
	runes := []rune(s)
	return string(runes[:head]) + " … " + string(runes[len(runes)-tail:])
}

// Visible writes what a reader would not see, or not as what it is, as an escape.
func Visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case hidden(r):
			b.WriteString(spelling(r))
		default:
			b.WriteRune(r)
		}
		s = s[n:]
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
// Unicode calls unprintable these are the quotes that Quote itself uses, spaces other than
// the plain one, and marks that stack up on the character before.
func hidden(r rune) bool {
	return r == '“' || r == '”' || !unicode.IsPrint(r) || (r != ' ' && unicode.IsSpace(r)) || unicode.Is(unicode.M, r)
}

// Count is a number with its word, in the plural unless it is 1: the plural's form is the word
// with an "s".
func Count[N int | int64 | uint32 | uint64](n N, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprint(n) + " " + word + "s"
}

// Span writes a time span that is not negative, in the one or two units that matter: a tenth of
// a second is the least below a minute, a second below an hour, a minute below two days.
func Span(d time.Duration) string {
	if rounded := d.Round(100 * time.Millisecond); d >= time.Second && d < time.Minute {
		d = rounded
	}
	minutes, seconds := int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		return two(int(d.Minutes()), "min", seconds, "s")
	case d < 48*time.Hour:
		return two(int(d.Hours()), "h", minutes, "min")
	default:
		return strconv.Itoa(int(d.Hours())/24) + " days"
	}
}

// two writes a span in two units, the second only if there is anything of it.
func two(n int, unit string, rest int, smaller string) string {
	s := strconv.Itoa(n) + " " + unit
	if rest > 0 {
		s += " " + strconv.Itoa(rest) + " " + smaller
	}
	return s
}
