package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// position is what an input notes.
func position(input string, data []byte) journal.Position {
	return journal.Position{Input: input, Data: data}
}

// holdsPosition fails the test unless this is what was noted for the input; nil is nothing.
func holdsPosition(t *testing.T, j journal.Journal, input string, want []byte) {
	t.Helper()
	got, err := j.Position(context.Background(), input)
	if want == nil && !errors.Is(err, journal.ErrNotFound) || want != nil && (err != nil || !bytes.Equal(got, want)) {
		t.Errorf("the position of %q is %.20q, %v, want %.20q", input, got, err, want)
	}
}

// positions: they are noted with the alerts of their call, or not at all.
func (s suite) positions(t *testing.T) {
	ctx := context.Background()
	j := s.start(t, Limits{AlertEntries: 10})
	holdsPosition(t, j, "a", nil)
	_, err := j.AppendAlerts(ctx, sampleAlerts(0, 8), position("a", []byte("one")), position("b", []byte("two")))
	must(t, err)
	holdsPosition(t, j, "a", []byte("one"))
	holdsPosition(t, j, "b", []byte("two"))

	waiting, giveUp := context.WithCancel(ctx)
	call := begin(func() error {
		_, err := j.AppendAlerts(waiting, sampleAlerts(8, 12), position("a", []byte("three")))
		return err
	})
	waits(t, "appending to a full log", call)
	holdsPosition(t, j, "a", []byte("one"))
	giveUp()
	if err := ends(t, "a call that was given up", call); !errors.Is(err, context.Canceled) {
		t.Errorf("AppendAlerts that was given up: %v", err)
	}
	holdsPosition(t, j, "a", []byte("one"))

	_, err = j.AppendAlerts(ctx, nil, position("a", []byte("alone")))
	must(t, err)
	_, err = j.AppendAlerts(ctx, sampleAlerts(0, 8), position("b", []byte("with repeats")))
	must(t, err)
	holdsPosition(t, j, "a", []byte("alone"))
	holdsPosition(t, j, "b", []byte("with repeats"))

	largest := make([]byte, journal.MaxPositionBytes)
	_, err = j.AppendAlerts(ctx, nil, position("a", largest))
	must(t, err)
	holdsPosition(t, j, "a", largest)
	account(t, j, 8)
	if _, err := j.AppendAlerts(ctx, sampleAlerts(8, 9), position("b", append(largest, 0))); err == nil {
		t.Error("a position that is too large was accepted")
	}
	holdsPosition(t, j, "b", []byte("with repeats"))
	if got := statsOf(t, j).Alerts.Tail.Seq; got != 8 {
		t.Errorf("an alert came in beside a position that did not: the end is at %d", got)
	}
}

// states: they are kept with the reports of their call, or not at all.
func (s suite) states(t *testing.T) {
	ctx := context.Background()
	j := s.start(t, Limits{})
	keep := func(states ...journal.State) error {
		return j.AppendReports(ctx, journal.Cursor{}, sampleReports(0, 1), states...)
	}
	holds := func(want ...journal.State) {
		t.Helper()
		got, err := j.States(ctx)
		if err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("States are %d, %v, want %d, or their values differ", len(got), err, len(want))
		}
	}
	holds()
	a, b := journal.State{Key: "a", Data: []byte("one")}, journal.State{Key: "b", Data: []byte{}}
	must(t, keep(b, a))
	holds(a, b)
	changed := journal.State{Key: "a", Data: []byte("two")}
	must(t, keep(changed, journal.State{Key: "b"}, journal.State{Key: "unknown"}))
	holds(changed)

	foreign := journal.Cursor{Journal: "f00", Seq: 1}
	if err := j.AppendReports(ctx, foreign, nil, a); !errors.Is(err, journal.ErrForeignCursor) {
		t.Errorf("AppendReports with a foreign done: %v", err)
	}
	if err := keep(a, journal.State{Key: "c", Data: make([]byte, journal.MaxStateBytes+1)}); err == nil {
		t.Error("a state that is too large was accepted")
	}
	holds(changed)
	if got := statsOf(t, j).Reports.Tail.Seq; got != 2 {
		t.Errorf("reports came in beside states that did not: the end is at %d", got)
	}
}

// rejected: the newest are kept, each cut to its bound.
func (s suite) rejected(t *testing.T) {
	ctx := context.Background()
	j := s.start(t, Limits{})
	var want []journal.Rejected
	for n := range journal.MaxRejected + 5 {
		want = append(want, journal.Rejected{
			Time: int64(n), Input: "http", Reason: fmt.Sprintf("reason %d", n), Raw: []byte{0, 0xff, byte(n)},
		})
	}
	must(t, j.KeepRejected(ctx))
	must(t, j.KeepRejected(ctx, want[:3]...))
	must(t, j.KeepRejected(ctx, want[3:]...))
	long := journal.Rejected{Time: 1, Input: "http", Raw: bytes.Repeat([]byte("x"), journal.MaxRejectedBytes+1)}
	must(t, j.KeepRejected(ctx, long))
	long.Raw = long.Raw[:journal.MaxRejectedBytes]
	want = append(want[6:], long)
	got, err := j.Rejected(ctx)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Rejected returned %d, %v, want %d from %q on", len(got), err, len(want), want[0].Reason)
	}
}
