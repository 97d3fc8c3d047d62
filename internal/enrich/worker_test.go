package enrich_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// numbered are alerts of rules named by their number.
func numbered(t *testing.T, from, n int) []*alert.Alert {
	t.Helper()
	out := make([]*alert.Alert, n)
	for i := range out {
		out[i] = decode(t, fmt.Sprintf(`{"rule":"rule %d","time":"2024-10-05T13:00:46Z","output":"%d"}`, from+i, from+i))
	}
	return out
}

// reported are the titles in the report log.
func reported(t *testing.T, j journal.Journal) []string {
	t.Helper()
	stats, err := j.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	if stats.Reports.Entries == 0 {
		return nil
	}
	entries, err := j.ReadReports(t.Context(), journal.Cursor{}, int(stats.Reports.Entries))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var r pb.Report
		if err := proto.Unmarshal(e.Data, &r); err != nil {
			t.Fatal(err)
		}
		if r.GetId() != string(e.ID) || r.GetRevision() != e.Revision {
			t.Errorf("report %s revision %d is kept as %s, %d", r.GetId(), r.GetRevision(), e.ID, e.Revision)
		}
		out = append(out, r.GetTitle())
	}
	return out
}

// TestWorkerAccountsForEveryAlert: in order, each once, those too that come just before the
// end, and after a stop those that were left.
func TestWorkerAccountsForEveryAlert(t *testing.T) {
	e := enricher(t)
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		appendTo := func(from, n int) {
			if _, err := j.AppendAlerts(t.Context(), numbered(t, from, n)); err != nil {
				t.Fatal(err)
			}
		}
		appendTo(0, 150)
		ctx, cancel := context.WithCancel(t.Context())
		w := enrich.NewWorker(j, e, nil, slog.New(slog.DiscardHandler))
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled worker returned %v", err)
		}
		appendTo(150, 10)
		w = enrich.NewWorker(j, e, nil, slog.New(slog.DiscardHandler))
		go func() { done <- w.Run(t.Context()) }()
		synctest.Wait()
		appendTo(160, 200)
		w.Finish()
		if err := <-done; err != nil {
			t.Errorf("a finished worker returned %v", err)
		}
		got := reported(t, j)
		for i, title := range got {
			if title != fmt.Sprintf("rule %d", i) {
				t.Fatalf("report %d is of %q", i, title)
			}
		}
		if s := w.Stats(); len(got) != 360 || s.Alerts != 210 || s.Revisions != 210 || s.Plain != 0 {
			t.Errorf("%d reports, %+v", len(got), s)
		}
	})
}

// TestAnAlertThatBreaksEnrichment is reported plainly, and the rest goes on.
func TestAnAlertThatBreaksEnrichment(t *testing.T) {
	e := enricher(t)
	tries := 0
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		w := enrich.NewWorkerFunc(j, func(a *alert.Alert) *pb.Report {
			if a.Rule == "rule 1" {
				tries++
				panic("injected") //nolint:forbidigo // the fault that is injected
			}
			return e.Report(a)
		}, slog.New(slog.DiscardHandler))
		if _, err := j.AppendAlerts(t.Context(), numbered(t, 0, 3)); err != nil {
			t.Fatal(err)
		}
		w.Finish()
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(reported(t, j)); got != "[rule 0 rule 1 rule 2]" || tries != 3 {
			t.Errorf("reports %s after %d tries", got, tries)
		}
		if s := w.Stats(); s.Plain != 1 || s.Alerts != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestWorkerEndsWithTheJournal rather than spin on it.
func TestWorkerEndsWithTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		w := enrich.NewWorker(j, nil, nil, slog.New(slog.DiscardHandler))
		time.AfterFunc(time.Second, func() { _ = j.Close() })
		if err := w.Run(t.Context()); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

// TestReportOrPlain: a defect of enrichment costs the meaning of one report, not the program.
func TestReportOrPlain(t *testing.T) {
	a := numbered(t, 0, 1)[0]
	r, err := new(enrich.Enricher).ReportOrPlain(a) // one that knows nothing breaks on everything
	if err == nil || r.GetTitle() != "rule 0" || r.GetAlert().GetId() != string(a.ID) {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := enricher(t).ReportOrPlain(a); err != nil || r.GetSummary() == "" {
		t.Errorf("%v, %v", r, err)
	}
}

// TestTextThatIsNoUTF8 does not stop the worker, nor cost a report.
func TestTextThatIsNoUTF8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		w := enrich.NewWorkerFunc(j, func(a *alert.Alert) *pb.Report {
			return &pb.Report{
				Id: string(a.ID), Revision: 1, Title: a.Rule, Summary: "a\xff", NotShown: []string{"b\xff"},
				Process: &pb.Process{Name: "c\xff"}, Event: &pb.Event{Arguments: map[string]string{"d\xff": "e\xff"}},
			}
		}, slog.New(slog.DiscardHandler))
		if _, err := j.AppendAlerts(t.Context(), numbered(t, 0, 2)); err != nil {
			t.Fatal(err)
		}
		w.Finish()
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(reported(t, j)); got != "[rule 0 rule 1]" {
			t.Errorf("reports %s", got)
		}
	})
}

// unreadable is a Joiner that cannot take up what was kept, and then joins nothing.
type unreadable struct{ enrich.Joiner }

