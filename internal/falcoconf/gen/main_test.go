package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// factsDir is where the gathered facts are, beside the repository.
const factsDir = "../../../../shared/facts"

func TestRegenerate(t *testing.T) {
	if _, err := os.Stat(factsDir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the gathered facts about Falco's fields are not beside this repository")
	}
	out := filepath.Join(t.TempDir(), "fields.json")
	var stderr strings.Builder
	if code := run([]string{"-facts", factsDir, "-o", out}, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../fields.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("fields.json is not what the generator makes: run go generate")
	}
}
