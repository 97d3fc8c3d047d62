package falcohttp

import (
	"log/slog"
	"sync"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// pressure keeps the input's state: dropping while the intake is full.
type pressure struct {
	intake *consumer.Intake
	ledger *consumer.Ledger
	log    *slog.Logger

	mu       sync.Mutex
	running  bool
	dropping bool
}

// start says that the input is there.
func (p *pressure) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = true
	p.ledger.SetState(consumer.StateConnected, "")
}

// stop says that it has ended: what the intake still writes changes nothing any more.
func (p *pressure) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
	p.ledger.SetState(consumer.StateStopped, "")
}

// full says that alerts were refused. The journal may have made room since: that is looked at
// under the lock, so that there is a batch to come that eases, or none is needed.
func (p *pressure) full() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		return
	}
	if !p.dropping {
		p.dropping = true
		p.ledger.SetState(consumer.StateDropping, "the journal does not take alerts fast enough, and what waits for it fills its bounds: senders get status 503")
		p.log.Warn("alerts sent by HTTP are refused: too many wait for the journal")
	}
	p.easeLocked()
}

// ease says that a batch was written.
func (p *pressure) ease() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.easeLocked()
}

func (p *pressure) easeLocked() {
	if !p.running || !p.dropping || !p.intake.HasRoom() {
		return
	}
	p.dropping = false
	p.ledger.SetState(consumer.StateConnected, "")
	p.log.Info("alerts sent by HTTP are taken again", "lost", p.ledger.Status().Lost)
}
