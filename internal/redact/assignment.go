package redact

import "strings"

// minWeak is how long the value of a name must be that is often no secret: key=, sig=.
const minWeak = 6

// assignments finds the values of secret names: NAME=value in environments, flags, query
// parameters and connection strings, "name": "value" in JSON, name: value in YAML, and HTTP
// headers.
func (f *finder) assignments() {
	for i := 0; i < len(f.s); i++ {
		if f.s[i] != '=' && f.s[i] != ':' {
			continue
		}
		n := nameBefore(f.s, i)
		if n.start == n.end {
			continue
		}
		if end := f.assignment(n, i); end > i {
			i = end - 1
		}
	}
}

// name is the name before an = or a colon.
type name struct {
	start, end int
	quoted     bool // as a member of a JSON object is
	spaced     bool // there is white space behind it
}

// nameBefore finds the name that ends before i. Start and end are the same without one.
func nameBefore(s string, i int) name {
	n := name{end: i}
	if s[i] == '=' && n.end > 0 && s[n.end-1] == ':' {
		n.end-- // :=
	}
	for n.end > 0 && i-n.end < 3 && s[n.end-1] == ' ' {
		n.end--
		n.spaced = true
	}
	if n.end > 0 && (s[n.end-1] == '"' || s[n.end-1] == '\'') {
		n.quoted = true
		n.end--
		for n.end > 0 && s[n.end-1] == '\\' {
			n.end--
		}
	}
	bracket := n.end > 0 && s[n.end-1] == ']'
	if bracket {
		n.end--
	}
	n.start = n.end
	for n.start > 0 && n.end-n.start <= maxName && isNameByte(s[n.start-1]) {
		n.start--
	}
	if n.end-n.start > maxName || bracket && (n.start == 0 || s[n.start-1] != '[') || n.start > 0 && s[n.start-1] == '$' {
		n.start = n.end
	}
	return n
}

// assignment looks at the assignment with its = or colon at i. It returns where the value
// ends if it was a secret, else 0.
func (f *finder) assignment(n name, i int) int {
	key := f.s[n.start:n.end]
	inQuery := n.start > 0 && (f.s[n.start-1] == '?' || f.s[n.start-1] == '&')
	kind := nameKind(key)
	switch {
	case inQuery:
		kind = queryKind(key)
	case kind == "" && (key == "value" || key == "Value"):
		kind = f.kindOfNamed(n.start)
	}
	if kind == "" {
		return 0
	}
	at, ok := f.valueStart(n, i)
	if !ok {
		return 0
	}
	switch {
	case hasWordAtEnd(key, "authorization"):
		return f.authorization(at)
	case kind == Cookie && f.s[i] == ':':
		return f.cookies(at)
	}
	start, end := value(f.s, at)
	if f.at.isEnvironment && f.s[i] == '=' && !n.quoted && (n.start == 0 || f.s[n.start-1] == ' ') {
		end = max(end, variableEnd(f.s, at))
	}
	if f.s[i] == ':' && !n.quoted && !inQuery && !f.isSetting(n, i, start, end) {
		return 0
	}
	if (kind == Signature || len(key) == len("key") && kind == APIKey) && end-start < minWeak || kind == Signature && !inQuery && end-start < 16 {
		return 0
	}
	if kind == Credentials {
		start = afterColon(f.s, start, end)
	}
	before := len(f.spans)
	f.add(start, end, kind)
	if len(f.spans) == before {
		return 0
	}
	if n.quoted && f.s[i] == ':' && start == at && isNumber(f.s[start:end]) {
		f.spans[before].bare = true
	}
	return end
}

