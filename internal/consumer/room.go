package consumer

import (
	"context"
	"sync"
)

// room bounds how many alerts, and how many bytes of them, an intake holds. Whoever wants more
// than a whole bound gets it when nothing else is held.
type room struct {
	maxAlerts, maxBytes int

	mu            sync.Mutex
	alerts, bytes int
	changed       chan struct{} // closed, and replaced, when something is released
}

func newRoom(maxAlerts, maxBytes int) *room {
	return &room{maxAlerts: maxAlerts, maxBytes: maxBytes, changed: make(chan struct{})}
}

// try takes room, or returns what will be closed when there may be more.
func (r *room) try(alerts, bytes int) (full <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alerts > 0 && (r.alerts+alerts > r.maxAlerts || r.bytes+bytes > r.maxBytes) {
		return r.changed
	}
	r.alerts += alerts
	r.bytes += bytes
	return nil
}

// acquire takes room, and waits until there is, or ctx ends.
func (r *room) acquire(ctx context.Context, alerts, bytes int) error {
	for {
		full := r.try(alerts, bytes)
		if full == nil {
			return nil
		}
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release gives room back.
func (r *room) release(alerts, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alerts -= alerts
	r.bytes -= bytes
	close(r.changed)
	r.changed = make(chan struct{})
}

// isHalfFree reports whether at least half of both bounds is free.
func (r *room) isHalfFree() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alerts <= r.maxAlerts/2 && r.bytes <= r.maxBytes/2
}
