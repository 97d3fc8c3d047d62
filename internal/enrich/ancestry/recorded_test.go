package ancestry_test

import (
	"os"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

// TestRecorded: the recorded alerts give all the links that they have, and none is complete.
func TestRecorded(t *testing.T) {
	f, err := os.Open("../../../../shared/alerts/falco-0.43-full-json.jsonl")
	if err != nil {
		t.Skipf("the recorded alerts are not here: %v", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	lines := alert.NewScanner(f)
	levels := make(map[int]int)
	for {
		line, err := lines.Next()
		if err != nil {
			break
		}
		a, err := alert.DecodeJSON(line.Raw)
		if err != nil {
			t.Fatal(err)
		}
		r := &pb.Report{}
		ancestry.Apply(a, r)
		if r.GetAncestryComplete() {
			t.Errorf("line %d is called complete", line.Line)
		}
		for i, anc := range r.GetAncestry() {
			if int(anc.GetLevel()) != i+1 || anc.Pid == nil || anc.GetName() == "" {
				t.Errorf("line %d, level %d: %v", line.Line, i+1, anc)
			}
		}
		levels[len(r.GetAncestry())]++
	}
	t.Logf("alerts by the length of their chains: %v", levels)
	if levels[4] < 17 || levels[5]+levels[6]+levels[7] == 0 {
		t.Errorf("the chains are too short: %v", levels)
	}
}
