package userfile_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// texts are all files of the directory "d" one after the other. One that holds "bad" does not
// load.
func texts() userfile.Subject[string] {
	locate := func() ([]string, []error) {
		files, err := filepath.Glob("d/*")
		if err != nil {
			return nil, []error{err}
		}
		return files, nil
	}
	return userfile.Subject[string]{
		Name: "texts", Locate: locate, Count: func(s *string) int { return len(*s) },
		Load: func() (*string, error) {
			var all string
			files, _ := locate()
			for _, name := range files {
				data, err := userfile.Read(name, 100)
				if err != nil {
					return &all, err
				}
				all += string(data)
			}
			if strings.Contains(all, "bad") {
				return &all, errors.New("it is bad")
			}
			return &all, nil
		},
	}
}

// watch runs a Watcher in a bubble, in a directory of its own, and hands it to the test with
// what it has logged.
func watch(t *testing.T, before func(), test func(w *userfile.Watcher[string], log *bytes.Buffer, err error)) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	before()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // written by Run, read while Run waits
		w, err := userfile.Watch(texts(), 0, slog.New(slog.NewTextHandler(&log, nil)))
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
	<-time.After(userfile.DefaultInterval)
	synctest.Wait()
}

func TestWatcherFollows(t *testing.T) {
	watch(t, func() {}, func(w *userfile.Watcher[string], log *bytes.Buffer, err error) {
		if err != nil || *w.Current() != "" {
			t.Fatalf("%q, error %v", *w.Current(), err)
		}
		steps := []struct {
			name   string
			change func() error
			want   string
		}{
			{"a new file", func() error { write(t, "d/a", "1"); return nil }, "1"},
			{"a second file", func() error { write(t, "d/b", "2"); return nil }, "12"},
			{"another size", func() error { write(t, "d/b", "22"); return nil }, "122"},
			{"another time", func() error {
				write(t, "d/b", "23")
				return os.Chtimes("d/b", time.Time{}, time.Unix(1, 0))
			}, "123"},
			{"another file of the same size and time", func() error {
				write(t, "new", "24")
				return errors.Join(os.Chtimes("new", time.Time{}, time.Unix(1, 0)), os.Rename("new", "d/b"))
			}, "124"},
			{"a file gone", func() error { return os.Remove("d/a") }, "24"},
		}
		for _, s := range steps {
			if err := s.change(); err != nil {
				t.Fatal(err)
			}
			tick()
			got := w.Current()
			if *got != s.want {
				t.Errorf("%s: %q; want %q", s.name, *got, s.want)
			}
			tick()
			if w.Current() != got {
				t.Errorf("%s: loaded again though nothing changed", s.name)
			}
		}
		if n := strings.Count(log.String(), "changed files were loaded"); n != len(steps) {
			t.Errorf("%d notices of a load; want %d", n, len(steps))
		}
	})
}

func TestWatcherKeepsTheLastGood(t *testing.T) {
	watch(t, func() { write(t, "d/a", "good") }, func(w *userfile.Watcher[string], log *bytes.Buffer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		good := w.Current()
		write(t, "d/a", "bad")
		tick()
		tick()
		if w.Current() != good || strings.Count(log.String(), "changed files do not load") != 1 {
			t.Errorf("%q, logged %s; want the old one and one line", *w.Current(), log)
		}
		write(t, "d/a", "mended")
		tick()
		if got := *w.Current(); got != "mended" {
			t.Errorf("%q; want the mended one", got)
		}
	})
}

// TestWatcherStartsWithWhatThereIs: at the start, what a failed load has loaded counts.
func TestWatcherStartsWithWhatThereIs(t *testing.T) {
	watch(t, func() { write(t, "d/a", "bad") }, func(w *userfile.Watcher[string], _ *bytes.Buffer, err error) {
		if err == nil || *w.Current() != "bad" {
			t.Errorf("%q, error %v", *w.Current(), err)
		}
	})
}

func TestRead(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "fits", "1234")
	write(t, "large", "12345")
	if err := errors.Join(os.Mkdir("dir", 0o700), syscall.Mkfifo("pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	if data, err := userfile.Read("fits", 4); err != nil || string(data) != "1234" {
		t.Errorf("%q, error %v", data, err)
	}
	for name, want := range map[string]string{
		"large": "read large: larger than 4 bytes", "dir": "read dir: not a regular file", "pipe": "read pipe: not a regular file",
		"missing": "open missing: no such file or directory",
	} {
		_, err := userfile.Read(name, 4)
		var path *fs.PathError
		if !errors.As(err, &path) || err.Error() != want {
			t.Errorf("%s: %v; want %s", name, err, want)
		}
	}
	if _, err := userfile.ReadFrom(strings.NewReader(strings.Repeat("x", 2<<20+1)), "standard input", 2<<20); err == nil || err.Error() != "read standard input: larger than 2 MiB" {
		t.Errorf("error %v", err)
	}
}

func TestYAMLSeparators(t *testing.T) {
	for text, most := range map[string]int{"": 0, "a: b": 1, "[a, b]": 2, "- a\n- b": 2, "url: http://x-y:1": 1, "a\n...\nb": 1} {
		if n := userfile.YAMLSeparators([]byte(text)); n != most {
			t.Errorf("%q has %d; want %d", text, n, most)
		}
	}
}
