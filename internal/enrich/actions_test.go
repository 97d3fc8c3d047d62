package enrich_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// reportOf is the report of an alert of a rule with these output fields.
func reportOf(t *testing.T, rule string, p alert.Priority, fields map[string]any) *pb.Report {
	t.Helper()
	a := withFields(t, fields)
	a.Rule, a.Priority = rule, p
	return enricher(t).Report(a)
}

// TestExceptionsAreNotMadeOfAnAttack: the values of an urgent alert stand in no exception, and
// those of another do.
func TestExceptionsAreNotMadeOfAnAttack(t *testing.T) {
	fields := map[string]any{
		"evt.type": "execve", "proc.name": "sh", "proc.pname": "apache2", "proc.cmdline": "sh -c id",
		"container.id": "host", "user.uid": 33,
	}
	tune := func(r *pb.Report) *pb.Action {
		return r.GetActions()[slices.IndexFunc(r.GetActions(), func(a *pb.Action) bool { return a.GetPhase() == pb.Phase_PHASE_TUNE })]
	}
	urgent := reportOf(t, "Web Server Spawned Shell", alert.PriorityCritical, fields)
	if a := tune(urgent); urgent.GetUrgency().GetLevel() == pb.UrgencyLevel_URGENCY_LEVEL_RECORD || a.GetSnippet() == "" ||
		strings.Contains(a.GetSnippet(), "sh -c id") || !strings.Contains(a.GetWhy(), "examples") {
		t.Errorf("%v: %v", urgent.GetUrgency(), a)
	}
	fields["evt.res"] = "ENOENT"
	fields["proc.pname"] = "my-helper"
	calm := reportOf(t, "Web Server Spawned Shell", alert.PriorityNotice, fields)
	if a := tune(calm); calm.GetUrgency().GetLevel() != pb.UrgencyLevel_URGENCY_LEVEL_RECORD ||
		!strings.Contains(a.GetSnippet(), `proc.cmdline = "sh -c id"`) || strings.Contains(a.GetWhy(), "examples") {
		t.Errorf("%v: %v", calm.GetUrgency(), a)
	}
}

// TestCommandsAreForTheEngine: whatever the rule, a container gets the commands of the engine that
// runs it, and something in each phase; of one that is not known it gets those of all.
func TestCommandsAreForTheEngine(t *testing.T) {
	l, err := playbook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		engine any
		name   any
		want   []string
		never  []string
	}{
		{"containerd", nil, []string{"crictl"}, []string{"docker", "podman"}},
		{"cri-o", nil, []string{"crictl"}, []string{"docker", "podman"}},
		{"docker", nil, []string{"docker"}, []string{"crictl", "podman"}},
		{"podman", nil, []string{"podman"}, []string{"docker", "crictl"}},
		{nil, nil, []string{"docker", "crictl"}, nil},
		{nil, "web", []string{"docker"}, []string{"crictl"}},
		{nil, "peaceful_mestorf", []string{"docker"}, []string{"crictl"}},
	} {
		fields := map[string]any{
			"evt.type": "openat", "proc.name": "x", "proc.cmdline": "x", "container.id": "3f2a9b1c7d6e",
			"container.name": tc.name, "container.type": tc.engine, "k8s.pod.name": nil,
		}
		books := maps.Collect(l.All())
		for _, key := range slices.Sorted(maps.Keys(books)) {
			p := books[key]
			if p.Rule == "" || l.Find(playbook.Subject{Rule: p.Rule, Source: "syscall"}).Rule == "" || p.Actions[0].Tool == "kubectl 1.24" {
				continue
			}
			checkEngine(t, reportOf(t, p.Rule, alert.PriorityWarning, fields), tc.engine, nil, tc.never)
		}
		checkEngine(t, reportOf(t, "A rule of nobody's", alert.PriorityWarning, fields), tc.engine, tc.want, tc.never)
	}
}

// checkEngine looks for the commands of engines in a report's snippets.
func checkEngine(t *testing.T, r *pb.Report, engine any, want, never []string) {
	t.Helper()
	var phases []pb.Phase
	all := ""
	for _, a := range r.GetActions() {
		phases = append(phases, a.GetPhase())
		if strings.HasPrefix(a.GetTool(), "kubectl") {
			continue // it looks for workloads in all of a fleet
		}
		for line := range strings.Lines(a.GetSnippet()) {
			all += " " + strings.TrimSpace(line) + "\n"
		}
	}
	for _, name := range want {
		if !strings.Contains(all, " "+name+" ") {
			t.Errorf("%s on %v: no %s in\n%s", r.GetTitle(), engine, name, all)
		}
	}
	for _, name := range never {
		for _, verb := range []string{"ps", "inspect", "top", "diff", "pause", "cp", "logs", "export", "events", "run", "network", "exec", "update"} {
			if strings.Contains(all, " "+name+" "+verb) {
				t.Errorf("%s on %v: %s %s in\n%s", r.GetTitle(), engine, name, verb, all)
			}
		}
	}
	if !slices.IsSorted(phases) || len(slices.Compact(phases)) != len(playbook.Phases()) {
		t.Errorf("%s on %v: phases %v", r.GetTitle(), engine, phases)
	}
}

// TestEnginePathsAreTheHosts: a path that the container engine opened is none of the container's.
func TestEnginePathsAreTheHosts(t *testing.T) {
	fields := map[string]any{
		"evt.type": "fchmodat", "evt.arg.filename": "/opt/lab/docker/data/vfs/dir/1/dev", "container.id": "14dede8a9475", "container.name": "web",
		"proc.name": "runc:[2:INIT]", "proc.exepath": "/usr/bin/runc", "k8s.pod.name": nil,
	}
	const rule = "Container Drift Detected (chmod)"
	copies := func(r *pb.Report) bool {
		return slices.ContainsFunc(r.GetActions(), func(a *pb.Action) bool { return strings.Contains(a.GetSnippet(), "14dede8a9475:/opt/lab") })
	}
	if r := reportOf(t, rule, alert.PriorityWarning, fields); copies(r) {
		t.Errorf("%v", r.GetActions())
	}
	fields["proc.name"], fields["proc.exepath"] = "chmod", "/bin/chmod"
	if r := reportOf(t, rule, alert.PriorityWarning, fields); !copies(r) {
		t.Errorf("%v", r.GetActions())
	}
}
