package enrich

import (
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// tellTimeline says what is known to have happened when, oldest first. A start after the event
// is not believed.
func (s *scene) tellTimeline() {
	event := s.a.Time()
	entry := func(at time.Time, statement string, evidence ...string) {
		if !at.After(event) {
			s.r.Timeline = append(s.r.Timeline, &pb.TimelineEntry{Time: timestamppb.New(at), Statement: statement, Evidence: s.present(evidence)})
		}
	}
	if c := s.r.GetContainer(); s.containerStartKnown() {
		entry(c.GetStartTime().AsTime(), "Container "+phrase.Quote(c.GetName())+" started.", "container.start_ts", "container.name")
	}
	own := s.r.GetProcess().GetStartTime()
	if chain := s.r.GetAncestry(); len(chain) > 0 && chain[0].GetLevel() == 1 && chain[0].GetStartTime() != nil {
		// No process is older than its parent: such a parent has inherited it, or is another.
		if at := chain[0].GetStartTime().AsTime(); own == nil || !at.After(own.AsTime()) {
			entry(at, "Process "+processName(chain[0].GetName(), chain[0].Pid)+" started: the parent.", "proc.ppid.ts", "proc.pname", "proc.ppid")
		}
	}
	if own != nil {
		entry(own.AsTime(), "Process "+processName(s.r.GetProcess().GetName(), s.r.GetProcess().Pid)+" started.", "proc.pid.ts", "proc.name", "proc.pid")
	}
	slices.SortStableFunc(s.r.Timeline, func(a, b *pb.TimelineEntry) int { return a.GetTime().AsTime().Compare(b.GetTime().AsTime()) })
	s.r.Timeline = append(s.r.Timeline, s.alertEntry())
}

// alertEntry is the alert itself.
func (s *scene) alertEntry() *pb.TimelineEntry {
	statement := "The rule " + phrase.Quote(s.a.Rule) + " matched."
	if s.a.Kind == alert.KindFalcoInternal {
		statement = "Falco gave the notice " + phrase.Quote(s.a.Rule) + "."
	}
	return &pb.TimelineEntry{Time: timestamppb.New(s.a.Time()), Statement: statement, Evidence: []string{"time"}, AlertId: string(s.a.ID), Rule: s.a.Rule}
}

// processName is how a process is called in the timeline.
func processName(name string, pid *int64) string {
	out := "of an unknown name"
	if name != "" {
		out = phrase.Quote(name)
	}
	if pid != nil {
		out += " (pid " + strconv.FormatInt(*pid, 10) + ")"
	}
	return out
}

// containerStartKnown reports whether the start of the container can be believed. Falco gives
// the boot time for a container that it knows nothing else of, so that its name must be known.
func (s *scene) containerStartKnown() bool {
	c := s.r.GetContainer()
	return c.GetName() != "" && c.GetStartTime() != nil && !c.GetStartTime().AsTime().After(s.a.Time())
}
