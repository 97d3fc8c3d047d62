package incident

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/program"
)

// deed is what the event of one alert did, as far as its fields say.
type deed struct{ *telling }

func (d deed) call() string { return d.view.GetEvent().GetType() }

// happened is false for what was refused or failed. Where the result is not known, it may have.
func (d deed) happened() bool {
	o := d.view.GetEvent().GetOutcome()
	return o != pb.Outcome_OUTCOME_REFUSED && o != pb.Outcome_OUTCOME_FAILED
}

// isDone is true only for what the alert says to have succeeded.
func (d deed) isDone() bool { return d.view.GetEvent().GetOutcome() == pb.Outcome_OUTCOME_SUCCEEDED }

// file is the path of the event's file, cleaned; empty if it is not absolute.
func (d deed) file() string { return absolute(d.view.GetFile().GetPath()) }

func absolute(file string) string {
	if !strings.HasPrefix(file, "/") {
		return ""
	}
	return path.Clean(file)
}

// belongs reports whether two deeds are of one container or one process tree.
func (d deed) belongs(other deed) bool {
	x, y := containerID(d.view), containerID(other.view)
	if x != "" || y != "" {
		return x == y
	}
	mine := d.chain()
	return slices.ContainsFunc(other.chain(), func(p process) bool { return slices.Contains(mine, p) })
}

// process is a process that cannot be taken for another.
type process struct {
	pid, seconds int64
	nanos        int32
}

// chain are the processes of a deed and above it that are known by pid and start, up to what is
// above everything.
func (d deed) chain() []process {
	var out []process
	add := func(pid *int64, start *timestamppb.Timestamp) {
		if pid != nil && start != nil {
			out = append(out, process{*pid, start.GetSeconds(), start.GetNanos()})
		}
	}
	if p := d.view.GetProcess(); p != nil {
		add(p.Pid, p.GetStartTime())
	}
	for i, anc := range d.view.GetAncestry() {
		if int(anc.GetLevel()) != i+1 || isTop(anc) {
			break
		}
		add(anc.Pid, anc.GetStartTime())
	}
	return out
}

// creates is the file that the event created, and the field that says so.
func (d deed) creates() (file, field string) {
	if !d.happened() {
		return "", ""
	}
	args := d.view.GetEvent().GetArguments()
	switch {
	case d.call() == "creat":
		return d.file(), "fd.name"
	case strings.HasPrefix(d.call(), "open"):
		// A mode is given for a file that is to be created, and for no other.
		if mode := strings.Trim(cmp.Or(args["mode"], d.view.GetFile().GetMode()), "0"); mode != "" || strings.Contains(args["flags"], "O_CREAT") {
			return d.file(), "evt.arg.name"
		}
	case strings.HasPrefix(d.call(), "rename"), strings.HasPrefix(d.call(), "link"):
		return absolute(d.view.GetFile().GetNewPath()), "evt.arg.newpath"
	}
	return "", ""
}

// makesExecutable is the file that the event made executable.
func (d deed) makesExecutable() string {
	mode := cmp.Or(d.view.GetFile().GetMode(), d.view.GetEvent().GetArguments()["mode"])
	switch {
	case !d.happened() || !strings.Contains(d.call(), "chmod"):
		return ""
	case strings.Contains(mode, "S_IXUSR"), strings.Contains(mode, "S_IXGRP"), strings.Contains(mode, "S_IXOTH"):
		return d.file()
	default:
		return ""
	}
}

// starts reports whether the event is the start of a program. A start that failed has the
// fields of the program that tried.
func (d deed) starts() bool { return d.happened() && (d.call() == "execve" || d.call() == "execveat") }

// program is the file that the event executed: the program, or the script that a shell was
// started for.
func (d deed) program() string {
	if !d.starts() {
		return ""
	}
	p := d.view.GetProcess()
	if program.IsShell(p.GetName()) {
		if script := scriptOf(p.GetCommandLine()); script != "" {
			return script
		}
	}
	return cmp.Or(absolute(p.GetExePath()), absolute(firstWord(p.GetCommandLine())))
}

// runs reports whether the event executed the file.
func (d deed) runs(file string) bool {
	if !d.starts() {
		return false
	}
	p := d.view.GetProcess()
	return absolute(p.GetExePath()) == file || absolute(firstWord(p.GetCommandLine())) == file || program.IsShell(p.GetName()) && scriptOf(p.GetCommandLine()) == file
}

