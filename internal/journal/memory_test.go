package journal_test

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"testing"
	"weak"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/journal/journaltest"
)

func TestMemory(t *testing.T) {
	journaltest.Run(t, journaltest.Implementation{Open: func(_ *testing.T, l journaltest.Limits) journal.Journal {
		return journal.NewMemory(journal.MemoryOptions{
			AlertEntries: l.AlertEntries, AlertBytes: l.AlertBytes,
			ReportEntries: l.ReportEntries, ReportBytes: l.ReportBytes,
		})
	}})
}

// numbered returns an alert with an id of its own.
func numbered(n int) *alert.Alert {
	return &alert.Alert{ID: alert.ID(fmt.Sprintf("%032d", n)), Raw: make([]byte, 10)}
}

func TestMemoryID(t *testing.T) {
	random, err := journal.NewMemory(journal.MemoryOptions{}).Stats(t.Context())
	if err != nil || !regexp.MustCompile("^[0-9a-f]{16}$").MatchString(random.ID) {
		t.Errorf("the ID is %q, %v, want 16 hexadecimal characters", random.ID, err)
	}
	given, err := journal.NewMemory(journal.MemoryOptions{ID: "00112233aabbccdd"}).Stats(t.Context())
	if err != nil || given.ID != "00112233aabbccdd" {
		t.Errorf("the ID is %q, %v, want the one that was given", given.ID, err)
	}
}

// TestMemoryDefaults: bounds that are left out are the documented ones.
func TestMemoryDefaults(t *testing.T) {
	const eighth = 8 << 20 // half of the alerts' bound, an eighth of the reports'
	for _, test := range []struct {
		name            string
		written, size   int
		alerts, reports int64 // kept of them
	}{
		{"many", 16_385, 10, 16_384, 16_384},
		{"large", 9, eighth, 2, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := journal.NewMemory(journal.MemoryOptions{})
			data := make([]byte, test.size)
			var alerts []*alert.Alert
			var reports []journal.Report
			for n := range test.written {
				a := numbered(n)
				a.Raw = data
				alerts = append(alerts, a)
				reports = append(reports, journal.Report{ID: a.ID, Revision: 1, Data: data})
			}
			if _, err := m.AppendAlerts(t.Context(), alerts); err != nil {
				t.Fatal(err)
			}
			full, err := m.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := m.AppendReports(t.Context(), full.Alerts.Tail, reports); err != nil {
				t.Fatal(err)
			}
			got, err := m.Stats(t.Context())
			if err != nil || got.Alerts.Entries != test.alerts || got.Reports.Entries != test.reports {
				t.Errorf("kept are %d alerts and %d reports, %v, want %d and %d",
					got.Alerts.Entries, got.Reports.Entries, err, test.alerts, test.reports)
			}
		})
	}
}

// TestMemorySharesEntries: readers get what was appended, not copies.
func TestMemorySharesEntries(t *testing.T) {
	m := journal.NewMemory(journal.MemoryOptions{})
	a, data := numbered(1), []byte("report")
	if _, err := m.AppendAlerts(t.Context(), []*alert.Alert{a}); err != nil {
		t.Fatal(err)
	}
	if err := m.AppendReports(t.Context(), journal.Cursor{}, []journal.Report{{ID: a.ID, Revision: 1, Data: data}}); err != nil {
		t.Fatal(err)
	}
	alerts, err := m.ReadAlerts(t.Context(), journal.Cursor{}, 1)
	if err != nil || alerts[0].Alert != a {
		t.Errorf("ReadAlerts returned another alert: %v, %v", alerts, err)
	}
	reports, err := m.ReadReports(t.Context(), journal.Cursor{}, 1)
	if err != nil || &reports[0].Data[0] != &data[0] {
		t.Errorf("ReadReports returned other data: %v, %v", reports, err)
	}
}

// TestMemoryLetsGo: what is evicted can be collected.
func TestMemoryLetsGo(t *testing.T) {
	ctx := context.Background()
	m := journal.NewMemory(journal.MemoryOptions{AlertEntries: 1, ReportEntries: 1})
	first, data := numbered(0), new([100]byte)
	evictedAlert, evictedData := weak.Make(first), weak.Make(data)
	for n, a := range []*alert.Alert{first, numbered(1)} {
		isNew, err := m.AppendAlerts(ctx, []*alert.Alert{a})
		if err != nil || !isNew[0] {
			t.Fatal(isNew, err)
		}
		done := journal.Cursor{Journal: m.Done().Journal, Seq: uint64(n + 1)}
		if err := m.AppendReports(ctx, done, []journal.Report{{ID: a.ID, Revision: 1, Data: data[:]}}); err != nil {
			t.Fatal(err)
		}
		data = new([100]byte)
	}
	runtime.GC()
	if evictedAlert.Value() != nil || evictedData.Value() != nil {
		t.Errorf("evicted: alert still there %t, data still there %t", evictedAlert.Value() != nil, evictedData.Value() != nil)
	}
	runtime.KeepAlive(m)
}
