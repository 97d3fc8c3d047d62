package redact

import "strings"

// command is the state while a command line is read word by word.
type command struct {
	tool tool
	// sub says that the tool's subcommand was there, if it needs one.
	sub bool
	// hosts is how many arguments are still no programs.
	hosts int
	// armed says that a keyword was there; skip is then how many arguments come before the
	// secret.
	armed bool
	skip  int
	// last is the last argument behind the keyword, for tools whose last one is the secret.
	last  span
	count int
}

// commands finds the secrets in command lines, by what each tool's flags mean, and the values
// of long flags of any tool. What is a command line and where one begins is not known: every
// known program's name begins one.
func (f *finder) commands() {
	c := command{}
	c.start(f.at.program)
	for i := 0; i < len(f.s); {
		start, gap := skipSpace(f.s, i)
		if gap {
			f.finish(&c)
		}
		end := wordEnd(f.s, start)
		if start == end {
			break
		}
		i = max(end, f.word(&c, start, end))
	}
	f.finish(&c)
}

// skipSpace finds the next word. A line end between ends a command, unless it is escaped.
func skipSpace(s string, i int) (next int, lineEnd bool) {
	for ; i < len(s) && isSpace(s[i]); i++ {
		lineEnd = lineEnd || s[i] == '\n' && (i == 0 || s[i-1] != '\\')
	}
	return i, lineEnd
}

// wordEnd is where the word that begins at i ends: at white space. A placeholder is no end.
func wordEnd(s string, i int) int {
	for i < len(s) && !isSpace(s[i]) {
		i += max(1, placeholderAt(s[i:]))
	}
	return i
}

// start begins the command of a program, if it is a known one.
func (c *command) start(program string) {
	name := program[strings.LastIndexByte(program, '/')+1:]
	t, ok := toolNamed(strings.TrimSuffix(name, ".exe"))
	if !ok {
		return
	}
	*c = command{tool: t, sub: t.after == "", hosts: t.hosts}
	if t.keyword != "" && has(t.keyword, name) {
		c.armed, c.skip = true, t.skip
	}
}

// finish ends a command.
func (f *finder) finish(c *command) {
	if c.armed && c.tool.skip < 0 && c.count > 0 {
		f.add(c.last.start, c.last.end, Password)
	}
	*c = command{}
}

// word looks at one word of a command line. It returns where to go on if it has looked
// further than the word's end.
func (f *finder) word(c *command, start, end int) int {
	w := f.s[start:end]
	switch {
	case w == "|" || w == "||" || w == "&&" || w == "&" || w == ";" && !c.tool.isSQL || strings.HasPrefix(w, "“"):
		f.finish(c)
	case isOutputKey(w):
		f.finish(c)
		c.start(program(w[strings.IndexByte(w, '=')+1:]))
		return 0
	}
	next := 0
	open := len(w) - len(strings.TrimLeft(w, "\"'“(`{[$!\\"))
	switch core := w[open:]; {
	case strings.HasPrefix(core, "--") || len(core) > 3 && core[0] == '-' && isLongFlag(core):
		next = f.longFlag(c, start+open, end)
		if next == 0 && core[1] != '-' {
			next = f.shortFlags(c, start+open, end)
		}
	case len(core) > 1 && (core[0] == '-' || core[0] == '/' && c.tool.words == " /p: "):
		next = f.shortFlags(c, start+open, end)
	case core != "":
		f.argument(c, start, end, program(core))
	}
	if strings.HasSuffix(w, ";") && !c.tool.isSQL {
		f.finish(c)
	}
	return next
}

// program is a word as the name of a program: without what closes it.
func program(word string) string {
	return strings.TrimRight(strings.TrimLeft(word, "\"'“(`"), "\"'`;)”:,")
}

