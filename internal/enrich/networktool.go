package enrich

import (
	"strconv"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
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
// to hand a program to whoever is at the other end.
func (s *scene) findNetworkTool() {
	p := s.r.GetProcess()
	if !isNetworkTool(p.GetName()) || !s.startsProgram() {
		return
	}
	args := strings.Fields(p.GetCommandLine())
	listens, port := toolListens(args)
	if listens {
		where := ""
		if port != "" {
			where = " on port " + port
		}
		s.show(certain, "Its arguments tell "+phrase.Quote(p.GetName())+" to wait for connections"+where+".", "proc.name", "proc.cmdline")
		s.notShown("That anybody connected.")
		s.raise(today, "A network tool that waits for connections.", "an administrator is looking for a network fault")
	}
	if program := toolProgram(args); program != "" {
		s.show(certain, "Its arguments hand the program "+phrase.Quote(program)+" to whoever is at the other end.", "proc.name", "proc.cmdline")
		s.raise(page, "A network tool that hands out a program.", "an administrator is looking for a network fault")
	}
}

// toolListens reads -l, --listen and socat's LISTEN addresses, and the port if one is told.
func toolListens(args []string) (listens bool, port string) {
	for i, arg := range args {
		switch {
		case i == 0:
		case arg == "--listen", isShortOption(arg, 'l'):
			listens = true
		case strings.Contains(strings.ToUpper(arg), "-LISTEN:"):
			_, after, _ := strings.Cut(arg, ":")
			after, _, _ = strings.Cut(after, ",")
			return true, number(after)
		}
	}
	if !listens {
		return false, ""
	}
	for i, arg := range args {
		if isShortOption(arg, 'p') && i+1 < len(args) {
			return true, number(args[i+1])
		}
	}
	return true, number(args[len(args)-1])
}

// toolProgram is the program of -e, -c, --exec, --sh-exec and of socat's EXEC and SYSTEM.
func toolProgram(args []string) string {
	for i, arg := range args {
		switch {
		case i == 0:
		case (isShortOption(arg, 'e') || isShortOption(arg, 'c') || arg == "--exec" || arg == "--sh-exec") && i+1 < len(args):
			return args[i+1]
		case strings.HasPrefix(strings.ToUpper(arg), "EXEC:"), strings.HasPrefix(strings.ToUpper(arg), "SYSTEM:"):
			_, after, _ := strings.Cut(arg, ":")
			return after
		}
	}
	return ""
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
