package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/falcosim"
)

var update = flag.Bool("update", false, "write the golden files anew")

// report runs the report command.
func report(t *testing.T, format, in string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run([]string{"report", "-o", format, "--rules="}, strings.NewReader(in), &out, &errs); status != exitOK {
		t.Fatalf("status %d: %s", status, &errs)
	}
	return out.String()
}

// golden compares with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); after reading the difference: go test ./cmd/falco-reporter -update\n%s", file, diff)
	}
}

// TestReportsAsTheyComeOut: what people get for the bundled alerts, in every format.
func TestReportsAsTheyComeOut(t *testing.T) {
	alerts := string(falcosim.DemoAlerts())
	for format, name := range map[string]string{"markdown": "demo.md", "text": "demo.txt", "json": "demo.jsonl"} {
		t.Run(format, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "golden", name), report(t, format, alerts))
		})
	}
}

// TestDocumentedReports: the reports of the sample alerts in docs, and the beginning of the
// first in the README.
func TestDocumentedReports(t *testing.T) {
	root := filepath.Join("..", "..")
	lines := strings.SplitAfterN(string(falcosim.DemoAlerts()), "\n", 4)
	first := report(t, "markdown", lines[0])
	for i, name := range []string{"fileless-execution.md", "fileless-execution-fewer-fields.md", "fileless-execution-name-only.md"} {
		golden(t, filepath.Join(root, "docs", "reports", name), report(t, "markdown", lines[i]))
	}
	screen, _, ok := strings.Cut(strings.TrimPrefix(first, "# "), "\n## ")
	if !ok {
		t.Fatalf("no sections in:\n%s", first)
	}
	title, rest, _ := strings.Cut(screen, "\n")
	excerpt := "> **" + title + "**" + strings.ReplaceAll(strings.TrimRight("\n"+rest, "\n"), "\n", "\n> ")
	excerpt = strings.ReplaceAll(excerpt, "> \n", ">\n")

	readme := filepath.Join(root, "README.md")
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- report:begin -->\n", "<!-- report:end -->"
	before, tail, ok1 := strings.Cut(string(raw), begin)
	_, after, ok2 := strings.Cut(tail, end)
	if !ok1 || !ok2 {
		t.Fatal("the README lacks the marks around the report")
	}
	golden(t, readme, before+begin+"\n"+excerpt+"\n\n"+end+after)
}
