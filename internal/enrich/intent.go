package enrich

import (
	"net/netip"
	"path"
	"strings"
	"unicode"

	"github.com/falco-reporter/falco-reporter/internal/program"
)

// intent is what code asks for that by itself tells of an intruder at work. That it is asked for is
// no proof that it was done.
type intent struct {
	joinsShell  bool // to join a shell to a connection that leaves the machine
	runsFetched bool // to fetch code and run it
	asksWho     bool // who it is and where, as an intruder does first
}

func (i *intent) add(other intent) {
	i.joinsShell = i.joinsShell || other.joinsShell
	i.runsFetched = i.runsFetched || other.runsFetched
	i.asksWho = i.asksWho || other.asksWho
}

// intentOf reads the command line of a process. Only the code of a shell or interpreter is read as
// code: in the arguments of any other program the same words are text.
func intentOf(name, cmdline string) intent {
	starter, rest := launched(name, cmdline)
	switch {
	case program.IsShell(starter):
		if code, ok := codeArgument(rest); ok {
			if q := code[0]; len(code) > 1 && (q == '"' || q == '\'') && strings.IndexByte(code[1:], q) == len(code)-2 {
				code = code[1 : len(code)-1] // somebody kept the quotes of the whole argument
			}
			return shellIntent(code, 0)
		}
	case isInterpreter(starter):
		_, args, _ := strings.Cut(rest, " ")
		return intent{joinsShell: joinsByCode(args)}
	case starter == "busybox", starter == "toybox":
		var c simple
		for word := range strings.FieldsSeq(rest) {
			c.words = append(c.words, shellToken{text: word})
		}
		return intent{joinsShell: handsOutShell(c.call())}
	}
	return intent{}
}

// hasCode reports whether a command line has code for a shell or interpreter in it.
func hasCode(name, cmdline string) bool {
	starter, rest := launched(name, cmdline)
	if program.IsShell(starter) {
		_, ok := codeArgument(rest)
		return ok
	}
	return inlineCode(starter, rest) != ""
}

// launched is the shell or interpreter that a command line starts, and the command line from there:
// its own program, or one behind a program that only starts others.
func launched(name, cmdline string) (starter, rest string) {
	const most = 24 // words, in which the options of docker exec have room
	rest = strings.TrimLeft(cmdline, " ")
	for i := range most {
		word, after, more := strings.Cut(rest, " ")
		base := baseName(strings.TrimPrefix(word, "-"))
		switch {
		case program.IsShell(base), isInterpreter(base), base == "busybox" && !isShellWord(after):
			return base, rest
		case i == 0 && (program.IsShell(name) || isInterpreter(name)):
			return name, rest
		case i == 0 && !startsOthers(base) && !startsOthers(name), !more:
			return "", ""
		}
		rest = strings.TrimLeft(after, " ")
	}
	return "", ""
}

// isShellWord reports whether a text begins with a shell's name.
func isShellWord(text string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(text, " "), " ")
	return program.IsShell(word)
}

// startsOthers reports whether a program's work is to start the one that its arguments name.
func startsOthers(name string) bool {
	switch name {
	case "sudo", "doas", "su", "runuser", "env", "nohup", "setsid", "timeout", "nice", "ionice", "stdbuf", "chroot", "nsenter", "unshare", "script", "flock", "watch", "xargs", "find",
		"busybox", "docker", "podman", "nerdctl", "crictl", "ctr", "kubectl", "ssh", "systemd-run", "start-stop-daem", "tini", "dumb-init":
		return true
	}
	return false
}

// isInterpreter is interpreter with awk, whose code needs no option.
func isInterpreter(name string) bool { return interpreter(name) != "" || isAwk(name) }

func isAwk(name string) bool {
	return name == "awk" || name == "gawk" || name == "mawk" || name == "nawk"
}

// codeArgument is the code behind the options of a shell's command line, one of which is -c or ends
// in it, as -lc does. Between arguments the quotes are lost, so that all that follows is taken.
func codeArgument(cmdline string) (code string, ok bool) {
	_, rest, _ := strings.Cut(cmdline, " ")
	for {
		rest = strings.TrimLeft(rest, " ")
		word, after, _ := strings.Cut(rest, " ")
		switch {
		case len(word) < 2 || word[0] != '-' && word[0] != '+':
			return strings.TrimSpace(rest), ok && rest != ""
		case word[0] == '-' && word[1] != '-' && strings.Contains(word, "c"):
			ok = true
		case word == "-o" || word == "-O" || word == "+o" || word == "--rcfile" || word == "--init-file":
			_, after, _ = strings.Cut(strings.TrimLeft(after, " "), " ")
		}
		rest = after
	}
}

