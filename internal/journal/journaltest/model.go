package journaltest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// modelSamples is how many different samples the model's calls choose from, few enough that
// repeats are frequent.
const modelSamples = 30

// model: any sequence of calls does what a plain list would do.
func (s suite) model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limits := Limits{
			AlertEntries:  rapid.IntRange(1, 12).Draw(rt, "alert entries"),
			AlertBytes:    rapid.Int64Range(1, 12).Draw(rt, "alert bytes") * alertBytes(),
			ReportEntries: rapid.IntRange(1, 12).Draw(rt, "report entries"),
			ReportBytes:   rapid.Int64Range(1, 12).Draw(rt, "report bytes") * reportBytes(),
		}
		rapid.SyncTest(rt, func(rt *rapid.T) {
			m := &model{j: s.Open(t, limits)}
			defer func() { m.check(rt, "Close", m.j.Close()) }()
			m.alerts.most = min(int64(limits.AlertEntries), limits.AlertBytes/alertBytes())
			m.reports.most = min(int64(limits.ReportEntries), limits.ReportBytes/reportBytes())
			m.id = m.stats(rt).ID
			rt.Repeat(map[string]func(*rapid.T){
				"AppendAlerts":  m.appendAlerts,
				"AppendReports": m.appendReports,
				"ReadAlerts":    func(rt *rapid.T) { m.read(rt, alertLog(), &m.alerts) },
				"ReadReports":   func(rt *rapid.T) { m.read(rt, reportLog(), &m.reports) },
				"Lookup":        m.lookup,
				"":              m.invariants,
			})
		})
	})
}

// model is a journal and what it should hold.
type model struct {
	j               journal.Journal
	id              string
	alerts, reports modelLog
	done            int
}

// modelLog is one log: every sample ever written, the most that may be kept of them, and how
// many are gone, which the journal decides between bounds.
type modelLog struct {
	all  []int
	most int64
	gone int
}

func (l *modelLog) keeps(sample int) bool { return slices.Contains(l.all[l.gone:], sample) }

// settle learns what the journal has evicted and checks it; only the first last entries may go.
func (l *modelLog) settle(rt *rapid.T, s journal.LogStats, last int) {
	gone := len(l.all) - int(s.Entries)
	if gone < l.gone || gone > last {
		rt.Fatalf("%d of %d entries are gone; it were %d, and at most %d may go", gone, len(l.all), l.gone, last)
	}
	if gone > 0 && int64(len(l.all)) <= l.most {
		rt.Fatalf("%d entries are gone while there is room for all %d", gone, len(l.all))
	}
	if s.Entries > l.most && gone < last {
		rt.Fatalf("%d entries are kept, %d of them needlessly, where %d may be", s.Entries, last-gone, l.most)
	}
	l.gone = gone
}

func (m *model) cursor(seq int) journal.Cursor {
	return journal.Cursor{Journal: m.id, Seq: uint64(seq)} //nolint:gosec // never negative
}

// soon is a ctx that ends as soon as nothing else happens in the bubble.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Second)
}

func (m *model) check(rt *rapid.T, what string, err error) {
	if err != nil {
		rt.Fatalf("%s: %v", what, err)
	}
}

func (m *model) stats(rt *rapid.T) journal.Stats {
	s, err := m.j.Stats(context.Background())
	m.check(rt, "Stats", err)
	s.Path, s.DiskBytes = "", 0
	return s
}

func (m *model) appendAlerts(rt *rapid.T) {
	numbers := rapid.SliceOfN(rapid.IntRange(0, modelSamples-1), 0, 6).Draw(rt, "alerts")
	var alerts []*alert.Alert
	var want []bool
	var added []int
	for _, n := range numbers {
		isNew := !m.alerts.keeps(n) && !slices.Contains(added, n)
		if isNew {
			added = append(added, n)
		}
		alerts, want = append(alerts, sampleAlert(n)), append(want, isNew)
	}
	pending := len(m.alerts.all) - m.done
	room := pending == 0 || len(added) == 0 || int64(pending+len(added)) <= m.alerts.most
	ctx, cancel := soon()
	defer cancel()
	got, err := m.j.AppendAlerts(ctx, alerts)
	if !room {
		if !errors.Is(err, context.DeadlineExceeded) {
			rt.Fatalf("AppendAlerts without room: %v, %v", got, err)
		}
		return
	}
	if err != nil || !slices.Equal(got, want) {
		rt.Fatalf("AppendAlerts = %v, %v, want %v", got, err, want)
	}
	m.alerts.all = append(m.alerts.all, added...)
	m.alerts.settle(rt, m.stats(rt).Alerts, m.done)
}

