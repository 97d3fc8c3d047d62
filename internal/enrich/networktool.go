package enrich

import (
	"slices"
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
	"github.com/falco-reporter/falco-reporter/internal/program"
)

// isNetworkTool reports whether a program joins its input and output to connections.
func isNetworkTool(name string) bool {
	switch name {
	case "nc", "ncat", "netcat", "nc.openbsd", "nc.traditional", "socat":
		return true
	}
	return false
}

// findNetworkTool: what such a tool was told to do in its arguments: to wait for connections, or
// to hand a program to the other end.
func (s *scene) findNetworkTool() {
	p := s.r.GetProcess()
	if !isNetworkTool(p.GetName()) || !s.startsProgram() {
		return
	}
	args := strings.Fields(p.GetCommandLine())
	task := readTask(args)
	if task.listens {
		where := ""
		if task.port != "" {
			where = " on port " + task.port
		}
		s.show(certain, "Its arguments tell "+phrase.Quote(p.GetName())+" to wait for connections"+where+".", "proc.name", "proc.cmdline")
		s.notShown("That anybody connected.")
		s.raise(today, "A network tool that waits for connections.", "an administrator is looking for a network fault")
	}
	switch program := toolProgram(args); {
	case task.local:
		s.show(certain, "Its arguments tell "+phrase.Quote(p.GetName())+" to run the program "+phrase.Quote(task.program)+"; they name no connection.", "proc.name", "proc.cmdline")
	case program != "":
		s.show(task.sure, "Its arguments hand the program "+phrase.Quote(program)+" to the other end.", "proc.name", "proc.cmdline")
		s.raise(page, "A network tool that hands out a program.", "an administrator is looking for a network fault")
	}
}

// netTask is what the arguments of a network tool tell it to do.
type netTask struct {
	listens bool
	port    string // on which it listens; empty where none is told
	program string // that is joined to the connection; empty for none
	local   bool   // the program is joined to this side only: no connection is named
	sure    pb.Confidence
}

// readTask reads the arguments of a network tool, its name first, by the options of that tool.
func readTask(args []string) netTask {
	switch {
	case len(args) < 2:
		return netTask{}
	case baseName(args[0]) == "socat":
		return readSocat(args[1:])
	default:
		return readNetcat(args[1:])
	}
}

// toolProgram is the program that the arguments hand to the other end.
func toolProgram(args []string) string {
	if task := readTask(args); !task.local {
		return task.program
	}
	return ""
}

// netcatValued are the short options that take a value in the netcats of Debian (openbsd and
// traditional), Nmap and BusyBox. The -c of Nmap and traditional takes a command; that of OpenBSD asks for TLS
// and that of GNU's to close, without a value. OpenBSD's -e is the name in the certificate.
const netcatValued = "egGiImMoOpPqsTVwWxX"

// readNetcat reads the arguments of a netcat, of which the name does not tell whose it is.
func readNetcat(args []string) netTask {
	o := readOptions(args, func(option, value string) bool {
		switch option {
		case "c", "sh-exec":
			return option != "c" || namesProgram(value)
		case "exec", "lua-exec", "source-port", "source", "wait", "delay", "idle-timeout", "max-conns", "allow", "deny", "output", "proxy", "proxy-type":
			return true
		}
		return len(option) == 1 && strings.Contains(netcatValued, option)
	})
	task := netTask{sure: certain}
	for _, option := range [...]string{"e", "exec", "c", "sh-exec", "lua-exec"} {
		task.program = o.value(option)
		if task.program == "" || option == "e" && !namesProgram(task.program) && o.has("c") {
			task.program = "" // or the name for TLS
			continue
		}
		if option == "c" || !namesProgram(task.program) {
			task.sure = likely
		}
		break
	}
	if o.has("listen") || o.has("l") && !isProgramsOwn(args, task.program, o.words) {
		task.listens, task.port = true, number(o.value("p"))
		if task.port == "" && len(o.words) > 0 {
			task.port = number(o.words[len(o.words)-1])
		}
	}
	return task
}

// isProgramsOwn reports whether the only option to listen stands right behind the program, where the
// command line has lost the quotes around “bash -l”, and a host and port to connect to are named.
func isProgramsOwn(args []string, program string, words []string) bool {
	at := slices.Index(args, program)
	if program == "" || at < 0 || at+1 == len(args) || len(words) < 2 {
		return false
	}
	others := slices.Delete(slices.Clone(args), at+1, at+2)
	return isShortOption(args[at+1], 'l') && !slices.ContainsFunc(others, func(arg string) bool { return isShortOption(arg, 'l') })
}

// namesProgram reports whether a word looks like a program rather than like a host: a path, a shell,
// an interpreter or a program of Windows.
func namesProgram(word string) bool {
	base := baseName(word)
	return strings.HasPrefix(word, "/") || strings.HasPrefix(word, "./") || program.IsShell(base) || interpreter(base) != "" || base == "busybox" || strings.HasSuffix(strings.ToLower(word), ".exe")
}

