package rules

import "strings"

// fold puts a condition on one line: white space becomes one space, except inside of quotes,
// where it is part of what is compared. Behind a quote that nothing closes, all is outside.
func fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for i := 0; i < len(s); {
		end := i + 1
		switch s[i] {
		case ' ', '\t', '\r', '\n', '\v', '\f':
			space = true
			i++
			continue
		case '"', '\'':
			if n := quoted(s[i:]); n > 0 {
				end = i + n
			} else {
				words(&b, s[i:], space)
				return b.String()
			}
		default:
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteString(s[i:end])
		i = end
	}
	return b.String()
}

// words writes the words of s, the first behind a space only if one was seen.
func words(b *strings.Builder, s string, space bool) {
	for w := range strings.FieldsSeq(s) {
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		space = true
	}
}

// quoted is the length of the quoted text that s begins with, or 0 if nothing closes it. A
// backslash takes the next byte along.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		default:
		}
	}
	return 0
}
