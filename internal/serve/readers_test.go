package serve

import (
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// TestUnread: what a reader has not got is behind it, and what of that is gone, pruned.
func TestUnread(t *testing.T) {
	at := func(seq uint64) journal.Cursor { return journal.Cursor{Journal: "j", Seq: seq} }
	kept := journal.LogStats{Oldest: at(91), Newest: at(100), Tail: at(100), Entries: 10}
	for _, test := range []struct {
		after          uint64
		reports        journal.LogStats
		behind, pruned uint64
	}{
		{0, journal.LogStats{}, 0, 0},
		{0, kept, 100, 90},
		{40, kept, 60, 50},
		{90, kept, 10, 0},
		{95, kept, 5, 0},
		{100, kept, 0, 0},
		{101, kept, 0, 0}, // it got one after the figures were taken
		{40, journal.LogStats{Tail: at(100)}, 60, 60},
		// Two urgent ones were kept from 11 on, while the others up to 90 went.
		{5, journal.LogStats{Oldest: at(11), Tail: at(100), Entries: 12}, 95, 83},
	} {
		if behind, pruned := Unread(test.after, test.reports); behind != test.behind || pruned != test.pruned {
			t.Errorf("after %d of %+v: %d behind, %d of them gone; want %d and %d", test.after, test.reports, behind, pruned, test.behind, test.pruned)
		}
	}
}
