package app

import (
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// stallAfter is for how long enrichment may account for no alert while some wait before that is
// told: a batch of 64 alerts takes some milliseconds, and taking up 10,000 open incidents at a
// start some seconds.
const stallAfter = 30 * time.Second

// progress is how far enrichment is. Its methods may be called concurrently.
type progress struct {
	mu      sync.Mutex
	done    uint64
	since   time.Time // when done moved, or nothing waited, the last time that it was looked at
	waiting uint64
	stalled bool
}

// look takes in that alerts up to done of tail are accounted for, and reports whether that changes
// whether enrichment is stalled.
func (p *progress) look(done, tail uint64, now time.Time) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = tail - min(done, tail)
	if done != p.done || p.waiting == 0 || p.since.IsZero() {
		p.done, p.since = done, now
	}
	was := p.stalled
	p.stalled = now.Sub(p.since) >= stallAfter
	return p.stalled != was
}

// state is what look saw the last time.
func (p *progress) state() serve.Enrichment {
	p.mu.Lock()
	defer p.mu.Unlock()
	return serve.Enrichment{Waiting: p.waiting, Stalled: p.stalled}
}
