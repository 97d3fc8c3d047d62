package enrich

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// Short names, since every finding says one.
const (
	certain  = pb.Confidence_CONFIDENCE_CERTAIN
	likely   = pb.Confidence_CONFIDENCE_LIKELY
	possible = pb.Confidence_CONFIDENCE_POSSIBLE
)

// find writes what the evidence shows, most telling first: the order of the calls is the
// order in the report.
func (s *scene) find() {
	if s.a.Kind == alert.KindFalcoInternal {
		s.findDrops()
		return
	}
	if s.a.Kind == alert.KindReporterInternal {
		if last := s.a.String("falcoreporter.last_received"); last != "" {
			s.show(certain, "The last that came was at "+phrase.Quote(last)+".", "falcoreporter.last_received", "falcoreporter.silent")
		}
		return
	}
	for _, find := range [...]func(){
		s.findFailure,
		s.findClaim,
		s.findRequest,
		s.findMemoryImage,
		s.findUnderServer,
		s.findRedirect,
		s.findMining,
		s.findNetworkTool,
		s.findEngineClient,
		s.findAccount,
		s.findDeeds,
		s.findEncoded,
		s.findCode,
		s.findLostProcess,
		s.findModule,
		s.findPlace,
		s.findNamed,
		s.findMode,
		s.findMounts,
		s.findChangedImage,
		s.findOpenPlace,
		s.findEnvironment,
		s.findRuntimePart,
		s.findPeer,
		s.findPrivileged,
		s.findNearException,
		s.findDrill,
		s.findDownload,
		s.findEntry,
		s.findTerminal,
		s.findUser,
		s.findOtherName,
		s.findSuccess,
		s.findContainerAge,
	} {
		find()
	}
}

// findMemoryImage: the program has no file.
func (s *scene) findMemoryImage() {
	if !s.fromMemory() {
		return
	}
	evidence := []string{"proc.is_exe_from_memfd", "proc.exepath", "evt.arg.flags"}
	if !isExec(s.r.GetEvent().GetType()) || s.outcome() != pb.Outcome_OUTCOME_SUCCEEDED {
		s.show(certain, "The process runs an anonymous memory file, not a file on disk.", evidence...)
		s.raiseState("A program that exists only in memory.", "a known program runs itself from memory")
		return
	}
	s.show(certain, "The program is an anonymous memory file, not on disk.", evidence...)
	s.raiseState("A program that exists only in memory.", "a known program runs itself from memory")
	if name := s.r.GetProcess().GetName(); name != "" && strings.Trim(name, "0123456789") == "" {
		s.show(likely, "The process name "+phrase.Quote(name)+" is the number of the file descriptor that was executed, not a name that somebody gave.", "proc.name", "proc.exepath")
	}
}

// findFailure: that the call did not do what it was for, or that nothing says whether it did.
func (s *scene) findFailure() {
	if !s.isSyscall() {
		return
	}
	call := s.callName()
	switch s.outcome() {
	case pb.Outcome_OUTCOME_REFUSED:
		s.show(certain, "The kernel refused the "+call+" call ("+s.resultName()+").", "evt.res", "evt.args")
		s.notShown("That it succeeded.")
		s.failedStart()
	case pb.Outcome_OUTCOME_FAILED:
		s.show(certain, "The "+call+" call failed ("+s.resultName()+").", "evt.res", "evt.args")
		s.notShown("That it succeeded.")
		s.failedStart()
	case pb.Outcome_OUTCOME_SUCCEEDED:
	default:
		switch {
		case s.r.GetEvent().GetType() == "container": // not a call that could fail
		case s.r.GetEvent().GetResult() != "":
			s.notShown("Whether it succeeded: its result is " + phrase.Quote(s.r.GetEvent().GetResult()) + ".")
		default:
			s.notShown("Whether it succeeded.")
		}
	}
}

// failedStart: the process of a program start that failed is the one that tried.
func (s *scene) failedStart() {
	if isExec(s.r.GetEvent().GetType()) {
		s.notShown("Which program failed to start: the fields are of the one that tried.")
	}
}

// findSuccess: the call did what it was for.
func (s *scene) findSuccess() {
	if s.isSyscall() && s.succeededByRule() {
		s.show(likely, "The "+s.callName()+" call succeeded (the rule matches only successful "+s.callKind()+").", "evt.type")
		return
	}
	if s.isSyscall() && s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED {
		s.show(certain, "The "+s.callName()+" call succeeded.", "evt.res", "evt.args")
	}
}

// callName is the name of the system call.
func (s *scene) callName() string { return phrase.Visible(cmp.Or(s.r.GetEvent().GetType(), "system")) }

// findLostProcess: Falco no longer knew the process.
func (s *scene) findLostProcess() {
	if !s.processLost() {
		return
	}
	s.notShown("Which process did it: Falco had already lost sight of it.")
	if path := s.r.GetFile().GetPath(); s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST && isEngineStorage(path) {
		s.show(likely, "The path lies in a container engine's storage, where it unpacks images.", "fd.name")
		s.routine, s.routineFinding = "Seemingly a container engine that unpacks an image.", s.lastShown()
		s.harmlessIf("a container image was being pulled or a container started at that time")
	}
}