// scriptOf is the file that the code of a shell begins with.
func scriptOf(command string) string {
	_, code, _ := strings.Cut(command, " ")
	return absolute(firstWord(strings.TrimLeft(strings.TrimPrefix(code, "-c "), `"' `)))
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return strings.TrimRight(word, `;"'`)
}

// isNewProgram reports whether an executed file was not part of the system or image: it lies
// where everybody can write, or was added to the container.
func (d deed) isNewProgram(file string) bool {
	for _, dir := range [...]string{"/tmp/", "/var/tmp/", "/dev/shm/", "/run/shm/"} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	p := d.view.GetProcess()
	return containerID(d.view) != "" && (p.GetExeUpperLayer() || slices.Contains(p.GetExeFlags(), "EXE_UPPER_LAYER"))
}

// downloads reports whether the event started a tool that saves a file from the network, and
// under which name if it was told one.
func (d deed) downloads() (saved string, ok bool) {
	p := d.view.GetProcess()
	if !d.starts() || !program.IsDownloader(p.GetName()) {
		return "", false
	}
	words := strings.Fields(p.GetCommandLine())
	for i, word := range words[:max(len(words)-1, 0)] {
		next := strings.Trim(words[i+1], `"'`)
		switch {
		case i == 0:
		case p.GetName() == "curl" && (word == "-o" || word == "--output"), p.GetName() == "wget" && (word == "-O" || word == "--output-document"):
			if next == "-" || next == "/dev/null" || next == "/dev/stdout" {
				return "", false
			}
			return next, true
		}
	}
	if p.GetName() != "curl" {
		return "", true
	}
	named := slices.ContainsFunc(words[min(1, len(words)):], func(w string) bool {
		return w == "--remote-name" || len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.Contains(w, "O")
	})
	return "", named // curl prints what it fetches unless it is told to save it
}

// opensSecret is the file with credentials that the event opened.
func (d deed) opensSecret() string {
	if file := d.file(); d.happened() && strings.HasPrefix(d.call(), "open") && holdsSecret(file) {
		return file
	}
	return ""
}

// connects is where the event sent something or connected to, if that is not this machine.
func (d deed) connects() string {
	switch d.call() {
	case "connect", "sendto", "sendmsg", "sendmmsg":
	default:
		return ""
	}
	n := d.view.GetNetwork()
	if !d.happened() || n == nil {
		return ""
	}
	end := n.GetServer()
	if end.GetAddress() == "" {
		end = n.GetRemote()
	}
	addr, err := netip.ParseAddr(end.GetAddress())
	if err != nil || addr.Unmap().IsLoopback() || addr.IsUnspecified() {
		return ""
	}
	return cmp.Or(end.GetName(), addr.String())
}

// ofShell reports whether the deed is a shell's or that of a program that a shell started.
func (d deed) ofShell() bool {
	return program.IsShell(d.view.GetProcess().GetName()) || program.IsShell(parentOf(d.view).GetName())
}

// removesTrace is the log or history that the event emptied, moved or removed, and how sure that
// is: an open alone does not say.
func (d deed) removesTrace() (file string, sure pb.Confidence) {
	file = d.file()
	if !d.happened() || file == "" || !isLog(file) {
		return "", 0
	}
	switch call := d.call(); {
	case strings.HasPrefix(call, "unlink"), strings.HasPrefix(call, "rename"), strings.HasPrefix(call, "truncate"):
		return file, certain
	case !strings.HasPrefix(call, "open"):
		return "", 0
	case strings.Contains(d.view.GetEvent().GetArguments()["flags"], "O_TRUNC"):
		return file, certain
	case redirects(d.view.GetProcess().GetCommandLine(), file):
		return file, likely
	case d.indicatorRemoval() && program.IsShell(d.view.GetProcess().GetName()):
		return file, possible // the opinion of the rule's author, and a shell opens files to redirect
	default:
		return "", 0
	}
}

// redirects reports whether a shell's code writes over a file.
func redirects(command, file string) bool {
	for _, arrow := range [...]string{"> ", ">", ">| "} {
		if at := strings.Index(command, arrow+file); at > 0 && command[at-1] != '>' {
			return true
		}
	}
	return false
}

// indicatorRemoval reports whether the rule is tagged with ATT&CK's technique of that name.
func (d deed) indicatorRemoval() bool {
	return slices.ContainsFunc(d.view.GetAttack().GetTechniques(), func(t *pb.Technique) bool { return strings.HasPrefix(t.GetId(), "T1070") })
}