func (m *model) appendReports(rt *rapid.T) {
	done := rapid.IntRange(0, len(m.alerts.all)+1).Draw(rt, "done")
	numbers := rapid.SliceOfN(rapid.IntRange(0, modelSamples-1), 0, 4).Draw(rt, "reports")
	var reports []journal.Report
	for _, n := range numbers {
		reports = append(reports, sampleReport(n))
	}
	err := m.j.AppendReports(context.Background(), m.cursor(done), reports)
	if done > len(m.alerts.all) {
		if !errors.Is(err, journal.ErrForeignCursor) {
			rt.Fatalf("AppendReports with a done beyond the end: %v", err)
		}
		return
	}
	m.check(rt, "AppendReports", err)
	m.done = max(m.done, done)
	m.reports.all = append(m.reports.all, numbers...)
	stats := m.stats(rt)
	m.alerts.settle(rt, stats.Alerts, m.done)
	m.reports.settle(rt, stats.Reports, max(len(m.reports.all)-1, 0))
}

func (m *model) read(rt *rapid.T, e either, l *modelLog) {
	after := rapid.IntRange(-1, len(l.all)+1).Draw(rt, "after")
	limit := rapid.IntRange(0, 6).Draw(rt, "limit")
	at := journal.Cursor{}
	if after >= 0 {
		at = m.cursor(after)
	}
	ctx, cancel := soon()
	defer cancel()
	got, err := e.read(ctx, m.j, at, limit)
	var gone *journal.PrunedError
	from := max(after, 0)
	if after < 0 {
		from = l.gone
	}
	switch {
	case after > len(l.all):
		if !errors.Is(err, journal.ErrForeignCursor) {
			rt.Fatalf("reading beyond the end: %v, %v", got, err)
		}
	case from < l.gone:
		want := journal.PrunedError{Missed: uint64(l.gone - from), Resume: m.cursor(l.gone)} //nolint:gosec // never negative
		if !errors.As(err, &gone) || *gone != want {
			rt.Fatalf("reading after %d: %v, %v, want %v", after, got, err, &want)
		}
	case from == len(l.all):
		if !errors.Is(err, context.DeadlineExceeded) {
			rt.Fatalf("reading at the end: %v, %v", got, err)
		}
	default:
		var want []item
		for i := from; i < min(from+max(limit, 1), len(l.all)); i++ {
			want = append(want, item{m.cursor(i + 1), sampleAlert(l.all[i]).ID})
		}
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("reading %d after %d: %v, %v, want %v", limit, after, got, err, want)
		}
	}
}

func (m *model) lookup(rt *rapid.T) {
	n := rapid.IntRange(0, modelSamples-1).Draw(rt, "sample")
	for _, log := range []struct {
		either
		*modelLog
	}{{alertLog(), &m.alerts}, {reportLog(), &m.reports}} {
		got, err := log.look(m.j, sampleAlert(n).ID)
		if !log.keeps(n) {
			if !errors.Is(err, journal.ErrNotFound) {
				rt.Fatalf("looking up what is not kept: %v, %v", got, err)
			}
			continue
		}
		at := len(log.all)
		for log.all[at-1] != n {
			at--
		}
		if want := (item{m.cursor(at), sampleAlert(n).ID}); err != nil || got != want {
			rt.Fatalf("looking up sample %d: %v, %v, want %v", n, got, err, want)
		}
	}
}

// invariants compares the stats with the model.
func (m *model) invariants(rt *rapid.T) {
	got := m.stats(rt)
	want := journal.Stats{ID: m.id, Kind: got.Kind, Alerts: m.logStats(&m.alerts, alertBytes()), Reports: m.logStats(&m.reports, reportBytes())}
	if got != want {
		rt.Fatalf("Stats = %+v, want %+v", got, want)
	}
	if got, want := m.j.Done(), m.cursor(m.done); got != want {
		rt.Fatalf("Done = %s, want %s", got, want)
	}
}

func (m *model) logStats(l *modelLog, size int64) journal.LogStats {
	s := journal.LogStats{Tail: m.cursor(len(l.all))}
	if kept := int64(len(l.all) - l.gone); kept > 0 {
		s.Oldest, s.Newest = m.cursor(l.gone+1), s.Tail
		s.Entries, s.Bytes = kept, kept*size
	}
	return s
}
