package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDemoIsUpToDate: go generate would change nothing.
func TestDemoIsUpToDate(t *testing.T) {
	const from = "../../../../shared/alerts"
	if _, err := os.Stat(from); err != nil {
		t.Skipf("the recorded alerts are not beside the repository: %v", err)
	}
	dir := t.TempDir()
	if err := run(from, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"demo.jsonl", "demo_data.go"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is out of date: run go generate ./internal/falcosim", name)
		}
	}
}

func TestMissingAlertIsNamed(t *testing.T) {
	if _, err := (pick{"f", "r", 2}).find(nil); err == nil || err.Error() != `f has no alert number 2 of rule "r"` {
		t.Errorf("got %v", err)
	}
}
