package playbook_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// readFacts reads one of the facts files, false where they are not.
func readFacts(t *testing.T, name string, to any) bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, "facts", name))
	if err != nil {
		return false
	}
	if err := json.Unmarshal(raw, to); err != nil {
		t.Fatal(err)
	}
	return true
}

// fact is what the facts say of a rule.
type fact struct {
	Name, Repo, File, Source string
	OutputFields             []string `json:"output_fields"`
}

// readRules are all rules of the facts; without them the test is skipped.
func readRules(t *testing.T) []fact {
	t.Helper()
	var out []fact
	if !readFacts(t, "falco-rules.json", &out) {
		t.Skip("the facts are not in ", shared)
	}
	return out
}

// knownFields are the fields of Falco, and those of plugins as their rules print them; nil
// where the facts are not.
func knownFields(t *testing.T) map[string]bool {
	t.Helper()
	fields.Do(func() {
		var facts struct {
			Fields []struct{ Name string }
		}
		var rules []fact
		if !readFacts(t, "falco-fields.json", &facts) || !readFacts(t, "falco-rules.json", &rules) {
			return
		}
		known = map[string]bool{"nginx.path": true} // a field that no rule prints
		for _, f := range facts.Fields {
			known[f.Name] = true
		}
		for _, r := range rules {
			for _, f := range r.OutputFields {
				known[f] = true
			}
		}
	})
	return known
}

// The facts are large and asked for often.
var (
	fields sync.Once
	known  map[string]bool
)

var index = regexp.MustCompile(`\[[^\]]*\]$`)

// isField reports whether there is such a field. The list of rules cuts names at a dash, which
// one plugin has in them.
func isField(known map[string]bool, name string) bool {
	name, _, _ = strings.Cut(name, "-")
	return known[name] || known[index.ReplaceAllString(name, "")] || strings.HasPrefix(name, "evt.arg.")
}