func (unreadable) Restore(s []journal.State, _ func(alert.ID) (*alert.Alert, *pb.Report, bool)) error {
	if len(s) > 0 {
		panic("injected") //nolint:forbidigo // the fault that is injected
	}
	return nil
}

func (unreadable) Add(_ uint64, _ *alert.Alert, r *pb.Report) []*pb.Report { return []*pb.Report{r} }

func (unreadable) Next() (time.Time, bool)  { return time.Time{}, false }
func (unreadable) Changed() []journal.State { return nil }
func (unreadable) End(int) []*pb.Report     { return nil }

// TestStateThatCannotBeTakenUp does not keep the daemon down: it goes, and new incidents begin.
func TestStateThatCannotBeTakenUp(t *testing.T) {
	e := enricher(t)
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		if err := j.AppendReports(t.Context(), journal.Cursor{}, nil,
			journal.State{Key: enrich.StatePrefix + "k", Data: []byte("x")}, journal.State{Key: "another's", Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if _, err := j.AppendAlerts(t.Context(), numbered(t, 0, 2)); err != nil {
			t.Fatal(err)
		}
		w := enrich.NewWorker(j, e, func() enrich.Joiner { return unreadable{} }, slog.New(slog.DiscardHandler))
		w.Finish()
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		states, err := j.States(t.Context())
		if got := fmt.Sprint(reported(t, j)); err != nil || len(states) != 1 || states[0].Key != "another's" || got != "[rule 0 rule 1]" {
			t.Errorf("reports %s, %d states, %v", got, len(states), err)
		}
	})
}

// faulty is a Joiner that fails when it is to tell something by itself. The first one has
// something to tell, and keeps a state.
type faulty struct {
	enrich.Joiner
	first bool
}

func (f *faulty) Restore(s []journal.State, _ func(alert.ID) (*alert.Alert, *pb.Report, bool)) error {
	f.first = f.first || len(s) > 0
	return nil
}

func (f *faulty) Add(_ uint64, _ *alert.Alert, r *pb.Report) []*pb.Report { return []*pb.Report{r} }
func (f *faulty) Next() (time.Time, bool)                                 { return time.Now(), f.first }

func (f *faulty) Advance(time.Time) []*pb.Report { panic("injected") } //nolint:forbidigo // the fault

func (f *faulty) End(int) []*pb.Report {
	if f.first {
		panic("injected") //nolint:forbidigo // the fault
	}
	return nil
}

func (f *faulty) Changed() []journal.State {
	if !f.first {
		return nil
	}
	return []journal.State{{Key: enrich.StatePrefix + "k", Data: []byte("x")}}
}

// TestTellingThatFails does not end the daemon, neither in time nor at the end of the input, and
// what it failed on is not taken up again.
func TestTellingThatFails(t *testing.T) {
	e := enricher(t)
	for name, wait := range map[string]time.Duration{"in time": time.Minute, "at the end": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := journal.NewMemory(journal.MemoryOptions{})
				made := 0
				w := enrich.NewWorker(j, e, func() enrich.Joiner { made++; return &faulty{first: made == 1} }, slog.New(slog.DiscardHandler))
				done := make(chan error, 1)
				go func() { done <- w.Run(t.Context()) }()
				for n := range 2 {
					if _, err := j.AppendAlerts(t.Context(), numbered(t, n, 1)); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					<-time.After(wait)
				}
				w.End()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				states, err := j.States(t.Context())
				if got := fmt.Sprint(reported(t, j)); err != nil || len(states) != 0 || made != 2 || got != "[rule 0 rule 1]" {
					t.Errorf("reports %s, %d states, %d Joiners, %v", got, len(states), made, err)
				}
			})
		})
	}
}

// hoarder is a Joiner whose state is too large for any journal.
type hoarder struct{ enrich.Joiner }

func (hoarder) Add(_ uint64, _ *alert.Alert, r *pb.Report) []*pb.Report { return []*pb.Report{r} }
func (hoarder) Next() (time.Time, bool)                                 { return time.Time{}, false }

func (hoarder) Changed() []journal.State {
	return []journal.State{{Key: "small", Data: []byte("x")}, {Key: "large", Data: make([]byte, journal.MaxStateBytes+1)}}
}

func (hoarder) Restore([]journal.State, func(alert.ID) (*alert.Alert, *pb.Report, bool)) error {
	return nil
}

// TestAStateThatIsTooLarge costs the state, not the reports.
func TestAStateThatIsTooLarge(t *testing.T) {
	e := enricher(t)
	synctest.Test(t, func(t *testing.T) {
		j := journal.NewMemory(journal.MemoryOptions{})
		if err := j.AppendReports(t.Context(), journal.Cursor{}, nil, journal.State{Key: "large", Data: []byte("older")}); err != nil {
			t.Fatal(err)
		}
		if _, err := j.AppendAlerts(t.Context(), numbered(t, 0, 3)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := enrich.NewWorker(j, e, func() enrich.Joiner { return hoarder{} }, slog.New(slog.DiscardHandler))
		w.Finish()
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		states, err := j.States(t.Context())
		if got := fmt.Sprint(reported(t, j)); got != "[rule 0 rule 1 rule 2]" || err != nil || len(states) != 1 || states[0].Key != "small" {
			t.Errorf("reports %s, states %v, %v", got, states, err)
		}
	})
}
