package redact

import "strings"

// value finds the value that begins at i: what stands in quotes there, or what reaches to the
// next white space or to what ends it. The range is without the quotes.
//
// Two writings meet here. In scripts, quotes and separators are the shell's. In Falco's
// command lines, arguments are joined by spaces with nothing quoted, and a password may hold
// any of these characters. So a quote or separator ends a value only where what follows it
// looks like something else.
func value(s string, i int) (start, end int) {
	depth := 0
	for i+depth < len(s) && s[i+depth] == '\\' {
		depth++
	}
	q := i + depth
	if strings.HasPrefix(s[q:], "“") {
		return q + len("“"), bareEnd(s, q+len("“"))
	}
	if q == len(s) || s[q] != '"' && s[q] != '\'' {
		return i, bareEnd(s, i)
	}
	closing := closingQuote(s, q, depth)
	if closing < 0 {
		return q + 1, bareEnd(s, q+1)
	}
	// 'ab'cd is one word to a shell.
	if after := closing + depth + 1; depth == 0 && after < len(s) && (isAlnum(s[after]) || s[after] == '\'' || s[after] == '"') && !strings.Contains(s[q+1:closing], ", ") {
		return i, max(after, bareEnd(s, after))
	}
	return q + 1, closing
}

// closingQuote is the place of what closes the quote at q, which has depth backslashes before
// it: of the backslashes before that quote. It is -1 if nothing does on this line.
func closingQuote(s string, q, depth int) int {
	run := 0
	for j := q + 1; j < len(s) && s[j] != '\n'; j++ {
		switch {
		case s[j] == '\\':
			run++
			continue
		case s[j] == s[q] && (run <= depth && depth > 0 || run%2 == 0 || s[q] == '\''):
			return j - min(run, depth)
		}
		run = 0
	}
	return -1
}

// bareEnd is where a value that begins at i without a quote ends.
func bareEnd(s string, i int) int {
	j := i
	for j < len(s) {
		if n := placeholderAt(s[j:]); n > 0 {
			j += n
			continue
		}
		if isSpace(s[j]) || s[j] < ' ' || endsBare(s, i, j) {
			return j
		}
		j++
	}
	return j
}

