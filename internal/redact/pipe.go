package redact

import "strings"

// pipes finds secrets that are given to a program on its standard input, in the command line
// of the shell: echo X | sudo -S, echo user:X | chpasswd, sudo -S <<< X, passwd <<EOF.
func (f *finder) pipes() {
	for i := 0; i < len(f.s); i++ {
		switch {
		case f.s[i] != '|' && f.s[i] != '<':
		case strings.HasPrefix(f.s[i:], "||") || strings.HasPrefix(f.s[i:], "<<<<"):
			i++
		case f.s[i] == '|':
			if users, ok := readsSecret(f.s[i:commandEnd(f.s, i+1)]); ok {
				f.written(commandStart(f.s, i), i, users)
			}
		case strings.HasPrefix(f.s[i:], "<<<"):
			if users, ok := readsSecret(f.s[commandStart(f.s, i) : i+len("<<<")]); ok {
				at := i + len("<<<")
				for at < len(f.s) && f.s[at] == ' ' {
					at++
				}
				s, e := value(f.s, at)
				f.input(s, e, users)
			}
			i += len("<<<")
		case strings.HasPrefix(f.s[i:], "<<"):
			i = max(i+1, f.hereDocument(i))
		}
	}
}

// hereDocument looks at the here-document whose << stands at i. It returns where it ends if a
// secret is read from it.
func (f *finder) hereDocument(i int) int {
	line := strings.IndexByte(f.s[i:min(len(f.s), i+maxPiped)], '\n')
	users, ok := readsSecret(f.s[commandStart(f.s, i):i])
	if line < 0 || !ok {
		return 0
	}
	word := strings.TrimLeft(f.s[i+len("<<"):i+line], "- \"'\\")
	word = word[:nameEnd(word)]
	if word == "" {
		return 0
	}
	start := i + line + 1
	end := min(len(f.s), start+maxDocument)
	if n := strings.Index(f.s[start-1:end], "\n"+word); n >= 0 {
		end = start - 1 + n
	}
	if start >= end {
		return 0
	}
	f.input(start, end, users)
	return end
}

// maxDocument bounds the here-document that is looked through.
const maxDocument = 4096

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
// of user:secret. The operator before or behind it belongs to it.
func readsSecret(text string) (users, ok bool) {
	command := strings.Trim(text, "|<")
	isSudo, isCommand, isContainer := false, true, false
	for w := range strings.FieldsSeq(command) {
		w = strings.Trim(w, "\"'`()”“")
		name := w[strings.LastIndexByte(w, '/')+1:]
		switch {
		case name == "chpasswd":
			return true, true
		case name == "smbpasswd" || name == "cryptsetup" || name == "vncpasswd",
			isCommand && (name == "passwd" || name == "kinit" || name == "su" && announcesSu(text)), isContainer && (w == "passwd" || w == "secret"),
			isSudo && len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.IndexByte(w, 'S') > 0, isSudo && w == "--stdin",
			isInputFlag(w):
			return false, true
		}
		isSudo = isSudo || name == "sudo"
		isContainer = isContainer || name == "docker" || name == "podman" || name == "kubectl" || name == "chroot"
		isCommand = isCommand && (isPrefix(name) || strings.HasPrefix(w, "-") || strings.Contains(w, "="))
	}
	return false, false
}

// announcesSu reports whether a command has what triggers name for su: its name alone is too
// short for one.
func announcesSu(command string) bool {
	for _, t := range [...]string{"|su", "| su", "/su ", "su -", "su root", "<<<"} {
		if strings.Contains(command, t) {
			return true
		}
	}
	return false
}

// isInputFlag reports whether a flag says that a secret is read from standard input.
func isInputFlag(w string) bool {
	for _, flag := range [...]string{"--password-stdin", "--pass-stdin", "--with-token", "--passphrase-fd", "--passwd-on-stdin", "--stdinpass"} {
		if strings.HasPrefix(w, flag) {
			return true
		}
	}
	return false
}

// isPrefix reports whether a program runs the command behind its name.
func isPrefix(name string) bool {
	switch name {
	case "sudo", "doas", "env", "busybox", "exec", "nohup", "time", "command":
		return true
	default:
		return false
	}
}

// written adds what is written to a pipe at end: by the last echo or printf, or by all of a
// group in parentheses or braces.
func (f *finder) written(start, end int, users bool) {
	text := strings.TrimRight(f.s[start:end], " ")
	if !strings.HasSuffix(text, ")") && !strings.HasSuffix(text, "; }") {
		f.echoed(start, end, users)
		return
	}
	from := start + max(0, strings.LastIndexAny(text, "({"))
	for end = start + len(text) - 1; from < end; {
		next := end
		if n := strings.IndexAny(f.s[from:end], ";&"); n >= 0 {
			next = from + n
		}
		f.echoed(from, next, users)
		from = next + 1
	}
}

// echoed adds what an echo, printf or yes between start and end writes.
func (f *finder) echoed(start, end int, users bool) {
	at := -1
	for _, name := range [...]string{"echo ", "printf ", "yes "} {
		if i := strings.LastIndex(f.s[start:end], name); i >= 0 && (i == 0 || !isNameByte(f.s[start+i-1])) {
			at = max(at, start+i+len(name))
		}
	}
	if at < 0 {
		return
	}
	for at < end && (f.s[at] == ' ' || f.s[at] == '-' || isFormat(f.s[at:end])) {
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

// isFormat reports whether s begins with a format of printf and its argument follows.
func isFormat(s string) bool {
	word, _, more := strings.Cut(s, " ")
	return more && strings.HasPrefix(strings.TrimLeft(word, `"'`), "%s")
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
