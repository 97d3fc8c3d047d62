package enrich_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

// expectation is one section of docs/reports/expected.md.
type expectation struct {
	file    string
	line    int
	rule    string
	urgency string
	summary string
	lists   map[string][]string // by their label
}

// TestExpectedReports: what was written down by hand before the program was asked stands in its
// reports, word for word.
func TestExpectedReports(t *testing.T) {
	recordings := filepath.Join("..", "..", "..", "shared", "alerts")
	if _, err := os.Stat(recordings); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	all := readExpectations(t, filepath.Join("..", "..", "docs", "reports", "expected.md"))
	if len(all) < 10 {
		t.Fatalf("%d expectations; want at least 10", len(all))
	}
	for _, want := range all {
		t.Run(want.file+" "+strconv.Itoa(want.line), func(t *testing.T) {
			r := enricher(t).Report(decode(t, recorded(t, filepath.Join(recordings, want.file), want.line)))
			if r.GetTitle() != want.rule {
				t.Fatalf("the alert is of rule %q, not %q", r.GetTitle(), want.rule)
			}
			level := strings.ToLower(strings.TrimPrefix(r.GetUrgency().GetLevel().String(), "URGENCY_LEVEL_"))
			if got := level + ". " + r.GetUrgency().GetWhy(); got != want.urgency {
				t.Errorf("urgency:\n%s\nwant:\n%s", got, want.urgency)
			}
			if r.GetSummary() != want.summary {
				t.Errorf("summary:\n%s\nwant:\n%s", r.GetSummary(), want.summary)
			}
			want.holds(t, "Shown", statements(r))
			want.holds(t, "Not shown", r.GetNotShown())
			want.holds(t, "Harmless if", r.GetHarmlessIf())
			if got := firstScreen(t, r); !slices.Equal(got, want.lists["First screen"]) {
				t.Errorf("first screen:\n- %s\nwant:\n- %s", strings.Join(got, "\n- "), strings.Join(want.lists["First screen"], "\n- "))
			}
			if got, first := titles(r.GetActions(), 2), want.lists["First actions"]; !slices.Equal(got, first) {
				t.Errorf("first actions %q; want %q", got, first)
			}
		})
	}
}

// holds checks that every expected statement of a list is among those of the report.
func (e expectation) holds(t *testing.T, label string, got []string) {
	t.Helper()
	if len(e.lists[label]) == 0 {
		t.Errorf("nothing is expected under %q", label)
	}
	for _, s := range e.lists[label] {
		if !slices.Contains(got, s) {
			t.Errorf("%s: %q is not among\n%s", label, s, strings.Join(got, "\n"))
		}
	}
}

// firstScreen is what the Markdown report says below its title, urgency and place, and before all
// sections, a line for each label and action.
func firstScreen(t *testing.T, r *pb.Report) []string {
	t.Helper()
	text, err := render.Append(nil, render.Markdown, r)
	if err != nil {
		t.Fatal(err)
	}
	screen, _, _ := strings.Cut(string(text), "\n## ")
	var out []string
	for line := range strings.Lines(screen) {
		line = strings.TrimRight(line, "\n")
		if item, ok := strings.CutPrefix(line, "- **"); ok && !strings.HasSuffix(item, ":**") {
			out = append(out, strings.Replace(item, ":**", ":", 1))
		}
		if item, ok := strings.CutPrefix(line, "  "); ok {
			number, title, _ := strings.Cut(item, ". ")
			out = append(out, "Do first "+number+": "+title)
		}
	}
	return out
}

func titles(actions []*pb.Action, n int) []string {
	var out []string
	for _, a := range actions[:min(n, len(actions))] {
		out = append(out, a.GetTitle())
	}
	return out
}

// recorded is a line of a recording.
func recorded(t *testing.T, file string, line int) string {
	t.Helper()
	n, out := 0, ""
	eachLine(t, file, func(raw []byte) {
		if n++; n == line {
			out = string(raw)
		}
	})
	if out == "" {
		t.Fatalf("%s has no line %d", file, line)
	}
	return out
}

// readExpectations reads the page: a heading "FILE, line N: RULE", labelled lines, and lists
// under a label. A line that begins with "Corrected:" is for people.
func readExpectations(t *testing.T, page string) []expectation {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []expectation
	label := ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			out = append(out, newExpectation(t, heading))
			continue
		}
		if len(out) == 0 || line == "" {
			continue
		}
		last := &out[len(out)-1]
		switch name, text, _ := strings.Cut(line, ": "); {
		case strings.HasPrefix(line, "- "):
			last.lists[label] = append(last.lists[label], line[2:])
		case name == "Urgency":
			last.urgency = text
		case name == "Summary":
			last.summary = text
		case name == "Corrected":
		case strings.HasSuffix(line, ":"):
			label = strings.TrimSuffix(line, ":")
		default:
			t.Fatalf("%s: a line that the test cannot read: %q", page, line)
		}
	}
	return out
}

func newExpectation(t *testing.T, heading string) expectation {
	t.Helper()
	file, rest, ok1 := strings.Cut(heading, ", line ")
	number, rule, ok2 := strings.Cut(rest, ": ")
	line, err := strconv.Atoi(number)
	if !ok1 || !ok2 || err != nil {
		t.Fatalf("heading %q is not FILE, line N: RULE", heading)
	}
	return expectation{file: file, line: line, rule: rule, lists: map[string][]string{}}
}
