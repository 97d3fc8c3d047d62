package render

import (
	"strconv"
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
// not. The zero marks is that of a fresh string.
type sieve struct {
	rest string
	// room is how many combining marks may still follow. It is 0 where there is nothing to
	// combine with: at the start, behind a space, and behind what is spelt out.
	room int
}

// next returns the longest safe stretch and what stands behind it: one unsafe character, one
// byte that is not UTF-8, or nothing at the end of the string.
func (v *sieve) next() (safe, unsafe string) {
	s := v.rest
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return v.cut(i, 1)
			}
			v.room = maxMarks
			if c == ' ' {
				v.room = 0
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, !isVisible(r):
			return v.cut(i, n)
		case !unicode.Is(unicode.M, r):
			v.room = maxMarks
		case v.room == 0:
			return v.cut(i, n)
		default:
			v.room--
		}
		i += n
	}
	v.rest = ""
	return s, ""
}

// cut ends a stretch at i, before n unsafe bytes.
func (v *sieve) cut(i, n int) (safe, unsafe string) {
	safe, unsafe = v.rest[:i], v.rest[i:i+n]
	v.rest, v.room = v.rest[i+n:], 0
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
		return appendHex(append(dst, '\\', 'x'), uint64(s[0]), 2)
	case r == '\n':
		return append(dst, '\\', 'n')
	case r == '\r':
		return append(dst, '\\', 'r')
	case r == '\t':
		return append(dst, '\\', 't')
	case r < utf8.RuneSelf:
		return appendHex(append(dst, '\\', 'x'), uint64(r), 2)
	case r <= 0xffff:
		return appendHex(append(dst, '\\', 'u'), uint64(r), 4)
	default:
		return appendHex(append(dst, '\\', 'U'), uint64(r), 8)
	}
}

// appendHex appends n in lower-case hexadecimal, in at least the given number of digits.
func appendHex(dst []byte, n uint64, digits int) []byte {
	for limit := uint64(1) << (4 * (digits - 1)); digits > 1 && n < limit; limit >>= 4 {
		dst = append(dst, '0')
		digits--
	}
	return strconv.AppendUint(dst, n, 16)
}
