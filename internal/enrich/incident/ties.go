package incident

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/program"
)

// tieKind is what a tie between alerts is made of, the strongest first. The numbers are kept in
// the state of groups: they must not change.
type tieKind uint8

const (
	tieFirst           tieKind = iota // none: the first alert
	tieEvent                          // the same event
	tieProcess                        // the same process
	tieParentOf                       // its process is above one that made an earlier alert
	tieChildOf                        // a process above it made an earlier alert
	tieSibling                        // a process above it is above one that made an earlier alert
	tieCommand                        // the same command line, where there are no pids
	tieCommandParentOf                // its command line is that of the parent of an earlier one
	tieCommandChildOf                 // its parent's command line is that of an earlier one
	tieCommandSibling                 // its parent's command line is that of an earlier one's parent
	tieEntered                        // its parent is what entered the container
	tieSession                        // the same session in a container
	tieTerminal                       // the same terminal in a container
	tieKindOf                         // the same rule and circumstances
	tieNotice                         // the same notice
)

// tie is one thing that an alert may have in common with others.
type tie struct {
	key  key
	kind tieKind
	// level is the place of the ancestor in the report's chain, for ties through one.
	level uint8
	// find is whether a group with it may take the alert, keep whether a group that has taken
	// the alert is found by it.
	find, keep bool
	strength   strength
	// sole ties hold only where just one group has them.
	sole bool
}

// strength says what a tie takes; each takes also what those before it do.
type strength uint8

const (
	// weak ties never take an alert that is more urgent than the group, nor a rule that is new in a
	// flood. They are kept by urgency.
	weak strength = iota
	// strong ties take it, but where a flood would drown it.
	strong
	// ofOneEvent is what takes it always.
	ofOneEvent
)

const (
	// maxAncestors bounds how many levels up ties are sought.
	maxAncestors = 8
	maxTies      = 2*(maxAncestors+1) + 11
)

// ties are all ties of an alert, the strongest first.
type ties struct {
	list  [maxTies]tie
	n     int
	level pb.UrgencyLevel
}

func (t *ties) all() []tie { return t.list[:t.n] }

func (t *ties) add(x tie) {
	if t.n < maxTies {
		t.list[t.n] = x
		t.n++
	}
}

// at is the form of a weak tie's key for groups that have it from alerts of this urgency.
func (k key) at(level pb.UrgencyLevel) key {
	k[0] ^= byte(level) //nolint:gosec // four levels
	return k
}

// hasher makes keys. Its buffer is used again and again.
type hasher struct {
	buf []byte
	// machine is the machine-id that the alert at hand gives, as the ancestry reads it: hosts may
	// share a name.
	machine string
}

// What a hash is of; it is never of two kinds.
const (
	ofEvent    = 'e'
	ofProcess  = 'p'
	ofAncestor = 'a'
	ofCommand  = 'c'
	ofParent   = 'd'
	ofEntered  = 'x'
	ofSession  = 's'
	ofTerminal = 't'
	ofKind     = 'k'
	ofNotice   = 'n'
)

// begin begins a key: every one is of one host.
func (h *hasher) begin(kind byte, a *alert.Alert) {
	h.buf = append(h.buf[:0], kind)
	h.text(a.Hostname)
	if a.Hostname == "" {
		h.text(a.Input) // who does not name its host may be any
	}
	h.text(h.machine)
}

// maxKeyText bounds the text of a field in a key; with its length it is told from another of
// the same beginning.
const maxKeyText = 4 << 10

func (h *hasher) text(s string) {
	h.buf = binary.AppendUvarint(h.buf, uint64(len(s)))
	h.buf = append(h.buf, s[:min(len(s), maxKeyText)]...)
}

func (h *hasher) number(n int64) { h.buf = binary.AppendVarint(h.buf, n) }

func (h *hasher) key() key {
	sum := sha256.Sum256(h.buf)
	return key(sum[:len(key{})])
}

// as is the key that a process has in another part.
func (k key) as(kind byte) key {
	k[len(k)-1] ^= kind
	return k
}

// ties finds the ties of an alert.
func (h *hasher) ties(a *alert.Alert, r *pb.Report) ties {
	t := ties{level: r.GetUrgency().GetLevel()}
	h.machine = a.String("machine_id")
	if a.Kind != alert.KindRule {
		h.begin(ofNotice, a)
		h.text(a.Rule)
		t.add(tie{key: h.key(), kind: tieNotice, find: true, keep: true})
		return t
	}
	if isSyscall(a) && r.GetProcess() != nil {
		h.addEvent(&t, a, r)
		if !h.addProcesses(&t, a, r) {
			h.addCommands(&t, a, r)
		}
		h.addEntry(&t, a, r)
	}
	h.addKind(&t, a, r)
	return t
}

