package enrich

import "strings"

// maxShellDepth bounds how deep substitutions and shells in shells are read.
const maxShellDepth = 6

// simple is one simple command of a shell's code.
type simple struct {
	words     []shellToken
	redirects []redirect
	// pipeline is the same number for the commands of one pipeline.
	pipeline int
}

// redirect is a redirection: 2>&1 has the descriptor 2, the operator >& and the target 1.
type redirect struct{ descriptor, operator, target string }

// shellToken is a word without its quotes.
type shellToken struct {
	text string
	// output is the code whose output the word begins with: $(…), `…` or <(…).
	output []simple
}

// shellReader splits a shell's code into simple commands. It reads quotes, operators and
// substitutions, and expands nothing: what a variable holds is not known. Code that is cut off, as
// command lines are, gives what there is of it.
type shellReader struct {
	code     string
	depth    int
	commands []simple
	nested   []simple // the commands of substitutions
	cur      simple
	text     strings.Builder
	started  bool // a word has begun
	quoted   bool // it has quotes
	output   []simple
	redirect redirect // the redirection whose target the next word is
	next     *int     // the number of the last pipeline that was begun
	groups   []group
}

// group is an open group of commands, ( … ) or { … }.
type group struct {
	first    int // its first command
	pipeline int // that it is a part of
}

// readShell splits code; all holds the commands of substitutions too.
func readShell(code string, depth int) (commands, all []simple) {
	return readShellFrom(code, depth, new(int))
}

func readShellFrom(code string, depth int, next *int) (commands, all []simple) {
	if depth > maxShellDepth {
		return nil, nil
	}
	*next++
	r := &shellReader{code: code, depth: depth, next: next, cur: simple{pipeline: *next}}
	for len(r.code) > 0 {
		r.step()
	}
	r.endCommand()
	return r.commands, append(r.nested, r.commands...)
}

// step reads what the rest of the code begins with.
func (r *shellReader) step() {
	n := 1
	switch c := r.code[0]; c {
	case ' ', '\t':
		r.endWord()
	case '\n', ';':
		r.endPipeline()
	case '(':
		r.open()
	case ')':
		r.close()
	case '|':
		if strings.HasPrefix(r.code, "||") {
			n = 2
			r.endPipeline()
			break
		}
		r.endCommand()
		if strings.HasPrefix(r.code, "|&") {
			n = 2
		}
	case '&':
		n = r.ampersand()
	case '<', '>':
		n = r.angle()
	case '\'':
		n = r.single()
	case '"':
		n = r.double()
	case '\\':
		n = min(2, len(r.code))
		if n == 2 && r.code[1] != '\n' {
			r.add(r.code[1:2])
		}
	case '$', '`':
		n = r.dollar()
	case '#':
		if r.started {
			r.add("#")
			break
		}
		if n = strings.IndexByte(r.code, '\n'); n < 0 {
			n = len(r.code)
		}
	default:
		if n = strings.IndexAny(r.code, " \t\n;()|&<>'\"\\$`#"); n < 0 {
			n = len(r.code)
		}
		r.add(r.code[:n])
	}
	r.code = r.code[n:]
}

func (r *shellReader) add(s string) {
	r.started = true
	r.text.WriteString(s)
}

// ampersand reads && and &, which end a command, and the &> of a redirection.
func (r *shellReader) ampersand() int {
	switch {
	case strings.HasPrefix(r.code, "&>"):
		r.endWord()
		r.redirect = redirect{operator: "&>"}
		return 2
	case strings.HasPrefix(r.code, "&&"):
		r.endPipeline()
		return 2
	default:
		r.endPipeline()
		return 1
	}
}

// angle reads a redirection or a process substitution.
func (r *shellReader) angle() int {
	if len(r.code) > 1 && r.code[1] == '(' {
		return 1 + r.substitution(r.code[1:])
	}
	descriptor := r.text.String()
	if strings.Trim(descriptor, "0123456789") == "" {
		r.text.Reset()
		r.started = false
	} else {
		descriptor = ""
	}
	r.endWord()
	n := len(r.code) - len(strings.TrimLeft(r.code, "<>&"))
	r.redirect = redirect{descriptor: descriptor, operator: r.code[:n]}
	return n
}

func (r *shellReader) single() int {
	r.started, r.quoted = true, true
	text, _, ok := strings.Cut(r.code[1:], "'")
	r.text.WriteString(text)
	if !ok {
		return len(r.code)
	}
	return len(text) + 2
}

// double reads a text in double quotes, in which substitutions are made.
func (r *shellReader) double() int {
	r.started, r.quoted = true, true
	whole := r.code
	defer func() { r.code = whole }()
	at := 1
	for at < len(whole) {
		r.code = whole[at:]
		switch r.code[0] {
		case '"':
			return at + 1
		case '\\':
			if len(r.code) > 1 {
				r.text.WriteByte(r.code[1])
			}
			at += 2
		case '$', '`':
			at += r.dollar()
		default:
			n := strings.IndexAny(r.code, "\"\\$`")
			if n < 0 {
				n = len(r.code)
			}
			r.text.WriteString(r.code[:n])
			at += n
		}
	}
	return len(whole)
}

