package enrich_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

const ruleWithExceptions = `
- rule: Some rule
  desc: d
  condition: evt.type = open
  output: o
  priority: NOTICE
  exceptions:
    - name: single
      fields: proc.name
      values: [never]
    - name: deploy
      fields: [proc.name, proc.pname, fd.name]
      comps: ["=", in, startswith]
      values:
        - [cp, [ansible, puppet], /opt/app/]
        - [tar, [ansible], /opt/app/]
    - name: odd
      fields: [proc.name, fd.name]
      comps: [glob, "="]
      values:
        - ["c?", /nowhere]
`

// TestNearException: all but one comparison of a row hold.
func TestNearException(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(ruleWithExceptions), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Load([]string{file}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e, err := enrich.New(enrich.Options{Rules: func() *rules.Set { return set }})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		fields map[string]any
		want   string // part of a finding; with a leading ! of none
	}{
		"other path":    {map[string]any{"proc.name": "cp", "proc.pname": "puppet", "fd.name": "/opt/other"}, "Only fd.name (“/opt/other”) keeps the rule's exception “deploy” from matching: it asks for startswith “/opt/app/”."},
		"other parent":  {map[string]any{"proc.name": "cp", "proc.pname": "bash", "fd.name": "/opt/app/x"}, "Only proc.pname (“bash”) keeps the rule's exception “deploy” from matching: it asks for in “ansible”, “puppet”."},
		"second row":    {map[string]any{"proc.name": "tar", "proc.pname": "bash", "fd.name": "/opt/app/x"}, "it asks for in “ansible”."},
		"two differ":    {map[string]any{"proc.name": "cp", "proc.pname": "bash", "fd.name": "/etc/x"}, "!keeps"},
		"field missing": {map[string]any{"proc.name": "cp", "fd.name": "/opt/app/x"}, "!keeps"},
		"single field":  {map[string]any{"proc.name": "x"}, "!keeps"},
	} {
		t.Run(name, func(t *testing.T) {
			r := e.Report(withFields(t, tc.fields))
			got := strings.Join(statements(r), "\n")
			want, none := strings.CutPrefix(tc.want, "!")
			if strings.Contains(got, want) == none {
				t.Errorf("want %q in:\n%s", tc.want, got)
			}
			if harmless := strings.Join(r.GetHarmlessIf(), "\n"); strings.Contains(harmless, "exception “deploy”") == none {
				t.Errorf("harmless if %q", harmless)
			}
		})
	}
}