// shellIntent reads a shell's code.
func shellIntent(code string, depth int) intent {
	var out intent
	if depth > maxShellDepth {
		return out
	}
	_, all := readShell(code, depth)
	out.joinsShell = joinsConnection(code, all)
	out.runsFetched = pipesFetched(all) || runsSaved(all)
	for _, c := range all {
		out.add(callIntent(c.call(), depth))
	}
	return out
}

// callIntent reads one command of a shell's code.
func callIntent(c call, depth int) intent {
	out := intent{joinsShell: handsOutShell(c), runsFetched: hasDownload(c.output), asksWho: asksWho(c)}
	switch {
	case c.name == "eval":
		out.runsFetched = out.runsFetched || len(c.args) > 0 && hasDownload(c.args[0].output)
		out.add(shellIntent(texts(c.args), depth+1))
	case c.name == "source", c.name == ".":
		out.runsFetched = out.runsFetched || len(c.args) > 0 && hasDownload(c.args[0].output)
	case program.IsShell(c.name):
		code, script, _ := shellArguments(c.args)
		out.runsFetched = out.runsFetched || hasDownload(code.output) || hasDownload(script.output)
		out.add(shellIntent(code.text, depth+1))
	case isInterpreter(c.name):
		for _, a := range c.args {
			out.runsFetched = out.runsFetched || hasDownload(a.output)
		}
		out.joinsShell = out.joinsShell || joinsByCode(texts(c.args))
	case startsOthers(c.name):
		for i, a := range c.args {
			if name := baseName(a.text); program.IsShell(name) || isInterpreter(name) {
				out.add(callIntent(call{name: name, path: a.text, args: c.args[i+1:]}, depth+1))
				break
			}
		}
	}
	return out
}

func texts(words []shellToken) string {
	var out []string
	for _, w := range words {
		out = append(out, w.text)
	}
	return strings.Join(out, " ")
}

// shellArguments are the code or the script that a shell is given; with neither it reads its code
// from its input.
func shellArguments(args []shellToken) (code, script shellToken, fromInput bool) {
	takes := false
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch option := a.text; {
		case a.output == nil && option == "-", strings.HasPrefix(option, "-s") && !takes:
			return code, script, true
		case option == "-o" || option == "-O" || option == "--rcfile" || option == "--init-file":
			i++
		case len(option) > 1 && option[0] == '-' && option[1] != '-' && strings.Contains(option, "c"):
			takes = true
		case strings.HasPrefix(option, "-"), strings.HasPrefix(option, "+"):
		case takes:
			return a, script, false
		default:
			return code, a, false
		}
	}
	return code, script, !takes
}

// takesInput reports whether a command is a shell or interpreter that runs what its input says.
func takesInput(c call) bool {
	if program.IsShell(c.name) {
		_, script, fromInput := shellArguments(c.args)
		return fromInput || script.text == "/dev/stdin"
	}
	return isInterpreter(c.name) && !isAwk(c.name) && (len(c.args) == 0 || c.args[0].text == "-" || c.args[0].text == "/dev/stdin")
}

// hasDownload reports whether one of some commands fetches.
func hasDownload(commands []simple) bool {
	for _, c := range commands {
		if program.IsDownloader(c.call().name) {
			return true
		}
	}
	return false
}

// pipesFetched reports whether what is fetched goes down a pipeline into a shell or interpreter.
func pipesFetched(all []simple) bool {
	fetches, pipeline := false, -1
	for _, c := range all {
		if c.pipeline != pipeline {
			fetches, pipeline = false, c.pipeline
		}
		k := c.call()
		if fetches && takesInput(k) {
			return true
		}
		fetches = fetches || program.IsDownloader(k.name)
	}
	return false
}

// runsSaved reports whether a file that is fetched is run by a later command.
func runsSaved(all []simple) bool {
	saved := make(map[string]bool)
	for _, c := range all {
		k := c.call()
		if len(saved) > 0 && runsFile(k, saved) {
			return true
		}
		if program.IsDownloader(k.name) {
			for _, file := range savedFiles(k, c.redirects) {
				saved[cleaned(file)] = true
			}
		}
	}
	return false
}

