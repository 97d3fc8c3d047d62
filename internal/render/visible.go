package render

import (
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks one character may carry. Written languages need up to
// three or four (Hebrew, Tibetan); more only smears over neighbouring lines.
const maxMarks = 4

// brailleBlank is a symbol by its class and looks like a space.
const brailleBlank = '\u2800'

// isVisible reports whether r shows as itself and as nothing else: letters, marks, numbers,
// punctuation, symbols and the ASCII space. Not visible are control and format characters
// (bidirectional ones among them), line and paragraph separators, other spaces, private use,
// surrogates, unassigned code points, variation selectors, and letters without a shape.
func isVisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r < 0x7f
	}
	return unicode.IsPrint(r) && r != brailleBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// sieve splits a string into stretches that are safe to show and single characters that are
// not.
type sieve struct {
	rest string
	// json makes it stop at what JSON strings must escape, too.
	json bool
}

// next returns the longest safe stretch and what stands behind it: one unsafe character, one
// byte that is not UTF-8, or nothing at the end of the string.
func (v *sieve) next() (safe, unsafe string) {
	s := v.rest
	marks, markEnd := 0, 0 // how many marks in a row end at markEnd
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f || v.json && (c == '"' || c == '\\') {
				return v.cut(i, 1)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !isVisible(r) {
			return v.cut(i, n)
		}
		if unicode.Is(unicode.M, r) {
			if i != markEnd {
				marks = 0
			}
			// At the start, behind a space and behind what is spelt out, there is
			// nothing to combine with.
			if marks++; i == 0 || s[i-1] == ' ' || marks > maxMarks {
				return v.cut(i, n)
			}
			markEnd = i + n
		}
		i += n
	}
	v.rest = ""
	return s, ""
}

// cut ends a stretch at i, before n unsafe bytes.
func (v *sieve) cut(i, n int) (safe, unsafe string) {
	safe, unsafe = v.rest[:i], v.rest[i:i+n]
	v.rest = v.rest[i+n:]
	return safe, unsafe
}

// appendVisible appends s with everything unsafe spelt out. It leaves backslashes alone, so
// that text which was made visible before comes through unchanged.
func appendVisible(dst []byte, s string) []byte {
	v := sieve{rest: s}
	for v.rest != "" {
		safe, unsafe := v.next()
		dst = append(dst, safe...)
		if unsafe != "" {
			dst = appendSpelling(dst, unsafe)
		}
	}
	return dst
}

// visible is appendVisible as a string, without a copy where s is safe already.
func visible(s string) string {
	v := sieve{rest: s}
	if safe, unsafe := v.next(); unsafe == "" {
		return safe
	}
	return string(appendVisible(nil, s))
}

// appendSpelling spells out one character, or one byte that is not UTF-8.
func appendSpelling(dst []byte, s string) []byte {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return appendHex(dst, `\x`, rune(s[0]), 2)
	case r == '\n':
		return append(dst, '\\', 'n')
	case r == '\r':
		return append(dst, '\\', 'r')
	case r == '\t':
		return append(dst, '\\', 't')
	case r < utf8.RuneSelf:
		return appendHex(dst, `\x`, r, 2)
	case r <= 0xffff:
		return appendHex(dst, `\u`, r, 4)
	default:
		return appendHex(dst, `\U`, r, 8)
	}
}

// appendHex appends a prefix and n in lower-case hexadecimal, in exactly so many digits.
func appendHex(dst []byte, prefix string, n rune, digits int) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, prefix...)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hex[n>>shift&0xf])
	}
	return dst
}
