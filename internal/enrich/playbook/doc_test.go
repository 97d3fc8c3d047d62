package playbook_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v4"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// TestExampleOfTheDocumentation: the example of docs/playbooks.md loads, is as the schema says,
// and is found.
func TestExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../../docs/playbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/playbooks.md has no example in YAML")
	}
	l, err := embedded(t).Add(fstest.MapFS{"example.yml": {Data: []byte(example)}})
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal([]byte(example), &doc); err != nil {
		t.Fatal(err)
	}
	if err := compiled(t).Validate(doc); err != nil {
		t.Error(err)
	}
	p := l.Find(playbook.Subject{Rule: "Shop database read by a stranger", Source: "syscall"})
	if p.Rule == "" {
		t.Errorf("found %+v", p)
	}
	checkComplete(t, "the example", p)
}