func isSyscall(a *alert.Alert) bool { return a.Source == "" || a.Source == "syscall" }

// addEvent: the event that another rule matched too.
func (h *hasher) addEvent(t *ties, a *alert.Alert, r *pb.Report) {
	p := r.GetProcess()
	if p.GetName() == "" && p.GetCommandLine() == "" {
		return
	}
	h.begin(ofEvent, a)
	h.number(a.Nanos)
	h.text(r.GetEvent().GetType())
	h.text(p.GetName())
	h.text(p.GetCommandLine())
	h.number(p.GetPid())
	t.add(tie{key: h.key(), kind: tieEvent, strength: ofOneEvent, find: true})
}

// addProcesses: the process and those above it, as far as their start is known and nothing that
// is above everything lies between. It is false where the process is not known by its pid.
func (h *hasher) addProcesses(t *ties, a *alert.Alert, r *pb.Report) bool {
	p := r.GetProcess()
	known := p.GetPidProvenance() != pb.Provenance_PROVENANCE_INFERRED && h.process(a, p.Pid, p.GetStartTime())
	if known {
		own := h.key()
		t.add(tie{key: own, kind: tieProcess, strength: strong, find: true, keep: true})
		if !isShared(p.GetName(), p.GetExePath()) && p.GetNamespacePid() != 1 {
			t.add(tie{key: own.as(ofAncestor), kind: tieParentOf, strength: strong, find: true})
		}
	}
	for i, anc := range r.GetAncestry()[:min(len(r.GetAncestry()), maxAncestors)] {
		if int(anc.GetLevel()) != i+1 || isTop(anc) {
			break
		}
		if anc.GetProvenance() == pb.Provenance_PROVENANCE_INFERRED ||
			!h.process(a, anc.Pid, anc.GetStartTime()) {
			continue
		}
		above := h.key()
		t.add(tie{key: above, kind: tieChildOf, strength: strong, level: uint8(i), find: true})
		t.add(tie{key: above.as(ofAncestor), kind: tieSibling, strength: strong, level: uint8(i), find: true, keep: true})
	}
	return known
}

// isTop reports whether an ancestor is above what has nothing to do with each other, or may be.
func isTop(anc *pb.Ancestor) bool {
	return anc.Pid != nil && anc.GetPid() <= 1 || anc.GetNamespacePid() == 1 || anc.GetName() == "" || isShared(anc.GetName(), anc.GetExePath())
}

// process begins the key of a process; false where it is not known well enough.
func (h *hasher) process(a *alert.Alert, pid *int64, start *timestamppb.Timestamp) bool {
	if !isKnown(a, pid, start) {
		return false
	}
	h.begin(ofProcess, a)
	h.number(*pid)
	h.number(start.GetSeconds())
	h.number(int64(start.GetNanos()))
	return true
}

// isKnown reports whether a process is known well enough to be told from others: not without a
// start, nor with one that is after the event.
func isKnown(a *alert.Alert, pid *int64, start *timestamppb.Timestamp) bool {
	if pid == nil || *pid <= 1 || start == nil {
		return false
	}
	seconds, nanos := start.GetSeconds(), int64(start.GetNanos())
	return seconds < a.Nanos/1e9 || seconds == a.Nanos/1e9 && nanos <= a.Nanos%1e9
}

// minCommand is how many bytes a command line needs to tell processes of a container apart. On a
// host, where much more runs, it is minHostCommand.
const (
	minCommand     = 16
	minHostCommand = 24
)

// tells reports whether a command line is hardly that of two processes that have nothing to do
// with each other and run in one place at one time.
func tells(command string, least int) bool {
	return len(command) >= least && strings.Contains(command, " ")
}

// addCommands: for alerts without pids, the command lines of the process and its parent, in one
// container at one terminal, or on the host where the login and the terminal are told.
func (h *hasher) addCommands(t *ties, a *alert.Alert, r *pb.Report) {
	onHost, least := containerID(r) == "", minCommand
	if onHost {
		if least = minHostCommand; !tellsLogin(a, r) {
			return
		}
	}
	p, parent := r.GetProcess(), parentOf(r)
	if tells(p.GetCommandLine(), least) {
		own := h.command(a, r, knownPID(p.Pid, p.GetPidProvenance()), p.GetName(), p.GetCommandLine())
		// What starts a program is not the process that made an earlier alert.
		earlier := !isStart(r)
		if onHost {
			h.addCommandOnHost(t, r, own, earlier)
		} else {
			t.add(tie{key: own, kind: tieCommand, strength: strong, find: earlier, keep: true, sole: true})
		}
		t.add(tie{key: own.as(ofParent), kind: tieCommandParentOf, strength: strong, find: earlier, sole: true})
	}
	if parent == nil || isTop(parent) {
		return
	}
	if tells(parent.GetCommandLine(), least) {
		above := h.command(a, r, knownPID(parent.Pid, parent.GetProvenance()), parent.GetName(), parent.GetCommandLine())
		t.add(tie{key: above, kind: tieCommandChildOf, strength: strong, find: true, sole: true})
		t.add(tie{key: above.as(ofParent), kind: tieCommandSibling, strength: strong, find: true, keep: true, sole: true})
	}
}

