package app

import (
	"testing"
	"time"
)

// TestProgress: enrichment is stalled when alerts wait and none was accounted for in a while, not
// when there is nothing to do, nor while it is slow.
func TestProgress(t *testing.T) {
	start := time.Unix(1_795_311_912, 0)
	var p progress
	for i, step := range []struct {
		after      time.Duration
		done, tail uint64
		stalled    bool
	}{
		{0, 0, 0, false},
		{time.Hour, 0, 0, false},
		{time.Hour + time.Second, 0, 5, false},
		{time.Hour + 29*time.Second, 0, 9, false},
		{time.Hour + 30*time.Second, 0, 9, true},
		{2 * time.Hour, 0, 50, true},
		{2*time.Hour + time.Second, 1, 50, false},
		{2*time.Hour + 30*time.Second, 1, 50, false},
		{2*time.Hour + 31*time.Second, 1, 50, true},
		{2*time.Hour + 32*time.Second, 50, 50, false},
		{9 * time.Hour, 50, 50, false},
	} {
		was := p.state().Stalled
		changed := p.look(step.done, step.tail, start.Add(step.after))
		if got := p.state(); got.Stalled != step.stalled || got.Waiting != step.tail-step.done || changed != (was != step.stalled) {
			t.Errorf("step %d: %+v, changed %v; want %+v", i, got, changed, step)
		}
	}
}
