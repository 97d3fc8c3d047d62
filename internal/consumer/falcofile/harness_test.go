package falcofile_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// patience bounds every wait of these tests; none takes nearly as long.
const patience = 10 * time.Second

// line is the nth alert, without the end of its line.
func line(n int) string {
	at := time.Unix(1795311912, int64(n)).UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"hostname":"h","output":"%d something","output_fields":{"n":%d},"priority":"Warning","rule":"rule","source":"syscall","time":%q}`, n, n, at)
}

func lines(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(line(n) + "\n")
	}
	return b.String()
}

// keeper is a journal that keeps alerts and positions in one step, and can fail.
type keeper struct {
	mu       sync.Mutex
	failing  bool
	known    map[alert.ID]bool
	got      []string // the numbers of the alerts, in order, without repeats
	repeated int
	position []byte
	reject   []journal.Rejected
	changed  chan struct{} // closed, and replaced, after every change
}

func newKeeper() *keeper {
	return &keeper{known: make(map[alert.ID]bool), changed: make(chan struct{})}
}

func (k *keeper) AppendAlerts(_ context.Context, alerts []*alert.Alert, positions ...journal.Position) ([]bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failing {
		return nil, errors.New("disk full")
	}
	isNew := make([]bool, len(alerts))
	for i, a := range alerts {
		if isNew[i] = !k.known[a.ID]; !isNew[i] {
			k.repeated++
			continue
		}
		k.known[a.ID] = true
		k.got = append(k.got, a.String("n"))
	}
	for _, p := range positions {
		if p.Input != "file" || len(p.Data) == 0 || len(p.Data) > journal.MaxPositionBytes {
			return nil, fmt.Errorf("a position of %q with %d bytes", p.Input, len(p.Data))
		}
		k.position = p.Data
	}
	k.signal()
	return isNew, nil
}

func (k *keeper) KeepRejected(_ context.Context, rejected ...journal.Rejected) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reject = append(k.reject, rejected...)
	k.signal()
	return nil
}

func (k *keeper) Position(context.Context, string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failing {
		return nil, errors.New("disk full")
	}
	if k.position == nil {
		return nil, journal.ErrNotFound
	}
	return bytes.Clone(k.position), nil
}

// signal tells of a change; mu is held.
func (k *keeper) signal() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// poke lets waits look again.
func (k *keeper) poke() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signal()
}

// fail lets the journal fail, or no more.
func (k *keeper) fail(failing bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failing = failing
}

// tb is what *testing.T, *testing.B and *rapid.T share.
type tb interface {
	Helper()
	Cleanup(f func())
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// await waits until the condition holds, which is called under the keeper's lock.
func (k *keeper) await(t tb, what string, holds func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond) // a ledger tells only of its state
	defer tick.Stop()
	for {
		k.mu.Lock()
		ok, changed, got := holds(), k.changed, len(k.got)
		k.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-late.C:
			gap := 0
			for gap < got && k.got[gap] == fmt.Sprint(gap) {
				gap++
			}
			t.Fatalf("no %s; %d alerts came, up to %d in order; %s", what, got, gap, k.position)
		}
	}
}

// wantTo waits for all alerts up to n, and checks their order and that none came twice.
func (k *keeper) wantTo(t tb, n int) {
	t.Helper()
	k.await(t, fmt.Sprint(n, " alerts"), func() bool { return len(k.got) >= n })
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, got := range k.got {
		if got != fmt.Sprint(i) {
			t.Fatalf("alert %d is number %s: lost, or out of order", i, got)
		}
	}
	if k.repeated > 0 {
		t.Errorf("%d alerts were read twice", k.repeated)
	}
}

// wantRejected waits for rejected messages with these reasons.
func (k *keeper) wantRejected(t tb, reasons ...string) {
	t.Helper()
	k.await(t, fmt.Sprint(len(reasons), " rejected messages"), func() bool { return len(k.reject) >= len(reasons) })
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, r := range k.reject {
		if i >= len(reasons) || !strings.Contains(r.Reason, reasons[i]) {
			t.Errorf("rejected: %s: %.80q; want %q", r.Reason, r.Raw, reasons)
		}
	}
}

// running is an input that follows a file.
type running struct {
	ledger *consumer.Ledger
	// stop lets the input end in order; crash ends it and what is queued with it.
	stop, crash func()
}

// follow starts an input, with times that suit tests.
func follow(t tb, opts falcofile.Options, k *keeper) *running {
	t.Helper()
	if opts.PollInterval == 0 {
		opts.PollInterval = 5 * time.Millisecond
	}
	if opts.Quiet == 0 {
		opts.Quiet = 20 * time.Millisecond
	}
	if opts.Linger == 0 {
		opts.Linger = 60 * time.Millisecond
	}
	log := slog.New(slog.DiscardHandler)
	ledger := consumer.NewLedger("file", falcofile.Kind, opts.Path)
	ledger.OnState(k.poke)
	intake := consumer.NewIntake("file", k, ledger, log, consumer.IntakeOptions{})
	in, err := falcofile.New(opts, intake, ledger, k, log)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	hard, cancelHard := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer intake.Close()
		if err := in.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	wg.Go(func() { _ = intake.Run(hard) })
	return &running{
		ledger: ledger,
		stop:   func() { cancel(); wg.Wait(); cancelHard() },
		crash:  func() { cancelHard(); cancel(); wg.Wait() },
	}
}

// bench is a directory with an alerts file, its writer, and an input that follows it.
type bench struct {
	tb
	*keeper
	path string
	opts falcofile.Options
	f    *os.File // where the writer writes
	*running
}

func newBench(t tb) *bench {
	dir, err := os.MkdirTemp("", "falcofile") // rapid's T can make none
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{tb: t, keeper: newKeeper(), path: filepath.Join(dir, "logs", "events.log")}
	b.must(os.Mkdir(filepath.Dir(b.path), 0o750))
	b.opts.Path = b.path
	t.Cleanup(func() {
		defer func() { _ = os.RemoveAll(dir) }()
		if b.running != nil {
			b.stop()
		}
		if b.f != nil {
			_ = b.f.Close()
		}
	})
	return b
}

// start starts the input, stop stops it.
func (b *bench) start() { b.Helper(); b.running = follow(b, b.opts, b.keeper) }

func (b *bench) stop() {
	if b.running != nil {
		b.running.stop()
		b.running = nil
	}
}

// open lets the writer open the path anew, as Falco does on SIGUSR1.
func (b *bench) open() {
	b.Helper()
	if b.f != nil {
		_ = b.f.Close()
	}
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	b.must(err)
	b.f = f
}

func (b *bench) write(text string) {
	b.Helper()
	if b.f == nil {
		b.open()
	}
	_, err := b.f.WriteString(text)
	b.must(err)
}

// rotate renames the path, and what was rotated before, as logrotate does.
func (b *bench) rotate() {
	b.Helper()
	b.shift()
	b.must(os.Rename(b.path, b.path+".1"))
}

// shift counts up the names of what was rotated.
func (b *bench) shift() {
	b.Helper()
	for n := 50; n > 0; n-- {
		for _, gz := range []string{"", ".gz"} {
			err := os.Rename(fmt.Sprint(b.path, ".", n, gz), fmt.Sprint(b.path, ".", n+1, gz))
			if !os.IsNotExist(err) {
				b.must(err)
			}
		}
	}
}

// copytruncate copies the path and cuts it off.
func (b *bench) copytruncate(to string) {
	b.Helper()
	data, err := os.ReadFile(b.path)
	b.must(err)
	b.must(os.WriteFile(to, data, 0o640))
	b.must(os.Truncate(b.path, 0))
}

// compress packs a file and removes it, with its time, as gzip does.
func (b *bench) compress(name string) {
	b.Helper()
	data, err := os.ReadFile(name)
	b.must(err)
	fi, err := os.Stat(name)
	b.must(err)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(data)
	b.must(errors.Join(err, w.Close(), os.WriteFile(name+".gz", packed.Bytes(), 0o640),
		os.Chtimes(name+".gz", fi.ModTime(), fi.ModTime()), os.Remove(name)))
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// awaitState waits for a state with a reason.
func (b *bench) awaitState(state consumer.State, reason string) {
	b.Helper()
	b.await(b, fmt.Sprintf("state %v with reason %q", state, reason), func() bool {
		s := b.ledger.Status()
		return s.State == state && strings.Contains(s.Reason, reason) && (reason != "" || s.Reason == "")
	})
}

// wantLosses checks how many possible losses were counted, and what the last one says.
func (b *bench) wantLosses(n uint64, what string) {
	b.Helper()
	if s := b.ledger.Status(); s.PossibleLosses != n || !strings.Contains(s.PossibleLoss, what) {
		b.Errorf("%d possible losses, the last %q; want %d, %q", s.PossibleLosses, s.PossibleLoss, n, what)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
