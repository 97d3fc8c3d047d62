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

// TestWatcher: a broken file at the start is told and costs no other; what changes is loaded,
// and what changes into something that does not load changes nothing.
func TestWatcher(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "d/a.yaml", base)
	write(t, "d/b.yaml", "- [")
	synctest.Test(t, func(t *testing.T) {
		const interval = 5 * time.Second
		var log bytes.Buffer // written by Run, read while Run waits
		w, err := rules.NewWatcher([]string{"d"}, interval, slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil || w.Current().Len() != 1 {
			t.Errorf("%d rules, error %v", w.Current().Len(), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		for _, s := range []struct {
			b       string
			enabled bool
			log     string
		}{
			{"- {rule: r, enabled: no }", false, "changed files were loaded"},
			{"- {rule: r, enabled: true", false, "changed files do not load"},
			{"- {rule: r, enabled: true}", true, "changed files were loaded"},
		} {
			log.Reset()
			write(t, "d/b.yaml", s.b)
			<-time.After(interval)
			synctest.Wait()
			if r, _ := w.Current().Rule("r"); r.Enabled != s.enabled || !strings.Contains(log.String(), s.log) {
				t.Errorf("%s: rule %+v, logged %s", s.b, r, log.String())
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}
