package playbook_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// snippetColumns are what a line of a snippet has on a terminal of 80 columns: the text report
// puts it ten columns in.
const snippetColumns = 70

// The pieces of a snippet that cannot be broken: a word of a shell with its quotes, an option
// and its value, and what stands between the and and or of a condition.
var (
	shellPiece     = regexp.MustCompile(`(?s)(?:\s-{1,2}[A-Za-z][A-Za-z-]*\s+)?(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+`)
	conditionPiece = regexp.MustCompile(`(?:\s*(?:and|or) )?.+?(?: and| or|\n|$)`)
)

// TestSnippetsFitATerminal: a line of a snippet that no value makes longer fits, unless it is one
// piece, with at most what goes on behind it. A piece over several lines is a program in quotes, which is not looked into.
func TestSnippetsFitATerminal(t *testing.T) {
	pieces := map[string]*regexp.Regexp{"sh": shellPiece, "yaml": conditionPiece}
	all := maps.Collect(embedded(t).All())
	for _, key := range slices.Sorted(maps.Keys(all)) {
		for _, a := range all[key].Actions {
			for _, text := range []string{a.Snippet, a.General} {
				text = placeholder.ReplaceAllString(text, "")
				if pieces[a.Language] == nil || a.Language == "yaml" && !strings.Contains(text, "condition:") || strings.Contains(text, "<<") {
					continue
				}
				checkWidth(t, key, text, pieces[a.Language].FindAllStringIndex(text, -1))
			}
		}
	}
}

// checkWidth looks at the lines of a text with the pieces.
func checkWidth(t *testing.T, key, text string, pieces [][]int) {
	t.Helper()
	start := 0
	for line := range strings.Lines(text) {
		end := start + len(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if len(strings.TrimSuffix(line, "\n")) > snippetColumns && !slices.ContainsFunc(pieces, func(p []int) bool {
			piece := strings.TrimSpace(text[p[0]:p[1]])
			return p[0] < end && p[1] > start && (strings.Contains(piece, "\n") || indent+len(piece) > snippetColumns-len(`do |`))
		}) {
			t.Errorf("%s: %d columns, want at most %d:\n%s", key, len(line)-1, snippetColumns, line)
		}
		start = end
	}
}

// TestGuardsFitATerminal: so does the test for a process, and what is said without it, with the
// values that they can have.
func TestGuardsFitATerminal(t *testing.T) {
	n := 0
	for _, f := range forms(t, "sh") {
		for line := range strings.Lines(f.text) {
			guard := strings.Contains(line, "etimes=") || strings.Contains(line, "date +%s) -") || strings.Contains(line, "That process has ended")
			if guard && len(strings.ReplaceAll(line, "1234", "4194304")) > snippetColumns+1 {
				t.Errorf("%s: %s", f.name, line)
			}
			if guard {
				n++
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d guards were looked at", n)
	}
}
