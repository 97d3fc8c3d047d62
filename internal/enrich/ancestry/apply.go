package ancestry

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Apply sets the chain of processes of a report, its notes and the login, and adds to the
// report's process and container what the alert did not say, all out of the alert's own fields
// and of what was captured with it. Where the two contradict each other the alert is followed,
// and a note says so. It is a function of the alert and the report. It may be called
// concurrently for different reports.
func Apply(a *alert.Alert, r *pb.Report) {
	if a.Kind != alert.KindRule {
		return
	}
	chain, complete := FromAlert(a)
	r.Ancestry, r.AncestryComplete = chain, complete
	m := merger{alert: a, report: r}
	if len(a.Captured) > 0 {
		var got pb.Report
		if err := proto.Unmarshal(a.Captured, &got); err != nil {
			m.note("What was known of the process when the alert arrived cannot be read.")
		} else {
			m.merge(&got)
		}
	}
	m.addLogin()
}

// merger joins what an alert says with what was captured.
type merger struct {
	alert  *alert.Alert
	report *pb.Report
	login  *pb.Login // as captured
}

func (m *merger) note(text string) { m.report.AncestryNotes = append(m.report.AncestryNotes, text) }

func (m *merger) merge(got *pb.Report) {
	for _, n := range got.GetAncestryNotes() {
		m.note(n)
	}
	if pid, ok := m.alert.Int("proc.pid"); ok && got.GetProcess() != nil && pid != got.GetProcess().GetPid() {
		m.note("What was captured with the alert is of another process, and was left out.")
		return
	}
	m.login = got.GetLogin()
	m.mergeProcess(got)
	agreed := m.mergeChain(got.GetAncestry())
	m.report.AncestryComplete = m.report.GetAncestryComplete() || agreed && got.GetAncestryComplete() && reachesTop(m.report)
}

// mergeProcess adds what the alert does not say of its process.
func (m *merger) mergeProcess(got *pb.Report) {
	from := got.GetProcess()
	if from == nil {
		return
	}
	if m.report.Process == nil {
		m.report.Process = &pb.Process{}
	}
	p := m.report.GetProcess()
	if p.Pid == nil {
		p.Pid, p.PidProvenance = from.Pid, from.GetPidProvenance()
	}
	if p.NamespacePid == nil {
		p.NamespacePid = from.NamespacePid
	}
	if p.GetExePath() != "" && from.GetExePath() != "" && p.GetExePath() != from.GetExePath() {
		m.note(fmt.Sprintf("The alert and the process table name different executables for pid %d; the alert is followed.", p.GetPid()))
	}
	p.ExePath = cmp.Or(p.GetExePath(), from.GetExePath())
	p.CommandLine = cmp.Or(p.GetCommandLine(), from.GetCommandLine())
	p.SystemdUnit = cmp.Or(p.GetSystemdUnit(), from.GetSystemdUnit())
	if p.StartTime == nil {
		p.StartTime = from.GetStartTime()
	}
	m.mergeContainer(got.GetContainer().GetId())
}

// mergeContainer adds the container that the control group of the process named.
func (m *merger) mergeContainer(id string) {
	says := m.alert.String("container.id")
	switch {
	case id == "" || says == id:
	case says != "":
		m.note("The alert and the control group of the process name different containers; the alert is followed.")
	case m.report.GetWorkload() != pb.Workload_WORKLOAD_HOST:
		m.report.Workload = pb.Workload_WORKLOAD_CONTAINER
		if m.report.Container == nil {
			m.report.Container = &pb.Container{}
		}
		m.report.Container.Id = cmp.Or(m.report.GetContainer().GetId(), id)
	}
}

