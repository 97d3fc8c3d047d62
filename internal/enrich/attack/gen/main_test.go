package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// factsDir is where the gathered facts are, beside the repository.
const factsDir = "../../../../../shared/facts"

func TestRegenerate(t *testing.T) {
	if _, err := os.Stat(factsDir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the gathered facts about ATT&CK are not beside this repository")
	}
	out := filepath.Join(t.TempDir(), "facts.json")
	var stderr strings.Builder
	if code := run([]string{"-facts", factsDir, "-o", out}, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../facts.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("facts.json is not what the generator makes: run go generate")
	}
}

func TestAddTags(t *testing.T) {
	for name, tc := range map[string]struct {
		tag  tag
		want map[string]string // aliases
		err  string
	}{
		"regular":            {tag: tag{Tag: "T1059", Technique: "T1059"}, want: map[string]string{}},
		"misspelt tactic":    {tag: tag{Tag: "mitre_Exekution", TacticID: "TA0002"}, want: map[string]string{"mitre_exekution": "TA0002"}},
		"misspelt revoked":   {tag: tag{Tag: "mitre_zip", Technique: "T1002"}, want: map[string]string{"mitre_zip": "T1560"}},
		"not ATT&CK's":       {tag: tag{Tag: "host"}, want: map[string]string{}},
		"contradiction":      {tag: tag{Tag: "T1059", Technique: "T1083"}, err: `"T1059"`},
		"should not":         {tag: tag{Tag: "mitre_execution"}, err: "mitre_execution"},
		"irregular, no id":   {tag: tag{Tag: "impact"}, want: map[string]string{}},
		"named, no id in it": {tag: tag{Tag: "data-destruction", Technique: "T1485"}, want: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := readFacts(t)
			f.Aliases = map[string]string{}
			err := addTags(f, []tag{tc.tag})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got error %v, want one with %q", err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, f.Aliases); diff != "" || err != nil {
				t.Errorf("error %v, aliases %s", err, diff)
			}
		})
	}
}

// readFacts reads the committed facts.
func readFacts(t *testing.T) *facts.File {
	t.Helper()
	data, err := os.ReadFile("../facts.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := facts.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFollow(t *testing.T) {
	byID := map[string]technique{
		"A": {ID: "A", Revoked: true, RevokedBy: "B", FinalReplacement: "C"},
		"B": {ID: "B", Revoked: true, RevokedBy: "C", FinalReplacement: "D"},
		"C": {ID: "C"},
		"D": {ID: "D", Deprecated: true},
		"E": {ID: "E", Revoked: true, RevokedBy: "D", FinalReplacement: "D"},
		"F": {ID: "F", Revoked: true, RevokedBy: "G"},
		"G": {ID: "G", Revoked: true, RevokedBy: "F"},
		"H": {ID: "H", Revoked: true, RevokedBy: "Z"},
	}
	for id, want := range map[string]string{"A": "C", "B": "not its final", "E": "not live", "F": "circle", "H": "unknown"} {
		got, err := follow(byID, byID[id])
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s leads to %q, want %q", id, got, want)
		}
	}
}
