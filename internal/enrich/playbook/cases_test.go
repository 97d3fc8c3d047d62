package playbook_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// alertWith is an alert with these output fields.
func alertWith(fields map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := fields[name]
		return v, ok
	}
}

// TestForTakesTheCasesThatFit: what is said of one file is not said of another.
func TestForTakesTheCasesThatFit(t *testing.T) {
	p := &playbook.Playbook{
		HarmlessIf: []string{"it is planned"}, Impact: []string{"Things break."},
		Cases: []playbook.Case{
			{Field: "fd.name|evt.arg.path", Has: "shadow|sudoers", Impact: []string{"Hashes."}},
			{Field: "proc.name", Is: "nc|ncat", HarmlessIf: []string{"a probe"}, NotShown: []string{"A shell."}},
		},
	}
	for name, tc := range map[string]struct {
		fields                       map[string]string
		notShown, harmlessIf, impact []string
	}{
		"a part":         {map[string]string{"fd.name": "/etc/gshadow", "proc.name": "cat"}, nil, []string{"it is planned"}, []string{"Hashes.", "Things break."}},
		"another file":   {map[string]string{"fd.name": "/etc/pam.conf", "evt.arg.path": "/etc/shadow", "proc.name": "cat"}, nil, []string{"it is planned"}, []string{"Things break."}},
		"a whole value":  {map[string]string{"fd.name": "x", "proc.name": "ncat"}, []string{"A shell."}, []string{"a probe", "it is planned"}, []string{"Things break."}},
		"a longer value": {map[string]string{"fd.name": "x", "proc.name": "ncat2"}, nil, []string{"it is planned"}, []string{"Things break."}},
		"not known":      {nil, []string{"A shell."}, []string{"it is planned", "a probe"}, []string{"Things break.", "Hashes."}},
	} {
		got := p.For(alertWith(tc.fields))
		if diff := cmp.Diff([][]string{tc.notShown, tc.harmlessIf, tc.impact}, [][]string{got.NotShown, got.HarmlessIf, got.Impact}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(p.Impact) != 1 || len(p.HarmlessIf) != 1 {
		t.Errorf("the playbook itself has changed: %+v", p)
	}
}

// TestTextsFitTheEvent: what one of our books says of all matches of a rule is said of none that
// it is not true of.
func TestTextsFitTheEvent(t *testing.T) {
	for name, tc := range map[string]struct {
		rule        string
		fields      map[string]string
		want, never string
	}{
		"sudo's PAM file holds no hashes": {"Read sensitive file untrusted", map[string]string{"fd.name": "/etc/pam.d/sudo"}, "sudo and PAM files", "shadow"},
		"cat is not systemd":              {"Read sensitive file untrusted", map[string]string{"proc.exepath": "/bin/cat", "fd.name": "/etc/shadow"}, "Hashes", "systemd"},
		"dig carries no shell":            {"Launch Suspicious Network Tool in Container", map[string]string{"proc.name": "dig"}, "look around", "shell"},
		"shred makes no file system":      {"Remove Bulk Data from Disk", map[string]string{"proc.name": "shred"}, "Shredding", "file system"},
		"a cron file is no crontab":       {"Schedule Cron Jobs", map[string]string{"evt.type": "openat"}, "/etc/cron.d", "with crontab"},
		"not every path is a log stream":  {"Modify Container Entrypoint", map[string]string{"fd.name": "/proc/self/exe"}, "runc", "logs"},
		"a refusal is no missing secret":  {"K8s Secret Get Unsuccessfully Tried", map[string]string{"ka.response.code": "403"}, "role lacks", "404"},
	} {
		p := embedded(t).Find(playbook.Subject{Rule: tc.rule}).For(alertWith(tc.fields))
		said := strings.Join(slices.Concat(p.NotShown, p.HarmlessIf, p.Impact), "\n")
		if !strings.Contains(said, tc.want) || strings.Contains(said, tc.never) {
			t.Errorf("%s: want %q, and never %q:\n%s", name, tc.want, tc.never, said)
		}
	}
}

// TestFindPassesOverTechniquesOfOtherEvents: of several tags the one that the event can be about
// is spoken of, and a tactic rather than a technique that it cannot.
func TestFindPassesOverTechniquesOfOtherEvents(t *testing.T) {
	for name, tc := range map[string]struct {
		s    playbook.Subject
		want string
	}{
		"another tag":      {playbook.Subject{Techniques: []string{"T1205.001", "T1562.001"}, Event: playbook.EventFile}, "technique:T1562"},
		"its own kind":     {playbook.Subject{Techniques: []string{"T1205.001", "T1562.001"}, Event: playbook.EventNetwork}, "technique:T1205.001"},
		"an unknown kind":  {playbook.Subject{Techniques: []string{"T1205.001", "T1562.001"}}, "technique:T1205.001"},
		"only the tactic":  {playbook.Subject{Techniques: []string{"T1205.001"}, Tactics: []string{"TA0011"}, Event: playbook.EventFile}, "tactic:TA0011"},
		"no tag that fits": {playbook.Subject{Techniques: []string{"T1205.001"}, Event: playbook.EventFile, Source: "syscall"}, "source:syscall"},
	} {
		if got := embedded(t).Find(tc.s).Key(); got != tc.want {
			t.Errorf("%s: %s; want %s", name, got, tc.want)
		}
	}
}

// TestFindAddsWhatTheSourceKnows: beside a book's own actions stand the source's for other engines
// than Docker, where the book speaks of Docker, and all of them where it asks for them.
func TestFindAddsWhatTheSourceKnows(t *testing.T) {
	action := func(title, more string) string { return "{phase: contain, title: " + title + more + "}" }
	book := func(subject, actions string) string {
		return "  - {" + subject + ", means: It is., harmless_if: [a], impact: [It could.], actions: [" + actions + "]}\n"
	}
	source := book("source: syscall", action("Cut", "")+", "+action("Freeze", ", when: cri_container"))
	for name, tc := range map[string]struct {
		own, more string
		want      []string
	}{
		"nothing of Docker": {action("Own", ""), "", []string{"Own"}},
		"Docker":            {action("Own", ", when: plain_container, language: sh, tool: Docker 20.10, general: docker ps"), "", []string{"Own", "Freeze"}},
		"CRI of its own":    {action("Own", ", language: sh, tool: Docker 20.10, general: docker ps") + ", " + action("Mine", ", when: cri_container"), "", []string{"Own", "Mine"}},
		"with the source's": {action("Own", ""), ", with_source: [contain]", []string{"Own", "Cut", "Freeze"}},
	} {
		l, err := embedded(t).Add(fstest.MapFS{"a.yaml": {Data: []byte("playbooks:\n" + source + book("rule: R"+tc.more, tc.own))}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range l.Find(playbook.Subject{Rule: "R", Source: "syscall"}).Actions {
			got = append(got, a.Title)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q; want %q", name, got, tc.want)
		}
	}
}

// TestForPodman: only what takes the same commands is given, and as podman's.
func TestForPodman(t *testing.T) {
	a := playbook.Action{Tool: "Docker 20.10 (podman 4 takes the same commands), jq 1.6", Why: "Until docker unpause.", Snippet: "docker pause {{container.id}}", General: "ls /var/lib/docker"}
	want := playbook.Action{Tool: "podman 4, jq 1.6", Why: "Until podman unpause.", Snippet: "podman pause {{container.id}}", General: "ls /var/lib/docker"}
	if got, ok := a.ForPodman(); !ok || got != want {
		t.Errorf("%+v, %t", got, ok)
	}
	a.Tool = "Docker 20.10, jq 1.6"
	if got, ok := a.ForPodman(); ok {
		t.Errorf("%+v", got)
	}
}
