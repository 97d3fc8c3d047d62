package render

import "strings"

// position is where in Markdown a text stands.
type position uint8

const (
	// inLine is behind something else.
	inLine position = iota
	// atStart is at the beginning of a block, where more characters have a meaning.
	atStart
	// inTable is within a cell of a table.
	inTable
)

// appendCodeSpan appends visible text as a code span that it cannot leave.
//
// A space keeps it apart from what stands before it: another code span would run into it, and
// goldmark takes a word with backticks and an at sign for a mail address.
func appendCodeSpan(dst []byte, s string, at position) []byte {
	if n := len(dst); n > 0 && strings.IndexByte(" (\n", dst[n-1]) < 0 {
		dst = append(dst, ' ')
	}
	fence := strings.Repeat("`", longestRun(s)+1)
	// CommonMark takes one space from both ends if there is one at each.
	pad := ""
	if s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' && s[len(s)-1] == ' ' {
		pad = " "
	}
	if at == inTable && strings.Contains(s, "|") {
		// A table is split into cells before code is looked for. A backslash before the
		// pipe is taken away again; two of them are read differently by different
		// programs, so that one that is part of the value must not stand there.
		s = strings.ReplaceAll(s, `\|`, `\x5c|`)
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	return append(append(append(append(append(dst, fence...), pad...), s...), pad...), fence...)
}

// appendMarkdownWords appends visible text as prose that is nothing but prose in Markdown.
// Words that GitHub and others turn into links or mentions, whether or not they are escaped,
// become code.
func appendMarkdownWords(dst []byte, s string, at position) []byte {
	if at == atStart {
		s = strings.TrimLeft(s, " ")
	}
	for s != "" {
		word, rest, more := strings.Cut(s, " ")
		switch {
		case isOneOf(word, ","):
			dst = append(dst, word...) // nothing in it has a meaning
		case isMagic(word):
			dst = appendCodeSpan(dst, word, at)
		default:
			dst = appendMarkdownWord(dst, word, at == atStart)
		}
		if more {
			dst = append(dst, ' ')
		}
		if s = rest; at == atStart {
			at = inLine
		}
	}
	return dst
}

// isMagic reports whether some Markdown program makes more of a word than text, and escaping
// does not stop it: web and mail addresses, mentions, issue numbers, formulas, emoji names.
func isMagic(word string) bool {
	if strings.ContainsAny(word, "@$") || strings.Contains(word, "://") {
		return true
	}
	for i := range len(word) - 1 {
		if word[i] == '#' && isDigit(word[i+1]) {
			return true
		}
		if word[i] == ':' && isEmoji(word[i+1:]) {
			return true
		}
	}
	lower := strings.ToLower(word)
	return strings.Contains(lower, "www.") || strings.Contains(lower, "mailto:") || strings.Contains(lower, "xmpp:")
}

// isEmoji reports whether s, which follows a colon, could name an emoji. Two digits are part of
// a time; no emoji has such a name.
func isEmoji(s string) bool {
	name, _, ok := strings.Cut(s, ":")
	return ok && name != "" && isOneOf(name, "_+-") &&
		(len(name) != 2 || !isDigit(name[0]) || !isDigit(name[1]))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Bounds of what has a meaning in Markdown, both from CommonMark.
const (
	maxListNumber = 9  // digits
	maxEntity     = 40 // bytes; the longest name has 31
)

// appendMarkdownWord appends a word without spaces.
func appendMarkdownWord(dst []byte, s string, begins bool) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '`', '*', '[', ']', '<', '>', '|', '~', '#', '^':
			dst = append(dst, '\\')
		case '_':
			// Between letters it is no emphasis: memfd_create stays readable.
			if i == 0 || i == len(s)-1 || !isAlnum(s[i-1]) || !isAlnum(s[i+1]) {
				dst = append(dst, '\\')
			}
		case '&':
			if isEntity(s[i+1:]) {
				dst = append(dst, '\\')
			}
		case '-', '+', '=', ':':
			if begins && i == 0 {
				dst = append(dst, '\\')
			}
		case '.', ')':
			if begins && i > 0 && i <= maxListNumber && strings.Trim(s[:i], "0123456789") == "" {
				dst = append(dst, '\\')
			}
		default:
		}
		dst = append(dst, s[i])
	}
	return dst
}

// isEntity reports whether s, which follows an ampersand, could name a character.
func isEntity(s string) bool {
	name, _, ok := strings.Cut(s[:min(len(s), maxEntity)], ";")
	return ok && name != "" && isOneOf(name, "#")
}
