package incident

import (
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Singly stands in an [Engine]'s place where alerts are not joined: every alert keeps the report
// that is its own, and the silences apply. It has no state.
type Singly struct{ silences []Silence }

// NewSingly makes a Singly with these silences, which must not be changed afterwards.
func NewSingly(silences []Silence) *Singly { return &Singly{silences: silences} }

// Add returns the alert's own report, with the urgency that the silences leave it.
func (s *Singly) Add(_ uint64, a *alert.Alert, r *pb.Report) []*pb.Report {
	return []*pb.Report{silencedBy(s.silences, a, r)}
}

// Advance returns nothing: a report of one alert does not grow.
func (*Singly) Advance(time.Time) []*pb.Report { return nil }

// Next is never.
func (*Singly) Next() (time.Time, bool) { return time.Time{}, false }

// End returns nothing: every report is closed.
func (*Singly) End(int) []*pb.Report { return nil }

// Changed is nothing.
func (*Singly) Changed() []journal.State { return nil }

// Restore leaves what an Engine has kept as it is, for the next one.
func (*Singly) Restore([]journal.State, func(alert.ID) (*alert.Alert, *pb.Report, bool)) error {
	return nil
}