// isEngineStorage reports whether a path lies below the image and container storage of
// Docker, containerd, CRI-O or Podman, whatever the data root.
func isEngineStorage(path string) bool {
	for _, part := range [...]string{"/docker/overlay2/", "/docker/vfs/", "/docker/data/vfs/", "/io.containerd.snapshotter", "/containers/storage/"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// findChangedImage: the program was not part of the container's image, or was written only just
// before it ran.
func (s *scene) findChangedImage() {
	const fresh = int64(5 * time.Minute)
	if n, ok := s.a.Int("proc.exe_ino.ctime_duration_proc_start"); ok && n >= 0 && n < fresh {
		s.show(certain, "The program's file was written or changed "+phrase.Span(time.Duration(n))+" before the process started.", "proc.exe_ino.ctime_duration_proc_start")
	}
	if s.r.GetWorkload() != pb.Workload_WORKLOAD_CONTAINER {
		return
	}
	if s.changedImage() {
		s.show(certain, "The program's file was added or changed after the container was created.", "proc.is_exe_upper_layer", "evt.arg.flags")
		if s.startsProgram() {
			s.raise(today, "A program added or changed in the container.", "the container installs or updates its own programs")
		}
	}
	if n, ok := s.a.Int("proc.exe_ino.ctime_duration_pidns_start"); ok && n > 0 {
		s.show(certain, "The program's file was written or changed "+phrase.Span(time.Duration(n))+" after the container started.", "proc.exe_ino.ctime_duration_pidns_start")
	} else if at, ok := s.a.FieldTime("proc.exe_ino.mtime"); ok && s.containerStartKnown() && at.After(s.r.GetContainer().GetStartTime().AsTime()) && !at.After(s.a.Time()) {
		s.show(certain, "The program's file was written "+phrase.Span(at.Sub(s.r.GetContainer().GetStartTime().AsTime()))+" after the container started.", "proc.exe_ino.mtime", "container.start_ts")
	}
}

// changedImage reports whether the program's file lies in the container's upper layer.
func (s *scene) changedImage() bool {
	p := s.r.GetProcess()
	return p.GetExeUpperLayer() || slices.Contains(p.GetExeFlags(), "EXE_UPPER_LAYER")
}

// findUser: root, inside a container or on the host.
func (s *scene) findUser() {
	u := s.r.GetUser()
	if u == nil || u.Uid == nil || u.GetUid() != 0 {
		return
	}
	if s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER {
		s.show(certain, "It ran as root (uid 0) inside the container.", "user.uid", "container.id")
		return
	}
	s.show(certain, "It ran as root (uid 0).", "user.uid")
}

// findPrivileged: the container may do nearly everything on the host.
func (s *scene) findPrivileged() {
	if s.r.GetContainer().GetPrivileged() {
		s.show(certain, "The container is privileged: without a user namespace its root is the host's.", "container.privileged")
	}
}

// findTerminal: somebody may be typing.
func (s *scene) findTerminal() {
	if p := s.r.GetProcess(); p.GetHasTerminal() {
		s.show(certain, "A terminal ("+p.GetTerminal()+") is attached: somebody may be typing.", "proc.tty")
	}
}

// findContainerAge: how long the container had been up.
func (s *scene) findContainerAge() {
	if s.containerStartKnown() {
		age := s.a.Time().Sub(s.r.GetContainer().GetStartTime().AsTime())
		s.show(certain, "The container had been up "+phrase.Span(age)+".", "container.start_ts", "time")
	}
}

// findLoginUser: the login user, or that its absence says nothing.
func (s *scene) findLoginUser() {
	if _, ok := s.a.Lookup("user.loginuid"); !ok || s.processUnnamed() {
		return
	}
	u := s.r.GetUser()
	if u == nil || u.LoginUid == nil {
		if v, _ := s.a.Lookup("user.loginuid"); v.Text() != "-1" && v.Text() != "4294967295" {
			return // Falco did not know
		}
		s.show(certain, "No login user is set: normal for services and behind docker or kubectl exec.", "user.loginuid")
		s.notShown("Which person it was: no login user is set.")
		return
	}
	who := "uid " + strconv.FormatUint(uint64(u.GetLoginUid()), 10)
	if u.GetLoginName() != "" {
		who = phrase.Quote(u.GetLoginName()) + " (" + who + ")"
	}
	s.show(certain, "The session was logged in as "+who+".", "user.loginuid", "user.loginname")
}

// findDrops: what Falco lost.
func (s *scene) findDrops() {
	if n, ok := s.a.Int("scap.n_drops"); ok && n >= 0 {
		s.show(certain, "Falco has lost "+phrase.Count(n, "system call")+" since it started.", "scap.n_drops")
	}
	n, ok := s.a.Int("n_drops")
	if !ok || n <= 0 {
		return
	}
	s.show(certain, "Falco lost "+phrase.Count(n, "system call")+".", "n_drops")
	if seen, ok := s.a.Int("n_evts"); ok && seen > 0 {
		s.show(certain, "It saw "+phrase.Count(seen, "event")+" in the same time.", "n_evts")
	}
	s.notShown("What happened in the events that were lost.")
}
