package journal

import "sync/atomic"

// minSlots is how many entries a ring has room for at first.
const minSlots = 16

// ring holds a run of numbered entries in a circular buffer: the oldest goes out, the newest
// comes in, and every entry is found by its number, all in constant time. The buffer doubles
// when it is full and never shrinks; it holds nothing of an entry that went out.
//
// There may be one writer at a time. Any number of readers may read beside it, without a lock:
// they could be thousands, and a lock that was promised to all of them when it came free would
// hold up the writer until the last of them had run.
type ring[E entry] struct {
	// The entries are those with first <= n < next.
	first, next atomic.Uint64
	// slots has a length that is a power of two: entry n stands in slots[n%len].
	slots atomic.Pointer[[]atomic.Pointer[E]]
}

// slotOf is the slot of entry n.
func slotOf[E entry](slots []atomic.Pointer[E], n uint64) *atomic.Pointer[E] {
	return &slots[n&uint64(len(slots)-1)] //nolint:gosec // a length is never negative, and here never zero
}

// init makes the ring empty and number its entries from first.
func (r *ring[E]) init(first uint64) {
	slots := make([]atomic.Pointer[E], minSlots)
	r.slots.Store(&slots)
	r.first.Store(first)
	r.next.Store(first)
}

// count is the number of entries. It is for the writer.
func (r *ring[E]) count() uint64 { return r.next.Load() - r.first.Load() }

// at is entry n, which must be there. It is for the writer.
func (r *ring[E]) at(n uint64) *E { return slotOf(*r.slots.Load(), n).Load() }

// push adds an entry, whose number is next.
func (r *ring[E]) push(e *E) {
	if r.count() == uint64(len(*r.slots.Load())) {
		r.grow()
	}
	n := r.next.Load()
	slotOf(*r.slots.Load(), n).Store(e)
	r.next.Store(n + 1)
}

// pop takes the oldest entry out; there must be one.
func (r *ring[E]) pop() *E {
	n := r.first.Load()
	// First is moved before the slot is emptied: a reader who finds it empty knows why.
	r.first.Store(n + 1)
	return slotOf(*r.slots.Load(), n).Swap(nil)
}

// grow doubles the buffer.
func (r *ring[E]) grow() {
	old := *r.slots.Load()
	bigger := make([]atomic.Pointer[E], 2*len(old))
	for n := r.first.Load(); n < r.next.Load(); n++ {
		slotOf(bigger, n).Store(slotOf(old, n).Load())
	}
	r.slots.Store(&bigger)
}

// read copies the entries with from <= n < to, which must be below a next that the caller has
// loaded: as many as there are before the first that has gone out in the meantime.
func (r *ring[E]) read(from, to uint64) []E {
	slots := *r.slots.Load()
	out := make([]E, 0, to-from)
	for n := from; n < to; n++ {
		e := slotOf(slots, n).Load()
		if e == nil || (*e).seq() != n {
			break
		}
		out = append(out, *e)
	}
	return out
}
