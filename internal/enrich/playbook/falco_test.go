package playbook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// shared is where the upstream rule files and the facts about them are.
const shared = "../../../../shared"

// falcoItem is an item of a Falco rule file, as far as a snippet may use it.
type falcoItem struct {
	Rule       string
	List       string
	Macro      string
	Items      []string
	Condition  string
	Enabled    *bool
	Exceptions []struct {
		Name   string
		Fields []string
		Comps  []string
		Values [][]any
	}
	Override map[string]string
}

// changes are the items of a snippet.
func changes(t *testing.T, f form) []falcoItem {
	t.Helper()
	var items []falcoItem
	if err := yaml.Load([]byte(f.text), &items, yaml.WithKnownFields()); err != nil || len(items) == 0 {
		t.Errorf("%s: %v\n%s", f.name, err, f.text)
	}
	return items
}

// checkFalco holds a snippet against the grammar of rule files, as far as that can be done
// without them: each item changes one thing, by an override, with fields and operators that
// Falco has.
func checkFalco(t *testing.T, f form) {
	t.Helper()
	for _, item := range changes(t, f) {
		var has []string
		for member, there := range map[string]bool{"items": item.Items != nil, "condition": item.Condition != "", "enabled": item.Enabled != nil, "exceptions": item.Exceptions != nil} {
			if there {
				has = append(has, member)
			}
		}
		if overridden := slices.Sorted(maps.Keys(item.Override)); !slices.Equal(has, overridden) || len(has) != 1 {
			t.Errorf("%s: the item has %q, and its override names %q", f.name, has, overridden)
		}
		how := item.Override[strings.Join(has, "")]
		switch {
		case item.Condition != "":
			checkCondition(t, f, item, how)
		case item.Enabled != nil && how != "replace", how != "append" && how != "replace":
			t.Errorf("%s: override %q of %q", f.name, how, has)
		}
		for _, word := range item.Items {
			if w := (&filter{rest: word}); w.take(value) != word {
				t.Errorf("%s: %q is no value of a list", f.name, word)
			}
		}
		for _, e := range item.Exceptions {
			checkException(t, f, e.Fields, e.Comps, e.Values)
		}
		if !atLeast(f.action.Tool, "Falco", "0.38") {
			t.Errorf("%s: override needs Falco 0.38; the tool is %q", f.name, f.action.Tool)
		}
	}
}

// checkCondition parses a condition with something in the place of what it is appended to.
func checkCondition(t *testing.T, f form, item falcoItem, how string) {
	t.Helper()
	text := item.Condition
	if how == "append" {
		text = "the_one_before " + text
	}
	parsed, err := parseFilter(text)
	if err != nil {
		t.Errorf("%s: %v", f.name, err)
		return
	}
	if how == "append" && item.Rule != "" && parsed.or {
		t.Errorf("%s: %q widens the rule", f.name, item.Condition)
	}
	checkFields(t, f, parsed.fields)
}

func checkException(t *testing.T, f form, fields, comps []string, rows [][]any) {
	t.Helper()
	if len(fields) == 0 || len(fields) != len(comps) || len(rows) == 0 {
		t.Errorf("%s: %d fields, %d comps, %d rows", f.name, len(fields), len(comps), len(rows))
	}
	for _, c := range comps {
		if c != "in" && operator.FindString(c) != c {
			t.Errorf("%s: there is no operator %q", f.name, c)
		}
	}
	for _, row := range rows {
		for i, v := range row {
			if _, list := v.([]any); i < len(comps) && list != (comps[i] == "in") {
				t.Errorf("%s: %v with %s", f.name, v, comps[i])
			}
		}
	}
	checkFields(t, f, fields)
}

// checkFields holds fields against those that Falco and its plugins have.
func checkFields(t *testing.T, f form, fields []string) {
	t.Helper()
	known := knownFields(t)
	for _, name := range fields {
		if known != nil && !isField(known, name) {
			t.Errorf("%s: there is no field %s", f.name, name)
		}
	}
}

// definition is what a rule file defines.
type definition struct{ Rule, List, Macro, Condition string }

// upstream is what the rule files define, by file.
type upstream struct {
	files map[string][]definition
}

// readUpstream reads the rule files of ../shared; those that are not there, or empty, are
// known by testdata/plugin-names.json, where the names that we use were noted.
func readUpstream(t *testing.T) (upstream, []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(shared, "falco-rules/*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Skip("the upstream rule files are not in ", shared)
	}
	u := upstream{make(map[string][]definition)}
	var noted map[string]struct{ Lists, Macros []string }
	if err := json.Unmarshal([]byte(testdata(t, "plugin-names.json")), &noted); err != nil {
		t.Fatal(err)
	}
	for file, names := range noted {
		for _, name := range names.Lists {
			u.files[file] = append(u.files[file], definition{List: name})
		}
		for _, name := range names.Macros {
			u.files[file] = append(u.files[file], definition{Macro: name})
		}
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var items []definition
		if err := yaml.Unmarshal(data, &items); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		u.files[filepath.Base(path)] = append(u.files[filepath.Base(path)], items...)
	}
	return u, paths
}

