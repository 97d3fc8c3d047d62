package falcofile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

func TestRotationByRename(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 10))
	b.start()
	b.wantTo(b, 10)
	b.rotate()
	b.write(lines(10, 20)) // Falco has not been told yet
	b.wantTo(b, 20)
	b.must(os.WriteFile(b.path, nil, 0o640)) // logrotate's create
	b.write(lines(20, 30))                   // still not
	b.wantTo(b, 30)
	b.open()
	b.write(lines(30, 40))
	b.wantTo(b, 40)
	b.awaitState(consumer.StateConnected, "")
	b.wantLosses(0, "")
}

// TestLateLines: what is written to the old file after the new one has begun is read, too.
func TestLateLines(t *testing.T) {
	b := newBench(t)
	b.opts.Linger = patience
	b.write(lines(0, 10))
	b.start()
	b.wantTo(b, 10)
	b.rotate()
	old := b.f
	b.f = nil
	b.write(lines(10, 20))
	b.wantTo(b, 20)
	_, err := old.WriteString(lines(20, 25))
	b.must(err)
	b.wantTo(b, 25)
	b.stop() // and the place in both is kept
	_, err = old.WriteString(lines(25, 30))
	b.must(err)
	b.start()
	b.wantTo(b, 30)
	b.write(lines(30, 35))
	b.wantTo(b, 35)
	b.must(old.Close())
	b.wantLosses(0, "")
}

// TestRotationsWhileDown: the file is found under its new name, plain or compressed, and those
// after it are read in order.
func TestRotationsWhileDown(t *testing.T) {
	for name, down := range map[string]func(b *bench){
		"none":   func(*bench) {},
		"one":    func(b *bench) { b.rotate(); b.open() },
		"no new": func(b *bench) { b.rotate() },
		"two":    func(b *bench) { b.rotate(); b.open(); b.write(lines(20, 30)); b.rotate(); b.open() },
		"three, one empty": func(b *bench) {
			b.rotate()
			b.open()
			b.rotate()
			b.open()
			b.write(lines(20, 30))
			b.rotate()
			b.open()
		},
		"gz": func(b *bench) { b.rotate(); b.compress(b.path + ".1"); b.open() },
		"two gz": func(b *bench) {
			b.rotate()
			b.open()
			b.write(lines(20, 30))
			b.rotate()
			b.compress(b.path + ".1")
			b.compress(b.path + ".2")
			b.open()
		},
		"dates": func(b *bench) {
			b.must(os.Rename(b.path, b.path+"-20261121"))
			b.open()
			b.write(lines(20, 30))
			b.must(os.Rename(b.path, filepath.Dir(b.path)+"/events-20261122.log"))
			b.open()
		},
		"any name":         func(b *bench) { b.must(os.Rename(b.path, b.path+".old")); b.open() },
		"any name, no new": func(b *bench) { b.must(os.Rename(b.path, filepath.Dir(b.path)+"/saved")) },
		"any name, two": func(b *bench) {
			b.must(os.Rename(b.path, b.path+".bak"))
			b.open()
			b.write(lines(20, 30))
			b.rotate()
			b.open()
		},
		"moved to a copy": func(b *bench) {
			data, err := os.ReadFile(b.path)
			b.must(err)
			b.must(os.WriteFile(b.path+".1", data, 0o600))
			b.must(os.Remove(b.path))
			b.open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(lines(0, 10))
			b.start()
			b.wantTo(b, 10)
			b.stop()
			b.write(lines(10, 20))
			down(b)
			n := 20
			if strings.Contains(name, "two") || strings.Contains(name, "three") || name == "dates" {
				n = 30
			}
			b.write(lines(n, n+10))
			for _, bystander := range []string{".lock", ".swp", "x", ".1.tmp"} {
				b.must(os.WriteFile(b.path+bystander, []byte(lines(1000, 1001)), 0o600))
			}
			b.start()
			b.wantTo(b, n+10)
			b.wantLosses(0, "")
			b.stop()
			b.write(lines(n+10, n+20)) // and from there on once more
			b.start()
			b.wantTo(b, n+20)
			b.wantLosses(0, "")
		})
	}
}

// TestWhatIsGoneIsCounted as a possible loss, and what came after it is read.
func TestWhatIsGoneIsCounted(t *testing.T) {
	for name, test := range map[string]struct {
		down func(b *bench)
		what string
	}{
		"removed": {func(b *bench) { b.must(os.Remove(b.path)); b.open() }, "is gone"},
		"unknown compression": {func(b *bench) {
			b.must(os.WriteFile(b.path+".1.xz", []byte("xz"), 0o600))
			b.must(os.Remove(b.path))
			b.open()
		}, "is gone"},
		"damaged gz": {func(b *bench) {
			b.must(os.WriteFile(b.path+".1.gz", []byte("\x1f\x8b no gzip"), 0o600))
			b.must(os.Remove(b.path))
			b.open()
		}, ""},
		"truncated":    {func(b *bench) { b.must(os.Truncate(b.path, 0)) }, "truncated"},
		"copytruncate": {func(b *bench) { b.copytruncate(b.path + ".1") }, "copy"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(lines(0, 10))
			b.start()
			b.wantTo(b, 10)
			b.stop()
			test.down(b)
			b.write(lines(10, 40))
			b.start()
			b.wantTo(b, 40)
			if n := b.ledger.Status().PossibleLosses; n == 0 {
				t.Error("no possible loss counted")
			}
			if test.what != "" {
				b.wantLosses(1, test.what)
			}
			b.stop()
			b.start() // and told once
			b.write(lines(40, 41))
			b.wantTo(b, 41)
			b.wantLosses(0, "")
		})
	}
}