// addCommandOnHost: the command line below a parent of one name, of one user. It follows command.
func (h *hasher) addCommandOnHost(t *ties, r *pb.Report, own key, earlier bool) {
	t.add(tie{key: own, kind: tieCommand, strength: strong, keep: true}) // for the children
	p, parent := r.GetProcess(), parentOf(r)
	if parent == nil || isShared(p.GetName(), p.GetExePath()) {
		return
	}
	h.text(parent.GetName())
	h.text(userText(r))
	t.add(tie{key: h.key(), kind: tieCommand, strength: strong, find: earlier, keep: true, sole: true})
}

// tellsLogin reports whether an alert of the host says of its process who logged in at which
// terminal, or that nobody did.
func tellsLogin(a *alert.Alert, r *pb.Report) bool {
	login, ok := a.Lookup("user.loginuid")
	return r.GetWorkload() == pb.Workload_WORKLOAD_HOST && r.GetProcess().HasTerminal != nil &&
		ok && login.Text() != "" && login.Text() != "<NA>"
}

// isStart reports whether the event is the start of the process's program.
func isStart(r *pb.Report) bool {
	call := r.GetEvent().GetType()
	return call == "execve" || call == "execveat"
}

// knownPID is a pid that is told, 0 where none is.
func knownPID(pid *int64, from pb.Provenance) int64 {
	if pid == nil || from == pb.Provenance_PROVENANCE_INFERRED {
		return 0
	}
	return *pid
}

// command begins the key of a process that is known by its command line. Where more is told of it,
// such as a pid without its start, that must agree too.
func (h *hasher) command(a *alert.Alert, r *pb.Report, pid int64, name, command string) key {
	p := r.GetProcess()
	h.begin(ofCommand, a)
	if h.text(containerID(r)); containerID(r) == "" {
		h.text(loginText(r))
		h.text(p.GetSystemdUnit())
	}
	h.text(p.GetTerminal())
	h.number(p.GetSession().GetId())
	h.number(pid)
	h.text(name)
	h.text(command)
	return h.key()
}

// addEntry: one way into a container, which is a session or terminal that is not that of the
// container's first process, or a shell right below the runtime.
func (h *hasher) addEntry(t *ties, a *alert.Alert, r *pb.Report) {
	p, id := r.GetProcess(), containerID(r)
	if id == "" || p.GetNamespacePid() == 1 || p.GetSession().GetId() == 1 {
		return
	}
	h.addEntered(t, a, r)
	if sid := p.GetSession().GetId(); sid > 1 {
		h.begin(ofSession, a)
		h.text(id)
		h.number(sid)
		t.add(tie{key: h.key(), kind: tieSession, strength: strong, find: true, keep: true})
		return // a terminal's number soon is another session's
	}
	if p.GetHasTerminal() && !knowsEntry(a, r) {
		h.begin(ofTerminal, a)
		h.text(id)
		h.text(p.GetTerminal())
		t.add(tie{key: h.key(), kind: tieTerminal, find: true, keep: true})
	}
}

// knowsEntry reports whether it is known which process came into the container: the last that is
// not above everything. All that belongs to it is tied to it by pids.
func knowsEntry(a *alert.Alert, r *pb.Report) bool {
	p := r.GetProcess()
	known := p.GetPidProvenance() != pb.Provenance_PROVENANCE_INFERRED && isKnown(a, p.Pid, p.GetStartTime())
	for i, anc := range r.GetAncestry()[:min(len(r.GetAncestry()), maxAncestors)] {
		if int(anc.GetLevel()) != i+1 || anc.GetName() == "" {
			return false
		}
		if isTop(anc) {
			return known
		}
		known = anc.GetProvenance() != pb.Provenance_PROVENANCE_INFERRED && isKnown(a, anc.Pid, anc.GetStartTime())
	}
	return false
}

