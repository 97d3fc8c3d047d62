package playbook_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"go.yaml.in/yaml/v4"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// compiled is the schema, ready for use.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(playbook.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("playbooks.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("playbooks.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaAllowsTheEmbedded: every book of ours is as the schema says.
func TestSchemaAllowsTheEmbedded(t *testing.T) {
	s := compiled(t)
	for name, data := range bookFiles(t) {
		var doc any
		if err := yaml.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaHasTheMembersOfTheTypes: the schema describes each member of the Go types, and no
// other.
func TestSchemaHasTheMembersOfTheTypes(t *testing.T) {
	type object struct {
		Properties map[string]struct {
			Description string
			Enum        []string
		}
	}
	var schema struct {
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(playbook.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]reflect.Type{"playbook": reflect.TypeFor[playbook.Playbook](), "case": reflect.TypeFor[playbook.Case](), "action": reflect.TypeFor[playbook.Action]()} {
		var want, got []string
		for f := range of.Fields() {
			want = append(want, f.Tag.Get("yaml"))
		}
		for member, p := range schema.Defs[name].Properties {
			got = append(got, member)
			if p.Description == "" {
				t.Errorf("%s.%s is not described", name, member)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("members of %s (-Go +schema):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(playbook.Phases(), schema.Defs["action"].Properties["phase"].Enum); diff != "" {
		t.Errorf("phases (-Go +schema):\n%s", diff)
	}
}

// TestSchemaAgreesWithTheLoader: what one refuses the other refuses. JSON is YAML, so that one
// document serves both.
func TestSchemaAgreesWithTheLoader(t *testing.T) {
	s := compiled(t)
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		data, err := json.Marshal(document(t))
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		bySchema := s.Validate(instance)
		_, byLoader := playbook.Parse(data)
		if bySchema == nil && misplaced(byLoader) {
			return // a schema does not see where a placeholder stands
		}
		if (bySchema == nil) != (byLoader == nil) {
			t.Fatalf("%s\nschema: %v\nloader: %v", data, bySchema, byLoader)
		}
		if byLoader == nil {
			taken++
		} else {
			refused++
		}
	})
	if taken == 0 || refused == 0 {
		t.Errorf("%d documents were taken and %d refused: the generator is one-sided", taken, refused)
	}
}

// misplaced reports whether an error is about where a placeholder stands.
func misplaced(err error) bool {
	return err != nil && regexp.MustCompile(`the placeholder \{\{.*\}\} stands|in the place of its`).MatchString(err.Error())
}

// document draws a playbook file that is sound but for at most three slips.
func document(t *rapid.T) any {
	action := map[string]any{"phase": rapid.SampledFrom(playbook.Phases()).Draw(t, "phase"), "title": "Look here"}
	if rapid.Bool().Draw(t, "with snippet") {
		action["language"], action["tool"], action["snippet"] = "sh", "procps 3", "ps {{proc.pid|proc.vpid}}"
	}
	book := map[string]any{
		rapid.SampledFrom([]string{"rule", "technique", "tactic", "source"}).Draw(t, "subject"): "x",
		"means": "It is.", "harmless_if": []any{"it is"}, "impact": []any{"It could."}, "actions": []any{action},
	}
	only := map[string]any{"field": "fd.name", "has": "shadow", "impact": []any{"It could."}}
	if rapid.Bool().Draw(t, "with case") {
		book["cases"], book["events"], book["with_source"] = []any{only}, []any{"file"}, []any{"contain"}
	}
	doc := map[string]any{"playbooks": []any{book}}
	for range rapid.IntRange(0, 3).Draw(t, "slips") {
		to := rapid.SampledFrom([]map[string]any{doc, book, book, only, only, action, action, action}).Draw(t, "where")
		key := rapid.SampledFrom(members).Draw(t, "key")
		if rapid.IntRange(0, 3).Draw(t, "drop") == 0 {
			delete(to, key)
		} else {
			to[key] = rapid.SampledFrom(values).Draw(t, "value")
		}
	}
	return doc
}

// What a slip can be about, and what it can put there.
var (
	members = []string{
		"playbooks", "rule", "technique", "tactic", "source", "means", "not_shown", "harmless_if", "impact", "actions",
		"events", "with_source", "cases", "field", "is", "has",
		"phase", "when", "parent", "title", "why", "language", "tool", "snippet", "general", "reference", "unknown",
	}
	values = []any{
		nil, 5, true, 1.5, "", " ", "x", "a b c d e f g h", "a b c d e f g h i", "verify", "kubernetes", "process", "json", "perl",
		"https://x", "http://x", "{{a}}", "{{ a | b }} }}", "{{a", "{{}}", "{{a|}}", "{{a b}}", "{{{a}}", "{a} {", "x {{a}}{{b}}{",
		"{{@time-2h}} {{@rfc3339}}", "{{@time-0h}}", "{{@now}}", "{{a|@time+15m}}", "{{@same:a}}", "{{@same:@time}}", "a|b", "a||b", "a@same:b",
		[]any{},
		[]any{"x"},
		[]any{"file"},
		[]any{"tune"},
		[]any{5},
		[]any{nil},
		[]any{map[string]any{}},
		map[string]any{},
		map[string]any{"x": "y"},
	}
)

// TestParseRefuses is about what a schema does not see, since it is about text and not values.
func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a second document": {one() + "---\n" + one(), "more than one"},
		"a number":          {one("title: Look", "title: 5"), `line 7: "5" is no text`},
		"a date":            {one("rule: A", "rule: 2026-01-01"), "is no text"},
		"a doubled member":  {one("means:", "rule: B\n    means:"), "line 3"},
		"no list":           {"{}", "no list of playbooks"},
	} {
		if _, err := playbook.Parse([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v; want %q", name, err, tc.want)
		}
	}
}
