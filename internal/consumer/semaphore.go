package consumer

import (
	"context"
	"sync"
)

// semaphore bounds a number of bytes. Whoever wants more than the whole bound gets it when
// nothing else is held.
type semaphore struct {
	bound int

	mu      sync.Mutex
	held    int
	changed chan struct{} // closed, and replaced, when something is released
}

func newSemaphore(bound int) *semaphore {
	return &semaphore{bound: bound, changed: make(chan struct{})}
}

// acquire waits until n bytes fit, or ctx ends.
func (s *semaphore) acquire(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		if s.held == 0 || s.held+n <= s.bound {
			s.held += n
			s.mu.Unlock()
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release gives n bytes back.
func (s *semaphore) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= n
	close(s.changed)
	s.changed = make(chan struct{})
}

// isHalfFree reports whether at least half of the bound is free.
func (s *semaphore) isHalfFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held <= s.bound/2
}
