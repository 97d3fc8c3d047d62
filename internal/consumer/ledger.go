package consumer

import (
	"strconv"
	"sync"
	"time"
)

// State is whether an input has its source.
type State uint8

// The states of an input.
const (
	StateConnecting State = iota + 1 // trying to reach the source
	StateConnected                   // the source is there
	StateStopped                     // ended
)

// Ledger counts what became of everything that one input received. It may be used
// concurrently.
type Ledger struct {
	mu      sync.Mutex
	s       Status
	onState func()
}

// Status is a Ledger at one instant. Received = Journaled + Repeated + Rejected + Lost +
// AtRisk always holds.
type Status struct {
	// Name, Kind and Address say which input it is.
	Name, Kind, Address string
	// State is whether the input has its source, Since when, and Reason why not.
	State  State
	Since  time.Time
	Reason string
	// FalcoVersion is what Falco answered when asked.
	FalcoVersion string
	// Received counts messages; Journaled those that are in the alert log; Repeated those
	// that it had already; Rejected those that are no alerts; Lost those that were received
	// and could not be journaled.
	Received, Journaled, Repeated, Rejected, Lost uint64
	// Disconnects counts the ends of a connection, Uncertain those of them that can have
	// lost alerts on their way here.
	Disconnects, Uncertain uint64
	// LastReceived is when the last message came; zero before the first.
	LastReceived time.Time
	// LastRejected is why the last message was rejected and how it began.
	LastRejected string
}

// AtRisk is how many alerts were received and are neither in the journal nor given up.
func (s Status) AtRisk() uint64 {
	return s.Received - s.Journaled - s.Repeated - s.Rejected - s.Lost
}

// NewLedger makes the ledger of an input.
func NewLedger(name, kind, address string) *Ledger {
	return &Ledger{s: Status{Name: name, Kind: kind, Address: address, State: StateConnecting, Since: time.Now()}}
}

// OnState lets f be called after every change of the state. It must be set before the ledger
// is used; f must not block.
func (l *Ledger) OnState(f func()) { l.onState = f }

// Status returns the counts of one instant.
func (l *Ledger) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s
}

// SetState notes a state and its reason. It reports whether either is new.
func (l *Ledger) SetState(state State, reason string) (changed bool) {
	if changed = l.setState(state, reason); changed && l.onState != nil {
		l.onState()
	}
	return changed
}

func (l *Ledger) setState(state State, reason string) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s.State == state && l.s.Reason == reason {
		return false
	}
	if l.s.State != state {
		l.s.Since = time.Now()
	}
	l.s.State, l.s.Reason = state, reason
	return true
}

// SetFalcoVersion notes what Falco says of itself.
func (l *Ledger) SetFalcoVersion(v string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.FalcoVersion = v
}

// Disconnected counts the end of a connection.
func (l *Ledger) Disconnected(uncertain bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Disconnects++
	if uncertain {
		l.s.Uncertain++
	}
}

func (l *Ledger) receive(nanos int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Received++
	l.s.LastReceived = time.Unix(0, nanos)
}

// maxRejectedShown bounds how much of a rejected message is kept: 200 bytes.
const maxRejectedShown = 200

func (l *Ledger) reject(raw []byte, reason error) {
	if len(raw) > maxRejectedShown {
		raw = raw[:maxRejectedShown]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Rejected++
	l.s.LastRejected = reason.Error() + ": " + strconv.QuoteToASCII(string(raw))
}

func (l *Ledger) journal(isNew []bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range isNew {
		if n {
			l.s.Journaled++
		} else {
			l.s.Repeated++
		}
	}
}

func (l *Ledger) lose(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Lost += uint64(n) //nolint:gosec // a count
}
