package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// runeWidth is how many columns of a terminal a visible character takes: none for marks that
// combine, two for the wide characters of East Asia and most emoji, one for others.
func runeWidth(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// columnsOf is how many columns visible text takes.
func columnsOf(s []byte) int {
	n := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRune(s[i:])
		n += runeWidth(r)
		i += size
	}
	return n
}

// fit is how many bytes of visible text fit into so many columns. Marks stay with their
// character.
func fit(s []byte, columns int) int {
	i := 0
	for i < len(s) {
		r, size := utf8.DecodeRune(s[i:])
		if columns -= runeWidth(r); columns < 0 {
			break
		}
		i += size
	}
	return i
}

// isName reports whether s cannot be mistaken for anything but one name, without quotes.
func isName(s string) bool { return s != "" && isOneOf(s, "._/:@+-=%~") }

// appendName appends s as it is if it is a plain name, and else in quotes.
func appendName(dst []byte, s string) []byte {
	if isName(s) {
		return append(dst, s...)
	}
	return appendQuoted(dst, s)
}

// appendQuoted appends s, made visible, in typographic quotes, and spells out such quotes
// within it, so that it cannot end them.
func appendQuoted(dst []byte, s string) []byte {
	return append(append(append(dst, "“"...), spellQuotes(visible(s))...), "”"...)
}

func spellQuotes(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "“", `\u201c`), "”", `\u201d`)
}

// appendNarrowName is appendName for at most so many columns.
func appendNarrowName(dst []byte, s string, columns int) []byte {
	if isName(s) && len(s) <= columns {
		return append(dst, s...)
	}
	return appendNarrow(dst, s, columns)
}

// appendNarrow is appendQuoted for at most so many columns: a longer s loses its end. The
// note of that stands outside of the quotes.
func appendNarrow(dst []byte, s string, columns int) []byte {
	// A column takes at most a base of 4 bytes and 4 marks of 4 bytes.
	most := columns * (1 + maxMarks) * utf8.UTFMax
	text := []byte(spellQuotes(visible(s[:min(len(s), most)])))
	if columns -= 2; len(s) <= most && columnsOf(text) <= columns {
		return append(append(append(dst, "“"...), text...), "”"...)
	}
	text = text[:fit(text, columns-len("..."))]
	return append(append(append(dst, "“"...), text...), "”..."...)
}
