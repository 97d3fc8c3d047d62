package falcohttp

import (
	"sync"
	"sync/atomic"
)

// gate counts the requests under way, and lets in no more than maxRequests.
type gate struct {
	mu      sync.Mutex
	closed  bool
	n       int
	entered sync.WaitGroup
}

// enter reports whether there is room for a request; leave must then be called.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.n == maxRequests {
		return false
	}
	g.n++
	g.entered.Add(1)
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
	g.entered.Done()
}

// close lets nothing in any more, and waits until all have left.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.entered.Wait()
}

// budget is the memory that all requests share.
type budget struct{ left atomic.Int64 }

// share is what one request has of a budget. It is not for concurrent use.
type share struct {
	of    *budget
	taken int64
}

// take takes n bytes more, or returns errBusy if they are not there.
func (s *share) take(n int) error {
	if s.of.left.Add(int64(-n)) < 0 {
		s.of.left.Add(int64(n))
		return errBusy
	}
	s.taken += int64(n)
	return nil
}

// release gives everything back.
func (s *share) release() {
	s.of.left.Add(s.taken)
	s.taken = 0
}
