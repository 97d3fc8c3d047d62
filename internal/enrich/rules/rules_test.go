package rules_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// base defines one rule; the tests change it.
const base = `
- rule: r
  desc: >
    A sentence.
  condition: >
    a = "x  y"
      and b
  output: out %a
  priority: info
  tags: [maturity_stable, host]
  exceptions:
    - {name: rows, fields: [a, b], values: [[x, [y, z]]]}
    - {name: one, fields: c, values: [p]}
`

// baseRule is what base defines, as the file 0.yaml.
func baseRule() rules.Rule {
	return rules.Rule{
		Name: "r", Description: "A sentence.", Condition: `a = "x  y" and b`, Output: "out %a",
		Priority: alert.PriorityInformational, Source: "syscall", Tags: []string{"maturity_stable", "host"},
		Maturity: "stable", Enabled: true, File: "0.yaml", Line: 2,
		Exceptions: []rules.Exception{
			{Name: "rows", Fields: []string{"a", "b"}, Comps: []string{"=", "="}, Values: [][]rules.Value{{{Text: "x"}, {List: []string{"y", "z"}}}}},
			{Name: "one", Fields: []string{"c"}, Comps: []string{"in"}, Single: true, Values: [][]rules.Value{{{List: []string{"p"}}}}},
		},
	}
}

