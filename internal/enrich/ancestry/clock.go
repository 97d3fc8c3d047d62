package ancestry

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// clock turns the times of alerts and of process events into those of the process table, which
// are nanoseconds of CLOCK_BOOTTIME. It is measured again and again: the wall clock can be set,
// and CLOCK_MONOTONIC stands while the host sleeps.
//
// Falco measures its own offset when it starts and keeps it: after the clock was set, an alert
// may go by the time from before or after that. Which one is shown by alerts: none comes before
// its event, and an exec that is known tells when it was.
type clock struct {
	wall   []int64 // what the wall clock was ahead of the boot clock, newest first: all that Falco may go by
	mono   int64   // what the boot clock is ahead of the monotonic one
	shown  int64   // the offset that alerts in a row have shown Falco to go by
	proofs int     // how many
}

// Bounds of the measuring.
const (
	clockTries  = 5
	clockGood   = 10_000    // nanoseconds within which the clocks are read: good enough
	clockStep   = 1_000_000 // nanoseconds from which on the wall clock counts as set
	clockKept   = 8         // how many offsets are remembered
	clockProofs = 3         // alerts in a row that show which offset Falco goes by
)

// now is the time of the process table.
func now() int64 { return read(unix.CLOCK_BOOTTIME) }

// read reads a clock.
func read(id int32) int64 {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0 // cannot happen: all three clocks are as old as the process connector
	}
	return ts.Nano()
}

// measure reads all three clocks as nearly together as can be.
func (c *clock) measure() {
	best := int64(1<<63 - 1)
	var wall int64
	for range clockTries {
		mono := read(unix.CLOCK_MONOTONIC)
		boot := read(unix.CLOCK_BOOTTIME)
		real := read(unix.CLOCK_REALTIME)
		if took := read(unix.CLOCK_MONOTONIC) - mono; took < best {
			best, c.mono, wall = took, boot-mono, real-boot
		}
		if best < clockGood {
			break
		}
	}
	if best < clockStep/2 || len(c.wall) == 0 { // else what was read tells nothing
		c.note(wall)
	}
}

// note remembers an offset of the wall clock. When there are too many, the one before goes: a
// Falco that was started in between is the least likely.
func (c *clock) note(wall int64) {
	if len(c.wall) > 0 && abs(c.wall[0]-wall) < clockStep {
		return
	}
	if len(c.wall) == clockKept {
		c.wall = c.wall[1:]
	}
	c.wall = append([]int64{wall}, c.wall...)
}

// offsets are those that an alert may go by, newest first: those by which its event is not
// after its arrival, in the table's time. Where none is left, it is the newest.
func (c *clock) offsets(at, arrived int64) []int64 {
	late := func(offset int64) bool { return at-offset > arrived+proctable.Slack }
	if !slices.ContainsFunc(c.wall, func(o int64) bool { return !late(o) }) {
		return c.wall[:1]
	}
	// Falco does not go by any of these, and when it starts again it takes the newest.
	c.keep(func(o int64) bool { return !late(o) })
	left := slices.DeleteFunc(slices.Clone(c.wall), late)
	if len(left) == 1 && len(c.wall) > 1 {
		c.prove(left[0])
	}
	return left
}

// keep drops offsets that Falco does not go by; the newest stays in any case.
func (c *clock) keep(is func(offset int64) bool) {
	newest := c.wall[0]
	c.wall = slices.DeleteFunc(slices.Clone(c.wall), func(o int64) bool { return o != newest && !is(o) })
}

// prove takes in that an alert goes by an offset and by no other.
func (c *clock) prove(offset int64) {
	if c.shown != offset {
		c.shown, c.proofs = offset, 0
	}
	if c.proofs++; c.isShown(offset) {
		c.keep(c.isShown)
	}
}

// isShown reports whether an offset is the one that alerts have shown Falco to go by.
func (c *clock) isShown(offset int64) bool { return c.shown == offset && c.proofs >= clockProofs }

func abs(n int64) int64 { return max(n, -n) }

// setNote says why no process is named after the clock was set.
func (c *clock) setNote() string {
	return fmt.Sprintf("the clock of the host was set, by up to %d ms, and which process it is depends on the time that the alert goes by: none is named", c.widest()/1_000_000)
}

// reason says what is not looked up since the clock was set, empty if nothing.
func (c *clock) reason() string {
	if !slices.ContainsFunc(c.wall, func(o int64) bool { return o != c.wall[0] && !c.isShown(o) }) {
		return ""
	}
	return fmt.Sprintf("the clock of the host was set, by up to %d ms: until alerts show which time Falco goes by, only processes that are the same either way are named", c.widest()/1_000_000)
}

// widest is the largest difference between the offsets.
func (c *clock) widest() int64 {
	var most int64
	for _, w := range c.wall {
		most = max(most, abs(w-c.wall[0]))
	}
	return most
}
