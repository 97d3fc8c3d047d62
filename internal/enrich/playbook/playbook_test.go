package playbook_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// embeddedOnce reads the books once for all tests, which takes a while under the race detector.
var embeddedOnce = sync.OnceValues(playbook.Embedded)

func embedded(t testing.TB) *playbook.Library {
	t.Helper()
	l, err := embeddedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// one is a file with one sound playbook, whose text can be changed.
func one(change ...string) string {
	text := `playbooks:
  - rule: A
    means: Something happened.
    harmless_if: [it is planned]
    impact: [Things break.]
    actions:
      - {phase: verify, title: Look, why: To see.}
      - phase: contain
        title: Stop it
        why: To stop it.
        language: sh
        tool: procps 3
        snippet: kill -STOP {{proc.pid}}
        general: ps -e
`
	return strings.NewReplacer(change...).Replace(text)
}

func TestAddChecksEverything(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":     {one("means:", "meaning:"), "line 3"},
		"two subjects":    {one("rule: A", "{rule: A, tactic: TA0001}"), ""},
		"no subject":      {one("rule: A", "not_shown: []"), "exactly one of"},
		"phase":           {one("phase: contain", "phase: block"), `phase "block"`},
		"long title":      {one("title: Look", "title: a b c d e f g h i"), "9 words"},
		"language":        {one("language: sh", "language: perl"), `language "perl"`},
		"no tool":         {one("tool: procps 3", "tool: ''"), "names no tool"},
		"hole in general": {one("ps -e", "ps {{proc.pid}}"), "general has a placeholder"},
		"test in general": {one("ps -e", "'{{@same:proc.pid}}'"), "general has a placeholder"},
		"bad distance":    {one("{{proc.pid}}", "{{@time-0h}}"), "names no field"},
		"test in yaml":    {one("language: sh", "language: yaml", "{{proc.pid}}", "{{@same:proc.pid}}"), "is for sh"},
		"parent":          {one("phase: contain", "phase: contain\n        parent: a|"), `parent "a|"`},
		"open hole":       {one("{{proc.pid}}", "{{proc.pid"), "not closed"},
		"empty hole":      {one("{{proc.pid}}", "{{proc.pid|}}"), "names no field"},
		"when":            {one("phase: contain", "phase: contain\n        when: sometimes"), `when "sometimes"`},
		"reference":       {one("phase: contain", "phase: contain\n        reference: http://x"), "https"},
		"twice":           {one() + strings.TrimPrefix(one(), "playbooks:\n"), "two for rule:A"},
		"not yaml":        {"a: [", "a.yaml"},
		"an empty one":    {"playbooks:\n  -\n", "line 2: the value is empty"},
		"nothing to do":   {"playbooks:\n  - {rule: A, means: x, harmless_if: [x], impact: [x]}\n", "actions is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			base := embedded(t)
			_, err := base.Add(fstest.MapFS{"a.yaml": {Data: []byte(tc.text)}})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "a.yaml") {
				t.Errorf("error %v; want %q", err, tc.want)
			}
		})
	}
}

