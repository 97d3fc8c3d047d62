package journal

import "sync/atomic"

// broadcast wakes everyone who waits for a change of something. Whoever waits takes the
// channel first and looks at the thing then: a change that the look did not see is sent to
// that channel. It has no lock, for which many who begin to wait would hold up the sender.
// The zero value is ready.
type broadcast struct {
	next atomic.Pointer[chan struct{}] // nil while nobody waits
}

// wait returns a channel that the next send closes.
func (b *broadcast) wait() <-chan struct{} {
	for {
		if c := b.next.Load(); c != nil {
			return *c
		}
		c := make(chan struct{})
		if b.next.CompareAndSwap(nil, &c) {
			return c
		}
	}
}

// send wakes all who wait.
func (b *broadcast) send() {
	if c := b.next.Swap(nil); c != nil {
		close(*c)
	}
}
