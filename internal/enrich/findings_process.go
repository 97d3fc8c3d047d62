package enrich

import (
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// startsProgram reports whether the event is the start of a program that was not refused.
func (s *scene) startsProgram() bool {
	return isExec(s.r.GetEvent().GetType()) && !s.didNotHappen()
}

// didNotHappen reports whether the result says that the call had no effect.
func (s *scene) didNotHappen() bool {
	return s.outcome() == pb.Outcome_OUTCOME_REFUSED || s.outcome() == pb.Outcome_OUTCOME_FAILED
}

// findUnderServer: a program started below a server. Servers seldom have a reason to start a
// shell.
func (s *scene) findUnderServer() {
	if !s.startsProgram() {
		return
	}
	for _, anc := range s.r.GetAncestry() {
		kind := serverKind(anc.GetName())
		if kind == "" {
			continue
		}
		evidence := []string{"proc.name", ancestorField(anc)}
		if isShell(s.r.GetProcess().GetName()) {
			s.show(likely, "A shell runs under "+quote(anc.GetName())+", the name of a "+kind+".", evidence...)
			s.raise(page, "A shell under a "+kind+".")
			return
		}
		s.show(likely, "It runs under "+quote(anc.GetName())+", the name of a "+kind+".", evidence...)
		s.raise(today, "A program under a "+kind+".")
		return
	}
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
	call, conn := s.r.GetEvent().GetType(), s.r.GetNetwork().GetConnection()
	if !strings.HasPrefix(call, "dup") || conn == "" || s.didNotHappen() {
		return
	}
	name := s.r.GetProcess().GetName()
	if !isShell(name) && interpreter(name) == "" {
		return
	}
	who := "A " + shellWord(name)
	if s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED {
		s.show(likely, who+" joined a network connection, as reverse shells do.", "evt.type", "evt.res", "fd.name", "proc.name")
		who += " joined"
	} else {
		s.show(likely, who+" asked to join a network connection, as reverse shells do.", "evt.type", "fd.name", "proc.name")
		who += " asking to be joined"
	}
	if s.withinHost() {
		s.raise(today, who+" to a connection within the host.")
		return
	}
	s.raise(page, who+" to a network connection.")
}

func shellWord(name string) string {
	if isShell(name) {
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

// findOpenPlace: a program in a folder for temporary files.
func (s *scene) findOpenPlace() {
	dir := openPlace(s.r.GetProcess().GetExePath())
	if dir == "" {
		return
	}
	s.show(certain, "The program lies below "+dir+", where every user can write.", "proc.exepath")
	if s.startsProgram() {
		s.raise(today, "A program that runs from "+dir+".")
	}
}

// findMining: the protocol of mining pools in the arguments. A tool that only prints text
// mentions it and mines nothing.
func (s *scene) findMining() {
	p := s.r.GetProcess()
	if !strings.Contains(p.GetCommandLine(), "stratum+") && !strings.Contains(p.GetCommandLine(), "stratum2+") {
		return
	}
	if isTextTool(p.GetName()) && isSystemProgram(p.GetExePath()) && isTextTool(baseName(p.GetExePath())) && !s.changedImage() {
		s.show(likely, "The program is the system's "+quote(baseName(p.GetExePath()))+": the pool's address seems only mentioned.", "proc.name", "proc.exepath", "proc.cmdline")
		s.notShown("That anything was mined.")
		return
	}
	s.show(likely, "The command line names a mining pool (stratum).", "proc.cmdline")
	if s.startsProgram() {
		s.raise(page, "A program started with a mining pool's address.")
	}
}

// findEncoded: a command hidden in base64.
func (s *scene) findEncoded() {
	cmd := s.r.GetProcess().GetCommandLine()
	text := decodedBase64(cmd)
	if text == "" || strings.Contains(cmd, "Basic ") || strings.Contains(cmd, "Bearer ") {
		return // in the second case it is a credential
	}
	s.show(certain, "A word of the command line is base64 of "+quote(text)+".", "proc.cmdline")
	if code := inlineCode(s.r.GetProcess().GetName(), cmd); code != "" || strings.Contains(cmd, "base64") {
		s.raise(today, "A command hidden in base64.")
	}
}

// findDownload: the program's work is to fetch or send files.
func (s *scene) findDownload() {
	if p := s.r.GetProcess(); s.startsProgram() && isDownloader(p.GetName()) {
		s.show(certain, "The program "+quote(p.GetName())+" is made to fetch or send data over the network.", "proc.name")
		s.notShown("What was fetched or sent, or whether anything was.")
	}
}

// findEntry: how the process came into the container.
func (s *scene) findEntry() {
	p, chain := s.r.GetProcess(), s.r.GetAncestry()
	if s.r.GetWorkload() != pb.Workload_WORKLOAD_CONTAINER || p == nil || p.NamespacePid == nil {
		return
	}
	if len(chain) == 0 || chain[0].GetLevel() != 1 || !isRuntime(chain[0].GetName()) {
		return // pid 1 of a nested namespace, or something within the container
	}
	if p.GetNamespacePid() == 1 {
		s.show(likely, "It is the container's first process (pid 1 in it).", "proc.vpid", "proc.pname")
		return
	}
	s.show(possible, "It may have been started from outside, as docker exec or kubectl exec does.", "proc.vpid", "proc.pname")
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
	if isShell(name) && isShell(base) {
		return
	}
	s.show(certain, "The process is called "+quote(name)+" and its program is "+quote(p.GetExePath())+": a script, a link, or a disguise.", "proc.name", "proc.exepath")
}

// findClaim: a rule's text that says more than the result.
func (s *scene) findClaim() {
	// The name and the description are the author's; the output line holds what attackers chose.
	claim := strings.ToLower(s.a.Rule + " " + s.r.GetRule().GetDescription())
	if s.didNotHappen() && strings.Contains(claim, "success") {
		s.show(certain, "The rule's text speaks of success; the result of the call says otherwise.", "evt.res", "evt.args")
	}
}
