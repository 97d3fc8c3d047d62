package playbook_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// form is one way in which an action's snippet reaches a reader.
type form struct {
	name   string // the playbook, the action and the kind of values
	action playbook.Action
	text   string
	filled bool // it is the snippet with values, not the general form
}

// plain is a value that is fit for any field, and hostile one that means something in every
// language.
func plain(field string) (string, bool) {
	switch {
	case field == playbook.TimeField:
		return "2026-11-22T07:42:03.5Z", true
	case strings.HasSuffix(field, "port"), strings.HasSuffix(field, "pid"), strings.HasSuffix(field, "uid"):
		return "1234", true
	case strings.HasSuffix(field, "ip"):
		return "192.0.2.7", true
	default:
		return "value-1", true
	}
}

func hostile(field string) (string, bool) {
	if field == playbook.TimeField || strings.HasSuffix(field, "pid") {
		return plain(field) // Falco's own, not the attacker's
	}
	return `a'b"c $(id) ` + "`id`" + ` ; id | id > x & id #{}[],: *~!\`, true
}

func none(string) (string, bool) { return "", false }

// forms are the snippets of every playbook in the given language, filled with plain values,
// with hostile ones, and in the general form.
func forms(t *testing.T, language string) []form {
	t.Helper()
	all := maps.Collect(embedded(t).All())
	var out []form
	for _, key := range slices.Sorted(maps.Keys(all)) {
		for i, a := range all[key].Actions {
			if a.Language != language {
				continue
			}
			for _, v := range []struct {
				name   string
				values func(string) (string, bool)
			}{{"plain", plain}, {"hostile", hostile}, {"none", none}} {
				text := a.Fill(v.values)
				snippet := a
				snippet.General = ""
				repeated := len(out) > 0 && out[len(out)-1].text == text && v.name != "plain"
				if text != "" && !repeated {
					out = append(out, form{fmt.Sprintf("%s, action %d (%s)", key, i+1, v.name), a, text, snippet.Fill(v.values) != ""})
				}
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("no snippet in %s", language)
	}
	return out
}

// check is how the snippets for a tool are checked.
type check struct {
	tool  string // a pattern for Action.Tool
	check func(t *testing.T, f form)
}

// dispatch gives every snippet to the check for its tool. A tool without one is an error: what
// is not checked is not sent to anybody.
func dispatch(t *testing.T, language string, checks []check) {
	t.Helper()
	used := make(map[string]bool)
	for _, f := range forms(t, language) {
		i := slices.IndexFunc(checks, func(c check) bool { return regexp.MustCompile(c.tool).MatchString(f.action.Tool) })
		if i < 0 {
			t.Errorf("%s: there is no check for %s in %q", f.name, language, f.action.Tool)
			continue
		}
		used[checks[i].tool] = true
		checks[i].check(t, f)
	}
	for _, c := range checks {
		if !used[c.tool] {
			t.Errorf("no snippet is for %q: the check is idle", c.tool)
		}
	}
}

// words reads a list out of testdata: one entry a line, its name and what belongs to it.
func words(t *testing.T, name string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for line := range strings.Lines(testdata(t, name)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if key, rest, _ := strings.Cut(strings.TrimSpace(line), " "); key != "" {
			out[key] = strings.TrimSpace(rest)
		}
	}
	return out
}

// atLeast reports whether a tool's text claims at least a version, as in "Linux 6.3 ...".
func atLeast(tool, product, version string) bool {
	m := regexp.MustCompile(`\b` + product + ` (\d+)(?:\.(\d+))?`).FindStringSubmatch(tool)
	if m == nil {
		return false
	}
	var have, want [2]int
	_, _ = fmt.Sscanf(m[1]+"."+m[2], "%d.%d", &have[0], &have[1]) // a part that is missing is 0
	_, _ = fmt.Sscanf(version, "%d.%d", &want[0], &want[1])
	return slices.Compare(have[:], want[:]) >= 0
}
