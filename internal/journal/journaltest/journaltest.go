// Package journaltest is the suite that every implementation of [journal.Journal] passes: all
// that the documentation of the interface promises, on a journal that begins empty.
//
// Most tests run in a bubble of testing/synctest: waiting takes no time there, a call that
// should wait is known to wait, and a wake-up that gets lost is a deadlock, which fails the
// test at once. What a journal starts must therefore end with its Close. The goroutines of
// the suite end with the test that started them.
package journaltest

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Limits are what a journal may keep: the most entries and bytes of each log. Zero means more
// than any test writes.
type Limits struct {
	AlertEntries  int
	AlertBytes    int64
	ReportEntries int
	ReportBytes   int64
}

// Implementation is what the suite needs of a kind of journal. Its functions are called inside
// of a bubble, so that they must not call t.Cleanup or t.Run; the suite closes what they open.
type Implementation struct {
	// Open returns an empty journal with the given limits. When a call that wrote has returned,
	// a journal keeps no more than its limits, alerts that are not accounted for, the newest
	// report, and urgent reports in a quarter of the limits excepted. The oldest entries go
	// first, and only when they must.
	Open func(t *testing.T, limits Limits) journal.Journal
	// Reopen ends a journal and opens it again, with the same limits: after Close, or without
	// it, as if its process had been killed. It is nil for a journal that ends with its process.
	Reopen func(t *testing.T, j journal.Journal, limits Limits, killed bool) journal.Journal
}

// Run tests an implementation.
func Run(t *testing.T, i Implementation) {
	s := suite{i}
	for _, test := range []struct {
		name string
		run  func(s suite, t *testing.T)
	}{
		{"Empty", suite.empty},
		{"Content", suite.content},
		{"Revisions", suite.revisions},
		{"Repeats", suite.repeats},
		{"Done", suite.done},
		{"Full", suite.full},
		{"Full of bytes", suite.fullOfBytes},
		{"Full and given up", suite.fullGivenUp},
		{"Full and waiting in turn", suite.fullInTurn},
		{"Larger than the log", suite.largerThanTheLog},
		{"Ended context", suite.endedContext},
		{"Closed", suite.closed},
		{"Positions", suite.positions},
		{"States", suite.states},
		{"Rejected", suite.rejected},
		{"Urgent", suite.urgent},
		{"Urgent holes", suite.urgentHoles},
		{"Concurrent", suite.concurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test.run(s, t) })
		})
	}
	for _, test := range []struct {
		name string
		run  func(s suite, t *testing.T, l either)
	}{
		{"Order", suite.order},
		{"Cursors", suite.cursors},
		{"Pruned", suite.pruned},
		{"Bounds", suite.bounds},
		{"Waiting readers", suite.waitingReaders},
		{"Handover", suite.handover},
		{"Pruned while waiting", suite.prunedWhileWaiting},
	} {
		for _, log := range []either{alertLog(), reportLog()} {
			t.Run(test.name+" of "+log.of, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test.run(s, t, log) })
			})
		}
	}
	t.Run("Model", s.model)
	if s.Reopen == nil {
		return
	}
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("Reopen killed=%t", killed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { s.reopen(t, killed) })
		})
	}
}

// suite is what the tests share.
type suite struct{ Implementation }

// start opens a journal that is closed when the test ends.
func (s suite) start(t *testing.T, limits Limits) journal.Journal {
	t.Helper()
	j := s.Open(t, limits)
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return j
}

// begin starts a call and waits until it has ended or waits itself. The channel has the
// call's error when it has ended.
func begin(call func() error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	synctest.Wait()
	return ended
}

// waits fails the test if the call has ended.
func waits(t *testing.T, what string, call <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-call:
		t.Fatalf("%s did not wait; it returned %v", what, err)
	default:
	}
}

// ends fails the test if the call still waits, and returns its error.
func ends(t *testing.T, what string, call <-chan error) error {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-call:
		return err
	default:
		t.Fatalf("%s still waits", what)
		return nil
	}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// statsOf returns the journal's stats, but for what the suite cannot know: where it lies and
// what it takes there.
func statsOf(t *testing.T, j journal.Journal) journal.Stats {
	t.Helper()
	s, err := j.Stats(context.Background())
	must(t, err)
	s.Path, s.DiskBytes = "", 0
	return s
}
