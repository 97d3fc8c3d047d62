package consumer

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff spaces tries: exponential, with full jitter, so that many clients of one server do
// not come back together. It is not for concurrent use.
type Backoff struct {
	// Base bounds the first delay, Max every delay.
	Base, Max time.Duration
	tries     int
}

// minDelay keeps an unlucky row of draws from becoming a busy loop.
const minDelay = 10 * time.Millisecond

// Next is the next delay: random between minDelay and Base, 2 Base, 4 Base … up to Max.
func (b *Backoff) Next() time.Duration {
	bound := b.Max
	if b.tries < 30 { // beyond, the shift could overflow; Max is reached long before
		bound = min(b.Max, b.Base<<b.tries)
		b.tries++
	}
	if bound <= minDelay {
		return bound
	}
	return minDelay + rand.N(bound-minDelay) //nolint:gosec // spreads load, guards nothing
}

// Reset begins anew with Base.
func (b *Backoff) Reset() { b.tries = 0 }

// Wait waits for Next, or until ctx ends and returns its error.
func (b *Backoff) Wait(ctx context.Context) error {
	t := time.NewTimer(b.Next())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
