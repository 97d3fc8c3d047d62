package journaltest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// cursors: they survive being written down, and only those of this journal are places in it.
func (s suite) cursors(t *testing.T, l either) {
	ctx := context.Background()
	j := s.start(t, Limits{})
	must(t, l.write(j, 0, 3))
	id := statsOf(t, j).ID
	for _, it := range append(itemsOf(id, 0, 3), item{cursor: journal.Cursor{Journal: id}}) {
		if got, err := journal.ParseCursor(it.cursor.String()); err != nil || got != it.cursor {
			t.Errorf("ParseCursor(%q) = %+v, %v, want %+v", it.cursor, got, err, it.cursor)
		}
	}
	for _, foreign := range []journal.Cursor{
		{Journal: id, Seq: 4},
		{Journal: id, Seq: math.MaxUint64},
		{Journal: "f00", Seq: 1},
		{Journal: "f00"},
		{Seq: 1},
	} {
		if got, err := l.read(ctx, j, foreign, 1); !errors.Is(err, journal.ErrForeignCursor) {
			t.Errorf("reading after %+v: %v, %v, want ErrForeignCursor", foreign, got, err)
		}
	}
}

// pruned: who was too slow learns exactly how much is gone, and where to go on.
func (s suite) pruned(t *testing.T, l either) {
	ctx := context.Background()
	j := s.start(t, l.limits(10, 0))
	for n := range 17 {
		must(t, l.write(j, n, n+1))
	}
	id := statsOf(t, j).ID
	for seq := range uint64(8) {
		_, err := l.read(ctx, j, journal.Cursor{Journal: id, Seq: seq}, 5)
		var gone *journal.PrunedError
		if seq == 7 {
			must(t, err)
			continue
		}
		want := journal.PrunedError{Missed: 7 - seq, Resume: journal.Cursor{Journal: id, Seq: 7}}
		if !errors.As(err, &gone) || *gone != want {
			t.Fatalf("reading after %d: %v, want %v", seq, err, &want)
		}
		got, err := l.read(ctx, j, gone.Resume, 5)
		if want := itemsOf(id, 7, 12); err != nil || !slices.Equal(got, want) {
			t.Errorf("going on after %s: %v, %v, want %v", gone.Resume, got, err, want)
		}
	}
	got, err := l.read(ctx, j, journal.Cursor{}, 5)
	if want := itemsOf(id, 7, 12); err != nil || !slices.Equal(got, want) {
		t.Errorf("reading after the zero cursor: %v, %v, want %v", got, err, want)
	}
}

// waitingReaders: a reader at the end waits for the next entry, its ctx, or Close.
func (s suite) waitingReaders(t *testing.T, l either) {
	const readers = 100
	type result struct {
		got []item
		err error
	}
	j := s.start(t, Limits{})
	id := statsOf(t, j).ID
	begin := func(ctx context.Context, after journal.Cursor) <-chan result {
		results := make(chan result, readers)
		for range readers {
			go func() {
				got, err := l.read(ctx, j, after, 5)
				results <- result{got, err}
			}()
		}
		synctest.Wait()
		if len(results) > 0 {
			t.Fatalf("a reader at the end did not wait: %+v", <-results)
		}
		return results
	}
	end := func(results <-chan result, want []item, wantErr error) {
		t.Helper()
		synctest.Wait()
		if len(results) != readers {
			t.Fatalf("%d of %d readers were woken", len(results), readers)
		}
		for range readers {
			if r := <-results; !errors.Is(r.err, wantErr) || !slices.Equal(r.got, want) {
				t.Fatalf("a reader returned %v, %v, want %v, %v", r.got, r.err, want, wantErr)
			}
		}
	}
	first := begin(context.Background(), journal.Cursor{})
	must(t, l.write(j, 0, 2))
	end(first, itemsOf(id, 0, 2), nil)

	tail := l.stats(statsOf(t, j)).Tail
	patient := begin(context.Background(), tail)
	ctx, giveUp := context.WithCancel(context.Background())
	impatient := begin(ctx, tail)
	giveUp()
	end(impatient, nil, context.Canceled)
	must(t, l.write(j, 2, 3))
	end(patient, itemsOf(id, 2, 3), nil)

	last := begin(context.Background(), journal.Cursor{Journal: id, Seq: 3})
	must(t, j.Close())
	end(last, nil, journal.ErrClosed)
}

// handover: no wake-up is lost, however close together a write and a reader's going to wait
// come. Small delays of the reader sweep the one across the other.
func (s suite) handover(t *testing.T, l either) {
	const writes = 3000
	for _, readers := range []int{1, 2} {
		j := s.start(t, Limits{})
		got := make(chan error, readers)
		for range readers {
			go handOver(j, l, writes, got)
		}
		for _, write := range l.each(j, 0, writes) {
			must(t, write())
			for range readers {
				must(t, receive(got))
			}
		}
	}
}

// handOver reads the log up to entry end one by one, and tells of each, or of an error.
func handOver(j journal.Journal, l either, end uint64, told chan<- error) {
	for after := (journal.Cursor{}); after.Seq < end; {
		got, err := l.read(context.Background(), j, after, 1)
		told <- err
		if err != nil {
			return
		}
		after = got[0].cursor
		for range rand.IntN(2000) { //nolint:gosec // a delay of up to a microsecond, not a secret
		}
	}
}

// receive is a receive that for a while does not let the goroutine go to sleep.
func receive(from <-chan error) error {
	for range 10_000 {
		select {
		case err := <-from:
			return err
		default:
		}
	}
	return <-from
}

// prunedWhileWaiting: a waiting reader is woken even if the log runs over it in one call.
func (s suite) prunedWhileWaiting(t *testing.T, l either) {
	j := s.start(t, l.limits(3, 0))
	must(t, l.write(j, 0, 2))
	tail := l.stats(statsOf(t, j)).Tail
	var got []item
	reader := begin(func() (err error) {
		got, err = l.read(context.Background(), j, tail, 1)
		return err
	})
	waits(t, "a reader at the end", reader)
	must(t, l.write(j, 2, 8))
	err := ends(t, "the reader", reader)
	before := journal.Cursor{Journal: tail.Journal, Seq: 5} // where the kept entries begin
	var gone *journal.PrunedError
	switch {
	case err == nil && slices.Equal(got, itemsOf(tail.Journal, 2, 3)):
		// It was there before its entry was evicted.
	case errors.As(err, &gone) && *gone == journal.PrunedError{Missed: 3, Resume: before}:
	default:
		t.Errorf("the reader that was run over: %v, %v", got, err)
	}
}
