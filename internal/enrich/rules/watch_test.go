package rules_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

const interval = 5 * time.Second

// watch runs a Watcher of the path "d" in a bubble, in a directory of its own, and hands it to
// the test with what it has logged.
func watch(t *testing.T, before func(), test func(w *rules.Watcher, log *bytes.Buffer, err error)) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	before()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // written by Run, read while Run waits
		w, err := rules.NewWatcher([]string{"d"}, interval, slog.New(slog.NewTextHandler(&log, nil)))
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

func TestWatcherFollows(t *testing.T) {
	watch(t, func() {}, func(w *rules.Watcher, log *bytes.Buffer, err error) {
		if err != nil || w.Current().Len() != 0 {
			t.Fatalf("%d rules, error %v", w.Current().Len(), err)
		}
		steps := []struct {
			name    string
			change  func() error
			enabled bool
			rules   int
		}{
			{"a new file", func() error { return os.WriteFile("d/a.yaml", []byte(base), 0o600) }, true, 1},
			{"a second file", func() error { return os.WriteFile("d/b.yaml", []byte(`- {rule: r, enabled: no }`), 0o600) }, false, 1},
			{"another size", func() error { return os.WriteFile("d/b.yaml", []byte(`- {rule: r, enabled: true}`), 0o600) }, true, 1},
			{"another time", func() error {
				return errors.Join(os.WriteFile("d/b.yaml", []byte(`- {rule: r, enabled: off }`), 0o600), os.Chtimes("d/b.yaml", time.Time{}, time.Unix(1, 0)))
			}, false, 1},
			{"another file of the same size and time", func() error {
				return errors.Join(os.WriteFile("d/new", []byte(`- {rule: r, enabled: True}`), 0o600), os.Chtimes("d/new", time.Time{}, time.Unix(1, 0)), os.Rename("d/new", "d/b.yaml"))
			}, true, 1},
			{"a file gone", func() error { return os.Remove("d/a.yaml") }, false, 0},
		}
		for _, s := range steps {
			if err := s.change(); err != nil {
				t.Fatal(err)
			}
			tick()
			set := w.Current()
			if r, _ := set.Rule("r"); set.Len() != s.rules || r.Enabled != s.enabled {
				t.Errorf("%s: %d rules, %+v", s.name, set.Len(), r)
			}
			tick()
			if w.Current() != set {
				t.Errorf("%s: loaded again though nothing changed", s.name)
			}
		}
		if n := strings.Count(log.String(), "were loaded"); n != len(steps) {
			t.Errorf("%d notices of a load; want %d", n, len(steps))
		}
	})
}

func TestWatcherKeepsTheOldSet(t *testing.T) {
	watch(t, func() { write(t, "d/a.yaml", base) }, func(w *rules.Watcher, log *bytes.Buffer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		old := w.Current()
		write(t, "d/a.yaml", "- [")
		tick()
		tick()
		if w.Current() != old || strings.Count(log.String(), "do not load") != 1 {
			t.Errorf("%d rules, logged %s; want the old ones and one line", w.Current().Len(), log)
		}
		write(t, "d/a.yaml", base+"  enabled: false\n")
		tick()
		if r, _ := w.Current().Rule("r"); r.Name == "" || r.Enabled {
			t.Errorf("rule %+v; want it repaired", r)
		}
	})
}

// TestWatcherStartsWithWhatThereIs: a broken file at the start is told, and costs no other.
func TestWatcherStartsWithWhatThereIs(t *testing.T) {
	watch(t, func() { write(t, "d/a.yaml", base); write(t, "d/b.yaml", "- [") }, func(w *rules.Watcher, _ *bytes.Buffer, err error) {
		if err == nil || w.Current().Len() != 1 {
			t.Errorf("%d rules, error %v", w.Current().Len(), err)
		}
	})
}
