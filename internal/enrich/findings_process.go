package enrich

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
	"github.com/falco-reporter/falco-reporter/internal/program"
)

// findUnderServer: a program started below a server. Servers seldom have a reason to start a
// shell.
func (s *scene) findUnderServer() {
	if !s.startsProgram() {
		return
	}
	server, anc, ok := s.server()
	p := s.r.GetProcess()
	shell := program.IsShell(p.GetName())
	if !ok || server.often && !shell {
		return // starting programs is what these are for
	}
	defer s.findServerPlace(anc)
	what, urgent := "It", "A program"
	if shell {
		what, urgent = "A shell", "A shell"
	}
	s.show(likely, what+" runs under "+phrase.Quote(anc.GetName())+", the name of a "+server.kind+".", "proc.name", ancestorField(anc))
	const harmless = "that server is meant to start this program"
	cmdline := p.GetCommandLine()
	cmdline = cmdline[:min(len(cmdline), maxCommand)]
	secret, named := namedSecret(cmdline)
	switch {
	case named && !server.often:
		s.raise(page, "A "+server.kind+"'s "+strings.TrimPrefix(urgent, "A ")+", naming "+phrase.Quote(secret)+".", harmless)
	case shell && !server.often && isInteractive(cmdline):
		s.raise(page, "An interactive shell under a "+server.kind+".", "somebody uses a terminal that this server offers")
	case shell && shellIntent(inlineCode(p.GetName(), cmdline), 0).asksWho:
		s.raise(today, "A shell that looks around, under a "+server.kind+".", harmless)
	default:
		s.raiseWeakly(urgent+" under a "+server.kind+".", harmless)
	}
}

// isInteractive reports whether a shell is told to be interactive, and given no code.
func isInteractive(cmdline string) bool {
	args := strings.Fields(cmdline)
	return len(args) > 1 && !slices.ContainsFunc(args[1:], func(a string) bool { return !strings.HasPrefix(a, "-") || isShortOption(a, 'c') }) &&
		slices.ContainsFunc(args[1:], func(a string) bool { return isShortOption(a, 'i') })
}

// findServerPlace: the program that has a server's name lies where no server is installed.
func (s *scene) findServerPlace(anc *pb.Ancestor) {
	dir := openPlace(anc.GetExePath())
	if dir == "" {
		return
	}
	field := "proc.aexepath[" + strconv.FormatUint(uint64(anc.GetLevel()), 10) + "]"
	if anc.GetLevel() == 1 {
		field = "proc.pexepath"
	}
	s.show(certain, "The program of "+phrase.Quote(anc.GetName())+" lies below "+dir+": perhaps no server at all.", field)
}

// ancestorField is the field that an ancestor's name comes from.
func ancestorField(anc *pb.Ancestor) string {
	if anc.GetLevel() == 1 {
		return "proc.pname"
	}
	return "proc.aname[" + strconv.FormatUint(uint64(anc.GetLevel()), 10) + "]"
}

// findRedirect: a descriptor that leads to a connection, which is how a reverse shell works.
func (s *scene) findRedirect() {
	if kind := s.a.String("proc.stdin.type"); kind == "ipv4" || kind == "ipv6" {
		s.show(certain, "The process reads its input from a network connection.", "proc.stdin.type")
		if program.IsShell(s.r.GetProcess().GetName()) {
			s.raiseState("A shell that reads from the network.", "an authorised test opened this connection")
		}
	}
	call, conn := s.r.GetEvent().GetType(), s.r.GetNetwork().GetConnection()
	if !strings.HasPrefix(call, "dup") || conn == "" || s.didNotHappen() {
		return
	}
	name := s.r.GetProcess().GetName()
	if !program.IsShell(name) && interpreter(name) == "" {
		return
	}
	word := shellWord(name)
	who := "A " + word
	if s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED {
		s.show(likely, "Reverse-shell pattern: a "+word+" joined a connection.", "evt.type", "evt.res", "fd.name", "proc.name")
		who += " joined"
	} else {
		s.show(likely, "Reverse-shell pattern: a "+word+" asked to join a connection.", "evt.type", "fd.name", "proc.name")
		who += " asking to be joined"
	}
	if s.withinHost() {
		s.raise(today, who+" to a connection that does not leave the machine.", "a debugger or remote test runner talks over this connection")
		return
	}
	s.raise(page, who+" to a network connection.", "a debugger or remote test runner talks over this connection")
}

