package playbook

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/syntax"
)

func TestZZIncubating(t *testing.T) {
	data, err := os.ReadFile("/tmp/plan/rules-incubating.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l := &Library{byKey: make(map[string]*Playbook)}
	if err := l.readFile(data); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	ff, err := os.ReadFile("/work/shared/facts/falco-fields.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"([a-z0-9]+\.[a-zA-Z0-9_.]+)"`).FindAllStringSubmatch(string(ff), -1) {
		fields[m[1]] = true
	}
	names, _ := os.ReadFile("/tmp/plan/pb_incubating.txt")
	var want []string
	for _, n := range strings.Split(string(names), "\n") {
		if n = strings.TrimSpace(n); n != "" {
			want = append(want, n)
		}
	}
	var file struct {
		Playbooks []*Playbook `yaml:"playbooks"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Playbooks) != len(want) {
		t.Errorf("%d playbooks, want %d", len(file.Playbooks), len(want))
	}
	sentences := map[string]string{}
	split := regexp.MustCompile(`[.:;] +`)
	for i, p := range file.Playbooks {
		if i < len(want) && p.Rule != want[i] {
			t.Errorf("%d: %q, want %q", i, p.Rule, want[i])
		}
		e := func(f string, a ...any) { t.Errorf(p.Rule+": "+f, a...) }
		if n := len(p.NotShown); n < 1 || n > 3 {
			e("not_shown %d", n)
		}
		if n := len(strings.Fields(p.NotShown[0])); n > 12 {
			e("not_shown[0] %d words", n)
		}
		if n := len(p.HarmlessIf); n < 2 || n > 4 {
			e("harmless %d", n)
		}
		for _, h := range p.HarmlessIf {
			if len(strings.Fields(h)) > 14 || strings.HasSuffix(h, ".") {
				e("harmless: %s", h)
			}
			if h[0] >= 'A' && h[0] <= 'Z' {
				e("upper: %s", h)
			}
		}
		if n := len(p.Actions); n < 3 || n > 9 {
			e("actions %d", n)
		}
		phases := map[string]map[string]bool{}
		for _, a := range p.Actions {
			if phases[a.Phase] == nil {
				phases[a.Phase] = map[string]bool{}
			}
			phases[a.Phase][a.When] = true
			if !strings.HasSuffix(strings.TrimSpace(a.Why), ".") {
				e("why end: %s", a.Why)
			}
			if n := len(regexp.MustCompile(`[.?!]( |$)`).FindAllString(a.Why, -1)); n > 3 {
				t.Logf("%s: %s: %d sentences", p.Rule, a.Title, n)
			}
			for _, s := range append(split.Split(a.Why, -1), a.Impact()...) {
				if len(strings.Fields(s)) > 6 {
					if o, ok := sentences[s]; ok {
						t.Logf("repeated: %s / %s: %s", o, p.Rule, s)
					}
					sentences[s] = p.Rule
				}
			}
			ph := regexp.MustCompile(`\{\{(.*?)\}\}`)
			for _, m := range ph.FindAllStringSubmatch(a.Snippet, -1) {
				for _, f := range strings.Split(m[1], "|") {
					if !fields[f] && !strings.HasPrefix(f, "evt.arg.") {
						e("unknown field %s", f)
					}
				}
			}
			for _, s := range []string{ph.ReplaceAllString(a.Snippet, "1234"), a.General, a.Fill(func(string) (string, bool) { return "/a b'c", true })} {
				if s == "" {
					continue
				}
				switch a.Language {
				case "sh":
					if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(s), ""); err != nil {
						e("%s: sh: %v", a.Title, err)
					}
				case "yaml":
					var v any
					if err := yaml.Unmarshal([]byte(s), &v); err != nil {
						e("%s: yaml: %v", a.Title, err)
					}
				case "json":
					var v any
					if err := json.Unmarshal([]byte(s), &v); err != nil {
						e("%s: json: %v", a.Title, err)
					}
				}
			}
		}
		for ph, w := range phases {
			if !w[""] {
				t.Logf("%s: phase %s only %v", p.Rule, ph, w)
			}
		}
		for _, x := range []string{p.Means} {
			if n := len(regexp.MustCompile(`[.?!]( |$)`).FindAllString(x, -1)); n > 3 {
				e("means %d sentences", n)
			}
		}
	}
}

func (a Action) Impact() []string { return nil }