// find is the item that a change is for, in the file that it is loaded after.
func (u upstream) find(file string, change definition) *definition {
	for i, item := range u.files[file] {
		if item.Rule == change.Rule && item.List == change.List && item.Macro == change.Macro {
			return &u.files[file][i]
		}
	}
	return nil
}

// after names the file that a snippet is loaded after.
var after = regexp.MustCompile(`in a rules file loaded after (\S+\.yaml|your own allowed_containers)$`)

// TestFalcoChangesWhatThereIs: lists, macros and rules that a snippet changes are in the file
// that it names, what is appended to a condition holds for all of it, and our own reader of
// rule files takes every change.
func TestFalcoChangesWhatThereIs(t *testing.T) {
	u, paths := readUpstream(t)
	stubs := u.stubs(t)
	byForm := map[string][]string{"plain": {}, "hostile": {}, "none": {}}
	dir := t.TempDir()
	for i, f := range forms(t, "yaml") {
		file := after.FindStringSubmatch(f.action.Tool)
		if file == nil {
			continue
		}
		for _, item := range changes(t, f) {
			found := u.find(file[1], definition{Rule: item.Rule, List: item.List, Macro: item.Macro})
			if found == nil {
				t.Errorf("%s: %s%s%s is not in %s", f.name, item.Rule, item.List, item.Macro, file[1])
			} else if found.Condition != "" && item.Override["condition"] == "append" {
				checkAppended(t, f, *found, item)
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("%03d.yaml", i))
		if err := os.WriteFile(path, []byte("# "+f.name+"\n"+f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		kind := f.name[strings.LastIndex(f.name, "(")+1 : len(f.name)-1]
		byForm[kind] = append(byForm[kind], path)
	}
	for kind, files := range byForm {
		var log bytes.Buffer
		set, err := rules.Load(slices.Concat(paths, []string{stubs}, files), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
		if err != nil || log.Len() > 0 || set.Len() < 300 {
			t.Errorf("snippets with values %q: %d rules, %v\n%s", kind, set.Len(), err, log.String())
		}
	}
}

// checkAppended parses the condition that comes about.
func checkAppended(t *testing.T, f form, before definition, change falcoItem) {
	t.Helper()
	parsed, err := parseFilter(before.Condition)
	if err != nil {
		t.Fatalf("upstream: %v", err)
	}
	if parsed.or && strings.HasPrefix(change.Condition, "and") {
		t.Errorf("%s: what is appended binds to the last alternative only:\n%s", f.name, before.Condition)
	}
	if _, err := parseFilter(before.Condition + " " + change.Condition); err != nil {
		t.Errorf("%s: %v", f.name, err)
	}
}

// stubs writes a rule file with the rules of the facts whose own file is not here, and adds
// them to what is known.
func (u upstream) stubs(t *testing.T) string {
	t.Helper()
	var out []map[string]any
	for _, r := range readRules(t) {
		file := filepath.Base(r.File)
		item := definition{Rule: r.Name}
		if u.find(file, item) != nil || strings.HasPrefix(file, "dummy") { // those share a name
			continue
		}
		u.files[file] = append(u.files[file], item)
		out = append(out, map[string]any{"rule": r.Name, "desc": "x", "condition": "evt.type exists", "output": "x", "priority": "INFO", "source": r.Source})
	}
	data, err := yaml.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "stubs.yaml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkFalcoConfig holds a piece of falco.yaml against the keys that there are.
func checkFalcoConfig(t *testing.T, f form) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(f.text), &doc); err != nil {
		t.Errorf("%s: %v", f.name, err)
		return
	}
	known := words(t, "falco_config.txt")
	var walk func(prefix string, n *yaml.Node)
	walk = func(prefix string, n *yaml.Node) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			key := prefix + n.Content[i].Value
			since, ok := known[key]
			if !ok || !atLeast(f.action.Tool, "Falco", since) {
				t.Errorf("%s: falco.yaml has no %s, or %q is older than %s", f.name, key, f.action.Tool, since)
			}
			walk(key+".", n.Content[i+1])
		}
	}
	for _, n := range doc.Content {
		walk("", n)
	}
}

// TestFilter shows that the grammar takes Falco's own conditions and refuses what it should.
func TestFilter(t *testing.T) {
	for _, text := range []string{"", "a.b", "a.b =", "a.b = x y", "a.b = x and", "a.b in (x", "a.b like x", "(a.b = x", "not", "a.b = x=y", "a or or b"} {
		if _, err := parseFilter(text); err == nil {
			t.Errorf("%q parses", text)
		}
	}
	u, _ := readUpstream(t)
	n := 0
	for file, items := range u.files {
		for _, item := range items {
			if item.Condition == "" {
				continue
			}
			n++
			if _, err := parseFilter(item.Condition); err != nil {
				t.Errorf("%s: %s%s: %v", file, item.Rule, item.Macro, err)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d conditions were read", n)
	}
}
