package journal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// entry is what a memoryLog can hold.
type entry interface {
	AlertEntry | ReportEntry
	// seq is the entry's number.
	seq() uint64
	// id is what the entry is looked up by.
	id() alert.ID
	// size is what the entry counts against the bound in bytes.
	size() int64
	// isUrgent is whether a part of the room is reserved for entries like it.
	isUrgent() bool
}

func (e AlertEntry) seq() uint64  { return e.Cursor.Seq }
func (e AlertEntry) id() alert.ID { return e.Alert.ID }
func (e AlertEntry) size() int64  { return int64(len(e.Alert.Raw)) }

func (AlertEntry) isUrgent() bool { return false }

func (e ReportEntry) seq() uint64  { return e.Cursor.Seq }
func (e ReportEntry) id() alert.ID { return e.ID }
func (e ReportEntry) size() int64  { return int64(len(e.Data)) }

func (e ReportEntry) isUrgent() bool { return e.Urgent }

// memoryLog is one log of a Memory: the entries that are kept, and who waits for more.
type memoryLog[E entry] struct {
	name       string // for errors
	journal    string
	maxEntries uint64
	maxBytes   int64

	// entries are read without mu, and changed with it.
	entries ring[E]

	mu    sync.RWMutex
	bytes int64
	// held are urgent entries older than those of the ring, in their order. Urgent are they
	// and those of the ring.
	held        []E
	urgent      uint64
	urgentBytes int64
	index       map[alert.ID]uint64 // the number of the newest kept entry with the id

	// grown is sent after entries were pushed.
	grown broadcast
}

// init makes the log empty.
func (l *memoryLog[E]) init(name, journal string, maxEntries int, maxBytes int64) {
	l.name, l.journal = name, journal
	l.maxEntries, l.maxBytes = uint64(max(maxEntries, 1)), maxBytes
	l.entries.init(1)
	l.index = make(map[alert.ID]uint64)
}

func (l *memoryLog[E]) cursor(seq uint64) Cursor { return Cursor{Journal: l.journal, Seq: seq} }

// next is the cursor of the entry to be pushed next.
func (l *memoryLog[E]) next() Cursor { return l.cursor(l.entries.next.Load()) }

// tail is the place after the newest entry ever pushed.
func (l *memoryLog[E]) tail() Cursor { return l.cursor(l.entries.next.Load() - 1) }

// holds reports whether the cursor is a place in this log, of what is kept or was.
func (l *memoryLog[E]) holds(c Cursor) bool {
	return c == Cursor{} || c.Journal == l.journal && c.Seq < l.entries.next.Load()
}

// count is how many entries are kept. The caller holds mu.
func (l *memoryLog[E]) count() uint64 { return l.entries.count() + uint64(len(l.held)) }

// fits reports whether there is room for so much more. The caller holds mu.
func (l *memoryLog[E]) fits(entries uint64, bytes int64) bool {
	return l.count()+entries <= l.maxEntries && l.bytes+bytes <= l.maxBytes
}

// reserved reports whether the urgent entries are within the quarter that is reserved for them.
func (l *memoryLog[E]) reserved() bool {
	return l.urgent <= l.maxEntries/4 && l.urgentBytes <= l.maxBytes/4
}

// makeRoom evicts entries, the oldest first, until there is room for so much more, or
// nothing is left of what may go: the entries up to and including number last. Urgent ones are
// held while they are within their reserve. The caller holds mu.
func (l *memoryLog[E]) makeRoom(entries uint64, bytes int64, last uint64) {
	for !l.fits(entries, bytes) {
		reserved := l.reserved()
		switch {
		case len(l.held) > 0 && !reserved:
			var none E
			e := l.held[0]
			l.held[0], l.held = none, l.held[1:]
			l.evict(e)
		case l.entries.first.Load() > last:
			return
		default:
			if e := *l.entries.pop(); e.isUrgent() && reserved {
				l.held = append(l.held, e)
			} else {
				l.evict(e)
			}
		}
	}
}

// evict forgets an entry that was taken out.
func (l *memoryLog[E]) evict(e E) {
	l.bytes -= e.size()
	if e.isUrgent() {
		l.urgent--
		l.urgentBytes -= e.size()
	}
	if l.index[e.id()] == e.seq() {
		delete(l.index, e.id())
	}
}