// load loads the texts as the files 0.yaml, 1.yaml, ... of one directory.
func load(t *testing.T, texts ...string) (set *rules.Set, warnings string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	var names []string
	for i, text := range texts {
		name := string(rune('0'+i)) + ".yaml"
		names = append(names, name)
		write(t, name, text)
	}
	var log bytes.Buffer
	set, err = rules.Load(names, slog.New(slog.NewTextHandler(&log, nil)))
	return set, log.String(), err
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestChanges(t *testing.T) {
	changed := func(change func(*rules.Rule)) rules.Rule {
		r := baseRule()
		r.ChangedBy = []string{"1.yaml"}
		change(&r)
		return r
	}
	for name, tc := range map[string]struct {
		text string
		want rules.Rule
	}{
		"nothing":                   {``, baseRule()},
		"other items":               {"- macro: r\n  condition: x\n- list: r\n  items: [a]\n- new_item: 1\n- null", baseRule()},
		"another name":              {`- {rule: R, desc: d, condition: c, output: o, priority: ERROR}`, baseRule()},
		"old append":                {"- rule: r\n  append: true\n  enabled: false\n  tags: [x]\n  condition: or\n    d", changed(func(r *rules.Rule) { r.Condition += " or d" })},
		"old enable":                {`- {rule: r, enabled: no}`, changed(func(r *rules.Rule) { r.Enabled = false })},
		"enabled with override":     {`- {rule: r, enabled: false, override: {enabled: replace}}`, changed(func(r *rules.Rule) { r.Enabled = false })},
		"several changes, one file": {"- {rule: r, enabled: false}\n---\n- {rule: r, enabled: 'True'}", changed(func(*rules.Rule) {})},
		"append texts": {`- {rule: r, condition: or d, output: "%d", desc: More., tags: [host, x], override: {condition: append, output: append, desc: append, tags: append}}`, changed(func(r *rules.Rule) {
			r.Condition, r.Output, r.Description = r.Condition+" or d", "out %a %d", "A sentence. More."
			r.Tags = append(r.Tags, "x")
		})},
		"replace texts and append one": {`- {rule: r, condition: "'", output: o, desc: d, priority: Error, tags: [maturity_foo], exceptions: null, override: {condition: replace, output: append, desc: replace, priority: replace, tags: replace, exceptions: replace}}`, changed(func(r *rules.Rule) {
			r.Condition, r.Output, r.Description, r.Priority = "'", "out %a o", "d", alert.PriorityError
			r.Tags, r.Maturity, r.Exceptions = []string{"maturity_foo"}, "", nil
		})},
		"what a report has no use for": {`- {rule: r, capture: true, capture_duration: 5, warn_evttypes: false, skip-if-unknown-filter: true, new_key: [], override: {capture: replace, capture_duration: replace, warn_evttypes: replace, skip-if-unknown-filter: replace, new_key: invent}}`, changed(func(*rules.Rule) {})},
		"append exceptions": {"- rule: r\n  append: true\n  exceptions:\n    - {name: one, values: [q]}\n    - {name: rows, values: [[v, w]]}\n    - {name: new, fields: [f], comps: [' in '], values: [[[1, 2]]]}", changed(func(r *rules.Rule) {
			r.Exceptions[1].Values[0][0].List = []string{"p", "q"}
			r.Exceptions[0].Values = append(r.Exceptions[0].Values, []rules.Value{{Text: "v"}, {Text: "w"}})
			r.Exceptions = append(r.Exceptions, rules.Exception{Name: "new", Fields: []string{"f"}, Comps: []string{"in"}, Values: [][]rules.Value{{{List: []string{"1", "2"}}}}})
		})},
		"replace exceptions": {`- {rule: r, exceptions: [{name: e, fields: f}], override: {exceptions: replace}}`, changed(func(r *rules.Rule) {
			r.Exceptions = []rules.Exception{{Name: "e", Fields: []string{"f"}, Comps: []string{"in"}, Single: true}}
		})},
		"anchors, and Falco's answer to merge keys and doubled keys": {"- &a {new_item: 0, x: &c or d}\n- {<<: *a, rule: r, condition: *c, condition: e, override: {condition: append}}", changed(func(r *rules.Rule) { r.Condition += " or d" })},
		"redefinition": {"\n- {rule: r, desc: d, condition: c, output: o, priority: DEBUG, enabled: off, source: ''}", rules.Rule{
			Name: "r", Description: "d", Condition: "c", Output: "o", Priority: alert.PriorityDebug, Source: "syscall", File: "1.yaml", Line: 2,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			set, warnings, err := load(t, base, tc.text)
			if err != nil || warnings != "" {
				t.Errorf("error %v, warnings %s", err, warnings)
			}
			got, ok := set.Rule("r")
			if diff := cmp.Diff(tc.want, got); !ok || diff != "" {
				t.Errorf("the rule (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBadItems: an item that Falco refuses changes nothing and is named with file and line.
func TestBadItems(t *testing.T) {
	for name, tc := range map[string]struct{ item, want string }{
		"no mapping":                 {`- rule`, "not a mapping"},
		"name is a list":             {`- rule: [r]`, "rule is not a text"},
		"empty name":                 {`- rule: ""`, "rule is empty"},
		"nothing but a name":         {`- rule: r`, "neither a condition nor enabled"},
		"half a rule":                {`- {rule: r, condition: x, desc: d, output: o}`, "has no priority"},
		"empty condition":            {`- {rule: r, condition: , desc: d, output: o, priority: INFO}`, "condition is empty"},
		"bad priority":               {`- {rule: r, condition: x, desc: d, output: o, priority: HIGH}`, "none of Falco's"},
		"other source":               {`- {rule: r, condition: x, desc: d, output: o, priority: INFO, source: k8s_audit}`, "differs from"},
		"append, other source":       {`- {rule: r, condition: x, append: true, source: k8s_audit}`, "differs from"},
		"append nothing":             {`- {rule: r, append: true, enabled: false}`, "appends neither"},
		"both forms":                 {`- {rule: r, condition: x, append: true, override: {condition: append}}`, "both append and override"},
		"priority cannot be added":   {`- {rule: r, priority: ERROR, condition: x, override: {priority: append, condition: append}}`, "priority cannot be"},
		"unknown operation":          {`- {rule: r, condition: x, override: {condition: remove}}`, "condition cannot be"},
		"override without its key":   {`- {rule: r, override: {condition: append}}`, "does not have"},
		"key without its override":   {`- {rule: r, desc: x, condition: x, override: {condition: append}}`, "does not name"},
		"override is a list":         {`- {rule: r, override: [a]}`, "override is not a mapping"},
		"not defined before":         {`- {rule: s, enabled: false}`, "not defined before"},
		"no truth value":             {`- {rule: r, enabled: tRUE}`, "neither true nor false"},
		"tags are a text":            {`- {rule: r, tags: x, override: {tags: append}}`, "not a list"},
		"a tag is a mapping":         {`- {rule: r, tags: [{}], override: {tags: append}}`, "not a text"},
		"exceptions are a text":      {`- {rule: r, append: true, exceptions: x}`, "not a list"},
		"exception without fields":   {`- {rule: r, exceptions: [{name: e}], override: {exceptions: replace}}`, "has no fields"},
		"fewer comps":                {`- {rule: r, append: true, exceptions: [{name: e, fields: [a, b], comps: [in], values: [[1, 2]]}]}`, "2 fields and 1 comps"},
		"comps of another form":      {`- {rule: r, append: true, exceptions: [{name: e, fields: a, comps: [in], values: [1]}]}`, "both lists"},
		"fields for an old name":     {`- {rule: r, append: true, condition: x, exceptions: [{name: n, fields: a, values: [1]}, {name: one, fields: a, values: [1]}]}`, "only values"},
		"new exception, no values":   {`- {rule: r, append: true, exceptions: [{name: e, fields: a}]}`, "has no values"},
		"values nested too deep":     {`- {rule: r, append: true, exceptions: [{name: rows, values: [[a, [[b]]]]}]}`, "nested too deep"},
		"an alias to itself as rows": {`- {rule: r, append: true, exceptions: [{name: rows, values: &v [*v, *v]}]}`, "nested too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			set, warnings, err := load(t, base, "\n"+tc.item+"\n- {rule: last, desc: d, condition: c, output: o, priority: INFO}\n")
			if err != nil {
				t.Error(err)
			}
			if !strings.Contains(warnings, tc.want) || !strings.Contains(warnings, "file=1.yaml line=2") || strings.Count(warnings, "\n") != 1 {
				t.Errorf("warnings %s; want one about line 2 with %q", warnings, tc.want)
			}
			got, _ := set.Rule("r")
			if diff := cmp.Diff(baseRule(), got); diff != "" {
				t.Errorf("the rule changed (-want +got):\n%s", diff)
			}
			if _, ok := set.Rule("last"); !ok {
				t.Error("the item behind it is missing")
			}
		})
	}
}

func TestMisfitValuesAreLeftOut(t *testing.T) {
	set, warnings, err := load(t, base, `- {rule: r, append: true, exceptions: [{name: rows, values: [x, [1], [1, 2]]}, {name: one, values: [[a], b]}]}`)
	if err != nil || strings.Count(warnings, "do not fit") != 2 {
		t.Errorf("error %v, warnings %s; want one for each exception", err, warnings)
	}
	r, _ := set.Rule("r")
	if n := len(r.Exceptions[0].Values); n != 2 {
		t.Errorf("%d rows; want the old and the one that fits", n)
	}
	if got := r.Exceptions[1].Values[0][0].List; !slices.Equal(got, []string{"p", "b"}) {
		t.Errorf("values %q", got)
	}
}

// TestUnreadableFiles: what is no rule file is refused as a whole, and the others are loaded.
func TestUnreadableFiles(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"not YAML":              {"- rule: r\n  enabled: false\n- [", "1.yaml"},
		"broken later document": {"- {rule: r, enabled: false}\n---\n- {", "1.yaml"},
		"a mapping":             {"rule: r\nenabled: false", "line 1: not a YAML list"},
		"a text":                {"just text", "not a YAML list"},
		"invalid UTF-8":         {"- {rule: r, enabled: false}\n- \xff", "UTF-8"},
		"UTF-16":                {"\xff\xfe-\x00 \x00a\x00", "UTF-8"},
		"too large":             {"- {rule: r, enabled: false}\n#" + strings.Repeat("x", rules.MaxFileBytes), "larger than"},
		"deep flow":             {"- {rule: r, enabled: false}\n- " + strings.Repeat("[", 100_000), "depth"},
		"deep blocks":           {"- {rule: r, enabled: false}\n" + strings.Repeat("- ", 100_000), "depth"},
		"too many nodes":        {"- {rule: r, enabled: false}\n- [" + strings.Repeat("a,", 500_001) + "]", "separators"},
		"unknown anchor":        {"- *a", "anchor"},
	} {
		t.Run(name, func(t *testing.T) {
			set, _, err := load(t, base, tc.text, `- {rule: last, desc: d, condition: c, output: o, priority: INFO}`)
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 500 {
				t.Errorf("error %v; want one with %q", err, tc.want)
			}
			got, _ := set.Rule("r")
			if diff := cmp.Diff(baseRule(), got); diff != "" {
				t.Errorf("the rule changed (-want +got):\n%s", diff)
			}
			if !slices.Equal(slices.Collect(set.Names()), []string{"r", "last"}) || set.Len() != 2 {
				t.Errorf("rules %q", slices.Collect(set.Names()))
			}
		})
	}
}

func TestMaxRules(t *testing.T) {
	const more = `- {rule: s, desc: d, condition: c, output: o, priority: INFO}
- {rule: r, enabled: false}
- {rule: t, desc: d, condition: c, output: o, priority: INFO}
- {rule: t, enabled: false}`
	t.Chdir(t.TempDir())
	write(t, "a.yaml", base)
	write(t, "b.yaml", more)
	set, err := rules.LoadWithin([]string{"a.yaml", "b.yaml"}, slog.New(slog.DiscardHandler), 1<<20, 2)
	if r, _ := set.Rule("r"); set.Len() != 2 || r.Enabled || err == nil || !strings.Contains(err.Error(), "first 2 rules are kept; definitions left out: 1") {
		t.Errorf("%d rules, %+v, error %v", set.Len(), r, err)
	}
}

// TestAliasBombs: what aliases repeat counts each time.
func TestAliasBombs(t *testing.T) {
	for name, text := range map[string]string{
		"text":  "- &a {x: &c '" + strings.Repeat("x", 10_000) + "'}\n" + strings.Repeat("- {rule: r, append: true, condition: *c}\n", 101),
		"list":  "- {x: &a [" + strings.Repeat("x,", 500) + "]}\n" + strings.Repeat("- {rule: r, tags: *a, override: {tags: append}}\n", 101),
		"item":  "- &a {" + strings.Repeat("? x\n,", 500) + "}\n" + strings.Repeat("- *a\n", 101),
		"laugh": "- {x: &a [x,x,x,x,x,x,x,x,x], y: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], z: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]}\n" + strings.Repeat("- {rule: r, append: true, exceptions: [{name: e, fields: a, values: *b}]}\n", 500),
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "a.yaml", base)
			write(t, "b.yaml", text)
			set, err := rules.LoadWithin([]string{"a.yaml", "b.yaml", "a.yaml"}, slog.New(slog.DiscardHandler), 1_000_000, 10)
			if err == nil || !strings.Contains(err.Error(), "b.yaml: with it") || strings.Count(err.Error(), "\n") != 0 {
				t.Errorf("error %v; want one about b.yaml", err)
			}
			want := baseRule()
			want.File = "a.yaml"
			got, _ := set.Rule("r")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the rule changed (-want +got):\n%s", diff)
			}
			if _, err := rules.LoadWithin([]string{"a.yaml", "b.yaml"}, slog.New(slog.DiscardHandler), 8_000_000, 10); err != nil {
				t.Errorf("with eight times the room: %v", err)
			}
		})
	}
}

func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, d := range []string{"d", "d/sub.yaml", "elsewhere"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "d/b.yml", `- {rule: r, enabled: false}`)
	write(t, "d/a.yaml", base)
	write(t, "d/c.yaml.bak", `- {rule: r, enabled: true}`)
	write(t, "d/sub.yaml/x.yaml", `- {rule: r, enabled: true}`)
	write(t, "elsewhere/x", `- {rule: r, priority: ALERT, override: {priority: replace}}`)
	for _, link := range [][2]string{{"../elsewhere/x", "d/link.yaml"}, {"nowhere", "d/broken.yaml"}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	set, err := rules.Load([]string{"d", "missing"}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v; want one about the path that is missing", err)
	}
	r, _ := set.Rule("r")
	if r.Enabled || r.Priority != alert.PriorityAlert || r.File != "d/a.yaml" || !slices.Equal(r.ChangedBy, []string{"d/b.yml", "d/link.yaml"}) {
		t.Errorf("rule %+v", r)
	}
	if _, err := rules.Load([]string{filepath.Join(dir, "missing"), "/dev/null"}, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.Contains(err.Error(), "/dev/null: not a regular file") {
		t.Errorf("error %v", err)
	}
}

// TestDefaultPathsMayBeMissing: on most machines that build this, they are.
func TestDefaultPathsMayBeMissing(t *testing.T) {
	for _, p := range rules.DefaultPaths() {
		if _, err := os.Stat(p); err == nil {
			t.Skip("this machine has " + p)
		}
	}
	set, err := rules.Load(rules.DefaultPaths(), slog.New(slog.DiscardHandler))
	if err != nil || set.Len() != 0 {
		t.Errorf("%d rules, error %v", set.Len(), err)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	_, warnings, _ := load(t, strings.Repeat("- x\n", 1000))
	if n := strings.Count(warnings, "\n"); n != 21 || !strings.Contains(warnings, "count=980") {
		t.Errorf("%d lines: %s", n, warnings)
	}
}
