package playbook_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

func from(values map[string]string) func(string) (string, bool) {
	return func(field string) (string, bool) { s, ok := values[field]; return s, ok }
}

func TestFillTimes(t *testing.T) {
	const at = "2026-11-22T08:42:03.9+01:00"
	for name, tc := range map[string]struct {
		language, snippet string
		values            map[string]string
		want              string
	}{
		"the time":          {"sh", "date -d {{@time}}", map[string]string{"@time": at}, "date -d '2026-11-22 07:42:03 UTC'"},
		"hours before":      {"sh", "x --since={{@time-2h}}", map[string]string{"@time": at}, "x --since='2026-11-22 05:42:03 UTC'"},
		"minutes after":     {"sh", "x {{@time+90m}}", map[string]string{"@time": at}, "x '2026-11-22 09:12:03 UTC'"},
		"days before":       {"sh", "x {{@rfc3339-30d}}", map[string]string{"@time": at}, "x 2026-10-23T07:42:03Z"},
		"only evt.time":     {"sh", "x {{@rfc3339}}", map[string]string{"evt.time": "1795333323123456789"}, "x 2026-11-22T07:42:03Z"},
		"evt.time in words": {"sh", "x {{@rfc3339}}", map[string]string{"evt.time": "07:42:03.1"}, "general now"},
		"no time, before":   {"sh", "x {{@time-2h}}", nil, "x '2 hours ago'"},
		"no time, after":    {"sh", "x {{@time+2h}}", nil, "x now"},
		"no time, RFC 3339": {"sh", "x {{@rfc3339-2h}}", nil, "general now"},
		"general with time": {"sh", "x {{proc.pid}}", map[string]string{"@time": at}, "general '2026-11-22 07:42:03 UTC'"},
		"in YAML":           {"yaml", "x: {{@time}}", map[string]string{"@time": at}, `x: "2026-11-22 07:42:03 UTC"`},
		"the same process":  {"sh", "{{@same:proc.pid}}", map[string]string{"@time": at, "proc.pid": "77"}, "[ \"$(ps -o etimes= -p 77 || echo 0)\" -ge \\\n  \"$(($(date +%s) - 1795333325))\" ]"},
		"no pid":            {"sh", "{{@same:proc.pid}}", map[string]string{"@time": at, "proc.pid": "7;id"}, "general '2026-11-22 07:42:03 UTC'"},
		"a pid, no time":    {"sh", "{{@same:proc.pid}}", map[string]string{"proc.pid": "77"}, "general now"},
	} {
		a := playbook.Action{Language: tc.language, Snippet: tc.snippet, General: "general {{@time}}"}
		if tc.language != "sh" {
			a.General = ""
		}
		if got := a.Fill(from(tc.values)); got != tc.want {
			t.Errorf("%s: got %s; want %s", name, got, tc.want)
		}
	}
}

// TestSameProcess runs the test in a shell: it holds for a process that was there at the time of
// the event, and not for one that came later, nor for none.
func TestSameProcess(t *testing.T) {
	if _, err := exec.LookPath("ps"); err != nil {
		t.Skip("ps is not installed")
	}
	a := playbook.Action{Language: "sh", Snippet: "{{@same:proc.pid}}"}
	own := fmt.Sprint(os.Getpid())
	for name, tc := range map[string]struct {
		pid  string
		at   time.Time
		want bool
	}{
		"it was there":  {own, time.Now(), true},
		"a younger one": {own, time.Now().Add(-24 * time.Hour), false},
		"none":          {"999999999", time.Now().Add(-time.Hour), false},
	} {
		script := a.Fill(from(map[string]string{"proc.pid": tc.pid, playbook.TimeField: tc.at.Format(time.RFC3339Nano)}))
		out, err := exec.Command("sh", "-c", script).CombinedOutput()
		if (err == nil) != tc.want || len(out) > 0 || script == "" {
			t.Errorf("%s: %v, %q; want %t: %s", name, err, out, tc.want, script)
		}
	}
}

// TestPidsAreGuarded: each command of ours that names a pid of the alert stands in a test that
// the pid is still that process's.
func TestPidsAreGuarded(t *testing.T) {
	pid := regexp.MustCompile(`\{\{(proc\.[a-z]*pid)\}\}`)
	guarded := 0
	for key, p := range embedded(t).All() {
		for _, a := range p.Actions {
			if a.Language != "sh" || !pid.MatchString(a.Snippet) {
				continue
			}
			text := regexp.MustCompile(`\{\{@same:([a-z.]+)\}\}`).ReplaceAllString(a.Snippet, "same-$1")
			text = pid.ReplaceAllString(text, "pid-$1")
			for _, s := range parseShell(t, key, placeholder.ReplaceAllString(text, "X")).Stmts {
				var b strings.Builder
				_ = syntax.NewPrinter().Print(&b, s) // a Builder takes everything
				for _, m := range regexp.MustCompile(`pid-(proc\.[a-z]*pid)`).FindAllStringSubmatch(b.String(), -1) {
					guarded++
					head, _, _ := strings.Cut(b.String(), "; then")
					if !strings.HasPrefix(head, "if ") || !strings.Contains(head, "same-"+m[1]) {
						t.Errorf("%s: %q: not guarded:\n%s", key, a.Title, a.Snippet)
					}
				}
			}
		}
	}
	if guarded < 100 {
		t.Errorf("%d commands with a pid were looked at", guarded)
	}
}

// TestTimesAreOfTheAlert: no command of ours counts hours or days from now: a report that is read
// on the next morning would come up empty.
func TestTimesAreOfTheAlert(t *testing.T) {
	fromNow := regexp.MustCompile(`--since[= ]-?[0-9]|-[acm](time|min) -|\bago\b|--freshness|-d '?-|--start(-time)? (today|yesterday|"\$\(date -u)`)
	for key, p := range embedded(t).All() {
		for _, a := range p.Actions {
			if s := fromNow.FindString(a.Snippet + a.General); s != "" {
				t.Errorf("%s: %q counts from now: %s", key, a.Title, s)
			}
		}
	}
}

func TestForParent(t *testing.T) {
	a := playbook.Action{Parent: "mysqld|mariadbd"}
	for name, want := range map[string]bool{"mysqld": true, "mariadbd": true, "": true, "postgres": false, "mysqld|mariadbd": false} {
		if a.ForParent(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
	if none := (&playbook.Action{}); !none.ForParent("x") {
		t.Error("no parent is asked for")
	}
}
