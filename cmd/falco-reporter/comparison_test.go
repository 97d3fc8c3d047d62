package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
)

// TestComparison: what docs/reports/README.md says of the samples and of our reports is so.
func TestComparison(t *testing.T) {
	reports := filepath.Join("..", "..", "docs", "reports")
	page := read(t, filepath.Join(reports, "README.md"))
	bundled := strings.Split(string(falcosim.DemoAlerts()), "\n")
	seeds := map[string]string{"fileless-execution.md": bundled[0], "fileless-execution-fewer-fields.md": bundled[1], "fileless-execution-name-only.md": bundled[2]}
	compared := 0
	for _, section := range strings.Split(page, "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		ours, sample, ok := strings.Cut(heading, " beside ")
		if !ok {
			continue
		}
		raw, known := seeds[ours]
		if !known {
			t.Fatalf("heading %q names no report of ours", heading)
		}
		a, err := alert.DecodeJSON([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		c := comparison{report: read(t, filepath.Join(reports, ours)), sample: sampleText(t, sample), alert: a}
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "| \"") || strings.HasPrefix(line, "| `") {
				compared++
				c.row(t, line)
			}
		}
	}
	if compared < 15 {
		t.Errorf("%d rows were compared; want at least 15", compared)
	}
}

// comparison is one sample and our report of the same alert.
type comparison struct {
	report string
	sample string // empty where the samples are not beside the repository
	alert  *alert.Alert
}

var (
	quotation = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	fieldName = regexp.MustCompile("`([^`]+)`")
)

// row checks one row: a claim of the sample or a field, and what we say in its place.
func (c comparison) row(t *testing.T, line string) {
	t.Helper()
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
	said, fields := cells[1], cells[0]
	if len(cells) == 4 {
		said, fields = cells[2], cells[3]
		claim := quoted(t, cells[0])
		if c.sample != "" && !strings.Contains(c.sample, claim) {
			t.Errorf("the sample does not say %q", claim)
		}
		if strings.Contains(c.report, claim) {
			t.Errorf("our report says %q too", claim)
		}
	}
	if text := quoted(t, said); !strings.Contains(c.report, text) {
		t.Errorf("our report does not say %q", text)
	}
	named := fieldName.FindAllStringSubmatch(fields, -1)
	if len(named) == 0 && !strings.Contains(fields, "playbook") {
		t.Errorf("no source in %s", line)
	}
	for _, f := range named {
		if _, ok := c.alert.Lookup(f[1]); !ok {
			t.Errorf("the alert has no field %s", f[1])
		}
	}
}

// quoted is what a cell has between quotation marks.
func quoted(t *testing.T, cell string) string {
	t.Helper()
	m := quotation.FindStringSubmatch(cell)
	if m == nil {
		t.Fatalf("no quotation in %q", cell)
	}
	return strings.ReplaceAll(m[1], `\"`, `"`)
}

// sampleText is a sample report, empty where the samples are not beside the repository.
func sampleText(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "seeds", name))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestSamplesFaults: what the samples get wrong in general stands in none of our golden reports
// as advice or as a claim.
func TestSamplesFaults(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden reports: %v", err)
	}
	for _, file := range files {
		text := read(t, file)
		for _, fault := range []string{"seccomp=unconfined", "action: block", "action: deny", "falco.conf", "ASLR=on", "DEP=on", "create_executable", "was exploited by", "exploited a vulnerability"} {
			if strings.Contains(text, fault) {
				t.Errorf("%s says %q", file, fault)
			}
		}
	}
}
