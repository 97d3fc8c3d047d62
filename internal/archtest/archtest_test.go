// Package archtest holds the house's import rules: data goes one way, a stage imports the
// types that all share and never another stage, and only internal/app and cmd know them all.
//
// The rules are for the program. Tests are free: they run stages together, against
// falcosim in place of Falco, and compare with other implementations.
//
// It starts no goroutine.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/falco-reporter/falco-reporter"

// root is the module's directory, from this one.
const root = "../.."

// TestImports holds the tree against the rules.
func TestImports(t *testing.T) {
	seen := 0
	for _, file := range goFiles(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("read imports: %v", err)
			continue
		}
		for _, spec := range parsed.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s: import %s: %v", file, spec.Path.Value, err)
				continue
			}
			to = strings.TrimPrefix(to, module+"/")
			if ours(to) {
				seen++
			}
			if why := fault(path.Dir(file), to); why != "" {
				t.Errorf("%s imports %s: %s", file, to, why)
			}
		}
	}
	if seen == 0 {
		t.Error("no file imports a package of this module: the test looks in the wrong place")
	}
}

// goFiles are the program's Go files, whatever their build constraints, by their paths below
// the module.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				files = append(files, name)
			}
		case name != "." && notOfThisModule(name):
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk the module: %v", err)
	}
	return files
}

// notOfThisModule reports whether Go leaves a directory out of ./... .
func notOfThisModule(dir string) bool {
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return true
	}
	_, err := os.Stat(filepath.Join(root, dir, "go.mod"))
	return err == nil
}

// TestFault shows that the rules find what they are for, and let pass what they should.
func TestFault(t *testing.T) {
	for _, test := range []struct {
		from, to string
		ok       bool
	}{
		{"internal/render", "internal/alert", true},
		{"internal/render", "gen/go/falcoreporter/v1", true},
		{"internal/render", "internal/journal", true},
		{"internal/render", "google.golang.org/protobuf/proto", true},
		{"internal/serve", "internal/text", true},
		{"internal/app", "internal/serve", true},
		{"cmd/falco-reporter", "internal/falcosim", true},
		{"cmd/falco-reporter", "internal/app", true},
		{"cmd/falco-reporter", "github.com/spf13/cobra", true},
		{"internal/enrich", "internal/enrich/attack", true},
		{"internal/enrich/attack/gen", "internal/enrich/attack", true},
		{"internal/enrich/attack/gen", "internal/enrich/attack/facts", true},
		{"internal/render/markdown", "internal/render/text", true},
		{"internal/consumer/falcogrpc", "internal/consumer", true},
		{"internal/consumer/falcogrpc", "github.com/falcosecurity/client-go/pkg/api/outputs", true},
		{"internal/falcosim", "github.com/falcosecurity/client-go/pkg/api/version", true},
		{"internal/app", "internal/journal/sqlite", true},

		{"internal/render", "internal/serve", false},
		{"internal/serve", "internal/enrich/attack", false},
		{"internal/consumer/falcohttp", "internal/consumer/falcofile", false},
		{"internal/consumer/falcogrpc", "internal/falcosim", false},
		{"internal/enrich/ancestry", "internal/enrich/attack", false},
		{"internal/text", "internal/render", false},
		{"internal/render", "internal/app", false},
		{"internal/app", "cmd/falco-reporter", false},
		{"gen/go/falcoreporter/v1", "internal/alert", false},
		{"internal/alert", "internal/journal", false},
		{"internal/alert", "internal/text", false},
		{"internal/journal", "internal/render", false},
		{"internal/serve", "internal/journal/sqlite", false},
		{"internal/app", "github.com/spf13/cobra", false},
		{"internal/app", "github.com/falcosecurity/client-go/pkg/client", false},
		{"internal/consumer/falcohttp", "github.com/falcosecurity/client-go/pkg/api/outputs", false},
	} {
		why := fault(test.from, test.to)
		if (why == "") != test.ok {
			t.Errorf("%s imports %s: got fault %q, want it allowed: %t", test.from, test.to, why, test.ok)
		}
	}
}
