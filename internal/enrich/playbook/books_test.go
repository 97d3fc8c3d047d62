package playbook_test

import (
	"os"
	"path/filepath"
	"testing"
)

// bookFiles are the embedded files by name.
func bookFiles(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("books/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no books: %v", err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}