// isOutputKey reports whether a word begins a field of Falco's output line that ends the
// command line before it.
func isOutputKey(word string) bool {
	key, _, ok := strings.Cut(word, "=")
	if !ok {
		return false
	}
	switch key {
	case "command", "cmdline", "pcmdline", "proc_pcmdline", "gcmdline", "process", "proc_exepath", "parent", "gparent", "ggparent", "gggparent",
		"terminal", "exe_flags", "evt_type", "user_uid", "user_loginuid", "container_id", "container_name", "container_image_repository",
		"container_image_tag", "k8s_pod_name", "k8s_ns_name":
		return true
	default:
		return false
	}
}

// isLongFlag reports whether a word with one dash is a long flag, as in -password X.
func isLongFlag(word string) bool {
	return nameEnd(word[1:]) == len(word)-1 && nameKind(word) != ""
}

// longFlag looks at a long flag, which is nothing but that. It returns where its value ends
// if that was a secret.
func (f *finder) longFlag(c *command, start, end int) int {
	name, rest, joined := strings.Cut(f.s[start:end], "=")
	kind := nameKind(name)
	isUser := strings.HasSuffix(name, "creds") || name == "--auth" ||
		c.tool.colon+c.tool.percent != "" && (name == "--user" || name == "--proxy-user" || name == "--cert")
	at := end - len(rest)
	if !joined {
		at, _ = skipSpace(f.s, end)
		if isQuestion(name) || strings.IndexByte(",;:.)", f.s[end-1]) >= 0 || at == len(f.s) || strings.HasPrefix(f.s[at:], "--") || isFlagLike(f.s[at:]) {
			return 0
		}
	}
	s, e := value(f.s, at)
	if !joined && f.at.isProse && isPlainWord(f.s[s:e]) {
		return 0
	}
	switch {
	case isUser && c.tool.percent != "":
		f.behind(s, e, '%')
	case isUser:
		f.behind(s, e, ':')
	case name == "--secret" && c.tool.secretNames, joined: // assignments looks at these
		return 0
	case kind == Cookie && !strings.Contains(f.s[s:e], "="):
		return 0 // the file of a jar
	case name == "--oauth2-bearer":
		f.add(s, e, Token)
	case kind == "" || f.s[start+1] != '-' && c.tool.words != "":
		return 0
	default:
		f.add(s, e, kind)
	}
	return e
}

// isPlainWord reports whether v is a word of prose.
func isPlainWord(v string) bool {
	return strings.Trim(strings.TrimRight(v, ".,;:"), "abcdefghijklmnopqrstuvwxyz") == ""
}

// isFlagLike reports whether s begins with a short flag.
func isFlagLike(s string) bool {
	return len(s) > 1 && s[0] == '-' && isLetter(s[1]) && (len(s) == 2 || isSpace(s[2]))
}

// shortFlags looks at a word of short flags, of which the last can have a value. It returns
// where a value in the next word ends.
func (f *finder) shortFlags(c *command, start, end int) int {
	if !c.sub {
		return 0
	}
	if c.tool.words != "" {
		return f.wordFlag(c, start, end)
	}
	t := &c.tool
	for i := start + 1; i < end; i++ {
		letter := f.s[i]
		isSecret := strings.IndexByte(t.secret, letter) >= 0
		separator := t.separator(letter)
		if !isSecret && separator == 0 && strings.IndexByte(t.takes, letter) < 0 {
			if !t.clusters || !isLetter(letter) && !isDigit(letter) {
				return 0
			}
			if t.keyword == "b" && letter == 'b' { // htpasswd -b
				c.armed = true
			}
			continue
		}
		at, separate := i+1, i+1 == end || f.closes(i+1, end)
		if separate {
			at, _ = skipSpace(f.s, end)
		}
		s, e := value(f.s, at)
		switch {
		case separate && isFlagLike(f.s[at:]):
			return 0
		case isSecret && f.isSecretValue(t, separate, s, e):
			f.add(s, e, cmpKind(t.kind))
		case isSecret && separate && t.attached:
			return 0 // a database, or another argument
		case separator != 0:
			f.behind(s, e, separator)
		}
		if separate {
			return e
		}
		return 0
	}
	return 0
}

