package journaltest

import (
	"context"
	"reflect"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// everything is all that a journal shows.
type everything struct {
	Stats    journal.Stats
	Done     journal.Cursor
	Alerts   []journal.AlertEntry
	Reports  []uint64
	Missed   uint64
	Found    []journal.ReportEntry
	Position []byte
	States   []journal.State
	Rejected []journal.Rejected
}

// look looks at everything.
func look(t *testing.T, j journal.Journal, samples int) everything {
	t.Helper()
	ctx := context.Background()
	e := everything{Stats: statsOf(t, j), Done: j.Done()}
	var err error
	for after := (journal.Cursor{}); after.Seq < e.Stats.Alerts.Tail.Seq; {
		part, err := j.ReadAlerts(ctx, after, 7)
		must(t, err)
		e.Alerts = append(e.Alerts, part...)
		after = part[len(part)-1].Cursor
	}
	e.Reports, e.Missed = keptReports(t, j)
	for n := range samples {
		if r, err := j.Report(ctx, sampleReport(n).ID); err == nil {
			e.Found = append(e.Found, r)
		}
	}
	e.Position, err = j.Position(ctx, "a")
	must(t, err)
	e.States, err = j.States(ctx)
	must(t, err)
	e.Rejected, err = j.Rejected(ctx)
	must(t, err)
	return e
}

// reopen: what a journal has accepted is there when it is opened again, and it goes on as if
// it had never been closed.
func (s suite) reopen(t *testing.T, killed bool) {
	const rounds, perRound = 12, 5
	ctx := context.Background()
	limits := Limits{AlertEntries: 20, ReportEntries: 16}
	j := s.Open(t, limits)
	defer func() { must(t, j.Close()) }()
	for round := range rounds {
		from := round * perRound
		isNew, err := j.AppendAlerts(ctx, sampleAlerts(max(from-3, 0), from+perRound), position("a", []byte{byte(round)}))
		if err != nil || count(isNew) != perRound {
			t.Fatalf("round %d: AppendAlerts = %v, %v, want %d new", round, isNew, err, perRound)
		}
		reports := sampleReports(from, from+perRound)
		reports[0].Urgent = true
		done := journal.Cursor{Journal: j.Done().Journal, Seq: uint64(from + perRound - 2)}
		must(t, j.AppendReports(ctx, done, reports, journal.State{Key: "k", Data: []byte{byte(round)}}))
		must(t, j.KeepRejected(ctx, journal.Rejected{Time: int64(round), Raw: []byte("x")}))

		before := look(t, j, from+perRound)
		j = s.Reopen(t, j, limits, killed)
		if after := look(t, j, from+perRound); !reflect.DeepEqual(after, before) {
			t.Fatalf("round %d: opened again, it shows\n%+v, and before\n%+v", round, after, before)
		}
	}
}
