package redact_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/redact"
)

// lines calls each with the lines of some files. It skips the test where there are none.
func lines(t *testing.T, pattern string, each func(line string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Skipf("no files %s: %v", pattern, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			each(line)
		}
	}
}

// TestOurTextsStay: nothing that the playbooks say is taken for a secret.
func TestOurTextsStay(t *testing.T) {
	lines(t, "../enrich/playbook/books/*.yaml", func(line string) {
		r := &pb.Report{Meaning: line}
		if out := redact.Report(r); out != r {
			t.Errorf("%s\n became %s", line, out.GetMeaning())
		}
	})
}

// TestRecordedAlertsStay: the recorded alerts have no secrets, and their evidence stays.
func TestRecordedAlertsStay(t *testing.T) {
	e, err := enrich.New(enrich.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	lines(t, "../../../shared/alerts/*-json.jsonl", func(line string) {
		if line == "" {
			return
		}
		a, err := alert.DecodeJSON([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		r := e.Report(a)
		if out := redact.Report(r); out != r {
			t.Errorf("(-original +redacted):\n%s", cmp.Diff(r, out, protocmp.Transform()))
		}
		n++
	})
	if n < 100 {
		t.Errorf("only %d alerts were read", n)
	}
}
