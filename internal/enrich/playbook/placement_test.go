package playbook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// TestEmbeddedPlacements: the embedded books, which are not looked at so at each start, stand
// the look that users' playbooks get.
func TestEmbeddedPlacements(t *testing.T) {
	for name, data := range bookFiles(t) {
		if _, err := playbook.Check(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// withSnippet is a file with one playbook that has the snippet.
func withSnippet(t *testing.T, language, tool, snippet string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"playbooks": []any{map[string]any{
		"rule": "A", "means": "It is.", "harmless_if": []string{"it is"}, "impact": []string{"It could."},
		"actions": []any{map[string]string{"phase": "verify", "title": "Look", "language": language, "tool": tool, "snippet": snippet}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPlacement: a placeholder stands where its value stays one word, text or setting; anywhere
// else the playbook is refused, with where it stands.
func TestPlacement(t *testing.T) {
	const falco = "Falco 0.38, in a rules file"
	for _, tc := range []struct{ language, snippet, want string }{
		{"sh", "ls {{x}} --at={{x|y}} /proc/{{x}}/exe {{x}}:{{y}}", ""},
		{"sh", "for f in {{x}} b; do A={{x}} cat \"$f\" < {{x}} > e-{{x}}; done; case {{x}} in {{y}}) ls;; esac", ""},
		{"sh", `echo "$(ps -p {{x}})" $(( $(ps -o uid= -p {{x}}) + 1 )) && diff <(ls {{x}}) b`, ""},
		{"sh", `sh -c 'cat "$1"' sh {{x}}; grep -c {{x}} a; journalctl --since={{@time-2h}}`, ""},
		{"sh", "if {{@same:x}}; then ls; fi; ! {{@same:x}} || {{@same:x}} && ls", ""},
		{"sh", "ls\necho '{{x}}'", "line 2: the placeholder {{x}} stands between quotes"},
		{"sh", "echo ' {{x}} '", "between quotes"},
		{"sh", `echo "a {{x}}"`, "between double quotes"},
		{"sh", `echo "{{@time}}"`, "between double quotes"},
		{"sh", `echo $'{{x}}'`, "between quotes"},
		{"sh", `echo $"{{x}}"`, "between double quotes"},
		{"sh", `echo $'\'' {{x}} $'\''`, ""},
		{"sh", `echo $'\'' {{x}} $'\'' '`, "a shell does not understand it"},
		{"sh", `echo \{{x}}`, "between quotes"},
		{"sh", `echo ${{x}}`, "variable"},
		{"sh", `echo $a{{x}}`, "variable"},
		{"sh", `echo ${a:-{{x}}}`, "variable"},
		{"sh", "echo `ls {{x}}`", "backquotes"},
		{"sh", "cat <<E\n{{x}}\nE", "here-document"},
		{"sh", "cat <<'E'\n{{x}}\nE", "here-document"},
		{"sh", "cat <<E\n$(ls {{x}})\nE", "here-document"},
		{"sh", "cat <<{{x}}\na\nv0v\n1000\n", "here-document"},
		{"sh", "ls # {{x}}", "comment"},
		{"sh", "echo $(({{x}} + 1))", "arithmetic"},
		{"sh", "((a = {{x}}))", "arithmetic"},
		{"sh", "let a={{x}}", "arithmetic"},
		{"sh", "[[ {{x}} -eq 1 ]]", "[[ ]]"},
		{"sh", "a[{{x}}]=1", "a"},
		{"sh", "{{x}} --version", "in the place of a command"},
		{"sh", "ls && {{x}}", "in the place of a command"},
		{"sh", "{{x}}=1 ls", "stands"},
		{"sh", "eval {{x}}", "behind eval"},
		{"sh", "ssh host cat {{x}}", "behind ssh"},
		{"sh", "kubectl exec p -- /bin/sh -ec {{x}}", "as the program for sh -ec"},
		{"sh", "python3 -c{{x}}", "as the program for python3 -c"},
		{"sh", "echo {{x}}>a", "stands"}, // a number there says what is redirected
		{"sh", "echo {{@same:x}}", "where no command begins"},
		{"sh", "echo '{{@same:x}}'", "where no command begins"},
		{"sh", "if {{@same:x|y}}; then ls; fi", "no alternatives"},
		{"sh", "echo ( {{x}}", "a shell does not understand it"},
		{"yaml", "- list: a\n  items: [{{x}}, b]\n  more:\n    - {{x}}\n", ""},
		{"yaml", "a: {{x}}\n---\nb: {{y}}\n", ""},
		{"yaml", "a: '{{x}}'", "within a text"},
		{"yaml", "a: b-{{x}}", "within a text"},
		{"yaml", "a: |\n  b {{x}}\n", "within a text"},
		{"yaml", "a: b # {{x}}", "within a text"},
		{"yaml", "a: \"{{x}}\"", "no YAML"},
		{"yaml", "- macro: m\n  condition: >-\n    or (a.b = {{x}} and c in (d,{{y}}))\n", ""},
		{"yaml", "- macro: m\n  condition: >-\n    or a.b = '{{x}}'\n", "within a text"},
		{"yaml", "- macro: m\n  condition: >-\n    or a.b = \"c {{x}}\"\n", "within a text"},
		{"yaml", "- macro: m\n  condition: >-\n    or a.b = c{{x}}\n", "within a text"},
		{"yaml", "- macro: m\n  condition: or a.b = {{x}}\n", "no YAML"},
		{"yaml", "- rule: m\n  output: >-\n    a {{x}}\n", "within a text"},
		{"json", `{"a": [{{x}}, 1], "b": {{y}}}`, ""},
		{"json", `{{{x}}: "b"}`, "names no field"},
		{"json", `{ {{x}}: "b"}`, "no JSON"},
		{"json", `{"a": "{{x}}"}`, "no JSON"},
		{"json", `{"a": "b {{x}}"}`, "no JSON"},
		{"json", `{"a": b{{x}}}`, "no JSON"},
		{"ini", "[a]\nb = c {{x}}\nAllowUsers {{y}}\n", ""},
		{"ini", "[{{x}}]\na = b\n", "in a comment, a section or a name"},
		{"ini", "# {{x}}\n", "in a comment"},
		{"ini", "a\n{{x}} = b\n", "line 2"},
	} {
		_, err := playbook.Parse(withSnippet(t, tc.language, falco, tc.snippet))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %q: error %v; want %q", tc.language, tc.snippet, err, tc.want)
		}
	}
	// A condition means something to Falco alone.
	if _, err := playbook.Parse(withSnippet(t, "yaml", "my-tool 1", "condition: >-\n  a = {{x}}\n")); err == nil {
		t.Error("a value within a text for another tool is taken")
	}
}

// TestPlaceholderOutsideOfSnippets: nobody fills it in there.
func TestPlaceholderOutsideOfSnippets(t *testing.T) {
	for _, change := range [][2]string{
		{"means: Something", "means: '{{proc.name}}'"},
		{"it is planned", "'{{proc.name}}'"},
		{"Things break.", "'{{proc.name}}'"},
		{"title: Stop it", "title: Stop {{proc.name}}"},
		{"why: To stop it.", "why: '{{proc.name}}'"},
		{"tool: procps 3", "tool: '{{proc.name}}'"},
	} {
		_, err := playbook.Parse([]byte(strings.Replace(one(), change[0]+" happened.", change[1], 1)))
		if err == nil {
			_, err = playbook.Parse([]byte(strings.Replace(one(), change[0], change[1], 1)))
		}
		if err == nil || !strings.Contains(err.Error(), "has a placeholder, and a reader would see it") {
			t.Errorf("%s: error %v", change[1], err)
		}
	}
}