// TestCopytruncate while it is followed: the copy is read for what was not.
func TestCopytruncate(t *testing.T) {
	for _, test := range []struct {
		name        string
		after, copy int // alerts written after the truncation; 1 for a copy
	}{{"empty", 0, 1}, {"shorter", 3, 1}, {"longer", 50, 1}, {"no copy", 3, 0}, {"no copy, longer", 50, 0}} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.write(lines(0, 10))
			b.start()
			b.wantTo(b, 10)
			read := b.path + ".1"
			if test.copy == 0 {
				read = filepath.Join(t.TempDir(), "elsewhere")
			}
			b.copytruncate(read)
			b.write(lines(10, 10+test.after))
			b.wantTo(b, 10+test.after)
			b.await(b, "possible loss", func() bool { return b.ledger.Status().PossibleLosses > 0 })
			b.wantLosses(1, "truncated")
			b.write(lines(10+test.after, 100))
			b.wantTo(b, 100)
			b.wantLosses(1, "truncated")
		})
	}
}

// TestCopytruncateWithABacklog loses nothing that is in the copy, though the journal failed
// meanwhile.
func TestCopytruncateWithABacklog(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 10))
	b.start()
	b.wantTo(b, 10)
	b.fail(true)
	b.write(lines(10, 3000))
	b.copytruncate(b.path + ".1")
	b.write(lines(3000, 3010))
	b.shift()
	b.copytruncate(b.path + ".1")
	b.write(lines(3010, 3020))
	b.fail(false)
	b.wantTo(b, 3020)
	b.wantLosses(1, "copy")
}

// TestHalfALineForEver: the writer died within it; at the end of the file it is rejected, and
// no alert waits for it.
func TestHalfALineForEver(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 2) + line(2)[:60])
	b.start()
	b.wantTo(b, 2)
	b.rotate()
	b.open()
	b.write(lines(2, 4))
	b.wantTo(b, 4)
	b.wantRejected(b, "cut off")
}

// TestSymbolicLinks are followed, also when they come to point elsewhere, and rotation is
// found where they lead.
func TestSymbolicLinks(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	real1, real2 := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	b.must(os.Symlink(real1, b.path))
	b.write(lines(0, 5))
	b.start()
	b.wantTo(b, 5)
	b.stop()
	b.must(os.Rename(real1, real1+".1"))
	b.write(lines(5, 10)) // to the old one
	b.open()
	b.write(lines(10, 15))
	b.start()
	b.wantTo(b, 15)
	b.must(os.Remove(b.path))
	b.must(os.Symlink(real2, b.path))
	b.open()
	b.write(lines(15, 20))
	b.wantTo(b, 20)
	b.stop()
	b.must(os.Remove(b.path))
	b.must(os.Symlink(real1, b.path)) // back, while down
	b.open()
	b.write(lines(20, 25))
	b.start()
	b.await(b, "25 alerts", func() bool { return len(b.got) == 25 }) // real1 is read anew: what is known is recognised
}

// TestRotationAtFullSpeed: a writer that never waits, rotated by rename again and again, with
// the new file made by the rotation, or later by the writer.
func TestRotationAtFullSpeed(t *testing.T) {
	for _, create := range []bool{true, false} {
		t.Run(fmt.Sprint("create=", create), func(t *testing.T) {
			b := newBench(t)
			b.start()
			const perFile, files = 2000, 6
			n := 0
			for f := range files {
				b.open()
				for ; n < (f+1)*perFile; n++ {
					if n%perFile == perFile/2 && f < files-1 {
						b.rotate() // and the writer writes on
						if create {
							b.must(os.WriteFile(b.path, nil, 0o640))
						}
					}
					b.write(lines(n, n+1))
				}
			}
			b.wantTo(b, n)
			b.wantLosses(0, "")
		})
	}
}

// TestAFileThatIsNeverQuiet does not keep the next one from being read.
func TestAFileThatIsNeverQuiet(t *testing.T) {
	b := newBench(t)
	b.write(lines(0, 1))
	b.start()
	b.wantTo(b, 1)
	b.rotate()
	old := b.f
	b.f = nil
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			if _, err := old.WriteString(lines(n, n+1)); err != nil {
				done <- err
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	b.write(lines(1_000_000, 1_000_001))
	n := 0
	b.await(b, "alert of the new file", func() bool { n = len(b.got); return slices.Contains(b.got, "1000000") })
	b.await(b, "more of the old file", func() bool { return len(b.got) > n+10 })
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.must(old.Close())
}
