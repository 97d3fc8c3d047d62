package falcosim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// PlayOptions say what Play plays, and how fast.
type PlayOptions struct {
	// Alerts are played in order.
	Alerts []Alert
	// Rate is how many alerts a second; 0 is as fast as possible.
	Rate float64
	// Count is how many alerts in all, beginning anew after the last as often as it takes; 0 is
	// each once.
	Count int
	// Loop, if Count is 0, plays on until the context ends.
	Loop bool
	// Ahead, if it is not 0, lets Play wait while so many alerts are in the queue, until half
	// of them are fetched. Falco itself does not wait: its queue has no bound.
	Ahead int
}

// check reports what is wrong with the options.
func (o PlayOptions) check() error {
	var errs []error
	if len(o.Alerts) == 0 {
		errs = append(errs, errors.New("there are no alerts"))
	}
	if o.Rate < 0 || math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) {
		errs = append(errs, fmt.Errorf("the rate %v is not a number of alerts a second", o.Rate))
	}
	if o.Count < 0 {
		errs = append(errs, fmt.Errorf("the count %d is negative", o.Count))
	}
	if o.Ahead < 0 {
		errs = append(errs, fmt.Errorf("the number of alerts ahead, %d, is negative", o.Ahead))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("play alerts: %w", err)
	}
	return nil
}

// total is how many alerts to play, or -1 for no end.
func (o PlayOptions) total() int {
	switch {
	case o.Count > 0:
		return o.Count
	case o.Loop:
		return -1
	default:
		return len(o.Alerts)
	}
}

// Play enqueues alerts at a rate and returns when the last is in the queue. It keeps to the
// rate in the mean: what it was late with follows at once. It returns an error that wraps
// ErrStopped when the server dies, or the context's when that ends.
//
// The first round plays the alerts as they are. Every further round is a distinct set of events,
// each later by the same step, which is just over a second: time, the time that the output line
// begins with, evt.time and the time in the JSON form move together, and so do copies of these
// in other fields. Times of other things, as the start of a process, stay as they were.
func (s *Server) Play(ctx context.Context, o PlayOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	p := newPlayer(o.Alerts, s.options.JSONOutput)
	start := time.Now()
	total := o.total()
	for i := 0; total < 0 || i < total; i++ {
		if err := s.pace(ctx, o, start, i); err != nil {
			return fmt.Errorf("play alerts, %d played: %w", i, err)
		}
		s.enqueue(p.alert(i))
	}
	return nil
}

// pace waits until alert number i is due.
func (s *Server) pace(ctx context.Context, o PlayOptions, start time.Time, i int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isDead() {
		return ErrStopped
	}
	if o.Ahead > 0 && s.Stats().Queued >= o.Ahead {
		// The queue of a dead server is empty.
		if err := s.Wait(ctx, func(st Stats) bool { return st.Queued <= o.Ahead/2 }); err != nil {
			return err
		}
	}
	if o.Rate == 0 {
		return nil
	}
	wait := time.Until(start.Add(time.Duration(float64(i) / o.Rate * float64(time.Second))))
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.down:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// player makes the alerts of every round.
type player struct {
	alerts []repeatable
	step   time.Duration
}

func newPlayer(alerts []Alert, jsonOutput bool) player {
	p := player{alerts: make([]repeatable, len(alerts)), step: distinctStep(alerts)}
	for i, a := range alerts {
		p.alerts[i] = newRepeatable(a, jsonOutput)
	}
	return p
}

// alert is the alert number i, counted through all rounds.
func (p player) alert(i int) Alert {
	round := i / len(p.alerts)
	return p.alerts[i%len(p.alerts)].later(time.Duration(round) * p.step)
}

// distinctStep finds a step such that no alert, however often moved by it, becomes another one
// of the list moved likewise. Two alerts with the same text do so only if their times differ by
// a multiple of the step, that is if they have the same remainder.
func distinctStep(alerts []Alert) time.Duration {
	type event struct {
		text string
		left int64
	}
	const first = time.Second + 7*time.Nanosecond
search:
	for step := first; ; step += 2 * time.Nanosecond {
		times := make(map[event]int64, len(alerts))
		for i := range alerts {
			a, nanos := &alerts[i], alerts[i].Time.UnixNano()
			e := event{a.Rule + "\x00" + a.Source + "\x00" + a.Hostname + "\x00" + alert.PlainLine(a.Output), nanos % int64(step)}
			if other, ok := times[e]; ok && other != nanos {
				continue search
			}
			times[e] = nanos
		}
		return step
	}
}
