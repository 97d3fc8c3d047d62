package enrich

import (
	"slices"
	"strings"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// actions takes the playbook's actions that fit the alert and fills them in.
func (s *scene) actions() {
	for i := range s.book.Actions {
		a := &s.book.Actions[i]
		if !s.fits(a.When) || !a.ForParent(s.parentName()) || !s.concerns(a) {
			continue
		}
		out := &pb.Action{
			Phase:     phaseOf(a.Phase),
			Title:     a.Title,
			Why:       a.Why,
			Reference: a.Reference,
		}
		if out.Snippet = a.Fill(s.value); out.GetSnippet() != "" {
			out.Language, out.Tool = a.Language, a.Tool
		}
		s.r.Actions = append(s.r.Actions, out)
	}
	s.askForDrill()
}

// askForDrill puts the question for a drill second, where a test tool's name was found and the
// playbook does not ask: it is quick, and it never replaces the look at the evidence.
func (s *scene) askForDrill() {
	asks := func(a *pb.Action) bool { return strings.Contains(a.GetTitle(), "drill") }
	if !s.drillHinted || slices.ContainsFunc(s.r.Actions, asks) {
		return
	}
	s.r.Actions = slices.Insert(s.r.Actions, min(1, len(s.r.Actions)), &pb.Action{
		Phase: pb.Phase_PHASE_VERIFY,
		Title: "Ask whether a drill was planned",
		Why:   "The name of a test tool is a hint, not a proof; whoever runs drills here can confirm it.",
	})
}

// fits reports whether an action for a kind of workload is for this alert's.
func (s *scene) fits(when string) bool {
	pod := s.r.GetKubernetes().GetPodName() != ""
	container := s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER
	switch when {
	case playbook.WhenContainer:
		return container
	case playbook.WhenPlainContainer:
		return container && !pod
	case playbook.WhenKubernetes:
		return pod
	case playbook.WhenHost:
		return s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST
	default:
		return true
	}
}

// concerns reports whether an action has something to act on here: a process that is known, where
// it stops or saves one, and a container or a host, where it makes one harder to attack.
func (s *scene) concerns(a *playbook.Action) bool {
	title := strings.ToLower(a.Title)
	tool := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(a.Tool, n) })
	}
	switch {
	case a.Phase == "contain" || a.Phase == "collect":
		return !s.processUnknown() || !strings.Contains(title, " the process")
	case a.Phase != "harden" || a.When != "":
		return true
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		return !strings.Contains(title, "the container") && !tool("Docker", "crictl", "Kubernetes", "kubectl")
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER:
		return !strings.Contains(title, "the host") && !tool("systemd")
	default:
		return true
	}
}

// parentName is the name of the parent, empty where it is not known.
func (s *scene) parentName() string {
	if chain := s.r.GetAncestry(); len(chain) > 0 && chain[0].GetLevel() == 1 {
		return chain[0].GetName()
	}
	return ""
}

// processUnknown reports whether neither a number nor a command line nor a name tells the process
// from others.
func (s *scene) processUnknown() bool {
	p := s.r.GetProcess()
	return p == nil || p.GetName() == "" && p.Pid == nil && p.GetCommandLine() == ""
}

func phaseOf(name string) pb.Phase {
	switch name {
	case "verify":
		return pb.Phase_PHASE_VERIFY
	case "contain":
		return pb.Phase_PHASE_CONTAIN
	case "collect":
		return pb.Phase_PHASE_COLLECT
	case "eradicate":
		return pb.Phase_PHASE_ERADICATE
	case "harden":
		return pb.Phase_PHASE_HARDEN
	case "tune":
		return pb.Phase_PHASE_TUNE
	default:
		return pb.Phase_PHASE_UNSPECIFIED
	}
}

// value is what a snippet may take from the alert: an output field, or its time.
func (s *scene) value(name string) (string, bool) {
	if name == playbook.TimeField {
		return s.a.Time().Format(time.RFC3339), s.a.Nanos > 0
	}
	return s.a.Text(name)
}