// readSocat reads the addresses of socat, at most two. Words that follow EXEC or SYSTEM may be the
// program's: they are none, unless they begin as an address of a connection does.
func readSocat(args []string) netTask {
	task := netTask{local: true, sure: certain}
	skip := false
	for _, arg := range args {
		switch {
		case skip:
			skip = false
		case socatValued(arg):
			skip = true
		case strings.HasPrefix(arg, "-"):
		default:
			for address := range strings.SplitSeq(arg, "!!") {
				task.readAddress(address)
			}
		}
	}
	task.local = task.local && task.program != ""
	return task
}

// readAddress reads one address: its kind, its parameter, and options after a comma.
func (t *netTask) readAddress(address string) {
	kind, rest, _ := strings.Cut(address, ":")
	kind = strings.ToUpper(kind)
	parameter, _, _ := strings.Cut(rest, ",")
	switch {
	case t.program == "" && (kind == "EXEC" || kind == "SYSTEM" || kind == "SHELL"):
		t.program = parameter
	case isConnectionKind(kind):
		t.local = false
		if strings.HasSuffix(kind, "-LISTEN") || strings.HasSuffix(kind, "-L") {
			t.listens, t.port = true, number(parameter)
		}
	}
}

// isConnectionKind reports whether a kind of socat's addresses is an end of a connection.
func isConnectionKind(kind string) bool {
	for _, of := range [...]string{"TCP", "UDP", "SCTP", "DCCP", "UDPLITE", "OPENSSL", "SSL", "SOCKS", "PROXY", "VSOCK", "IP", "UNIX", "ABSTRACT", "SOCKET"} {
		if strings.HasPrefix(kind, of) {
			return true
		}
	}
	return false
}

// socatValued reports whether an option of socat has its value in the next word.
func socatValued(arg string) bool {
	switch arg {
	case "-lf", "-lp", "-L", "-W", "-b", "-t", "-T", "-r", "-R":
		return true
	}
	return false
}

// options are the arguments of a tool as getopt reads them.
type options struct {
	given map[string]string // by letter or long name; empty without a value
	words []string          // what is no option
}

func (o options) has(option string) bool     { _, ok := o.given[option]; return ok }
func (o options) value(option string) string { return o.given[option] }

// readOptions reads arguments: letters together as in -lp, values in the same word or the next,
// long options with = or the next word. takes says whether an option takes a value, and is told
// what would be it.
func readOptions(args []string, takes func(option, value string) bool) options {
	o := options{given: map[string]string{}}
	for i := 0; i < len(args); i++ {
		arg, next := args[i], ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch {
		case arg == "--":
			o.words = append(o.words, args[i+1:]...)
			return o
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			if !given && takes(name, next) {
				value, i = next, i+1
			}
			o.given[name] = value
		case len(arg) > 1 && arg[0] == '-':
			if o.readLetters(arg[1:], next, takes) {
				i++
			}
		default:
			o.words = append(o.words, arg)
		}
	}
	return o
}

// readLetters reads one word of short options, and reports whether the next word is the value of
// the last.
func (o options) readLetters(letters, next string, takes func(option, value string) bool) (usesNext bool) {
	for i := range len(letters) {
		option, rest := letters[i:i+1], letters[i+1:]
		value := rest
		if rest == "" {
			value = next
		}
		if !takes(option, value) {
			o.given[option] = ""
			continue
		}
		o.given[option] = value
		return rest == ""
	}
	return false
}

// isShortOption reports whether an argument is a group of short options with this one in it.
func isShortOption(arg string, option byte) bool {
	return len(arg) > 1 && arg[0] == '-' && arg[1] != '-' && strings.IndexByte(arg, option) > 0
}

// number is s if it is a port.
func number(s string) string {
	if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 {
		return ""
	}
	return s
}

// findEngineClient: a client of a container engine that asks for a container with the rights of
// the host.
func (s *scene) findEngineClient() {
	p := s.r.GetProcess()
	switch p.GetName() {
	case "docker", "podman", "nerdctl", "crictl", "ctr":
	default:
		return
	}
	option := hostRights(strings.Fields(p.GetCommandLine()))
	if option == "" || !s.startsProgram() {
		return
	}
	s.show(certain, "It asks for a container with rights over the host ("+phrase.Quote(option)+").", "proc.name", "proc.cmdline")
	s.notShown("That the container was started: only the client is seen.")
	if s.r.GetContainer() != nil {
		s.raise(page, "From within a container, one with rights over the host was asked for.", "a CI runner drives the engine here")
		return
	}
	s.raise(today, "A container with rights over the host.", "a CI runner drives the engine here")
}

// hostRights is the first option of a container's start that gives it rights over the host.
func hostRights(args []string) string {
	for i, arg := range args {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch arg {
		case "--privileged", "--privileged=true", "--pid=host", "--cap-add=ALL", "--cap-add=SYS_ADMIN":
			return arg
		case "--pid":
			if next == "host" {
				return arg + " " + next
			}
		case "-v", "--volume":
			if strings.HasPrefix(next, "/:") || strings.Contains(next, "docker.sock:") {
				return arg + " " + next
			}
		case "--cap-add":
			if next == "ALL" || next == "SYS_ADMIN" {
				return arg + " " + next
			}
		}
	}
	return ""
}
