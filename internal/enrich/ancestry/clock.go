package ancestry

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// clock turns the times of alerts and of process events into those of the process table, which
// are nanoseconds of CLOCK_BOOTTIME. It is measured again and again: the wall clock can be set,
// and CLOCK_MONOTONIC stands while the host sleeps.
type clock struct {
	wall []int64 // what the wall clock was ahead of the boot clock, newest first
	mono int64   // what the boot clock is ahead of the monotonic one
}

// Bounds of the measuring.
const (
	clockTries = 5
	clockGood  = 10_000    // nanoseconds within which the clocks are read: good enough
	clockStep  = 1_000_000 // nanoseconds from which on the wall clock counts as set
	clockKept  = 4         // how many offsets are remembered
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
	c.note(wall)
}

// note remembers an offset of the wall clock. Falco measures its own when it starts and keeps
// it; so that after the clock was set it is not known which it goes by.
func (c *clock) note(wall int64) {
	if len(c.wall) > 0 && abs(c.wall[0]-wall) < clockStep {
		return
	}
	c.wall = append([]int64{wall}, c.wall...)
	c.wall = c.wall[:min(len(c.wall), clockKept)]
}

func abs(n int64) int64 { return max(n, -n) }

// setNote says why a process is not looked up after the clock was set.
func (c *clock) setNote() string {
	return fmt.Sprintf("The clock of the host was set, by up to %d ms, and it is not certain which time the alert goes by: its process was not looked up.", c.widest()/1_000_000)
}

// widest is the largest difference between the offsets.
func (c *clock) widest() int64 {
	var most int64
	for _, w := range c.wall {
		most = max(most, abs(w-c.wall[0]))
	}
	return most
}