// addEntered: where there are no pids, the shell that the runtime started, and what has a parent
// of its name.
func (h *hasher) addEntered(t *ties, a *alert.Alert, r *pb.Report) {
	p, parent := r.GetProcess(), parentOf(r)
	if p.Pid != nil || parent == nil {
		return
	}
	entered := isRuntimeName(parent.GetName()) && program.IsShell(p.GetName()) && !startsContainer(a, r)
	if !entered && !program.IsShell(parent.GetName()) {
		return
	}
	name := parent.GetName()
	if entered {
		name = p.GetName()
	}
	h.begin(ofEntered, a)
	h.text(containerID(r))
	h.text(p.GetTerminal())
	h.number(p.GetSession().GetId())
	h.text(name)
	t.add(tie{key: h.key(), kind: tieEntered, strength: strong, find: !entered, keep: entered, sole: true})
}

// entrypointWithin is how soon after the start of a container its first program runs.
const entrypointWithin = 2e9

// startsContainer reports whether what the runtime started is, as far as is known, what the
// container is there for.
func startsContainer(a *alert.Alert, r *pb.Report) bool {
	start := r.GetContainer().GetStartTime()
	return start != nil && a.Nanos-start.AsTime().UnixNano() < entrypointWithin
}

// addKind: the same rule in the same circumstances.
func (h *hasher) addKind(t *ties, a *alert.Alert, r *pb.Report) {
	h.begin(ofKind, a)
	h.text(a.Source)
	h.text(a.Rule)
	switch q := r.GetKubernetes().GetRequest(); {
	case q != nil:
		h.text(q.GetUser())
		h.text(q.GetUserAgent())
		h.text(q.GetVerb())
		h.text(q.GetNamespace())
	case !isSyscall(a):
		h.users(a)
	default:
		h.circumstances(r)
	}
	t.add(tie{key: h.key(), kind: tieKindOf, find: true, keep: true})
}

// users adds the fields that say who did it, for sources whose fields are not known here.
func (h *hasher) users(a *alert.Alert) {
	for _, f := range a.Fields() {
		if (strings.Contains(f.Name, "user") || strings.Contains(f.Name, "actor")) && !strings.Contains(f.Name, "agent") && !alert.Absent(f.Name, f.Value) {
			h.text(f.Name)
			h.text(f.Value.Text())
		}
	}
}

// circumstances adds where, as whom and with which program a system call was made.
func (h *hasher) circumstances(r *pb.Report) {
	if id := containerID(r); id != "" {
		h.text(id) // it has one image
	} else {
		h.text(r.GetContainer().GetImageRepository())
		h.text(r.GetContainer().GetImageTag())
		h.text(r.GetKubernetes().GetNamespace())
		h.text(r.GetKubernetes().GetPodName())
	}
	h.number(int64(r.GetWorkload()))
	h.text(userText(r))
	h.text(loginText(r))
	h.text(r.GetProcess().GetTerminal())
	name := programOf(r)
	h.text(name)
	if name != started {
		h.text(parentOf(r).GetName())
	}
	if r.GetProcess().GetName() == "" {
		h.text(folder(r.GetFile().GetPath(), 3)) // of a process that is not known, at least what it was at
	}
}

// programOf is the name of the program, or, where there is no pid, what all have in common that a
// runtime starts in a container: it goes by several names while it becomes the container's.
func programOf(r *pb.Report) string {
	p := r.GetProcess()
	if parent := parentOf(r); (p == nil || p.Pid == nil) && containerID(r) != "" && parent != nil && isRuntimeName(parent.GetName()) {
		return started
	}
	return p.GetName()
}

// started stands for all that a runtime starts in a container. No program has this name.
const started = "/"

// loginText is the number of the login user, empty where that is not known.
func loginText(r *pb.Report) string {
	if u := r.GetUser(); u != nil && u.LoginUid != nil {
		return strconv.FormatUint(uint64(u.GetLoginUid()), 10)
	}
	return ""
}

// folder is the beginning of a path, at most so many parts of its folders.
func folder(file string, parts int) string {
	end := 0
	for i := range len(file) {
		if file[i] != '/' || i == 0 {
			continue
		}
		end = i
		if parts--; parts == 0 {
			break
		}
	}
	return file[:end]
}

// userText is the user's number, or name where there is none; empty if neither is known.
func userText(r *pb.Report) string {
	u := r.GetUser()
	if u != nil && u.Uid != nil {
		return strconv.FormatUint(uint64(u.GetUid()), 10)
	}
	return cmp.Or(u.GetName(), r.GetKubernetes().GetRequest().GetUser())
}

func containerID(r *pb.Report) string {
	if r.GetWorkload() != pb.Workload_WORKLOAD_CONTAINER {
		return ""
	}
	return r.GetContainer().GetId()
}

// parentOf is the parent in a report's chain; nil where it is not known.
func parentOf(r *pb.Report) *pb.Ancestor {
	if chain := r.GetAncestry(); len(chain) > 0 && chain[0].GetLevel() == 1 {
		return chain[0]
	}
	return nil
}
