package enrich

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is decoded out of a command line.
const (
	minEncoded = 16      // shorter words decode to something by chance
	maxEncoded = 4 << 10 // longer ones are only looked at this far
)

// decoded is what the first encoded word of a command line says, if it decodes to text that
// can be read, and which encoding it is.
func decoded(cmdline string) (text, how string) {
	if text = decodedEscapes(cmdline); text != "" {
		return text, "hex"
	}
	if text = decodedHex(cmdline); text != "" {
		return text, "hex"
	}
	if text = decodedBase64(cmdline); text != "" {
		return text, "base64"
	}
	return "", ""
}

// decodedEscapes reads the first run of \x41\x42, as printf, shells and interpreters take it.
func decodedEscapes(cmdline string) string {
	at := strings.Index(cmdline, `\x`)
	if at < 0 {
		return ""
	}
	var b []byte
	for rest := cmdline[at:]; len(rest) >= 4 && rest[0] == '\\' && rest[1] == 'x' && len(b) < maxEncoded; rest = rest[4:] {
		n, err := hex.DecodeString(rest[2:4])
		if err != nil {
			break
		}
		b = append(b, n...)
	}
	const min = 4
	if len(b) < min || !isPrintable(string(b)) {
		return ""
	}
	return string(b)
}

// decodedHex reads the first word of hex digits.
func decodedHex(cmdline string) string {
	notHex := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	for word := range strings.FieldsFuncSeq(cmdline, notHex) {
		word = strings.TrimPrefix(word, "0x")
		if len(word) < minEncoded || len(word)%2 != 0 {
			continue
		}
		b, err := hex.DecodeString(word[:min(len(word), maxEncoded)])
		if err == nil && isReadable(string(b)) && strings.ContainsFunc(string(b), unicode.IsLetter) {
			return string(b)
		}
	}
	return ""
}

// decodedBase64 reads the first base64 word; a short one only where it goes into a decoder.
func decodedBase64(cmdline string) string {
	isBase64 := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '+' || r == '/' || r == '=')
	}
	for word := range strings.FieldsFuncSeq(cmdline, func(r rune) bool { return !isBase64(r) }) {
		if len(word) < minEncoded {
			continue
		}
		word = word[:min(len(word), maxEncoded)]
		text, err := base64.StdEncoding.DecodeString(word[:len(word)/4*4])
		if err == nil && isReadable(string(text)) {
			return string(text)
		}
	}
	before, _, ok := strings.Cut(cmdline, "| base64 -")
	if words := strings.Fields(before); ok && len(words) > 0 {
		word := strings.Trim(words[len(words)-1], `"'`)
		text, err := base64.StdEncoding.DecodeString(word)
		if err == nil && len(text) > 1 && isPrintable(strings.TrimRight(string(text), "\n")) {
			return strings.TrimRight(string(text), "\n")
		}
	}
	return ""
}

// isReadable reports whether a text is UTF-8 of printable characters, with blanks or other
// things between letters as commands have them.
func isReadable(s string) bool { return strings.ContainsAny(s, " /;|&-=.") && isPrintable(s) }

// isPrintable reports whether a text is UTF-8 of printable characters and line ends.
func isPrintable(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}

// hereDocument is the text of the first here-document or here-string of a command line, and
// the program that reads it.
func hereDocument(cmdline string) (text, reader string) {
	before, after, ok := strings.Cut(cmdline, "<<")
	if !ok {
		return "", ""
	}
	reader = lastCommand(before)
	if s, ok := strings.CutPrefix(after, "<"); ok {
		return hereString(strings.TrimLeft(s, " ")), reader
	}
	head, body, ok := strings.Cut(strings.TrimPrefix(after, "-"), "\n")
	words := strings.Fields(head)
	if !ok || len(words) == 0 {
		return "", "" // a shift, or a document that is cut off
	}
	end := strings.Trim(words[0], `"'\`)
	var out []string
	for line := range strings.SplitSeq(body, "\n") {
		if strings.TrimLeft(line, "\t") == end {
			break
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n"), reader
}

// hereString is the word behind <<<.
func hereString(s string) string {
	if s == "" {
		return ""
	}
	if q := s[0]; q == '"' || q == '\'' {
		text, _, _ := strings.Cut(s[1:], string(rune(q)))
		return text
	}
	if f := strings.Fields(s); len(f) > 0 {
		return f[0]
	}
	return ""
}

// lastCommand is the name of the last simple command of a text.
func lastCommand(text string) string {
	if i := strings.LastIndexAny(text, ";|&\n"); i >= 0 {
		text = text[i+1:]
	}
	words := strings.Fields(shellCode(strings.TrimSpace(text)))
	if len(words) == 0 {
		return ""
	}
	return baseName(strings.Trim(words[0], `"'`))
}
