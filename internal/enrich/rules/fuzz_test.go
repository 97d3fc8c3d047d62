package rules_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// FuzzLoad: whatever a file says, loading ends, every rule that it yields is whole, and a
// second load yields the same.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte("- rule: r\n  append: true\n  condition: x\n  exceptions: [{name: one, values: [q]}]"))
	f.Add([]byte("- {rule: r, tags: [a], output: o, override: {tags: append, output: replace}}\n---\n- {rule: r, enabled: off}"))
	f.Add([]byte("- &a {rule: r, condition: &c x, x: [*c]}\n- *a\n# comment\n- list: l\n  items: [a]\n..."))
	dir := f.TempDir()
	first, second := filepath.Join(dir, "1.yaml"), filepath.Join(dir, "2.yaml")
	if err := os.WriteFile(first, []byte(base), 0o600); err != nil {
		f.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(second, data, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := rules.Load([]string{first, second}, log)
		again, err2 := rules.Load([]string{first, second}, log)
		if (err == nil) != (err2 == nil) || set.Len() < 1 || set.Len() != len(slices.Collect(set.Names())) {
			t.Fatalf("errors %v and %v, %d rules", err, err2, set.Len())
		}
		for name := range set.Names() {
			r, ok := set.Rule(name)
			if !ok || name == "" || r.Name != name || r.Priority == alert.PriorityUnknown || r.Source == "" || r.File == "" || r.Line < 1 {
				t.Errorf("rule %q is not whole: %+v", name, r)
			}
			if !utf8.ValidString(r.Name+r.Description+r.Condition+r.Output) || len(r.Condition) > 2*len(base)+2*len(data) {
				t.Errorf("rule %q has broken texts: %+v", name, r)
			}
			for _, e := range r.Exceptions {
				for _, row := range e.Values {
					if len(e.Fields) == 0 || len(e.Comps) != len(e.Fields) || len(row) != len(e.Fields) {
						t.Errorf("exception %+v of rule %q is not whole", e, name)
					}
				}
			}
			other, _ := again.Rule(name)
			if diff := cmp.Diff(r, other); diff != "" {
				t.Errorf("the second load differs:\n%s", diff)
			}
		}
	})
}
