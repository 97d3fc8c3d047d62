package falcosim

import (
	"context"
	"fmt"
	"sync"
)

// Stats counts what a server did since it was made. Tests wait on it; see Server.Wait.
type Stats struct {
	// Enqueued is how many alerts came into the queue, Queued how many are in it now.
	Enqueued, Queued int
	// Taken is how many were taken off the queue for a stream, Sent how many of these the
	// transport accepted. Accepted is not received: a broken stream loses what is on its way.
	Taken, Sent int
	// RequestsReceived is how many requests of sub and get calls were answered or begun.
	RequestsReceived int
	// Subs and Gets are the open calls that are served, Hanging those beyond the limit.
	Subs, Gets, Hanging int
	// Connections is how many client connections are open.
	Connections int
}

// Streams is how many open calls are served.
func (s Stats) Streams() int { return s.Subs + s.Gets }

// queue is the one queue of a server, and its counters. It may be used concurrently.
type queue struct {
	mu       sync.Mutex
	messages [][]byte
	stats    Stats
	gone     bool
	waiters  map[*waiter]struct{}
}

// waiter is a caller of wait. Its condition is looked at by whoever changes the counters, so
// that a state that lasts an instant is seen, too, and nobody is woken in vain.
type waiter struct {
	holds func(Stats) bool
	done  chan struct{}
}

// update changes the counters and wakes those whose condition now holds.
func (q *queue) update(change func(*Stats)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change(&q.stats)
	q.wake()
}

// wake ends the waiting of those whose condition holds. The caller holds the lock.
func (q *queue) wake() {
	for w := range q.waiters {
		if w.holds(q.stats) {
			close(w.done)
			delete(q.waiters, w)
		}
	}
}

// put appends messages; it drops them when the queue is gone.
func (q *queue) put(messages ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		return
	}
	q.messages = append(q.messages, messages...)
	q.stats.Enqueued += len(messages)
	q.stats.Queued = len(q.messages)
	q.wake()
}

// take takes the first message off the queue.
func (q *queue) take() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return nil, false
	}
	m := q.messages[0]
	q.messages[0] = nil // the array outlives the message
	q.messages = q.messages[1:]
	q.stats.Taken++
	q.stats.Queued = len(q.messages)
	q.wake()
	return m, true
}

// drop ends the queue with all that is in it.
func (q *queue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages, q.gone = nil, true
	q.stats.Queued = 0
	q.wake()
}

// snapshot returns the counters.
func (q *queue) snapshot() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// wait waits until the condition holds.
func (q *queue) wait(ctx context.Context, holds func(Stats) bool) error {
	w := &waiter{holds: holds, done: make(chan struct{})}
	q.mu.Lock()
	if holds(q.stats) {
		q.mu.Unlock()
		return nil
	}
	if q.waiters == nil {
		q.waiters = make(map[*waiter]struct{})
	}
	q.waiters[w] = struct{}{}
	q.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.waiters, w)
		return fmt.Errorf("wait for the stand-in of Falco, now at %+v: %w", q.stats, ctx.Err())
	}
}