func shellWord(name string) string {
	if program.IsShell(name) {
		return "shell"
	}
	return "script interpreter"
}

// openPlaces are folders that every user can write to.
func openPlace(exe string) string {
	for _, dir := range [...]string{"/dev/shm/", "/tmp/", "/var/tmp/", "/run/shm/"} {
		if strings.HasPrefix(exe, dir) {
			return strings.TrimSuffix(dir, "/")
		}
	}
	return ""
}

// findOpenPlace: a program in a folder for temporary files, or a script there that a shell was
// told to run.
func (s *scene) findOpenPlace() {
	s.findScriptPlace()
	dir := openPlace(s.r.GetProcess().GetExePath())
	if dir == "" {
		return
	}
	s.show(certain, "The program lies below "+dir+", where every user can write.", "proc.exepath")
	if s.startsProgram() {
		s.raise(today, "A program that runs from "+dir+".", "an installer or a build runs there")
	}
}

// findScriptPlace: the shell's code begins with a file in such a folder.
func (s *scene) findScriptPlace() {
	p := s.r.GetProcess()
	if !program.IsShell(p.GetName()) {
		return
	}
	_, script, _ := strings.Cut(p.GetCommandLine(), " ")
	script, _, _ = strings.Cut(strings.TrimLeft(strings.TrimPrefix(script, "-c "), `"' `), " ")
	dir := openPlace(script)
	if dir == "" {
		return
	}
	s.show(likely, "The shell was told to run a file below "+dir+", where every user can write.", "proc.name", "proc.cmdline")
	if s.startsProgram() {
		s.raise(today, "A script that runs from "+dir+".", "an installer or a build runs there")
	}
}

// isRuntimePart reports whether the program of the process is a part of a container runtime, where
// a system installs it.
func (s *scene) isRuntimePart() bool {
	exe := s.r.GetProcess().GetExePath()
	switch baseName(exe) {
	case "containerd-shim-runc-v2", "runc", "crun", "conmon", "dockerd", "containerd":
	default:
		return false
	}
	switch path.Dir(exe) {
	case "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin":
		return true
	}
	return false
}

// isRuntimeAtWork reports whether the program is a runtime's, and none that somebody put into the
// container.
func (s *scene) isRuntimeAtWork() bool { return s.isRuntimePart() && !s.changedImage() }

// findRuntimePart: a container runtime at work, which is seen as if it were in the container that
// it sets up.
func (s *scene) findRuntimePart() {
	if !s.isRuntimeAtWork() {
		return
	}
	s.show(likely, "The program is a container runtime's, "+phrase.Quote(s.r.GetProcess().GetExePath())+": setting up a container makes such events.", "proc.exepath")
	s.routine, s.routineFinding = "Seemingly a container runtime that sets up a container.", s.lastShown()
	s.harmlessIf("a container was being started or stopped at that time")
}

// findMining: the protocol of mining pools in the arguments. A tool that only prints text
// mentions it and mines nothing.
func (s *scene) findMining() {
	p := s.r.GetProcess()
	if !strings.Contains(p.GetCommandLine(), "stratum+") && !strings.Contains(p.GetCommandLine(), "stratum2+") {
		return
	}
	if isTextTool(p.GetName()) && isSystemProgram(p.GetExePath()) && isTextTool(baseName(p.GetExePath())) && !s.changedImage() {
		s.show(likely, "The program is the system's "+phrase.Quote(baseName(p.GetExePath()))+": the pool seems only mentioned.", "proc.name", "proc.exepath", "proc.cmdline")
		if !slices.ContainsFunc(s.book.NotShown, func(n string) bool { return strings.Contains(n, "mined") }) {
			s.notShown("That anything was mined.")
		}
		s.mentionOnly = true
		return
	}
	s.show(likely, "The command line names a mining pool (stratum).", "proc.cmdline")
	if s.startsProgram() {
		s.raise(page, "A program started with a mining pool's address.", "mining is meant to run here")
	}
}