// closes reports whether nothing but closing quotes stands between i and end.
func (f *finder) closes(i, end int) bool {
	return strings.Trim(f.s[i:end], "\"'`)”") == ""
}

// separator is what divides the user from the secret in the value of a flag.
func (t *tool) separator(letter byte) byte {
	switch {
	case strings.IndexByte(t.colon, letter) >= 0:
		return ':'
	case strings.IndexByte(t.percent, letter) >= 0:
		return '%'
	case strings.IndexByte(t.comma, letter) >= 0:
		return ','
	default:
		return 0
	}
}

// isSecretValue reports whether the value of a secret flag can be one. A separate -p of mysql
// asks for the password, and what follows is a database; but people do write the password
// there. Short numbers are ports where the same flag names them.
func (f *finder) isSecretValue(t *tool, separate bool, start, end int) bool {
	v := f.s[start:end]
	switch {
	case separate && t.attached:
		return len(v) >= 8 && isRandom(v)
	case t.kind == Cookie:
		return strings.Contains(v, "=")
	case separate && t.secret == "p" && t.takes != "fdP" && len(v) <= 5 && strings.Trim(v, "0123456789") == "":
		return false
	default:
		return true
	}
}

func cmpKind(k Kind) Kind {
	if k == "" {
		return Password
	}
	return k
}

// wordFlag looks at a flag of a tool that has whole words for flags.
func (f *finder) wordFlag(c *command, start, end int) int {
	if c.tool.words == " /p: " {
		if strings.HasPrefix(f.s[start:end], "/p:") {
			s, e := value(f.s, start+len("/p:"))
			f.add(s, e, Password)
		}
		return 0
	}
	if !has(c.tool.words, f.s[start:end]) {
		return 0
	}
	at, _ := skipSpace(f.s, end)
	s, e := value(f.s, at)
	if strings.HasPrefix(f.s[s:e], "pass:") {
		s += len("pass:")
	} else if f.s[s:e] == "stdin" {
		return e
	}
	f.add(s, e, Password)
	return e
}

// behind adds the password that stands behind a separator in a range.
func (f *finder) behind(start, end int, separator byte) {
	if i := strings.IndexByte(f.s[start:end], separator); i >= 0 {
		f.add(start+i+1, end, Password)
	}
}

// argument looks at a word that is no flag.
func (f *finder) argument(c *command, start, end int, word string) {
	switch {
	case c.armed:
		f.armedArgument(c, start, word)
		return
	case c.tool.userInfo:
		f.argumentUserInfo(start, end)
	case c.tool.keyword != "" && has(c.tool.keyword, word):
		c.armed, c.skip = true, c.tool.skip
		return
	case c.hosts > 0:
		c.hosts--
		return
	}
	if !c.sub && word == c.tool.after {
		c.sub = true
	}
	c.start(word)
}

// armedArgument looks at an argument behind a keyword.
func (f *finder) armedArgument(c *command, start int, word string) {
	if len(word) == len("z") && strings.HasPrefix(f.s[start+1:], ":") {
		return // the drive of net use
	}
	s, e := value(f.s, start)
	if c.tool.skip < 0 {
		c.last, c.count = span{start: s, end: e}, c.count+1
		return
	}
	if c.skip > 0 {
		switch word {
		case "add", "delete", "del", "info", "rename":
			*c = command{} // samba's net user add
			return
		}
		c.skip--
		return
	}
	if word != "*" {
		f.add(s, e, cmpKind(c.tool.kind))
	}
	*c = command{}
}

// argumentUserInfo looks at domain/user:secret@host, or Oracle's user/secret@host.
func (f *finder) argumentUserInfo(start, end int) {
	w := f.s[start:end]
	at := strings.LastIndexByte(w, '@')
	if at < 0 {
		return
	}
	separator := strings.IndexByte(w[:at], ':')
	if separator < 0 {
		separator = strings.IndexByte(w[:at], '/')
	}
	if separator >= 0 {
		f.add(start+separator+1, start+at, Password)
	}
}
