package render

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Layouts of times for people, always in UTC.
const (
	secondsLayout = "2006-01-02 15:04:05 UTC"
	nanosLayout   = "2006-01-02 15:04:05.000000000 UTC"
)

// isTime reports whether t is there and within the years 1 to 9999.
func isTime(t *timestamppb.Timestamp) bool { return t.IsValid() }

// exactly is t to the nanosecond; empty if it is not known.
func exactly(t *timestamppb.Timestamp) string {
	if !isTime(t) {
		return ""
	}
	return t.AsTime().Format(nanosLayout)
}

// moment is t to the nanosecond and how far it lies from the event.
func moment(t, event *timestamppb.Timestamp) line {
	l := line{}.words(exactly(t))
	if len(l) == 0 || !isTime(event) {
		return l
	}
	switch d := event.AsTime().Sub(t.AsTime()); {
	case d > 0:
		return l.words(", " + lasting(d) + " before the event")
	case d < 0:
		return l.words(", " + lasting(-d) + " after the event")
	default:
		return l.words(", at the event")
	}
}

// lasting spells a duration to three digits or so.
func lasting(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d.Round(time.Second/10) < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d.Round(time.Second) < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d.Round(time.Minute) < day:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		d = d.Round(time.Hour)
		return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
	}
}
