package enrich_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// together are n alerts of one process, received one second after another from so long after start.
func together(t *testing.T, start time.Time, first, n int) []*alert.Alert {
	t.Helper()
	out := make([]*alert.Alert, n)
	for i := range out {
		at := start.Add(time.Duration(first+i) * time.Second)
		out[i] = decode(t, fmt.Sprintf(`{"rule":"R","priority":"Notice","source":"syscall","hostname":"h","time":%q,"output":"%d","output_fields":{
			"evt.type":"openat","container.id":"host","proc.name":"x","proc.cmdline":"x y","proc.pid":100,"proc.pid.ts":%d,"fd.name":"/srv/%d"}}`,
			at.Format(time.RFC3339Nano), first+i, start.Add(-time.Hour).UnixNano(), first+i))
		out[i].ReceivedNanos = at.UnixNano()
	}
	return out
}

// appended appends alerts.
func appended(t *testing.T, j journal.Journal, alerts []*alert.Alert) {
	t.Helper()
	if _, err := j.AppendAlerts(t.Context(), alerts); err != nil {
		t.Error(err)
	}
}

// pass lets the time of a synctest bubble pass.
func pass(d time.Duration) { <-time.After(d) }

// joiner joins as a daemon does.
func joiner() enrich.Joiner { return incident.New(incident.Options{}) }

// revisions are those in the report log, in short: how many alerts they tell of, and why there is another.
func revisions(t *testing.T, j journal.Journal) string {
	t.Helper()
	entries, err := j.ReadReports(t.Context(), journal.Cursor{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[alert.ID]string)
	var out []string
	for _, e := range entries {
		var r pb.Report
		if err := proto.Unmarshal(e.Data, &r); err != nil {
			t.Fatal(err)
		}
		if names[e.ID] == "" {
			names[e.ID] = string(rune('a' + len(names)))
		}
		n := uint64(0)
		for _, g := range r.GetAlerts() {
			n += g.GetOccurrences().GetCount()
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s%d of %d %s", names[e.ID], e.Revision, n, r.GetRevisionReason())))
	}
	return strings.Join(out, "; ")
}

const oneIncident = "a1 of 1; a2 of 4 it is closed: no alert came for 30 s"

// TestABacklogGoesBeforeTheClock: alerts that were accepted, but not enriched, when a worker ended
// join their incident, however long nobody worked.
func TestABacklogGoesBeforeTheClock(t *testing.T) {
	e := enricher(t)
	for _, down := range []time.Duration{0, 5 * time.Second, 2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			j := journal.NewMemory(journal.MemoryOptions{})
			begin := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			run := func(ctx context.Context) *enrich.Worker {
				w := enrich.NewWorker(j, e, joiner, slog.New(slog.DiscardHandler))
				go func() { done <- w.Run(ctx) }()
				return w
			}
			appended(t, j, together(t, begin, 0, 1))
			run(ctx)
			synctest.Wait()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			appended(t, j, together(t, begin, 1, 3))
			pass(down)
			w := run(t.Context())
			pass(5 * time.Minute)
			w.Finish()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := revisions(t, j); got != oneIncident {
				t.Errorf("after %v: %s", down, got)
			}
		})
	}
}

// starved is a journal whose reader hardly gets to run.
type starved struct{ journal.Journal }

func (s starved) ReadAlerts(ctx context.Context, after journal.Cursor, _ int) ([]journal.AlertEntry, error) {
	pass(40 * time.Second)
	return s.Journal.ReadAlerts(ctx, after, 1)
}

// TestAStarvedWorker: what is in the log is read first, also where the time to close has passed
// before the worker came to look.
func TestAStarvedWorker(t *testing.T) {
	e := enricher(t)
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		appended(t, j, together(t, time.Now(), 0, 4))
		w := enrich.NewWorker(starved{j}, e, joiner, slog.New(slog.DiscardHandler))
		done := make(chan error, 1)
		go func() { done <- w.Run(t.Context()) }()
		pass(10 * time.Minute)
		w.Finish()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := revisions(t, j); got != oneIncident {
			t.Error(got)
		}
	})
}

// TestAWorkerThatIsBehind: alerts that waited for room in the log while enrichment was slow join
// their incident all the same.
func TestAWorkerThatIsBehind(t *testing.T) {
	e := enricher(t)
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{AlertEntries: 3})
		begin := time.Now()
		w := enrich.NewJoiningWorkerFunc(j, func(a *alert.Alert) *pb.Report {
			if a.ReceivedNanos == begin.Add(2*time.Second).UnixNano() {
				pass(2 * time.Minute)
			}
			return e.Report(a)
		}, joiner, slog.New(slog.DiscardHandler))
		done := make(chan error, 1)
		appended(t, j, together(t, begin, 0, 3))
		go func() { done <- w.Run(t.Context()) }()
		go func() {
			appended(t, j, together(t, begin, 3, 1))
			pass(100 * time.Millisecond) // until the next that waits has its turn
			appended(t, j, together(t, begin, 4, 1))
		}()
		pass(5 * time.Minute)
		w.Finish()
		if err := <-done; err != nil {
			t.Error(err)
		}
		const want = "a1 of 1; a2 of 5 it is closed: no alert came for 30 s"
		if got := revisions(t, j); got != want {
			t.Error(got)
		}
	})
}

// TestTheEndClosesIncidents, with what they had still to say, and leaves no state behind; a mere
// stop leaves them to the next worker.
func TestTheEndClosesIncidents(t *testing.T) {
	e := enricher(t)
	for name, open := range map[string]func(t *testing.T) journal.Journal{
		"memory": func(*testing.T) journal.Journal { return journal.NewMemory(journal.MemoryOptions{}) },
		"sqlite": func(t *testing.T) journal.Journal {
			j, err := journal.OpenSQLite(t.Context(), journal.SQLiteOptions{Dir: filepath.Join(t.TempDir(), "j"), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			return j
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t)
			defer func() { _ = j.Close() }()
			run := func(finish func(*enrich.Worker)) int {
				w := enrich.NewWorker(j, e, joiner, slog.New(slog.DiscardHandler))
				finish(w)
				if err := w.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				states, err := j.States(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return len(states)
			}
			now := time.Now()
			appended(t, j, together(t, now, 0, 2))
			if n := run((*enrich.Worker).Finish); n < 2 {
				t.Errorf("%d states after a stop", n)
			}
			appended(t, j, together(t, now, 2, 1))
			if n := run((*enrich.Worker).End); n > 1 {
				t.Errorf("%d states after the end", n)
			}
			if got := revisions(t, j); got != "a1 of 1; a2 of 3 it is closed: the input has ended" {
				t.Error(got)
			}
		})
	}
}