// endsBare reports whether the character at j ends the value that began at i.
func endsBare(s string, i, j int) bool {
	rest := s[j+1:]
	switch s[j] {
	case '"', '\'', '`':
		return rest == "" || isSpace(rest[0]) || strings.IndexByte(`;|&)]},:>"'`, rest[0]) >= 0 || strings.HasPrefix(rest, "”")
	case '\\':
		// The end of a string within a string: \" or, of a line within one, \n.
		trimmed := strings.TrimLeft(rest, `\`)
		if trimmed == "" {
			return false
		}
		if trimmed[0] == '"' || trimmed[0] == '\'' {
			return endsBare(s, i, len(s)-len(trimmed))
		}
		return (trimmed[0] == 'n' || trimmed[0] == 'r' || trimmed[0] == 't') && (len(trimmed) == 1 || !isAlnum(trimmed[1]) || startsName(trimmed[1:]))
	case ';', '&', '|':
		trimmed := strings.TrimLeft(rest, ";&|")
		return trimmed == "" || isSpace(trimmed[0]) || isLetter(trimmed[0]) || strings.IndexByte(`_./$("'{[<`, trimmed[0]) >= 0
	case ',':
		return rest == "" || isSpace(rest[0]) || strings.IndexByte(`"'{}])`, rest[0]) >= 0 || startsName(rest) || startsOption(rest)
	case ')', '}', ']':
		return (rest == "" || !isAlnum(rest[0])) && strings.IndexByte(s[i:j], opening(s[j])) < 0
	case '>', '<':
		return rest != "" && strings.IndexByte("/&.~$>< ", rest[0]) >= 0
	case 0xe2:
		return strings.HasPrefix(s[j:], "”")
	default:
		return false
	}
}

func opening(closing byte) byte {
	switch closing {
	case ')':
		return '('
	case '}':
		return '{'
	default:
		return '['
	}
}

// startsName reports whether s begins with a name and what separates it from a value.
func startsName(s string) bool {
	s = strings.TrimLeft(s, `"'\`)
	n := nameEnd(s)
	return n > 0 && n < len(s) && strings.IndexByte(`=:"'\`, s[n]) >= 0
}

// startsOption reports whether s begins with a mount option without a value.
func startsOption(s string) bool {
	n := nameEnd(s)
	return n > 0 && n <= len("nosharesock") && (n == len(s) || isSpace(s[n]) || s[n] == ',') && strings.Trim(s[:n], "abcdefghijklmnopqrstuvwxyz") == ""
}

// nameEnd is the length of the name that s begins with.
func nameEnd(s string) int {
	n := 0
	for n < len(s) && n <= maxName && isNameByte(s[n]) {
		n++
	}
	return n
}

func isNameByte(b byte) bool { return isAlnum(b) || b == '_' || b == '-' || b == '.' }

// isEvidence reports whether a value that stands where a secret could is none: empty or
// masked, a reference, a path, an address, a number or word that switches something.
func isEvidence(v string, kind Kind) bool {
	if isNone(v) || isSource(v) || hasExtension(v) {
		return true
	}
	return kind != Password && kind != PasswordHash && len(v) <= 4 && strings.Trim(v, "0123456789") == ""
}

// isNone reports whether a value is no secret even where a tool takes it for one.
func isNone(v string) bool {
	if v == "" || onlyPlaceholders(v) || strings.Trim(v, "*xX.•·-_?#… ") == "" || isReference(v) || isPath(v) || isURL(v) {
		return true
	}
	if len(v) > len(`"[undefined]"`) {
		return false
	}
	switch strings.ToLower(strings.Trim(v, `"'<>[](){}`)) {
	case "", "0", "1", "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nil", "none", "undefined", "na", "n/a", "unset", "empty",
		"redacted", "masked", "hidden", "removed", "prompt", "ask", "required", "optional", "sufficient", "enabled", "disabled", "always", "never", "auto",
		"bearer", "basic", "digest", "files", "compat", "systemd", "sss", "allow", "deny", "forbid":
		return true
	default:
		return false
	}
}

// isReference reports whether a value only says where the secret comes from: a variable, a
// command, a template, an expression to search for.
func isReference(v string) bool {
	v = strings.Trim(v, `"'`)
	switch {
	case strings.HasPrefix(v, "$(") || strings.HasPrefix(v, "`") || strings.Contains(v, "$("):
		return true // code: it is evidence
	case strings.HasPrefix(v, "${"):
		return strings.Contains(v, "}") || nameEnd(v[2:]) == len(v)-2
	case strings.HasPrefix(v, "$"):
		n := nameEnd(v[1:])
		return n > 0 && !isDigit(v[1]) && n == len(v)-1
	case strings.HasPrefix(v, "{{"), strings.HasPrefix(v, "<") && strings.HasSuffix(v, ">"):
		return true
	case len(v) > 2 && v[0] == '%' && v[len(v)-1] == '%':
		return nameEnd(v[1:]) == len(v)-2
	}
	for _, prefix := range [...]string{"env:", "file:", "fd:", "@/", "@./"} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	return false
}

// isSource reports whether a value describes a secret: the options of docker's --secret, or an
// expression to search for.
func isSource(v string) bool {
	v = strings.Trim(v, `"'`)
	for _, prefix := range [...]string{"id=", "src=", "source=", "type=", ".*", ".+", "[^", `\S`, `\w`} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	return false
}

// isPath reports whether a value is a path, and not one of the base64 texts that begin with a
// slash.
func isPath(v string) bool {
	v = strings.TrimLeft(v, `"'`)
	for _, prefix := range [...]string{"./", "../", "~/", `C:\`} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	if !strings.HasPrefix(v, "/") {
		return false
	}
	first, _, _ := strings.Cut(v[1:], "/")
	return len(v) < 32 || !isRandom(v) || strings.ToLower(first) == first
}

// hasExtension reports whether a value is the name of a file of a kind that holds secrets.
func hasExtension(v string) bool {
	dot := strings.LastIndexByte(v, '.')
	if dot <= 0 {
		return false
	}
	switch v[dot+1:] {
	case "json", "pem", "key", "yaml", "yml", "txt", "conf", "crt", "p12", "pfx", "jks", "kdbx", "env":
		return true
	default:
		return false
	}
}

// isURL reports whether a value is a URL; its own secrets are found by themselves.
func isURL(v string) bool {
	scheme, _, ok := strings.Cut(v, "://")
	return ok && nameEnd(scheme) == len(scheme) && len(scheme) > 1
}

// isRandom reports whether a text has upper and lower case letters and digits, as generated
// secrets do and names rarely.
func isRandom(v string) bool {
	var has [3]bool
	for i := range len(v) {
		has[0] = has[0] || isUpper(v[i])
		has[1] = has[1] || isLower(v[i])
		has[2] = has[2] || isDigit(v[i])
	}
	return has[0] && has[1] && has[2]
}
