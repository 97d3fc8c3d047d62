package consumer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Memory is the part of a journal in which a watch keeps its hosts, so that one that falls silent
// across a restart is noticed.
type Memory interface {
	States(ctx context.Context) ([]journal.State, error)
	AppendReports(ctx context.Context, done journal.Cursor, reports []journal.Report, states ...journal.State) error
}

const (
	// silencePrefix begins the keys of the parts that the hosts are kept in.
	silencePrefix = "silence/"
	// maxSilenceParts bounds these to 2 MiB together: 10,000 hosts with names of 150 bytes. Hosts
	// beyond are watched, and forgotten by a restart.
	maxSilenceParts = 32
	// silencePart is the room for hosts in a part: what is left is for its brackets.
	silencePart = journal.MaxStateBytes - 16
	// maxKeptHost bounds the name of a host that is kept: 1 KiB.
	maxKeptHost = 1 << 10
	// keepEvery bounds what a crash forgets of the hosts: a minute.
	keepEvery = time.Minute
	// keepTimeout bounds how long the journal may take for it.
	keepTimeout = time.Second
	// forgetAfter is when a host whose silence was told makes way for others: a week.
	forgetAfter = 7 * 24 * time.Hour
)

// keptHost is a host as it is kept.
type keptHost struct {
	Name string `json:"name"`
	// Last is when something last came, in seconds since 1970; Told whether that was reported.
	Last int64 `json:"last"`
	Told bool  `json:"told,omitzero"`
}

// Remember takes up the hosts that a watch before this one has kept, and has Run and Keep keep
// them from now on. The time for which nothing may come begins anew, for nothing could come while
// nobody was there; a silence that was told before is not told again. It must be called before Run.
func (s *Silence) Remember(ctx context.Context, in Memory) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory, s.watched, s.changed = in, time.Now(), true // kept anew soon, whatever others do to the states
	states, err := in.States(ctx)
	if err != nil {
		return fmt.Errorf("find the hosts that are watched for silence: %w", err)
	}
	for _, state := range states {
		if !strings.HasPrefix(state.Key, silencePrefix) {
			continue
		}
		s.parts++
		var hosts []keptHost
		if err := json.Unmarshal(state.Data, &hosts); err != nil {
			return fmt.Errorf("decode the hosts that are watched for silence: %q: %w", state.Key, err)
		}
		s.takeUp(hosts)
	}
	return nil
}

func (s *Silence) takeUp(hosts []keptHost) {
	for _, h := range hosts {
		if len(s.last) >= maxWatchedHosts {
			return
		}
		last := time.Unix(h.Last, 0)
		if last.After(s.watched) {
			last = s.watched // the clock was set back: else the host would not be silent for as long
		}
		s.last[h.Name] = last
		if h.Told {
			s.told[hostKey(h.Name)] = true
		}
	}
}

// Keep writes the hosts to the journal if anything of them has changed. What cannot be written is
// tried again the next time.
func (s *Silence) Keep(ctx context.Context) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	states, parts := s.encode()
	if len(states) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	// The zero cursor accounts for no alert.
	err := s.memory.AppendReports(ctx, journal.Cursor{}, nil, states...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.changed = true
		s.log.Debug("the hosts that are watched for silence could not be kept", "error", err)
		return
	}
	s.parts = parts
}

// encode makes the states of the hosts, and says in how many parts they are. There is none if
// nothing has changed.
func (s *Silence) encode() (states []journal.State, parts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil || !s.changed {
		return nil, 0
	}
	s.changed = false
	s.forget()
	hosts := make([]keptHost, 0, len(s.last))
	for name, last := range s.last {
		hosts = append(hosts, keptHost{Name: name, Last: last.Unix(), Told: s.told[hostKey(name)]})
	}
	// Those from which nothing came for longest are the first to be forgotten.
	slices.SortFunc(hosts, func(a, b keptHost) int { return cmp.Compare(b.Last, a.Last) })
	part := []byte{'['}
	add := func() {
		states = append(states, journal.State{Key: fmt.Sprintf("%s%02d", silencePrefix, len(states)), Data: append(part, ']')})
		part = []byte{'['}
	}
	for _, h := range hosts {
		data, err := json.Marshal(h, jsontext.AllowInvalidUTF8(true))
		if err != nil || len(h.Name) > maxKeptHost {
			continue
		}
		if len(part)+len(data) > silencePart {
			if add(); len(states) == maxSilenceParts {
				break
			}
		}
		if len(part) > 1 {
			part = append(part, ',')
		}
		part = append(part, data...)
	}
	if len(part) > 1 {
		add()
	}
	parts = len(states)
	for i := parts; i < s.parts; i++ {
		states = append(states, journal.State{Key: fmt.Sprintf("%s%02d", silencePrefix, i)})
	}
	return states, parts
}

// forget lets go of hosts whose silence was told long ago.
func (s *Silence) forget() {
	for name, last := range s.last {
		if s.told[hostKey(name)] && time.Since(last) > forgetAfter {
			delete(s.last, name)
			delete(s.told, hostKey(name))
		}
	}
}
