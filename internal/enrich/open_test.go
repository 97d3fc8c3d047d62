package enrich_test

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// ofRule is an alert of a rule on an open, with more fields.
func ofRule(t *testing.T, rule string, fields map[string]any) string {
	t.Helper()
	all := map[string]any{"evt.type": "openat", "proc.name": "x", "fd.name": "/srv/x", "container.id": "host"}
	maps.Copy(all, fields)
	return strings.Replace(alertJSON(t, "syscall", all), `"rule":"Some rule"`, `"rule":"`+rule+`"`, 1)
}

// TestOpenPurpose: what a file was opened for, from flags, from Falco's fields, from the rule.
func TestOpenPurpose(t *testing.T) {
	for _, tc := range []struct {
		rule   string
		fields map[string]any
		want   string
	}{
		{"Some rule", map[string]any{"evt.arg.flags": "O_TRUNC|O_WRONLY"}, "called openat on “/srv/x” for writing, emptying it (O_TRUNC) on the host, result unknown."},
		{"Some rule", map[string]any{"evt.res": "SUCCESS", "evt.arg.flags": "O_TRUNC|O_CREAT|O_WRONLY"}, "opened “/srv/x” for writing, new or emptied (O_TRUNC) on the host."},
		{"Some rule", map[string]any{"evt.res": "SUCCESS", "evt.arg.flags": "O_CREAT|O_WRONLY|O_F_CREATED"}, "opened “/srv/x” for writing, a new file on the host."},
		{"Some rule", map[string]any{"evt.res": "SUCCESS", "evt.is_open_read": true}, "opened “/srv/x” for reading on the host."},
		{"Some rule", map[string]any{"evt.res": "SUCCESS", "evt.is_open_write": "true"}, "opened “/srv/x” for writing on the host."},
		{"Some rule", nil, "called openat on “/srv/x” on the host, result unknown."},
		{"Write below etc", nil, "opened “/srv/x” for writing (as the rule asks) on the host."},
		{"Read sensitive file untrusted", nil, "opened “/srv/x” for reading (as the rule asks) on the host."},
		{"Read sensitive file untrusted", map[string]any{"evt.arg.flags": "O_RDWR"}, "opened “/srv/x” for reading and writing on the host."},
		{"Write below etc", map[string]any{"evt.res": "EACCES"}, "was refused (EACCES)."},
		{"Write below etc", map[string]any{"evt.type": "execve"}, "result unknown."},
	} {
		if got := enricher(t).Report(decode(t, ofRule(t, tc.rule, tc.fields))).GetSummary(); !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s %v: %s; want %s", tc.rule, tc.fields, got, tc.want)
		}
	}
}

// TestSuccessByRule: what the rule proves is said as such, and the event keeps what its fields say.
func TestSuccessByRule(t *testing.T) {
	r := enricher(t).Report(decode(t, ofRule(t, "Write below etc", nil)))
	want := finding(pb.Confidence_CONFIDENCE_LIKELY, "The openat call succeeded (the rule matches only successful opens).", "evt.type")
	if !slices.ContainsFunc(r.GetShown(), func(f *pb.Finding) bool { return f.String() == want.String() }) {
		t.Errorf("shown %v", r.GetShown())
	}
	if slices.ContainsFunc(r.GetNotShown(), func(s string) bool { return strings.HasPrefix(s, "Whether it succeeded") }) {
		t.Errorf("not shown %q", r.GetNotShown())
	}
	if o := r.GetEvent().GetOutcome(); o != pb.Outcome_OUTCOME_UNSPECIFIED {
		t.Errorf("outcome %v", o)
	}
}