// mergeChain joins the levels of both chains. From the first contradiction on, nothing more of
// what was captured is taken. It is false if there was one.
func (m *merger) mergeChain(captured []*pb.Ancestor) bool {
	chain := m.report.GetAncestry()
	for _, c := range captured {
		i, found := slices.BinarySearchFunc(chain, c.GetLevel(), func(a *pb.Ancestor, level uint32) int { return cmp.Compare(a.GetLevel(), level) })
		if !found {
			chain = slices.Insert(chain, i, c)
			continue
		}
		if why := contradiction(chain[i], c); why != "" {
			m.note(fmt.Sprintf("At level %d the alert and the process table name different %s; the alert is followed, and nothing above is taken from the table.", c.GetLevel(), why))
			m.report.Ancestry = chain
			return false
		}
		m.addTo(chain[i], c)
	}
	m.report.Ancestry = chain
	return true
}

// contradiction says in what two ancestors of one level cannot be the same process.
func contradiction(a, c *pb.Ancestor) string {
	switch {
	case a.Pid != nil && c.Pid != nil && a.GetPid() != c.GetPid():
		return "pids"
	case a.Pid == nil && a.GetName() != "" && c.GetName() != "" && a.GetName() != c.GetName():
		return "names"
	default:
		return ""
	}
}

// addTo adds what an alert does not say of an ancestor. Where both know its name and do not
// agree, what goes with a name stays with it.
func (m *merger) addTo(a, c *pb.Ancestor) {
	before := proto.CloneOf(a)
	if a.Pid == nil {
		a.Pid = c.Pid
	}
	if a.GetName() == "" || c.GetName() == "" || a.GetName() == c.GetName() {
		a.Name = cmp.Or(a.GetName(), c.GetName())
		a.ExePath = cmp.Or(a.GetExePath(), c.GetExePath())
		a.CommandLine = cmp.Or(a.GetCommandLine(), c.GetCommandLine())
	} else {
		m.note(fmt.Sprintf("The alert and the process table give different names to pid %d; the alert is followed.", a.GetPid()))
	}
	if a.User == nil {
		a.User = c.GetUser()
	}
	if a.StartTime == nil {
		a.StartTime = c.GetStartTime()
	}
	a.NamespacePid, a.Workload, a.ContainerId, a.SystemdUnit, a.Ended = c.NamespacePid, c.GetWorkload(), c.GetContainerId(), c.GetSystemdUnit(), c.GetEnded()
	if !proto.Equal(before, a) {
		a.Provenance = max(a.GetProvenance(), c.GetProvenance())
	}
}

// reachesTop reports whether a chain has every level up to pid 1, each with pid and name.
func reachesTop(r *pb.Report) bool {
	named := !slices.ContainsFunc(r.GetAncestry(), func(a *pb.Ancestor) bool { return a.GetName() == "" })
	return named && linksUp(r.GetProcess().GetPid(), r.GetAncestry())
}

// addLogin says how somebody came to be on the host: through a session of sshd above the
// process. A name can be chosen by anybody; the path of the executable cannot, as long as the
// system's directories are what they were.
func (m *merger) addLogin() {
	login := &pb.Login{Session: m.login.GetSession(), Evidence: m.login.GetEvidence()}
	for _, a := range m.report.GetAncestry() {
		if a.GetContainerId() != "" || !isSSH(a.GetExePath()) {
			continue
		}
		login.Remote, login.Service = true, "sshd"
		login.Evidence = append(login.Evidence, "proc.aexepath["+strconv.FormatUint(uint64(a.GetLevel()), 10)+"]")
		break
	}
	if login.GetRemote() || login.GetSession() != "" {
		m.report.Login = login
	}
}

// isSSH reports whether an executable is OpenSSH's server, or its part for one session.
func isSSH(exe string) bool {
	exe = strings.TrimSuffix(exe, " (deleted)") // as Falco has it after an upgrade
	switch path.Base(exe) {
	case "sshd", "sshd-session":
	default:
		return false
	}
	switch path.Dir(exe) {
	case "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/lib/openssh", "/usr/libexec/openssh", "/usr/libexec", "/usr/lib/ssh", "/usr/lib/misc":
		return true
	default:
		return false
	}
}
