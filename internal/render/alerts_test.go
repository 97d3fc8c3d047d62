package render

import (
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// TestTargets: the schema counts up to 1000 different targets and estimates more, which every
// format that is for people says.
func TestTargets(t *testing.T) {
	for distinct, want := range map[uint64]string{1: "4000", 1000: "4000 (1000 targets)", 1001: "4000 (about 1001 targets)"} {
		r := &pb.Report{Alerts: []*pb.AlertGroup{{Rule: "R", Occurrences: &pb.Occurrences{Count: 4000, Distinct: distinct}}}}
		for format, around := range map[Format][2]string{Text: {"count ", "\n"}, Markdown: {"| ", " |"}, HTML: {`data-label="Count">`, "</td>"}} {
			if page := render(t, format, r); !strings.Contains(page, around[0]+want+around[1]) {
				t.Errorf("format %v does not have %q:\n%s", format, want, page)
			}
		}
	}
}
