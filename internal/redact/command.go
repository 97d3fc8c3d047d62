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
	// config says that names and values of settings follow; setting is then the kind of the
	// value of the one that was named.
	config  bool
	setting Kind
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
	for i < len(s) {
		switch {
		case isContinued(s, i):
			i = min(i+len("\\\n"), len(s))
		case isSpace(s[i]):
			lineEnd = lineEnd || s[i] == '\n'
			i++
		default:
			return i, lineEnd
		}
	}
	return i, lineEnd
}

// isContinued reports whether a line goes on in the next: an escaped line end is a blank. So is
// a backslash at the end of a text, after which the line end was cut off.
func isContinued(s string, i int) bool { return strings.HasPrefix(s[i:], "\\\n") || s[i:] == "\\" }

// wordEnd is where the word that begins at i ends: at white space, or between the members of
// a JSON array without it. A placeholder is no end.
func wordEnd(s string, i int) int {
	for i < len(s) && !isSpace(s[i]) && !isContinued(s, i) {
		if s[i] == ',' && i > 0 && i+1 < len(s) && s[i-1] == '"' && s[i+1] == '"' {
			return i + 1
		}
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
		f.addValue(c.last.start, c.last.end, cmpKind(c.tool.kind))
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
	if after := f.redirection(start, end); after > 0 {
		return after
	}
	next := 0
	open := len(w) - len(strings.TrimLeft(w, "\"'“(`{[$!\\"))
	switch core := w[open:]; {
	case strings.HasPrefix(core, "--"):
		next = f.longFlag(c, start+open, end)
	case len(core) > 1 && core[0] == '-' && open > 0 && w[open-1] != '"' && w[open-1] != '\'':
		// no flag: not in the midst of a word, and triggers name none such
	case len(core) > 1 && core[0] == '-':
		next = f.flag(c, start+open, end)
	case len(core) > 1 && core[0] == '/' && c.tool.slashFlags:
		f.slashFlag(start+open, end)
	case core != "":
		f.argument(c, start, end, program(core))
	}
	if strings.HasSuffix(w, ";") && !c.tool.isSQL || c.armed && c.tool.skip < 0 && strings.HasSuffix(strings.TrimRight(w, `"`), ")") {
		f.finish(c)
	}
	return next
}

// program is a word as the name of a program: without what closes it.
func program(word string) string {
	if i := strings.LastIndexByte(word, '['); i >= 0 && strings.HasPrefix(word[i:], `["`) {
		word = word[i+len("["):] // of {"args":["mysql"
	}
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

// redirection looks at a word that begins a redirection: neither it nor the file that it names
// is an argument. It returns where it ends, 0 if the word begins none.
func (f *finder) redirection(start, end int) int {
	if strings.IndexByte(f.s[start:end], '<') < 0 && strings.IndexByte(f.s[start:end], '>') < 0 {
		return 0
	}
	w := strings.TrimLeft(f.s[start:end], "0123456789&")
	target := strings.TrimLeft(w, "<>|&")
	switch {
	case w == "" || w[0] != '<' && w[0] != '>' || strings.HasPrefix(w, "<<") || strings.HasSuffix(w, ">") && target != "":
		return 0 // or a <placeholder>
	case target != "":
		return end - len(target) + strings.IndexAny(target+";", ";\"'`)")
	}
	at, lineEnd := skipSpace(f.s, end)
	if lineEnd {
		return end
	}
	return at + strings.IndexAny(f.s[at:wordEnd(f.s, at)]+";", ";\"'`)")
}

// flag looks at a word with one dash: a long flag, or short ones if the tool has such. It
// returns where to go on.
func (f *finder) flag(c *command, start, end int) int {
	core := f.s[start:end]
	switch {
	case strings.HasPrefix(core, `-c"`) || strings.HasPrefix(core, `-c'`):
		c.start(program(core[len("-c"):]))
		return 0
	case len(core) <= len("-pw") || !isLongFlag(core) || c.owns(core):
		return f.shortFlags(c, start, end)
	case core[1] == 'p' && !isLower(core[2]):
		// -pMyPassword1 of a program that is not known: the flag has the password with it.
		f.addValue(start+len("-p"), end, Password)
		return 0
	}
	if next := f.longFlag(c, start, end); next > 0 {
		return next
	}
	return f.shortFlags(c, start, end)
}

// owns reports whether a word that looks like a long flag of one dash is a short flag of the
// tool with its value attached: -pMyToken1 is mysql's password, and no flag "pMyToken".
func (c *command) owns(core string) bool {
	t := &c.tool
	if !c.sub || t.words != "" && t.secret == "" || t.isPlain() {
		return false
	}
	if t.attached || t.clusters {
		return true
	}
	switch core[1:] {
	case "password", "passwd", "pass", "passphrase", "apikey", "secret", "token":
		return false // -password X, as many write where -p would do
	default:
		return strings.IndexByte(t.secret, core[1]) >= 0 || t.separator(core[1]) != 0 || strings.IndexByte(t.takes, core[1]) >= 0
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
	isUser := strings.HasSuffix(name, "creds") || name == "--auth" || name == "-auth" ||
		c.tool.colon+c.tool.percent != "" && (name == "--user" || name == "--proxy-user" || name == "--cert" || name == "--authenticate")
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
	case name == "--command" && joined:
		c.start(program(f.s[s:e]))
		return 0
	case !joined && (name == "--name" || name == "--hostname" || name == "--network"):
		return e // "mongo" is no program there
	case name == "--uri" || name == "--proxy" || name == "--preproxy":
		f.argumentUserInfo(s, e)
		return 0
	case c.sub && c.tool.values != "" && has(c.tool.values, name):
		f.addValue(s, e, cmpKind(c.tool.valuesKind))
	case c.sub && c.tool.literals && name == "--from-literal":
		f.pair(s, e)
	case isUser && c.tool.percent != "":
		f.behind(s, e, '%')
	case isUser:
		f.userAndSecret(s, e, ':')
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

// pair adds the value of key=value.
func (f *finder) pair(start, end int) {
	key, _, ok := strings.Cut(f.s[start:end], "=")
	if !ok {
		return
	}
	s, e := value(f.s, start+len(key)+1)
	kind := nameKind(key)
	if kind == "" {
		kind = Secret
	}
	f.add(s, max(e, end), kind)
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
	t := &c.tool
	if t.words != "" && (has(t.words, f.s[start:end]) || t.secret == "") {
		return f.wordFlag(c, start, end)
	}
	for i := start + 1; i < end; i++ {
		letter := f.s[i]
		isSecret := strings.IndexByte(t.secret, letter) >= 0
		separator := t.separator(letter)
		isAddress := strings.IndexByte(t.address, letter) >= 0
		if !isSecret && !isAddress && separator == 0 && strings.IndexByte(t.takes, letter) < 0 {
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
		case separate && (isFlagLike(f.s[at:]) || strings.HasPrefix(f.s[at:], "--")):
			return 0
		case isSecret && f.isSecretValue(t, separate, s, e):
			if t.kind == "" && !t.clusters && strings.HasPrefix(f.s[s:e], "=") {
				s, e = value(f.s, s+1) // -p=X
			}
			f.addValue(s, e, cmpKind(t.kind))
		case isSecret && separate && t.attached:
			return 0 // a database, or another argument
		case separator != 0:
			if separator == ',' {
				e = max(e, s+len(strings.TrimRight(f.s[s:wordEnd(f.s, s)], "\"'`;)"))) // no end of the value here
			}
			f.userAndSecret(s, e, separator)
		case isAddress:
			f.argumentUserInfo(s, e)
		}
		if separate && !strings.HasPrefix(strings.TrimLeft(f.s[s:e], `"`), "$(") { // a command of its own
			return e
		}
		return 0
	}
	return 0
}

// closes reports whether nothing but closing quotes stands between i and end.
func (f *finder) closes(i, end int) bool {
	return strings.Trim(f.s[i:end], "\"'`)”,") == ""
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
	case separate && t.secret[0] == 'p' && t.takes != "fdP" && (len(v) <= 5 || strings.Contains(v, ":")) && strings.Trim(v, "0123456789:") == "":
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
	f.addValue(s, e, cmpKind(c.tool.kind))
	return e
}

// slashFlag looks at a flag that begins with a slash, of which the value is in the same word.
func (f *finder) slashFlag(start, end int) {
	for _, flag := range [...]string{"/p:", "/gp:"} {
		if strings.HasPrefix(f.s[start:end], flag) {
			s, e := value(f.s, start+len(flag))
			f.addValue(s, e, Password)
		}
	}
	if strings.HasPrefix(f.s[start:end], "/pth:") {
		f.add(start+len("/pth:"), end, PasswordHash)
	}
}

// userAndSecret is behind for the user and the secret of a known flag. A token can stand in
// the place of the user, with nothing behind it.
func (f *finder) userAndSecret(start, end int, separator byte) {
	i := strings.IndexByte(f.s[start:end], separator)
	switch {
	case i < 0:
	case separator == ':' && i == end-start-1 && isUserToken(f.s[start:end-1]):
		f.add(start, end-1, Token)
	default:
		f.addValue(start+i+1, end, Password)
	}
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
	case c.setting != "":
		s, e := value(f.s, start)
		f.add(s, e, c.setting)
		c.config, c.setting = false, ""
		return
	case c.tool.userInfo:
		f.argumentUserInfo(start, end)
	case c.tool.logon && f.logon(start, end):
		*c = command{}
		return
	case c.tool.pairs && (c.sub || strings.HasPrefix(word, "secret_id=")):
		s, e := value(f.s, start)
		f.pair(s, e)
		return
	case c.tool.keyword != "" && has(c.tool.keyword, word) && strings.HasSuffix(f.s[:start], c.tool.near):
		c.armed, c.skip = true, c.tool.skip
		return
	case c.hosts > 0:
		c.hosts--
		return
	}
	if !c.sub && has(c.tool.after, word) {
		c.sub = true
	}
	switch {
	case word == "config" || word == "configure":
		c.config = !f.at.isProse
		return
	case word == "set" || !c.config:
	case strings.Contains(word, "=") || isPlainWord(strings.ReplaceAll(word, "-", "")): // set-credentials is a command
		c.config = false
	default:
		c.setting = nameKind(word)
		c.config = c.setting != ""
	}
	c.start(word)
}

// logon looks at Oracle's user/secret@database, alone or behind userid=, and reports whether
// it was that.
func (f *finder) logon(start, end int) bool {
	w := f.s[start:end]
	at := start + len(w) - len(strings.TrimPrefix(strings.TrimLeft(w, `"'`), "userid="))
	user, rest, ok := strings.Cut(f.s[at:end], "/")
	if !ok || user == "" || nameEnd(user) != len(user) {
		return false
	}
	s, e := value(f.s, at+len(user)+1)
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		e = end - len(rest) + i
	}
	f.addValue(s, e, Password)
	return true
}

// armedArgument looks at an argument behind a keyword.
func (f *finder) armedArgument(c *command, start int, word string) {
	if len(word) == len("z") && strings.HasPrefix(f.s[start+1:], ":") {
		return // the drive of net use
	}
	if c.tool.switches && strings.HasPrefix(word, "/") {
		return
	}
	if c.tool.pairs && strings.Contains(strings.TrimRight(word, "="), "=") {
		return // vault login username=bob
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
		f.addValue(s, e, cmpKind(c.tool.kind))
	}
	c.armed = false
}

// argumentUserInfo looks at domain/user:secret@host. One with a scheme is a URL, which urls
// looks at.
func (f *finder) argumentUserInfo(start, end int) {
	w := f.s[start:end]
	at := strings.LastIndexByte(w, '@')
	if at < 0 || strings.Contains(w, "://") {
		return
	}
	if separator := strings.IndexByte(w[:at], ':'); separator >= 0 {
		f.addValue(start+separator+1, start+at, Password)
	}
}
