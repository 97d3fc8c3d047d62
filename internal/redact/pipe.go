package redact

import "strings"

// pipes finds secrets that are given to a program on its standard input, in the command line
// of the shell: echo X | sudo -S, echo user:X | chpasswd, sudo -S <<< X.
func (f *finder) pipes() {
	for i := 0; i < len(f.s); i++ {
		switch {
		case f.s[i] != '|' && f.s[i] != '<':
		case strings.HasPrefix(f.s[i:], "||") || strings.HasPrefix(f.s[i:], "<<<<"):
			i++
		case f.s[i] == '|':
			if users, ok := readsSecret(f.s[i+1 : commandEnd(f.s, i+1)]); ok {
				f.echoed(commandStart(f.s, i), i, users)
			}
		case strings.HasPrefix(f.s[i:], "<<<"):
			if users, ok := readsSecret(f.s[commandStart(f.s, i):i]); ok {
				at := i + len("<<<")
				for at < len(f.s) && f.s[at] == ' ' {
					at++
				}
				s, e := value(f.s, at)
				f.input(s, e, users)
			}
			i += len("<<<")
		}
	}
}

// maxPiped bounds the two sides of a pipe that are looked at.
const maxPiped = 256

// commandEnd is where the command at i ends.
func commandEnd(s string, i int) int {
	end := min(len(s), i+maxPiped)
	if n := strings.IndexAny(s[i:end], "|;&\n"); n >= 0 {
		return i + n
	}
	return end
}

// commandStart is where the command that ends at i may start. What it writes can hold
// separators.
func commandStart(s string, i int) int {
	start := max(0, i-maxPiped)
	return start + strings.LastIndexAny(s[start:i], "|<\n") + 1
}

// readsSecret reports whether a command reads a secret from its input, and whether as lines
// of user:secret.
func readsSecret(command string) (users, ok bool) {
	isSudo, isPasswd := false, false
	for w := range strings.FieldsSeq(command) {
		w = strings.Trim(w, "\"'`()”“")
		switch name := w[strings.LastIndexByte(w, '/')+1:]; {
		case name == "chpasswd":
			return true, true
		case name == "sudo":
			isSudo = true
		case name == "passwd" || name == "smbpasswd" || name == "cryptsetup":
			isPasswd = true
		case isSudo && len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.IndexByte(w, 'S') > 0, isSudo && w == "--stdin":
			return false, true
		case isPasswd && (w == "--stdin" || w == "-s" || w == "luksFormat" || w == "luksOpen" || w == "open"):
			return false, true
		case strings.HasPrefix(w, "--password-stdin") || strings.HasPrefix(w, "--pass-stdin") || strings.HasPrefix(w, "--with-token"):
			return false, true
		}
	}
	return false, false
}

// echoed adds what an echo or printf between start and end writes.
func (f *finder) echoed(start, end int, users bool) {
	at := -1
	for _, name := range [...]string{"echo ", "printf "} {
		if i := strings.LastIndex(f.s[start:end], name); i >= 0 && (i == 0 || !isNameByte(f.s[start+i-1])) {
			at = max(at, start+i+len(name))
		}
	}
	if at < 0 {
		return
	}
	for strings.HasPrefix(f.s[at:end], "-") || strings.HasPrefix(f.s[at:end], " ") || strings.HasPrefix(f.s[at:end], "'%s") || strings.HasPrefix(f.s[at:end], "%s") {
		n := strings.IndexByte(f.s[at:end], ' ')
		if n < 0 {
			return
		}
		at += n + 1
	}
	for end > at && f.s[end-1] == ' ' {
		end--
	}
	if at < end && (f.s[at] == '"' || f.s[at] == '\'') && f.s[end-1] == f.s[at] && end-at > 1 {
		at, end = at+1, end-1
	}
	f.input(at, end, users)
}

// input adds a secret, or the one behind each user, that stands in a range.
func (f *finder) input(start, end int, users bool) {
	if !users {
		f.add(start, end, Password)
		return
	}
	for start < end {
		line := end
		if i := strings.IndexByte(f.s[start:end], '\n'); i >= 0 {
			line = start + i
		}
		f.behind(start, line, ':')
		start = line + 1
	}
}