// push appends an entry whose cursor is next. The caller holds mu.
func (l *memoryLog[E]) push(e E) {
	l.index[e.id()] = e.seq()
	l.bytes += e.size()
	if e.isUrgent() {
		l.urgent++
		l.urgentBytes += e.size()
	}
	l.entries.push(&e)
}

// read returns entries after the cursor as Journal.ReadAlerts and ReadReports promise.
func (l *memoryLog[E]) read(ctx context.Context, closed <-chan struct{}, after Cursor, limit int) ([]E, error) {
	if err := usable(ctx, closed); err != nil {
		return nil, err
	}
	most := uint64(max(limit, 1))
	if got, err := l.tryRead(after, most); err != nil || len(got) > 0 {
		return got, err
	}
	for {
		// What is pushed before this is not sent here, so that the look comes after it.
		grown := l.grown.wait()
		if got, err := l.tryRead(after, most); err != nil || len(got) > 0 {
			return got, err
		}
		select {
		case <-grown:
		case <-closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the %s log to grow: %w", l.name, ctx.Err())
		}
	}
}

// tryRead returns entries after the cursor, or none at the tail.
func (l *memoryLog[E]) tryRead(after Cursor, limit uint64) ([]E, error) {
	if !l.holds(after) {
		return nil, ErrForeignCursor
	}
	for {
		// In this order: first is never beyond next, and what lies between was in the ring.
		first, next := l.entries.first.Load(), l.entries.next.Load()
		from := after.Seq + 1
		if after == (Cursor{}) {
			from = l.oldest()
		}
		if from < first {
			if got, err := l.readHeld(from, limit); err != nil || len(got) > 0 {
				return got, err
			}
			continue // what was held is gone in the meantime
		}
		if from == next {
			return nil, nil
		}
		if got := l.entries.read(from, min(from+limit, next)); len(got) > 0 {
			return got, nil
		}
		// Evicted in the meantime: first has moved.
	}
}

// oldest is the number of the oldest kept entry, or the next if there is none.
func (l *memoryLog[E]) oldest() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.held) > 0 {
		return l.held[0].seq()
	}
	return l.entries.first.Load()
}

// readHeld returns held entries from number from on, up to the next gap; if it is in one, a
// *PrunedError.
func (l *memoryLog[E]) readHeld(from, limit uint64) ([]E, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := l.findHeld(from)
	next := l.entries.first.Load()
	if i < len(l.held) {
		next = l.held[i].seq()
	}
	if next > from {
		return nil, &PrunedError{Missed: next - from, Resume: l.cursor(next - 1)}
	}
	var out []E
	for ; i < len(l.held) && l.held[i].seq() == from && uint64(len(out)) < limit; i++ {
		out = append(out, l.held[i])
		from++
	}
	return out, nil
}

// findHeld is the place of the first held entry whose number is not below n. The caller holds
// mu.
func (l *memoryLog[E]) findHeld(n uint64) int {
	i, _ := slices.BinarySearchFunc(l.held, n, func(e E, n uint64) int { return cmp.Compare(e.seq(), n) })
	return i
}

// lookup returns the newest kept entry with the id.
func (l *memoryLog[E]) lookup(ctx context.Context, closed <-chan struct{}, id alert.ID) (E, error) {
	var none E
	if err := usable(ctx, closed); err != nil {
		return none, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	n, ok := l.index[id]
	if !ok {
		return none, ErrNotFound
	}
	if n < l.entries.first.Load() {
		return l.held[l.findHeld(n)], nil
	}
	return *l.entries.at(n), nil
}

// stats describes the log. The caller holds mu.
func (l *memoryLog[E]) stats() LogStats {
	s := LogStats{Tail: l.tail(), Bytes: l.bytes}
	if n := l.count(); n > 0 {
		s.Entries = int64(n) //nolint:gosec // as many as memory has room for
		s.Oldest, s.Newest = l.cursor(l.entries.first.Load()), s.Tail
	}
	if len(l.held) > 0 {
		s.Oldest = l.cursor(l.held[0].seq())
	}
	return s
}
