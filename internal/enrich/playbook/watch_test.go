package playbook_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// means is what the library says of rule A, "" for nothing of its own.
func means(l *playbook.Library) string {
	if p := l.Specific(playbook.Subject{Rule: "A"}); p != nil {
		return p.Means
	}
	return ""
}

// TestWatcher: a broken file at the start is told, and leaves ours; what changes is loaded, and
// what changes into something that does not load changes nothing.
func TestWatcher(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "d/a.yaml", "- [")
	synctest.Test(t, func(t *testing.T) {
		const interval = 5 * time.Second
		var log bytes.Buffer // written by Run, read while Run waits
		w, err := playbook.NewWatcher([]string{"d"}, interval, slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil || !strings.Contains(err.Error(), "d/a.yaml") {
			t.Errorf("error %v; want one that names the file", err)
		}
		if p := w.Current().Find(playbook.Subject{Source: "syscall"}); p.Source != "syscall" {
			t.Errorf("found %+v", p)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		for _, s := range []struct{ text, means, log string }{
			{one(), "Something happened.", "changed files were loaded"},
			{one("phase: contain", "phase: block"), "Something happened.", "changed files do not load"},
			{one("happened", "was mended"), "Something was mended.", "changed files were loaded"},
		} {
			log.Reset()
			write(t, "d/a.yaml", s.text)
			<-time.After(interval)
			synctest.Wait()
			if means(w.Current()) != s.means || !strings.Contains(log.String(), s.log) {
				t.Errorf("%q, logged %s; want %q", means(w.Current()), log.String(), s.means)
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// TestLoad: a later path goes before an earlier one, a path may be a file, and everything that
// is wrong is told.
func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "a.yaml", one())
	write(t, "b.yaml", one("happened", "came later"))
	l, err := playbook.Load([]string{"a.yaml", "b.yaml"})
	if err != nil || means(l) != "Something came later." {
		t.Errorf("%v; want the later", err)
	}
	if err := errors.Join(os.Mkdir("d", 0o700), os.Rename("a.yaml", "d/a.yaml"), os.Rename("b.yaml", "d/b.yaml"), syscall.Mkfifo("pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	write(t, "big.yaml", strings.Repeat("#", playbook.MaxFileBytes+1))
	_, err = playbook.Load([]string{"d", "missing.yaml", "pipe", "big.yaml"})
	for _, want := range []string{"d/b.yaml: there are two for rule:A", "missing.yaml: no such file", "pipe: not a regular file", "big.yaml: larger than 4 MiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q in it", err, want)
		}
	}
}