func cleaned(file string) string { return path.Clean(file) }

// runsFile reports whether a command runs one of some files.
func runsFile(k call, files map[string]bool) bool {
	if strings.Contains(k.path, "/") && files[cleaned(k.path)] {
		return true
	}
	script := ""
	switch {
	case program.IsShell(k.name):
		_, w, _ := shellArguments(k.args)
		script = w.text
	case k.name == "source", k.name == ".", isInterpreter(k.name):
		if len(k.args) > 0 {
			script = k.args[0].text
		}
	}
	return script != "" && files[cleaned(script)]
}

// savedFiles are the files that a download goes to.
func savedFiles(k call, redirects []redirect) []string {
	var out []string
	url, named := "", false
	for i, a := range k.args {
		name, value, attached := strings.Cut(a.text, "=")
		switch {
		case (name == "--output" || name == "--output-document") && attached:
			out, named = append(out, value), true
		case savesAs(k.name, a.text) && i+1 < len(k.args):
			out, named = append(out, k.args[i+1].text), true
		case strings.Contains(a.text, "://"):
			url = a.text
		}
	}
	for _, r := range redirects {
		if strings.HasPrefix(r.operator, ">") && (r.descriptor == "" || r.descriptor == "1") && r.target != "" {
			out, named = append(out, r.target), true
		}
	}
	if url != "" && !named {
		url, _, _ = strings.Cut(url, "?")
		out = append(out, baseName(url))
	}
	return out
}

// savesAs reports whether the word behind an option is the file that a download goes to: -o of curl
// and -O of wget, also at the end of other options.
func savesAs(name, option string) bool {
	if option == "--output" || option == "--output-document" {
		return true
	}
	letter := byte('o')
	if name == "wget" {
		letter = 'O'
	}
	return isShortOption(option, letter) && option[len(option)-1] == letter
}

// joinsConnection reports whether a shell's code joins a shell to a connection: one that the shell opens
// itself, or one of a network tool in the same pipeline or behind a FIFO.
func joinsConnection(code string, all []simple) bool {
	return joinsOwnConnection(code, all) || joinsToolsConnection(all)
}

// joinsOwnConnection: the shell opens the connection by /dev/tcp, and what comes from there goes
// into a shell, or is run line by line.
func joinsOwnConnection(code string, all []simple) bool {
	if !leavesMachine(code) {
		return false
	}
	reads, runs, input, pipeline := false, false, false, -1
	for _, c := range all {
		k := c.call()
		fed := input || c.pipeline == pipeline || c.isFed()
		switch {
		case program.IsShell(k.name) && (c.isNetworked() || fed && takesInput(k)):
			return true
		case k.name == "" && c.isExec() && c.isFed():
			input = true // exec 0</dev/tcp/…: that is the shell's own input from here on
		case k.name == "read", k.name == "mapfile", k.name == "readarray":
			reads = true
		case strings.HasPrefix(k.path, "$"), k.name == "eval", program.IsShell(k.name):
			runs = true
		}
		pipeline = c.pipeline
	}
	return reads && runs
}

// isExec reports whether a command is exec with redirections alone.
func (c simple) isExec() bool { return len(c.words) == 1 && c.words[0].text == "exec" }

// isFed reports whether the input is redirected.
func (c simple) isFed() bool {
	for _, r := range c.redirects {
		if (r.descriptor == "" || r.descriptor == "0") && strings.HasPrefix(r.operator, "<") {
			return true
		}
	}
	return false
}

// isNetworked reports whether a redirection opens a connection.
func (c simple) isNetworked() bool {
	for _, r := range c.redirects {
		if strings.HasPrefix(r.target, "/dev/tcp/") || strings.HasPrefix(r.target, "/dev/udp/") {
			return true
		}
	}
	return false
}

// leavesMachine reports whether a code names a host other than this one behind /dev/tcp.
func leavesMachine(code string) bool {
	for _, device := range [...]string{"/dev/tcp/", "/dev/udp/"} {
		for rest := code; ; {
			_, peer, ok := strings.Cut(rest, device)
			if !ok {
				break
			}
			host, _, _ := strings.Cut(peer, "/")
			if !isThisMachine(host) {
				return true
			}
			rest = peer
		}
	}
	return false
}

