package consumer

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// State is whether an input has its source.
type State uint8

// The states of an input.
const (
	StateConnecting State = iota + 1 // trying to reach the source
	StateConnected                   // the source is there
	StateStopped                     // ended
	StateSilent                      // the source is there and nothing came for longer than configured
	StateDropping                    // alerts are refused because the journal does not take them
)

// Ledger counts what became of everything that one input received. It may be used
// concurrently.
type Ledger struct {
	mu          sync.Mutex
	s           Status
	falco       falcoLosses
	losses      losses
	silentAfter time.Duration
	onState     func()
}

// Status is a Ledger at one instant. Received = Journaled + Repeated + Rejected + Lost +
// AtRisk always holds, of one instant: what is left at its source was taken out of Received.
type Status struct {
	// Name, Kind and Address say which input it is.
	Name, Kind, Address string
	// State is whether the input has its source, Since when, and Reason why not.
	State  State
	Since  time.Time
	Reason string
	// FalcoVersion is what Falco answered when asked, or said of itself.
	FalcoVersion string
	// Received counts messages; Journaled those that are in the alert log; Repeated those
	// that it had already; Rejected those that are no alerts; Lost those that were received
	// and could not be journaled.
	Received, Journaled, Repeated, Rejected, Lost uint64
	// Left counts alerts that were read and, when the input ended, could not be journaled, but are
	// still where they were read: the next run reads them again. They are in no other count.
	Left uint64
	// Relayed counts the alerts of Journaled and Repeated that came by way of falcosidekick, which
	// gives each a uuid. It says nothing of what it lost: what did not arrive is unknown.
	Relayed uint64
	// AnsweredEarly counts the alerts whose sender got its answer before they were journaled.
	AnsweredEarly uint64
	// Disconnects counts the ends of a connection, Uncertain those of them that can have
	// lost alerts on their way here.
	Disconnects, Uncertain uint64
	// PossibleLosses counts what else can have lost alerts before they reached us: a file that
	// was cut off or went away unread, a run before this one that was killed. PossibleLoss says
	// what the last of these, or of the uncertain disconnects, was, and LossTime when; zero before
	// the first. [Ledger.Losses] has the ones before.
	PossibleLosses uint64
	PossibleLoss   string
	LossTime       time.Time
	// Position is how far the input has read, in words; Lag how many bytes of its source it
	// knows of and has not read, -1 where that cannot be known.
	Position string
	Lag      int64
	// Delay is how long after its event the last alert arrived, by two clocks.
	Delay time.Duration
	// FalcoDroppedEvents and FalcoDroppedOutputs are what Falco says it lost itself: system
	// calls that no rule saw, and alerts that never left it.
	FalcoDroppedEvents, FalcoDroppedOutputs uint64
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
	return &Ledger{s: Status{Name: name, Kind: kind, Address: address, State: StateConnecting, Since: time.Now(), Lag: -1}}
}

// OnState lets f be called after every change of the state. It must be set before the ledger
// is used; f must not block.
func (l *Ledger) OnState(f func()) { l.onState = f }

// SilentAfter makes a connected input silent when nothing came for so long; 0 is never. It
// must be set before the ledger is used.
func (l *Ledger) SilentAfter(d time.Duration) { l.silentAfter = d }

// Status returns the counts of one instant.
func (l *Ledger) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.s
	s.FalcoDroppedEvents, s.FalcoDroppedOutputs = l.falco.total()
	if l.silentAfter > 0 && s.State == StateConnected {
		last := s.Since
		if s.LastReceived.After(last) {
			last = s.LastReceived
		}
		if time.Since(last) > l.silentAfter {
			s.State, s.Since, s.Reason = StateSilent, last, "nothing came for "+time.Since(last).Round(time.Second).String()
		}
	}
	return s
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

// SetPosition notes how far the input has read, and how many bytes are there beyond; -1 is
// unknown.
func (l *Ledger) SetPosition(position string, lag int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Position, l.s.Lag = position, lag
}

// Disconnected counts the end of a connection.
func (l *Ledger) Disconnected(uncertain bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Disconnects++
	if uncertain {
		l.s.Uncertain++
		l.mayHaveLost("a connection broke: what was on its way may be lost")
	}
}

// MayHaveLost counts something that can have lost alerts before they reached us, and says what.
func (l *Ledger) MayHaveLost(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.PossibleLosses++
	l.mayHaveLost(what)
}

func (l *Ledger) mayHaveLost(what string) {
	l.s.PossibleLoss, l.s.LossTime = what, time.Now()
	l.losses.note(what, l.s.LossTime)
}

// Losses returns what can have lost alerts before they reached us, uncertain disconnects included:
// the last MaxLosses, oldest first.
func (l *Ledger) Losses() []Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.losses.last)
}

// AnsweredEarly counts alerts whose sender got its answer before they were journaled.
func (l *Ledger) AnsweredEarly(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.AnsweredEarly += uint64(n) //nolint:gosec // a count
}

func (l *Ledger) receive(n int, nanos int64) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.Received += uint64(n) //nolint:gosec // a count
	l.s.LastReceived = time.Unix(0, nanos)
}

// maxRejectedShown bounds how much of a rejected message is shown: 200 bytes.
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

// journal counts alerts that are in the journal, and returns those that are new there.
func (l *Ledger) journal(alerts []*alert.Alert, isNew []bool) (fresh []*alert.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range alerts {
		if a.UUID != "" {
			l.s.Relayed++
		}
		if !isNew[i] {
			l.s.Repeated++
			continue
		}
		l.s.Journaled++
		fresh = append(fresh, a)
		l.s.Delay = time.Duration(a.ReceivedNanos - a.Nanos)
		if a.Kind == alert.KindFalcoInternal {
			l.falco.note(a)
			if v := a.String("falco.version"); v != "" && len(v) < 64 {
				l.s.FalcoVersion = v
			}
		}
	}
	return fresh
}

// giveUp counts alerts that cannot be journaled: as left at their source if they can be read there
// again, and else as lost.
func (l *Ledger) giveUp(n int, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if again {
		l.s.Received -= uint64(n) //nolint:gosec // a count
		l.s.Left += uint64(n)     //nolint:gosec // a count
		return
	}
	l.s.Lost += uint64(n) //nolint:gosec // a count
}