// valueStart is where the value behind an = or a colon at i begins.
func (f *finder) valueStart(n name, i int) (at int, ok bool) {
	at = i + 1
	if at < len(f.s) && f.s[i] == '=' && f.s[at] == '>' {
		at++ // =>
		n.spaced = true
	}
	if at == len(f.s) || strings.IndexByte("=~", f.s[at]) >= 0 || f.s[i] == ':' && strings.IndexByte(":/", f.s[at]) >= 0 && !n.quoted {
		return 0, false // a comparison, a scope, a URL
	}
	if f.s[i] == ':' || n.spaced || n.quoted {
		for at < len(f.s) && (f.s[at] == ' ' || f.s[at] == '\t' || n.quoted && (f.s[at] == '[' || f.s[at] == '\n')) && placeholderAt(f.s[at:]) == 0 {
			at++
		}
	}
	return at, at < len(f.s)
}

// isSetting reports whether "name: value" is a setting or header and not a piece of prose: a
// compound name, or a value that ends its line or clause or is no plain word.
func (f *finder) isSetting(n name, i, start, end int) bool {
	key := f.s[n.start:n.end]
	if key == "passwd" {
		return false // the database of nsswitch.conf, or the command
	}
	if n.start > 0 && f.s[n.start-1] == '/' && !isSwitch(f.s, n.start-1) {
		return false // the end of a path
	}
	if strings.ContainsAny(strings.TrimLeft(key, "-"), "-_") || i+1 == start && n.start > 0 && strings.IndexByte("-/", f.s[n.start-1]) >= 0 {
		return true
	}
	v := f.s[start:end]
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyz’") != "" && !isCapitalized(v) {
		return true
	}
	return end == len(f.s) || strings.IndexByte("\n\r,}\"'\\", f.s[end]) >= 0
}

// isSwitch reports whether the slash at i begins a switch, as in /password:X.
func isSwitch(s string, i int) bool { return i == 0 || isSpace(s[i-1]) }

// isCapitalized reports whether v is a word of letters with at most the first in upper case.
func isCapitalized(v string) bool {
	return isUpper(v[0]) && strings.Trim(v[1:], "abcdefghijklmnopqrstuvwxyz.’") == ""
}

// kindOfNamed is the kind of a value member at i by the name member right before it, as
// Kubernetes writes environments: {"name":"DB_PASSWORD","value":"x"}.
func (f *finder) kindOfNamed(i int) Kind {
	const between = " \t\n\r,\"'\\-"
	before := strings.TrimRight(f.s[max(0, i-2*maxName):i], between)
	if i > 0 && len(before) == i || len(before) == 0 {
		return ""
	}
	start := len(before)
	for start > 0 && isNameByte(before[start-1]) {
		start--
	}
	member := strings.TrimRight(before[:start], " \"'\\")
	if !strings.HasSuffix(member, ":") {
		return ""
	}
	member = strings.TrimRight(member[:len(member)-1], " \"'\\")
	if !strings.HasSuffix(member, "name") && !strings.HasSuffix(member, "Name") && !strings.HasSuffix(member, "key") && !strings.HasSuffix(member, "Key") {
		return ""
	}
	return nameKind(before[start:])
}

// variableEnd is where the value of a variable that begins at i ends in an environment: before
// the next NAME=.
func variableEnd(s string, i int) int {
	for j := i; j < len(s); j++ {
		if s[j] != ' ' || j+1 == len(s) || isDigit(s[j+1]) {
			continue
		}
		n := 0
		for j+1+n < len(s) && n <= maxName && (isAlnum(s[j+1+n]) || s[j+1+n] == '_') {
			n++
		}
		if n > 0 && j+1+n < len(s) && s[j+1+n] == '=' {
			return j
		}
	}
	return len(s)
}

// afterColon is where the secret of user:secret begins: the start where there is no user.
func afterColon(s string, start, end int) int {
	if i := strings.IndexByte(s[start:end], ':'); i >= 0 {
		return start + i + 1
	}
	return start
}

func isNumber(v string) bool { return v != "" && strings.Trim(v, "0123456789.-+eE") == "" }

// hasWordAtEnd reports whether a name ends with a word, in any case.
func hasWordAtEnd(name, word string) bool {
	return len(name) >= len(word) && equalFold(name[len(name)-len(word):], word)
}
