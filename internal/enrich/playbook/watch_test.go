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

const interval = 5 * time.Second

// watch runs a Watcher of the path "d" in a bubble, in a directory of its own, and hands it to
// the test with what it has logged.
func watch(t *testing.T, before func(), test func(w *playbook.Watcher, log *bytes.Buffer, err error)) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	before()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // written by Run, read while Run waits
		w, err := playbook.NewWatcher([]string{"d"}, interval, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		test(w, &log, err)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// tick lets the Watcher look once.
func tick() {
	<-time.After(interval)
	synctest.Wait()
}

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

func TestWatcherFollows(t *testing.T) {
	watch(t, func() {}, func(w *playbook.Watcher, log *bytes.Buffer, err error) {
		if err != nil || means(w.Current()) != "" {
			t.Fatalf("%q, error %v", means(w.Current()), err)
		}
		steps := []struct {
			name   string
			change func()
			want   string
		}{
			{"a new file", func() { write(t, "d/a.yaml", one()) }, "Something happened."},
			{"another size", func() { write(t, "d/a.yaml", one("happened", "occurred here")) }, "Something occurred here."},
			{"another time", func() {
				write(t, "d/a.yaml", one("happened", "occurred twic"))
				if err := os.Chtimes("d/a.yaml", time.Time{}, time.Unix(1, 0)); err != nil {
					t.Fatal(err)
				}
			}, "Something occurred twic."},
			{"a file gone", func() {
				if err := os.Remove("d/a.yaml"); err != nil {
					t.Fatal(err)
				}
			}, ""},
		}
		for _, s := range steps {
			s.change()
			tick()
			l := w.Current()
			if means(l) != s.want {
				t.Errorf("%s: %q; want %q", s.name, means(l), s.want)
			}
			tick()
			if w.Current() != l {
				t.Errorf("%s: loaded again though nothing changed", s.name)
			}
		}
		if n := strings.Count(log.String(), "were loaded"); n != len(steps) {
			t.Errorf("%d notices of a load; want %d", n, len(steps))
		}
	})
}

func TestWatcherKeepsTheLastGood(t *testing.T) {
	watch(t, func() { write(t, "d/a.yml", one()) }, func(w *playbook.Watcher, log *bytes.Buffer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		good := w.Current()
		write(t, "d/a.yml", one("phase: contain", "phase: block"))
		tick()
		tick()
		if w.Current() != good || strings.Count(log.String(), "do not load") != 1 {
			t.Errorf("%q, logged %s; want the old one and one line", means(w.Current()), log)
		}
		write(t, "d/a.yml", one("happened", "was mended"))
		tick()
		if got := means(w.Current()); got != "Something was mended." {
			t.Errorf("%q; want the mended one", got)
		}
	})
}

// TestWatcherStartsWithTheEmbedded: a broken file at the start is told, and leaves ours.
func TestWatcherStartsWithTheEmbedded(t *testing.T) {
	watch(t, func() { write(t, "d/a.yaml", "- [") }, func(w *playbook.Watcher, _ *bytes.Buffer, err error) {
		if err == nil || !strings.Contains(err.Error(), "d/a.yaml") {
			t.Errorf("error %v; want one that names the file", err)
		}
		if p := w.Current().Find(playbook.Subject{Source: "syscall"}); p.Source != "syscall" {
			t.Errorf("found %+v", p)
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
