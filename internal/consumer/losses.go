package consumer

import "time"

// MaxLosses is how many possible losses of an input are kept with their times: 16.
const MaxLosses = 16

// lossSpan is for how long the same thing, happening again, is the same loss: a minute. Without
// that, one that comes many times a second would leave no room for any other.
const lossSpan = time.Minute

// Loss is something that can have lost alerts before they reached us.
type Loss struct {
	// What it was, in words.
	What string
	// Count is how often it happened between First and Last, which are at most a minute apart.
	Count       uint64
	First, Last time.Time
}

// losses are the last possible losses, oldest first. They are not for concurrent use.
type losses struct{ last []Loss }

func (l *losses) note(what string, now time.Time) {
	if n := len(l.last); n > 0 && l.last[n-1].What == what && now.Sub(l.last[n-1].First) <= lossSpan {
		l.last[n-1].Count++
		l.last[n-1].Last = now
		return
	}
	if len(l.last) == MaxLosses {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, Loss{What: what, Count: 1, First: now, Last: now})
}
