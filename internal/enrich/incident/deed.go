package incident

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strconv"
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

// fileField is the field that the path of the event's file stands in.
func (d deed) fileField() string {
	args, file := d.view.GetEvent().GetArguments(), d.view.GetFile().GetPath()
	for _, name := range [...]string{"path", "oldpath", "filename", "name"} {
		if args[name] == file && file != "" {
			return "evt.arg." + name
		}
	}
	if strings.HasPrefix(d.call(), "unlink") || strings.HasPrefix(d.call(), "rename") {
		return "evt.args"
	}
	return "fd.name"
}

// creation is how a file may have come to be.
type creation struct {
	file     string
	evidence []string
	// how says it of the file, call of the system call for it.
	how, call string
	// done is whether the call succeeded, new whether nothing was there before.
	done, new bool
}

// creates is the file that the event created, or would have if nothing had been there.
func (d deed) creates() (creation, bool) {
	if !d.happened() {
		return creation{}, false
	}
	c := creation{done: d.isDone()}
	switch call := d.call(); {
	case call == "creat", strings.HasPrefix(call, "open"):
		c.file, c.evidence = d.file(), []string{d.fileField()}
		if !d.opensToCreate(&c) {
			return creation{}, false
		}
	case strings.HasPrefix(call, "rename"):
		c.file, c.evidence, c.how, c.call = absolute(d.view.GetFile().GetNewPath()), []string{d.newPathField()}, "was put in place by a rename", "rename a file to "
	case strings.HasPrefix(call, "link"):
		c.file, c.evidence, c.how, c.call = absolute(d.view.GetFile().GetNewPath()), []string{d.newPathField()}, "was put in place by a link", "link a file to "
	}
	return c, c.file != ""
}

// opensToCreate says of an open whether it was to create its file and whether it did. creat and
// O_CREAT take a file that was there as well: only what Falco adds tells (O_F_CREATED, which the
// kernel knows), or a success with O_EXCL.
func (d deed) opensToCreate(c *creation) bool {
	args := d.view.GetEvent().GetArguments()
	flags := strings.Split(args["flags"], "|")
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	// A mode is given for a file that is to be created, and for no other.
	mode := strings.Trim(cmp.Or(args["mode"], d.view.GetFile().GetMode()), "0")
	switch {
	case has("O_TMPFILE"):
		return false // a file without a name: the path is its folder's
	case has("O_F_CREATED"), has("O_EXCL") && has("O_CREAT") && c.done:
		c.new, c.evidence = true, append(c.evidence, "evt.arg.flags")
	case d.created:
		c.new, c.evidence = true, append(c.evidence, "evt.is_open_create")
	case has("O_CREAT"):
		c.evidence = append(c.evidence, "evt.arg.flags")
	case d.call() == "creat":
	case mode != "":
		c.evidence = append(c.evidence, "evt.arg.mode")
	default:
		return false
	}
	c.how, c.call, c.done = "was opened for creation", "create ", c.done || c.new
	if c.new {
		c.how = "was created"
	}
	return true
}

// newPathField is the field that the new path of a rename or link stands in.
func (d deed) newPathField() string {
	if d.view.GetEvent().GetArguments()["newpath"] != "" {
		return "evt.arg.newpath"
	}
	return "evt.args"
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
// started for, which is relative if its folder is not known.
func (d deed) program() string {
	if !d.starts() {
		return ""
	}
	p := d.view.GetProcess()
	return cmp.Or(scriptOf(p), absolute(p.GetExePath()), absolute(firstWord(p.GetCommandLine())))
}

// runs reports whether the event executed the file.
func (d deed) runs(file string) bool {
	if !d.starts() {
		return false
	}
	p := d.view.GetProcess()
	return absolute(p.GetExePath()) == file || absolute(firstWord(p.GetCommandLine())) == file || scriptOf(p) == file
}

// scriptOf is the file that a shell was told to run, or that its code begins with. A script that
// was started by itself has its own name, and the shell's as its program.
func scriptOf(p *pb.Process) string {
	if !program.IsShell(p.GetName()) && !program.IsShell(path.Base(p.GetExePath())) {
		return ""
	}
	_, rest, _ := strings.Cut(p.GetCommandLine(), " ")
	isCode := false
	for !isCode && strings.HasPrefix(rest, "-") {
		option, after, _ := strings.Cut(rest, " ")
		if strings.Trim(option[1:], "efilnuvxc") != "" {
			return "" // another option, perhaps with a value
		}
		isCode, rest = strings.Contains(option, "c"), after
	}
	file := firstWord(strings.TrimLeft(rest, `"' `))
	switch {
	case strings.HasPrefix(file, "/"):
		return path.Clean(file)
	case file == "", isCode && !strings.Contains(file, "/"):
		return "" // in code, a name without a folder is a command
	case strings.HasPrefix(p.GetWorkingDirectory(), "/"):
		return path.Join(p.GetWorkingDirectory(), file)
	default:
		return file
	}
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

// readsSecret is the file with credentials that the event opened, unless only for writing.
func (d deed) readsSecret() string {
	if file := d.file(); d.happened() && strings.HasPrefix(d.call(), "open") && holdsCredentials(file) && !d.onlyWrites() {
		return file
	}
	return ""
}

// onlyWrites reports whether the flags of an open say that it is for writing alone.
func (d deed) onlyWrites() bool {
	flags := strings.Split(d.view.GetEvent().GetArguments()["flags"], "|")
	return slices.Contains(flags, "O_WRONLY") && !slices.Contains(flags, "O_RDONLY") && !slices.Contains(flags, "O_RDWR")
}

// dnsPort is where names are looked up.
const dnsPort = 53

// connects is where the event sent something or connected to, if that is not this machine, and
// the field that says so. To ask for the address of a name comes before nearly every connection
// and is none; over TCP, which is rare for that, it counts.
func (d deed) connects() (to, field string) {
	switch d.call() {
	case "connect", "sendto", "sendmsg", "sendmmsg":
	default:
		return "", ""
	}
	n := d.view.GetNetwork()
	if !d.happened() || n == nil || n.GetFamily() == "unix" {
		return "", ""
	}
	end, field := n.GetServer(), "fd.sip"
	if end.GetAddress() == "" {
		end, field = n.GetRemote(), "fd.rip"
	}
	address, port := farEnd(n.GetConnection())
	if end.GetAddress() == "" {
		field = "fd.name"
	} else {
		address = end.GetAddress()
	}
	if end.GetPort() != 0 {
		port = end.GetPort()
	}
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Unmap().IsLoopback() || addr.IsUnspecified() || port == dnsPort && n.GetProtocol() != "tcp" {
		return "", ""
	}
	return cmp.Or(end.GetName(), addr.String()), field
}

// farEnd are the address and port behind the arrow of a connection, as Falco prints it.
func farEnd(connection string) (address string, port uint32) {
	_, far, _ := strings.Cut(connection, "->")
	i := strings.LastIndexByte(far, ':')
	if i < 0 {
		return "", 0
	}
	n, err := strconv.ParseUint(far[i+1:], 10, 16)
	if err != nil {
		return "", 0
	}
	return strings.Trim(far[:i], "[]"), uint32(n)
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
