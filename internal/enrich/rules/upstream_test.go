package rules_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// shared is where the upstream rule files and the facts about them are.
const shared = "../../../../shared"

// upstream are the upstream rule files.
func upstream(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(shared, "falco-rules/*.yaml"))
	if err != nil || len(files) == 0 {
		tb.Skip("the upstream rule files are not in ", shared)
	}
	return files
}

// fact is what the facts say of a rule.
type fact struct {
	Name, Repo, File, Source, Priority, Maturity string
	Enabled                                      bool
	Tags                                         []string
}

// coreFacts are the facts about the rules of falcosecurity/rules.
func coreFacts(t *testing.T) []fact {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared, "facts/falco-rules.json"))
	if err != nil {
		t.Skip("the facts are not in ", shared)
	}
	var facts []fact
	if err := json.Unmarshal(data, &facts); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Repo != "falcosecurity/rules" })
}

// TestUpstream finds every core rule, as the facts have it. The upstream file of deprecated
// rules may be empty; its rules are then in none.
func TestUpstream(t *testing.T) {
	files := upstream(t)
	set, err := rules.Load(files, slog.New(slog.NewTextHandler(failOnWarning{t}, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, f := range coreFacts(t) {
		file := filepath.Join(shared, "falco-rules", filepath.Base(f.File))
		if info, err := os.Stat(file); err == nil && info.Size() == 0 {
			continue
		}
		want++
		r, ok := set.Rule(f.Name)
		if !ok {
			t.Errorf("no rule %q", f.Name)
			continue
		}
		if r.Priority != alert.ParsePriority(f.Priority) || r.Source != f.Source || r.Maturity != f.Maturity || r.Enabled != f.Enabled ||
			!slices.Equal(r.Tags, f.Tags) || r.File != file || r.Line < 1 || len(r.ChangedBy) > 0 {
			t.Errorf("rule %+v; the facts say %+v", r, f)
		}
		if r.Description == "" || r.Condition == "" || r.Output == "" {
			t.Errorf("rule %q lacks a text: %+v", f.Name, r)
		}
	}
	if set.Len() != want || want < 90 {
		t.Errorf("%d rules; want %d", set.Len(), want)
	}
}

// failOnWarning fails the test on every line that is logged.
type failOnWarning struct{ t *testing.T }

func (f failOnWarning) Write(p []byte) (int, error) {
	f.t.Errorf("logged: %s", p)
	return len(p), nil
}

// BenchmarkLoadUpstream loads the upstream files.
func BenchmarkLoadUpstream(b *testing.B) {
	files := upstream(b)
	log := slog.New(slog.DiscardHandler)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rules.Load(files, log); err != nil {
			b.Fatal(err)
		}
	}
}
