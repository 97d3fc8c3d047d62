package app

import (
	"io"
	"log/slog"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/render"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// TestANewStdoutMissesNothing of what was gone before it came: only what is kept is behind it.
func TestANewStdoutMissesNothing(t *testing.T) {
	j := journal.NewMemory(journal.MemoryOptions{ReportEntries: 2})
	for _, id := range []alert.ID{"1", "2", "3", "4", "5"} {
		if err := j.AppendReports(t.Context(), j.Done(), []journal.Report{{ID: id, Revision: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	p, err := newPrinter(j, io.Discard, render.Options{Format: render.JSON}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.place(t.Context()); err != nil {
		t.Fatal(err)
	}
	stats, err := j.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if behind, pruned := serve.Unread(p.at.Load(), stats.Reports); behind != 2 || pruned != 0 {
		t.Errorf("%d behind, %d of them gone; want the 2 that are kept", behind, pruned)
	}
}