func TestAddGoesBeforeTheEmbedded(t *testing.T) {
	l, err := embedded(t).Add(fstest.MapFS{
		"a.yaml":     {Data: []byte(one("rule: A", "rule: Fileless execution via memfd_create"))},
		"other.txt":  {Data: []byte("not read")},
		"empty.yaml": {Data: nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := l.Find(playbook.Subject{Rule: "Fileless execution via memfd_create", Source: "syscall"}); p.Means != "Something happened." {
		t.Errorf("means %q", p.Means)
	}
}

// TestFind: rule before technique before tactic before source, and no alert is left without.
func TestFind(t *testing.T) {
	var text strings.Builder
	for _, key := range []string{"rule: A", "technique: T1", "technique: T2", "technique: T2.001", "technique: T3", "tactic: TA1"} {
		text.WriteString(strings.TrimPrefix(one("rule: A", key, "means: Something happened.", `means: "`+key+`"`), "playbooks:\n"))
	}
	base := embedded(t)
	l, err := base.Add(fstest.MapFS{"a.yaml": {Data: []byte("playbooks:\n" + text.String())}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		s    playbook.Subject
		want string
	}{
		{playbook.Subject{Rule: "A", Techniques: []string{"T1"}, Source: "syscall"}, "rule: A"},
		{playbook.Subject{Rule: "B", Techniques: []string{"T2", "T1"}, Tactics: []string{"TA1"}}, "technique: T2"},
		{playbook.Subject{Rule: "B", Techniques: []string{"T2.001", "T2"}}, "technique: T2.001"},
		{playbook.Subject{Rule: "B", Techniques: []string{"T2.999"}, Tactics: []string{"TA1"}}, "technique: T2"},
		// A playbook for just this technique goes before that of another one's parent.
		{playbook.Subject{Rule: "B", Techniques: []string{"T2.999", "T3"}}, "technique: T3"},
		{playbook.Subject{Rule: "B", Techniques: []string{"T9", "T9.001"}, Tactics: []string{"TA1"}}, "tactic: TA1"},
		{playbook.Subject{Rule: "B", Techniques: []string{"T9"}, Tactics: []string{"TA9"}, Source: "syscall"}, base.General("syscall").Means},
	} {
		if p := l.Find(tc.s); p.Means != tc.want {
			t.Errorf("%+v: %q", tc.s, p.Means)
		}
	}
	general := l.Find(playbook.Subject{Source: "never heard of"})
	if general == nil || general.Source != "*" {
		t.Fatalf("an unknown source gets %+v", general)
	}
	// The phases that the rule's playbook lacks come from its source's, in order.
	var phases []string
	for _, a := range l.Find(playbook.Subject{Rule: "A", Source: "syscall"}).Actions {
		phases = append(phases, a.Phase)
	}
	if diff := cmp.Diff(playbook.Phases(), slices.Compact(phases)); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
}

func fill(a playbook.Action, value string) string {
	return a.Fill(func(field string) (string, bool) { return value, field == "x" && value != "" })
}

func TestFill(t *testing.T) {
	for name, tc := range map[string]struct {
		language, snippet, value, want string
	}{
		"plain":             {"sh", "ls {{x}}", "/tmp/a", "ls /tmp/a"},
		"alternative":       {"sh", "ls {{y|x}}", "/tmp/a", "ls /tmp/a"},
		"blank":             {"sh", "ls {{x}}", "a b", "ls 'a b'"},
		"quote":             {"sh", "ls {{x}}", "a'; rm -rf /; '", `ls 'a'\''; rm -rf /; '\'''`},
		"command":           {"sh", "ls {{x}}", "$(id)`id`", "ls '$(id)`id`'"},
		"tilde":             {"sh", "ls {{x}}", "~root", "ls '~root'"},
		"missing":           {"sh", "ls {{x}}", "", "GENERAL"},
		"option":            {"sh", "ls {{x}}", "--help", "GENERAL"},
		"new line":          {"sh", "ls {{x}}", "a\nb", "GENERAL"},
		"escape":            {"sh", "ls {{x}}", "a\x1b[2J", "GENERAL"},
		"right to left":     {"sh", "ls {{x}}", "a\u202eb", "GENERAL"},
		"too long":          {"sh", "ls {{x}}", strings.Repeat("a", 600), "GENERAL"},
		"yaml":              {"yaml", "a: {{x}}", "yes", `a: "yes"`},
		"yaml number":       {"yaml", "a: {{x}}", "17", "a: 17"},
		"yaml quote":        {"yaml", "a: {{x}}", `a"b`, "GENERAL"},
		"yaml backslash":    {"yaml", "a: {{x}}", `a\`, "GENERAL"},
		"json":              {"json", `{"a": {{x}}}`, "ü", `{"a": "ü"}`},
		"ini":               {"ini", "a = {{x}}", "/tmp/a", "a = /tmp/a"},
		"ini with a blank":  {"ini", "a = {{x}}", "a b", "GENERAL"},
		"no placeholder":    {"sh", "ls", "", "ls"},
		"brackets in value": {"sh", "ls {{x}}", "{{x}}", "ls '{{x}}'"},
	} {
		t.Run(name, func(t *testing.T) {
			got := fill(playbook.Action{Language: tc.language, Snippet: tc.snippet, General: "GENERAL"}, tc.value)
			if got != tc.want {
				t.Errorf("got %s; want %s", got, tc.want)
			}
		})
	}
}

// FuzzFill: whatever the value, a shell sees it as one argument, literally; YAML and JSON
// parse it back to what it was.
func FuzzFill(f *testing.F) {
	for _, s := range []string{"a b", "a'b", "$(id)", "\\", "\x00", "é", "{{x}}", "!!", "*", "a\u0301", "=ls", "#x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := fill(playbook.Action{Language: "sh", Snippet: "echo {{x}} end", General: "g"}, value); got != "g" {
			file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(got), "")
			if err != nil {
				t.Fatalf("%q: %v", got, err)
			}
			call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
			if !ok || len(file.Stmts) != 1 {
				t.Fatalf("%q is not one command", got)
			}
			words, err := expand.Fields(nil, call.Args...)
			if err != nil || !slices.Equal(words, []string{"echo", value, "end"}) {
				t.Errorf("%q: the shell sees %q, %v", got, words, err)
			}
		}
		var fromYAML map[string]string
		if got := fill(playbook.Action{Language: "yaml", Snippet: "a: {{x}}"}, value); got != "" && (yaml.Unmarshal([]byte(got), &fromYAML) != nil || fromYAML["a"] != value) {
			t.Errorf("%q: YAML reads %q", got, fromYAML["a"])
		}
		var fromJSON map[string]any
		if got := fill(playbook.Action{Language: "json", Snippet: `{"a": {{x}}}`}, value); got != "" && json.Unmarshal([]byte(got), &fromJSON) != nil {
			t.Errorf("%q is not JSON", got)
		}
	})
}

// placeholder finds the holes of a snippet.
var placeholder = regexp.MustCompile(`\{\{[^}]*\}\}`)

// TestEmbedded: what every playbook of ours must be.
func TestEmbedded(t *testing.T) {
	l := embedded(t)
	for key, p := range l.All() {
		for _, s := range append(append([]string{p.Means}, p.NotShown...), append(p.HarmlessIf, p.Impact...)...) {
			if strings.ContainsAny(s, "“”{}`<>") || strings.TrimSpace(s) != s || s == "" {
				t.Errorf("%s: text %q", key, s)
			}
		}
		for _, h := range p.HarmlessIf {
			if strings.HasSuffix(h, ".") || len(strings.Fields(h)) > 24 {
				t.Errorf("%s: harmless if %q: want a short condition", key, h)
			}
		}
	}
}

// TestPlaceholdersAreFields: every placeholder names a field that Falco has.
func TestPlaceholdersAreFields(t *testing.T) {
	known := knownFields(t)
	if known == nil {
		t.Skip("the facts are not in ", shared)
	}
	for key, p := range embedded(t).All() {
		for _, a := range p.Actions {
			for _, hole := range placeholder.FindAllString(a.Snippet, -1) {
				for name := range strings.SplitSeq(strings.Trim(hole, "{}"), "|") {
					name = strings.TrimPrefix(strings.TrimSpace(name), "@same:")
					if !strings.HasPrefix(name, "@") && !isField(known, name) {
						t.Errorf("%s: %s is no field of Falco", key, name)
					}
				}
			}
		}
	}
}
