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
		if a := s.forEngine(&s.book.Actions[i]); a != nil {
			s.action(a)
		}
	}
	s.refill()
	s.askForDrill()
}

// refill gives the phases in which nothing of the playbook fits, such as what is for another
// container engine, those of the source.
func (s *scene) refill() {
	var lost []string
	for i := range s.book.Actions {
		phase := s.book.Actions[i].Phase
		has := func(x *pb.Action) bool { return x.GetPhase() == phaseOf(phase) }
		if !slices.Contains(lost, phase) && !slices.ContainsFunc(s.r.Actions, has) {
			lost = append(lost, phase)
		}
	}
	for i := range s.general.Actions {
		if a := s.forEngine(&s.general.Actions[i]); a != nil && slices.Contains(lost, a.Phase) {
			s.action(a)
		}
	}
	if lost != nil {
		slices.SortStableFunc(s.r.Actions, func(x, y *pb.Action) int { return int(x.GetPhase() - y.GetPhase()) })
	}
}

// action fills in an action, if it fits the alert.
func (s *scene) action(a *playbook.Action) {
	if !s.fits(a.When) || !a.ForParent(s.parentName()) || !s.concerns(a) {
		return
	}
	out := &pb.Action{
		Phase:     phaseOf(a.Phase),
		Title:     a.Title,
		Why:       a.Why,
		Reference: a.Reference,
	}
	if out.Snippet = a.Fill(s.valuesFor(a)); out.GetSnippet() != "" {
		out.Language, out.Tool = a.Language, a.Tool
	}
	if s.examplesOnly(a) && out.GetSnippet() != "" && out.GetSnippet() != a.Fill(s.value) {
		out.Why += theseAreExamples
	}
	s.r.Actions = append(s.r.Actions, out)
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
	case playbook.WhenCRIContainer:
		return container && !pod && s.mayBeCRI()
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

// Container engines as Falco names them in container.type; crictl speaks to the last three.
const (
	engineDocker     = "docker"
	enginePodman     = "podman"
	engineContainerd = "containerd"
	engineCRIO       = "cri-o"
	engineCRI        = "cri"
)

// forEngine is an action as it is for the engine that runs the container, nil where it is for
// another one.
func (s *scene) forEngine(a *playbook.Action) *playbook.Action {
	engine := s.a.String("container.type")
	if !a.ForDocker() || s.r.GetWorkload() != pb.Workload_WORKLOAD_CONTAINER || engine == "" || engine == engineDocker {
		return a
	}
	if forPodman, ok := a.ForPodman(); ok && engine == enginePodman {
		return &forPodman
	}
	return nil
}

// mayBeCRI reports whether the container can be one that crictl knows. Falco learns the names of a
// container and of its pod together: a container with a name and without a pod is Docker's, unless
// the rule does not ask for pods. Docker's own names have an underscore, as none in a pod has.
func (s *scene) mayBeCRI() bool {
	switch s.a.String("container.type") {
	case engineContainerd, engineCRIO, engineCRI:
		return true
	case "":
		_, asksForPod := s.a.Lookup("k8s.pod.name")
		name := s.r.GetContainer().GetName()
		return name == "" || !asksForPod && !strings.Contains(name, "_")
	default:
		return false
	}
}

// theseAreExamples is said of an exception that could have been made of the alert's values.
const theseAreExamples = " The values are examples: put in yours once this has proved harmless."

// examplesOnly reports whether an action is not to be made of the alert's values: an exception
// made of an attack's own would let the attack pass. It is for alerts that are not urgent.
func (s *scene) examplesOnly(a *playbook.Action) bool {
	return a.Phase == "tune" && s.r.GetUrgency().GetLevel() > record
}

// valuesFor are the values that an action may be filled in with. The paths of an engine at work
// are the host's, and lead nowhere in the container.
func (s *scene) valuesFor(a *playbook.Action) func(name string) (string, bool) {
	hostPaths := a.When != playbook.WhenHost && s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER && s.isRuntimePart()
	return func(name string) (string, bool) {
		if name != playbook.TimeField && s.examplesOnly(a) || hostPaths && holdsPath(name) {
			return "", false
		}
		return s.value(name)
	}
}

// holdsPath reports whether a field is one whose value is a path.
func holdsPath(field string) bool {
	switch field {
	case "fd.name", "proc.exepath", "evt.arg.filename", "evt.arg.name", "evt.arg.path", "evt.arg.newpath", "evt.arg.oldpath":
		return true
	}
	return false
}

// value is what a snippet may take from the alert: an output field, or its time.
func (s *scene) value(name string) (string, bool) {
	if name == playbook.TimeField {
		return s.a.Time().Format(time.RFC3339), s.a.Nanos > 0
	}
	return s.a.Text(name)
}
