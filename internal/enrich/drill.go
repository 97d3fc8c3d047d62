package enrich

import (
	"strconv"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// drillTool is a program that makes alerts on purpose: to test a detection, or to train.
type drillTool struct {
	name string // of its process
	kind string // what kind of program it is
	what string // what a drill with it is called
}

// eventGenerator is Falco's own; the recordings of most samples are made with it.
const eventGenerator = "event-generator"

// drillToolOf is the tool with this name of a process. Their authors: falcosecurity/event-generator,
// DataDog/stratus-red-team, mitre/sandcat (the agent of Caldera), aquasecurity/kube-hunter,
// guardicore/monkey, redcanaryco's runner and swimlane's for the Atomic Red Team tests.
func drillToolOf(name string) (drillTool, bool) {
	switch name {
	case eventGenerator:
		return drillTool{name, "Falco's test tool", "Falco's event-generator"}, true
	case "stratus":
		return drillTool{name, "an attack simulator", "Stratus Red Team"}, true
	case "sandcat":
		return drillTool{name, "an attack simulator's agent", "MITRE Caldera"}, true
	case "kube-hunter":
		return drillTool{name, "a cluster scanner", "kube-hunter"}, true
	case "infection-monkey", "monkey-linux-64":
		return drillTool{name, "an attack simulator", "Infection Monkey"}, true
	case "goartrun", "atomic-operator":
		return drillTool{name, "a runner of test attacks", "Atomic Red Team"}, true
	default:
		return drillTool{}, false
	}
}

// hint is what makes an alert look like a drill's.
type hint struct {
	tool  drillTool
	text  string // the sentence's beginning, that says where it stands
	field string
}

// findDrill: a name that belongs to a test tool. It proves nothing, since names are chosen
// freely, and it never lowers the urgency.
func (s *scene) findDrill() {
	h, ok := s.drill()
	if !ok {
		return
	}
	s.show(possible, h.text+": perhaps a drill. A name proves nothing.", h.field)
	s.harmlessIf("a drill with " + h.tool.what + " was planned here")
	s.drillHinted = true
}

// drill finds the hint that says most: a process of that name, nearest first, then what the
// tool calls its own files and steps.
func (s *scene) drill() (hint, bool) {
	for _, anc := range s.r.GetAncestry() {
		level := strconv.FormatUint(uint64(anc.GetLevel()), 10)
		name, exe, who := "proc.aname["+level+"]", "proc.aexepath["+level+"]", "an ancestor"
		if anc.GetLevel() == 1 {
			name, exe, who = "proc.pname", "proc.pexepath", "the parent"
		}
		if h, ok := named(who, anc.GetName(), anc.GetExePath(), name, exe); ok {
			return h, true
		}
	}
	p := s.r.GetProcess()
	if h, ok := named("the process", p.GetName(), p.GetExePath(), "proc.name", "proc.exepath"); ok {
		return h, true
	}
	if t, ok := drillToolOf(p.GetSession().GetName()); ok {
		return hint{t, "The session leader" + t.called(), "proc.sname"}, true
	}
	return s.drillTrace()
}

// named is the hint in the name or the program of a process.
func named(who, name, exe, nameField, exeField string) (hint, bool) {
	if t, ok := drillToolOf(name); ok {
		return hint{t, strings.ToUpper(who[:1]) + who[1:] + t.called(), nameField}, true
	}
	if t, ok := drillToolOf(baseName(exe)); ok {
		return hint{t, "The program of " + who + t.called(), exeField}, true
	}
	return hint{}, false
}

// called says of a process that it has the tool's name.
func (t drillTool) called() string {
	return " is called " + phrase.Quote(t.name) + ", as " + t.kind + " is"
}

// drillTrace: how Falco's event-generator names the files that it makes, and the actions that
// it runs in a process of their own.
func (s *scene) drillTrace() (hint, bool) {
	tool, _ := drillToolOf(eventGenerator)
	const file = "falco-event-generator-"
	for _, field := range [...]string{"fd.name", "proc.exepath", "proc.cmdline", "evt.arg.path", "evt.arg.filename", "evt.arg.name", "evt.args"} {
		if strings.Contains(s.a.String(field), file) {
			return hint{tool, "A path is named " + phrase.Quote(file) + "…, as Falco's event-generator does", field}, true
		}
	}
	_, action, ok := strings.Cut(s.r.GetProcess().GetCommandLine(), " run ")
	if ok && (strings.HasPrefix(action, "helper.") || strings.Contains(action, "^syscall.") || strings.Contains(action, "^helper.")) {
		return hint{tool, "The arguments name an action as Falco's event-generator calls it", "proc.cmdline"}, true
	}
	return hint{}, false
}
