package playbook_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// edit is how a snippet takes calls out of a profile's lists of allowed calls.
var edit = regexp.MustCompile(`jq ('\.syscalls \|= map\(\.names -= (\[[^]]*\])\s*\| select\(\.names != \[\]\)\)') default\.json > \S+\.json`)

// TestSeccomp: what we say of seccomp profiles does what the text says. A profile that allows by
// default would take the place of the runtime's, which is stricter; and a rule beside the
// runtime's, of the action that is the default anyway, is skipped. So only edits of the
// runtime's list are left, and each must forbid just the calls that it names.
func TestSeccomp(t *testing.T) {
	edits := 0
	for _, language := range []string{"sh", "yaml", "json"} {
		for _, f := range forms(t, language) {
			if strings.Contains(f.text, "SCMP_ACT") {
				t.Errorf("%s: a profile of our own:\n%s", f.name, f.text)
			}
			if !strings.Contains(f.text, ".syscalls") {
				continue
			}
			m := edit.FindStringSubmatch(f.text)
			if m == nil {
				t.Errorf("%s: no edit of the allowed calls:\n%s", f.name, f.text)
				continue
			}
			edits++
			checkEdit(t, f.name, strings.Trim(m[1], "'"), m[2])
		}
	}
	if edits < 2 {
		t.Errorf("%d edits of profiles were looked at", edits)
	}
}

// checkEdit runs the edit on a profile that is built like Docker's.
func checkEdit(t *testing.T, name, program, list string) {
	t.Helper()
	var taken []string
	if err := json.Unmarshal([]byte(list), &taken); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "seccomp_docker.json")
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Skip("jq is not installed")
	}
	edited, err := exec.Command(jq, program, file).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after := allowed(t, raw), allowed(t, edited)
	for _, call := range taken {
		if !slices.Contains(before, call) {
			t.Errorf("%s: the default profile does not allow %s: there is nothing to take out", name, call)
		}
	}
	want := slices.DeleteFunc(slices.Clone(before), func(call string) bool { return slices.Contains(taken, call) })
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("%s: allowed calls (-want +got):\n%s", name, diff)
	}
}

// allowed are the calls that a profile lets through in some case. Any other is refused.
func allowed(t *testing.T, raw []byte) []string {
	t.Helper()
	var p specs.LinuxSeccomp
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if p.DefaultAction != specs.ActErrno {
		t.Errorf("the default action is %s", p.DefaultAction)
	}
	var out []string
	for _, s := range p.Syscalls {
		if len(s.Names) == 0 {
			t.Error("a rule without a call")
		}
		if s.Action == specs.ActAllow {
			out = append(out, s.Names...)
		}
	}
	return out
}

// TestFilelessInAPod: what is said for Docker there is for pods as well, and the file that is
// written is the one that the pod's spec names.
func TestFilelessInAPod(t *testing.T) {
	p := embedded(t).Specific(playbook.Subject{Rule: "Fileless execution via memfd_create"})
	var written, named string
	for _, a := range p.Actions {
		text := a.Fill(plain)
		if a.When != playbook.WhenKubernetes {
			continue
		}
		if m := regexp.MustCompile(`(?s)"memfd_create".*/var/lib/kubelet/seccomp/(\S+)`).FindStringSubmatch(text); m != nil {
			written = m[1]
		}
		if m := regexp.MustCompile(`(?s)type: Localhost.*localhostProfile: (\S+)`).FindStringSubmatch(text); m != nil {
			named = m[1]
		}
	}
	if written == "" || written != named {
		t.Errorf("the profile is written to %q, and the pod names %q", written, named)
	}
}

// TestFilelessIsTunedByWhatItIs: the rule compares its list with the parent's name too, and
// calls what runs from memory by the number of a descriptor: a name in it exempts the wrong.
func TestFilelessIsTunedByWhatItIs(t *testing.T) {
	p := embedded(t).Specific(playbook.Subject{Rule: "Fileless execution via memfd_create"})
	where := map[string]string{playbook.WhenContainer: "container.image.repository", playbook.WhenHost: "proc.pexepath"}
	for _, a := range p.Actions {
		if a.Phase != "tune" {
			continue
		}
		for _, values := range []func(string) (string, bool){plain, none} {
			text := a.Fill(values)
			if !strings.Contains(text, "or (proc.exepath = ") || !strings.Contains(text, "and "+where[a.When]+" = ") || strings.Contains(text, "items:") {
				t.Errorf("for %q:\n%s", a.When, text)
			}
		}
		delete(where, a.When)
	}
	if len(where) > 0 {
		t.Errorf("nothing for %v", where)
	}
}
