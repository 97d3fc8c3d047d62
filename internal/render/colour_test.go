package render

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// ansi is a mark for colour.
var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func coloured(t *testing.T, r *pb.Report) string {
	t.Helper()
	s, err := NewStream(Options{Format: Text, Colour: true})
	if err != nil {
		t.Fatal(err)
	}
	return string(s.End(s.Append(nil, r)))
}

// TestColour checks that marks are all that colour adds, that each ends, and that hostile text
// neither makes nor moves one.
func TestColour(t *testing.T) {
	all := reports(t)
	all["everything"] = everything()
	for name, r := range all {
		out := coloured(t, r)
		if d := cmp.Diff(render(t, Text, r), ansi.ReplaceAllString(out, "")); d != "" {
			t.Errorf("%s: colour changes the text:\n%s", name, d)
		}
		marks := ansi.FindAllString(out, -1)
		for i, m := range marks {
			if (m == unmarked) != (i%2 == 1) || len(marks)%2 != 0 {
				t.Fatalf("%s: a mark does not end before the next: %q", name, marks)
			}
		}
	}
	for _, s := range nasty {
		hostile, harmless := poisoned(everything(), s)
		got, want := ansi.FindAllString(coloured(t, hostile), -1), ansi.FindAllString(coloured(t, harmless), -1)
		if !slices.Equal(got, want) {
			t.Errorf("%q changes the marks", s)
		}
	}
	for level, want := range map[pb.UrgencyLevel]string{
		pb.UrgencyLevel_URGENCY_LEVEL_PAGE: boldRed + "PAGE:", pb.UrgencyLevel_URGENCY_LEVEL_TODAY: boldYellow + "TODAY:",
		pb.UrgencyLevel_URGENCY_LEVEL_RECORD: bold + "RECORD:", pb.UrgencyLevel_URGENCY_LEVEL_UNSPECIFIED: bold + "REPORT:",
	} {
		if out := coloured(t, &pb.Report{Urgency: &pb.Urgency{Level: level}}); !strings.Contains(out, want+unmarked) {
			t.Errorf("%s: no %q", level, want)
		}
	}
}