// TestLoadedRuleDecides: a rule of an upstream name that asks for something else proves that.
func TestLoadedRuleDecides(t *testing.T) {
	name := filepath.Join(t.TempDir(), "r.yaml")
	if err := os.WriteFile(name, []byte("- rule: Write below etc\n  desc: d\n  output: o\n  priority: ERROR\n  condition: evt.type=openat and evt.is_open_write=true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Load([]string{name}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e, err := enrich.New(enrich.Options{Rules: func() *rules.Set { return set }})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Report(decode(t, ofRule(t, "Write below etc", nil))).GetSummary(); !strings.Contains(got, "for writing (as the rule asks)") || !strings.Contains(got, "result unknown") {
		t.Errorf("summary %s", got)
	}
}

// TestWhatDecidesStandsFirst: the finding behind the urgency, and what would make it harmless.
func TestWhatDecidesStandsFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		fields          map[string]any
		first, harmless string
	}{
		"a deed beside the rule": {map[string]any{"evt.res": "SUCCESS", "fd.name": "/var/log/x", "proc.name": "bash", "proc.cmdline": "bash -c rm -f /root/.bash_history; echo aWQK | base64 -d | sh"}, "asks to wipe history, run decoded code", "ran this as a test"},
		"a mount":                {map[string]any{"evt.res": "SUCCESS", "container.id": "abc", "container.mounts": "/:/host::true:rslave", "user.uid": 0}, "the host's “/”", "an agent that needs this"},
		"a refused call":         {map[string]any{"evt.res": "EPERM", "fd.name": "/etc/shadow"}, "The kernel refused", ""},
		"an engine":              {map[string]any{"evt.res": "SUCCESS", "container.id": "abc", "proc.name": "runc", "proc.exepath": "/usr/bin/runc"}, "a container runtime's", "a container was being started"},
	} {
		r := enricher(t).Report(decode(t, ofRule(t, "Clear Log Activities", tc.fields)))
		if got := r.GetShown()[0].GetStatement(); !strings.Contains(got, tc.first) {
			t.Errorf("%s: first %q, urgency %v", name, got, r.GetUrgency())
		}
		if got := r.GetHarmlessIf()[0]; !strings.Contains(got, tc.harmless) {
			t.Errorf("%s: harmless if %q", name, got)
		}
	}
}

// TestSpelling: a hostile byte is spelt as the renderers spell it.
func TestSpelling(t *testing.T) {
	r := enricher(t).Report(decode(t, ofRule(t, "Some rule", map[string]any{"proc.cmdline": "x \a\b\v\x1b\n\u202e"})))
	if want := "“x \\x07\\x08\\x0b\\x1b\\n\\u202e”"; !strings.Contains(r.GetSummary(), want) {
		t.Errorf("summary %s; want %s", r.GetSummary(), want)
	}
}

// TestActionsHaveSomethingToActOn: no process to stop where none is known, and nothing for a
// container on the host.
func TestActionsHaveSomethingToActOn(t *testing.T) {
	for name, tc := range map[string]struct {
		fields map[string]any
		title  string
		want   bool
	}{
		"known process":   {map[string]any{"proc.pid": 7}, "Stop the process, do not kill it", true},
		"unknown process": {map[string]any{"proc.name": "<NA>"}, "Stop the process, do not kill it", false},
		"nothing to save": {map[string]any{"proc.name": "<NA>"}, "Save the image of the process", false},
	} {
		fields := map[string]any{"evt.type": "openat", "proc.name": "x", "container.id": "host", "fd.name": "/srv/x"}
		maps.Copy(fields, tc.fields)
		got := titles(enricher(t).Report(withFields(t, fields)).GetActions(), 99)
		if slices.Contains(got, tc.title) != tc.want {
			t.Errorf("%s: %q is there: %t, of %q", name, tc.title, !tc.want, got)
		}
	}
	for id, tools := range map[string][]string{"host": {"Docker", "Kubernetes"}, "abc": {"systemd"}} {
		hardening := 0
		for _, rule := range []string{"Fileless execution via memfd_create", "PTRACE attached to process", "Linux Kernel Module Injection Detected", "Write below etc"} {
			r := enricher(t).Report(decode(t, ofRule(t, rule, map[string]any{"container.id": id})))
			for _, a := range r.GetActions() {
				if a.GetPhase() != pb.Phase_PHASE_HARDEN {
					continue
				}
				hardening++
				for _, tool := range tools {
					if strings.HasPrefix(a.GetTool(), tool) {
						t.Errorf("%s in %s: %s, for %s", rule, id, a.GetTitle(), a.GetTool())
					}
				}
			}
		}
		if hardening == 0 {
			t.Errorf("nothing hardens in %s", id)
		}
	}
}