// findEntry: how the process came into the container.
func (s *scene) findEntry() {
	p, chain := s.r.GetProcess(), s.r.GetAncestry()
	if s.r.GetWorkload() != pb.Workload_WORKLOAD_CONTAINER || p == nil || s.isRuntimePart() {
		return
	}
	if len(chain) == 0 || chain[0].GetLevel() != 1 || !isRuntime(chain[0].GetName()) {
		s.findEntryAbove() // pid 1 of a nested namespace, or something within the container
		return
	}
	if p.NamespacePid == nil {
		return
	}
	if p.GetNamespacePid() == 1 {
		s.show(likely, "It is the container's first process (pid 1 in it).", "proc.vpid", "proc.pname")
		return
	}
	s.show(possible, "It may have been started from outside, as docker exec or kubectl exec does.", "proc.vpid", "proc.pname")
}

// entryDelay is how long after the container a process right below its runtime must have started
// to be no part of its start: runtimes take some 100 ms.
const entryDelay = time.Second

// findEntryAbove: the parent is what came into the container. Its own pid there is not known;
// that it is not the container's first process shows in when it started, and in that it leads a
// session with another number.
func (s *scene) findEntryAbove() {
	chain, session := s.r.GetAncestry(), s.r.GetProcess().GetSession()
	if len(chain) < 2 || chain[0].GetLevel() != 1 || chain[1].GetLevel() != 2 || !isRuntime(chain[1].GetName()) {
		return
	}
	if session == nil || session.Id == nil || session.GetId() <= 1 || session.GetName() != chain[0].GetName() {
		return
	}
	start := chain[0].GetStartTime()
	if start == nil || !s.containerStartKnown() {
		return
	}
	if after := start.AsTime().Sub(s.r.GetContainer().GetStartTime().AsTime()); after > entryDelay {
		s.show(possible, "Its parent "+phrase.Quote(chain[0].GetName())+" may have been started from outside, as docker exec does: "+phrase.Span(after)+" after the container.",
			"proc.aname[2]", "proc.sid", "proc.ppid.ts", "container.start_ts")
	}
}

// isRuntime reports whether a name is that of what container runtimes put above the processes
// of a container.
func isRuntime(name string) bool {
	switch name {
	case "containerd-shim", "containerd-shim-runc-v2", "containerd-shim-", "conmon", "conmonrs", "runc", "crun", "docker-containerd-shim":
		return true
	}
	return false
}

// findOtherName: a process that is not called as its program is. Links and scripts do that as
// well as disguise.
func (s *scene) findOtherName() {
	p := s.r.GetProcess()
	name, base := p.GetName(), baseName(p.GetExePath())
	const most = 15 // the kernel cuts names there
	if name == "" || base == "" || s.fromMemory() || strings.HasPrefix(base, name) || strings.HasPrefix(name, base[:min(len(base), most)]) {
		return
	}
	if program.IsShell(name) && program.IsShell(base) || base == "busybox" || base == "toybox" || base == "coreutils" {
		return // the last hold many commands in one program
	}
	s.show(certain, "The process is called "+phrase.Quote(name)+" and its program is "+phrase.Quote(p.GetExePath())+": a script, a link, or a disguise.", "proc.name", "proc.exepath")
}

// findClaim: a rule's text that says more than the result.
func (s *scene) findClaim() {
	// The name and the description are the author's; the output line holds what attackers chose.
	claim := strings.ToLower(s.a.Rule + " " + s.r.GetRule().GetDescription())
	if s.didNotHappen() && strings.Contains(claim, "success") {
		s.show(certain, "The rule's text speaks of success; the result of the call says otherwise.", "evt.res", "evt.args")
	}
}