// dollar reads a substitution. $IFS is a blank: it is written where blanks are filtered out.
func (r *shellReader) dollar() int {
	for _, blank := range [...]string{"${IFS}", "$IFS"} {
		if strings.HasPrefix(r.code, blank) {
			r.endWord()
			return len(blank)
		}
	}
	switch {
	case strings.HasPrefix(r.code, "$(") && !strings.HasPrefix(r.code, "$(("):
		return 1 + r.substitution(r.code[1:])
	case r.code[0] == '`':
		code, _, ok := strings.Cut(r.code[1:], "`")
		r.substitute(code)
		if !ok {
			return len(r.code)
		}
		return len(code) + 2
	default:
		r.add("$")
		return 1
	}
}

// substitution reads the code in the parentheses that s begins with, and returns their length.
func (r *shellReader) substitution(s string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				r.substitute(s[1:i])
				return i + 1
			}
		}
	}
	r.substitute(s[1:])
	return len(s)
}

func (r *shellReader) substitute(code string) {
	commands, all := readShellFrom(code, r.depth+1, r.next)
	if r.text.Len() == 0 && r.output == nil {
		r.output = commands
	}
	r.nested = append(r.nested, all...)
	r.started = true
}

func (r *shellReader) endWord() {
	if !r.started {
		return
	}
	text := r.text.String()
	w := shellToken{text, r.output}
	braces := !r.quoted && strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") && strings.Contains(text, ",")
	r.text.Reset()
	r.started, r.quoted, r.output = false, false, nil
	switch {
	case r.redirect.operator != "":
		r.redirect.target = text
		r.cur.redirects = append(r.cur.redirects, r.redirect)
		r.redirect = redirect{}
	case text == "{" && len(r.cur.words) == 0:
		r.open()
	case text == "}" && len(r.cur.words) == 0:
		r.close()
	case braces: // {curl,-s,x} is three words
		for part := range strings.SplitSeq(text[1:len(text)-1], ",") {
			r.cur.words = append(r.cur.words, shellToken{text: part})
		}
	default:
		r.cur.words = append(r.cur.words, w)
	}
}

// endCommand ends a command whose pipeline may go on.
func (r *shellReader) endCommand() {
	r.endWord()
	r.redirect = redirect{}
	if len(r.cur.words) > 0 || len(r.cur.redirects) > 0 {
		r.commands = append(r.commands, r.cur)
	}
	r.cur = simple{pipeline: r.cur.pipeline}
}

func (r *shellReader) endPipeline() {
	r.endCommand()
	*r.next++
	r.cur.pipeline = *r.next
}

// open begins a group.
func (r *shellReader) open() {
	r.endCommand()
	r.groups = append(r.groups, group{len(r.commands), r.cur.pipeline})
}

// close ends a group. Into the next command of its pipeline goes the output of all its commands.
func (r *shellReader) close() {
	r.endCommand()
	if len(r.groups) == 0 {
		return
	}
	g := r.groups[len(r.groups)-1]
	r.groups = r.groups[:len(r.groups)-1]
	behind := strings.TrimLeft(strings.TrimLeft(r.code, "})"), " ")
	if !strings.HasPrefix(behind, "|") || strings.HasPrefix(behind, "||") {
		return
	}
	for i := range r.commands[g.first:] {
		r.commands[g.first+i].pipeline = g.pipeline
	}
	r.cur.pipeline = g.pipeline
}

// call is what a simple command starts: the program without what only starts it, as sudo and
// timeout do, and its arguments.
type call struct {
	name string // the base name
	path string // as it was written
	args []shellToken
	// output is the code whose output is the command itself.
	output []simple
}

// call is what the command starts.
func (c simple) call() call {
	words := c.words
	for len(words) > 0 {
		name := baseName(words[0].text)
		n := starterWords(name, words)
		if n == 0 {
			return call{name, words[0].text, words[1:], words[0].output}
		}
		words = words[min(n, len(words)):]
	}
	return call{}
}

// starterWords is how many words of a command only start the program behind them.
func starterWords(name string, words []shellToken) int {
	valued := "" // the options that have a value
	switch name {
	case "if", "then", "do", "else", "elif", "while", "until", "!", "time", "coproc", "command", "builtin", "nohup", "setsid", "busybox", "toybox":
		return 1
	case "exec", "env", "stdbuf", "timeout", "nice", "ionice":
		valued = "-n -c -k -s -u -C -a -o -e -i"
		if name == "env" || name == "stdbuf" {
			valued = "-u -C"
		}
	case "sudo", "doas":
		valued = "-u -g -h -p -C -D -R -T -U"
	default:
		if key, _, ok := strings.Cut(name, "="); ok && key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == "" {
			return 1
		}
		return 0
	}
	n := 1
	for n < len(words) && strings.HasPrefix(words[n].text, "-") {
		if strings.Contains(" "+valued+" ", " "+words[n].text+" ") {
			n++
		}
		n++
	}
	if name == "timeout" {
		n++ // how long
	}
	return n
}
