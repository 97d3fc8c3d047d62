package ancestry

import (
	"time"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// LoseEvents does what is done when the kernel says that it threw events away.
func (t *Tracker) LoseEvents() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lostSome()
}

// SetClock makes it as if the wall clock had been set forward since the start.
func (t *Tracker) SetClock(by time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock.wall = []int64{t.clock.wall[0], t.clock.wall[0] - int64(by)}
}

// InferredNotes are the notes on a process that was found without a pid.
func InferredNotes(c *proctable.Chain) []string { return inferredReport(c, 0).GetAncestryNotes() }
