package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSilencesFile: what is no file of a size that people write is refused, and does not block.
func TestSilencesFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"large": {"silences:\n#" + strings.Repeat("x", maxSilencesBytes), "larger than 1 MiB"},
		"dense": {"silences: [" + strings.Repeat("{},", maxSilencesSeparators), "YAML separators are more than"},
		"many":  {"silences: [" + strings.Repeat("{},", maxSilences+1) + "]", "1001 silences are more than"},
		"pipe":  {"", "not a regular file"},
	} {
		file := filepath.Join(dir, name)
		if tc.text != "" {
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readSilences(file); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
}
