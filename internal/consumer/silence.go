package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// RuleSilence is the rule name of the notices about silence.
const RuleSilence = "falco-reporter: no sign of life"

// maxWatchedHosts bounds how many hosts are watched for silence: 10,000. Further ones are not,
// and the log says so once.
const maxWatchedHosts = 10_000

// Silence watches for hosts and inputs from which nothing comes any more, neither alerts nor
// Falco's own notices, and reports each of them: once, until something comes again. Its methods
// may be called concurrently. With [Silence.Remember], a restart does not make it forget a host.
type Silence struct {
	after time.Duration
	to    Appender
	log   *slog.Logger

	mu     sync.Mutex
	last   map[string]time.Time // by host
	told   map[string]bool
	inputs []*Ledger
	full   bool

	// memory is where hosts are kept, in so many parts; nil is nowhere. Changed is whether they are
	// not as they are kept.
	memory  Memory
	parts   int
	changed bool
	keeping sync.Mutex // one Keep after the other
	// watched is since when hosts are watched: those that were taken up can have been seen before.
	watched time.Time
}

// NewSilence makes a watch that reports what is silent for longer than after.
func NewSilence(after time.Duration, to Appender, log *slog.Logger) *Silence {
	return &Silence{after: after, to: to, log: log, last: make(map[string]time.Time), told: make(map[string]bool)}
}

// Watch adds an input: it is watched beside the hosts, so that one that was silent from the
// start is noticed, too.
func (s *Silence) Watch(input *Ledger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inputs = append(s.inputs, input)
}

// Seen notes that alerts came from their hosts.
func (s *Silence) Seen(alerts []*alert.Alert) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range alerts {
		if _, known := s.last[a.Hostname]; !known && len(s.last) >= maxWatchedHosts {
			if !s.full {
				s.full = true
				s.log.Warn("too many hosts to watch all of them for silence", "watched", maxWatchedHosts)
			}
			continue
		}
		s.last[a.Hostname] = now
		s.changed = true
		delete(s.told, hostKey(a.Hostname))
	}
}

// Run watches until ctx ends, and returns its error; nothing else ends it.
func (s *Silence) Run(ctx context.Context) error {
	// A silence is noticed at most a tenth late.
	tick := time.NewTicker(min(max(s.after/10, 10*time.Millisecond), keepEvery))
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		s.Keep(ctx)
		for _, n := range append(s.silentHosts(), s.silentInputs(began)...) {
			s.report(ctx, n)
		}
	}
}

// silence is something that has become silent: since when it was watched and nothing came, and
// when something last came, zero if nothing did.
type silence struct {
	key, host, what string
	since, last     time.Time
}

// hostKey is what the silence of a host is known by.
func hostKey(host string) string { return "host " + host }

// silentHosts are the hosts that have become silent.
func (s *Silence) silentHosts() (out []silence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for host, last := range s.last {
		since := last
		if s.watched.After(since) {
			since = s.watched
		}
		if time.Since(since) > s.after && s.claim(hostKey(host)) {
			s.changed = true
			out = append(out, silence{key: hostKey(host), host: host, what: "the host", since: since, last: last})
		}
	}
	return out
}

// silentInputs are the inputs that have become silent.
func (s *Silence) silentInputs(began time.Time) (out []silence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.inputs {
		st := l.Status()
		since := began
		if st.LastReceived.After(since) {
			since = st.LastReceived
		}
		key := "input " + st.Name
		if st.State == StateStopped || time.Since(since) <= s.after {
			delete(s.told, key)
			continue
		}
		if s.claim(key) {
			out = append(out, silence{key: key, what: "the input " + strconv.Quote(st.Name), since: since, last: st.LastReceived})
		}
	}
	return out
}

// claim reports whether a silence was not told before, and notes that it is.
func (s *Silence) claim(key string) bool {
	if s.told[key] {
		return false
	}
	s.told[key] = true
	return true
}

// report puts a notice into the alert log, however long the journal cannot take it, until ctx ends.
func (s *Silence) report(ctx context.Context, n silence) {
	now := time.Now()
	quiet := now.Sub(n.since).Round(time.Second)
	what := n.what
	if n.host != "" {
		what += " " + strconv.Quote(n.host)
	}
	fields := map[string]string{
		"falcoreporter.silent":          n.key,
		"falcoreporter.silent_seconds":  strconv.FormatInt(int64(quiet.Seconds()), 10),
		"falcoreporter.silence_allowed": s.after.String(),
	}
	if !n.last.IsZero() {
		fields["falcoreporter.last_received"] = n.last.UTC().Format(time.RFC3339)
	}
	a, err := alert.Notice(RuleSilence, alert.PriorityWarning, now, n.host,
		fmt.Sprintf("Nothing came from %s for %s, neither alerts nor notices of Falco", what, quiet), fields)
	if err != nil {
		// One that cannot be told must not end the watch over all others.
		s.log.Error("a silence cannot be reported", "of", alert.BoundName(n.key), "error", err)
		return
	}
	a.Input, a.ReceivedNanos = "falco-reporter", now.UnixNano()
	s.log.Warn("silence", "of", n.key, "for", quiet)
	backoff := Backoff{Base: 50 * time.Millisecond, Max: 5 * time.Second}
	for {
		_, err := s.to.AppendAlerts(ctx, []*alert.Alert{a})
		if err == nil || ctx.Err() != nil || errors.Is(err, journal.ErrClosed) || backoff.Wait(ctx) != nil {
			return
		}
	}
}
