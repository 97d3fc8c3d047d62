package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/app"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

// piped is a daemon that reads n alerts from a pipe, which then ends.
func piped(t *testing.T, n int, change func(*app.Options)) *app.App {
	t.Helper()
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, `{"rule":"rule %d","time":"2026-11-22T02:00:00Z","output":"x"}`+"\n", i)
	}
	opts := app.Options{
		Version: "test", Log: slog.New(slog.DiscardHandler), Inputs: app.Inputs{Stdin: strings.NewReader(in.String())},
		Joiner: func() enrich.Joiner { return incident.New(incident.Options{}) },
	}
	change(&opts)
	a, err := app.New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestTheEndOfTheInput closes what is open, and lets stdout take the time that it needs.
func TestTheEndOfTheInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newGatedWriter()
		a := piped(t, 100, func(o *app.Options) { o.Stdout, o.Render.Format = out, render.JSON })
		time.AfterFunc(time.Hour, func() { close(out.open) })
		if err := a.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if all, closed := strings.Count(out.b.String(), "\n"), strings.Count(out.b.String(), `"closed":true`); all != 200 || closed != 100 {
			t.Errorf("%d revisions, %d closed", all, closed)
		}
	})
}

// TestAStopAfterTheEnd is as bounded as any.
func TestAStopAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newGatedWriter()
		a := piped(t, 1, func(o *app.Options) { o.Stdout, o.Render.Format = out, render.JSON })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		begin := time.Now()
		err := a.Run(ctx)
		if took := time.Since(begin) - time.Hour; err == nil || !strings.Contains(err.Error(), "stdout: not finished") || took < 0 || took > 2*app.DefaultStopTimeout {
			t.Errorf("%v after the stop: %v", took, err)
		}
		close(out.open)
	})
}

// TestAStopLeavesIncidentsOpen for the next run.
func TestAStopLeavesIncidentsOpen(t *testing.T) {
	for cause, want := range map[error]int{context.Canceled: 0, app.ErrInputsEnded: 3} {
		out := new(lockedBuilder)
		d := startDaemon(t, func(o *app.Options) {
			o.Stdout, o.Render.Format = out, render.JSON
			o.Joiner = func() enrich.Joiner { return incident.New(incident.Options{}) }
		})
		d.play(0, 3)
		d.want(d.subscribe(), 0, 3)
		d.cancel(cause)
		if err := d.stop(); err != nil {
			t.Error(err)
		}
		if got := strings.Count(out.String(), `"closed":true`); got != want {
			t.Errorf("%v: %d incidents closed", cause, got)
		}
	}
}