// isThisMachine reports whether a host's name or address is the machine's own.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback() || host == "localhost"
}

// joinsToolsConnection: a network tool and a shell that takes its input from elsewhere.
func joinsToolsConnection(all []simple) bool {
	type seen struct{ tool, shell bool }
	var here, everywhere seen
	joint, pipeline := false, -1
	for _, c := range all {
		if c.pipeline != pipeline {
			here, pipeline = seen{}, c.pipeline
		}
		k := c.call()
		switch {
		case opensConnection(k):
			here.tool, everywhere.tool = true, true
		case program.IsShell(k.name) && takesInput(k):
			here.shell, everywhere.shell = true, true
		case k.name == "mkfifo", k.name == "mknod":
			joint = true
		}
		joint = joint || len(c.words) > 0 && c.words[0].text == "coproc"
		if here.tool && here.shell {
			return true
		}
	}
	return joint && everywhere.tool && everywhere.shell
}

// opensConnection reports whether a command is a tool that joins its input and output to a
// connection with another machine, or waits for one.
func opensConnection(k call) bool {
	switch {
	case k.name == "openssl":
		for i, a := range k.args {
			if a.text == "-connect" && i+1 < len(k.args) {
				host, _, _ := strings.Cut(k.args[i+1].text, ":")
				return !isThisMachine(host)
			}
		}
		return false
	case !isNetworkTool(k.name) && k.name != "telnet":
		return false
	}
	for _, a := range k.args {
		if isThisMachine(a.text) {
			return false
		}
		if _, peer, ok := strings.Cut(a.text, ":"); ok { // socat's TCP:127.0.0.1:80
			if host, _, _ := strings.Cut(peer, ":"); isThisMachine(host) {
				return false
			}
		}
	}
	return true
}

// handsOutShell reports whether a network tool is told to hand a shell to the other end.
func handsOutShell(k call) bool {
	if !isNetworkTool(k.name) || !opensConnection(k) {
		return false
	}
	args := []string{k.name}
	for _, a := range k.args {
		args = append(args, a.text)
	}
	first, _, _ := strings.Cut(toolProgram(args), " ")
	first, _, _ = strings.Cut(first, ",")
	return program.IsShell(baseName(first))
}

// joinsByCode reports whether the code of an interpreter opens a connection and joins a shell to it,
// or runs what it reads from it. It is read by the names of what it calls.
func joinsByCode(code string) bool {
	if !connects(code) {
		return false
	}
	if !containsAny(code, "exec", "spawn", "system", "popen", "passthru", "proc_open", "subprocess", "getline") {
		return false
	}
	redirects := containsAny(code, "dup2", "fdopen", "STDIN", ".pipe(")
	reads := containsAny(code, "recv", "receive", ".gets", "fgets", "fread", "getline", "readline", ".on('data'", `.on("data"`)
	return redirects || reads || namesShell(code)
}

// namesShell reports whether one of the words of code is a shell's name.
func namesShell(code string) bool {
	for word := range strings.FieldsFuncSeq(code, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if program.IsShell(word) {
			return true
		}
	}
	return false
}

// connects reports whether code opens a connection to another machine. A host that is not written
// right behind the call is taken for another.
func connects(code string) bool {
	for _, f := range [...]string{"connect(", "create_connection(", "createConnection(", "fsockopen(", "stream_socket_client(", "TCPSocket.open(", "TCPSocket.new(", "TCPSocket.new ", "IO::Socket", "/inet/tcp/", "bind(("} {
		for rest := code; ; {
			_, behind, ok := strings.Cut(rest, f)
			if !ok {
				break
			}
			host := strings.TrimLeft(behind, "(\"' \\")
			host = strings.TrimPrefix(strings.TrimPrefix(host, "tcp://"), "0/")
			if end := strings.IndexAny(host, "\"',/:)\\ "); end >= 0 {
				host = host[:end]
			}
			if !isThisMachine(host) {
				return true
			}
			rest = behind
		}
	}
	return false
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// asksWho reports whether a command tells an intruder where the intrusion led.
func asksWho(k call) bool {
	switch k.name {
	case "id", "whoami", "uname", "hostname", "ifconfig", "netstat", "w", "who", "last":
		return true
	case "cat", "head", "tail":
		return len(k.args) > 0 && (k.args[0].text == "/etc/passwd" || k.args[0].text == "/etc/shadow")
	}
	return false
}
