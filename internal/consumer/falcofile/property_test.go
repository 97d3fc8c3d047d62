package falcofile_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNothingIsMissingWhateverHappens plays a writer, a rotator, a journal that fails, and
// stops and crashes of the input, in any order. In the end every alert is there, in order, and
// none was read twice: the writer writes nothing between a copy and its truncation.
func TestNothingIsMissingWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		play(rt, newBench(rt))
	})
}

// play draws what happens.
func play(rt *rapid.T, b *bench) {
	n := 0       // alerts written
	half := ""   // what is missing of the last line
	told := true // whether the writer writes to the path
	cut := false // whether there was a copytruncate
	finish := func() {
		if half != "" {
			b.write(half + "\n")
			half = ""
		}
	}
	b.open()
	b.opts.PollInterval, b.opts.Quiet, b.opts.Linger = 2*time.Millisecond, 5*time.Millisecond, 10*time.Millisecond
	b.start()
	b.write(lines(0, 1)) // from then on the file is known
	n++
	b.wantTo(b, n)
	actions := map[string]func(){
		"write": func() {
			finish()
			k := rapid.SampledFrom([]int{1, 3, 40, 700}).Draw(rt, "alerts")
			b.write(lines(n, n+k))
			n += k
		},
		"half": func() {
			finish()
			l := line(n)
			at := rapid.IntRange(1, len(l)-1).Draw(rt, "at")
			b.write(l[:at])
			half = l[at:]
			n++
		},
		"rename": func() {
			if told {
				b.rotate()
				told = false
			}
		},
		"reopen": func() {
			finish()
			b.open()
			told = true
		},
		"catch up": func() {
			if b.running != nil && half == "" {
				b.fail(false)
				b.wantTo(b, n)
			}
		},
		"start or stop": func() {
			if b.running == nil {
				b.start()
				return
			}
			b.fail(false) // a stop waits for the journal
			b.stop()
		},
		"crash": func() {
			if b.running != nil {
				b.crash()
				b.running = nil
			}
		},
		"journal fails": func() { b.fail(true) },
		"journal works": func() { b.fail(false) },
		"copytruncate": func() {
			if told {
				finish()
				b.shift()
				b.copytruncate(b.path + ".1")
				cut = true
			}
		},
		"compress": func() {
			// Only with nobody reading, as it is a possible loss to remove what is being written.
			if b.running == nil && told && exists(b.path+".1") {
				b.compress(b.path + ".1")
			}
		},
	}
	names := []string{"write", "write", "write", "half", "rename", "reopen", "reopen", "catch up", "start or stop", "crash", "journal fails", "journal works", "compress", "copytruncate"}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 5, 40).Draw(rt, "actions") {
		actions[name]()
	}
	finish()
	b.fail(false)
	if b.running == nil {
		b.start()
	}
	b.wantTo(b, n)
	if !cut {
		b.wantLosses(0, "")
	}
}
