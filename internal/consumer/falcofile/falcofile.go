// Package falcofile follows the file that Falco's file_output writes.
//
// Nothing is lost while nobody reads: how far the file was read is noted in the same step as
// the alerts, and after a restart reading goes on there. The file is known by its inode and by
// what stands in it, so that it is found again under whatever name it has in its directory, and
// under those that rotation gives also compressed with gzip. Rotation by rename loses nothing: the old file is read to its end, then
// the ones between, then the new one; and for a while the old one is watched on, since Falco
// keeps it open until it is told. Rotation by copytruncate can lose what Falco writes between
// the copy and the cut, whoever reads: it is noticed and counted as a possible loss, and the
// copy is read for what was not.
//
// Run works in its caller's goroutine and joins the one that waits for inotify. One batch of
// alerts is on its way to the journal and one is being read; while the journal does not take
// the first no more is read, and alerts wait in the file. Memory is bounded by one line of
// alert.MaxBytes for each of maxSources files, which takes up to twice its size, and by the two
// batches.
package falcofile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// Kind is what inputs of this package are called in a status.
const Kind = "file"

// Options configure an Input.
type Options struct {
	// Path is the file of Falco's file_output. It may be a symbolic link. It need not exist yet.
	Path string
	// FromEnd leaves out what is in the file when it is read for the first time. It changes
	// nothing for a file that was read before, or that appears later.
	FromEnd bool
	// PollInterval is how often to look at the file when inotify says nothing; 0 is 100 ms.
	PollInterval time.Duration
	// PollOnly does without inotify, which does not tell what other hosts write on network
	// file systems.
	PollOnly bool
	// Quiet is how long a file that was rotated away must bring nothing before the next one is
	// read; 0 is 500 ms. One that is never quiet is read beside the next one after ten times that.
	Quiet time.Duration
	// Linger is for how long after its last growth such a file is watched on; 0 is 10 s.
	Linger time.Duration
}

// Defaults of Options.
const (
	DefaultPollInterval = 100 * time.Millisecond
	defaultQuiet        = 500 * time.Millisecond
	defaultLinger       = 10 * time.Second
)

const (
	// maxPath bounds a path, so that a position fits journal.MaxPositionBytes.
	maxPath = 1 << 10
	// maxSources bounds the files that are open at once: the one being read and those that
	// linger.
	maxSources = 4
	// pace spaces the looks at a file that is being written, so that alerts come in batches and
	// a writer of one line after the other costs no more than 500 wake-ups a second.
	pace = 2 * time.Millisecond
	// forcedAfter is how many times Quiet the next file waits for one that is never quiet.
	forcedAfter = 10
	// settledAfter is how old the last change of a file must be for it to count as quiet at
	// the first look.
	settledAfter = time.Minute
)

// Positions is the part of a journal that knows how far an input has read. Position returns
// journal.ErrNotFound for an input that has read nothing yet.
type Positions interface {
	Position(ctx context.Context, input string) ([]byte, error)
}

// Input follows one file.
type Input struct {
	opts      Options
	name      string
	intake    *consumer.Intake
	ledger    *consumer.Ledger
	positions Positions
	log       *slog.Logger

	// free has an element while no batch is on its way to the journal.
	free  chan struct{}
	batch batch
	waker *waker
	space []byte // to read into

	// sources are the files being read, oldest first. All but the last were rotated away and
	// linger. There is none until one could be opened.
	sources []*source
	// pending is where to go on once the files can be found again.
	pending []mark
	// after, if set, is what stands in for the file that was read last and is gone.
	after *file
	// targets are the names under which the file was known, symbolic links resolved.
	targets []string
	// ahead is how many bytes wait in files between the last source and the end.
	ahead int64
	// rotated is since when the path leads to another file than the last source, missing since
	// when it leads nowhere. Looked is when the directory was last searched for a next one, and
	// lookedAt what the path led to.
	rotated, missing, looked time.Time
	besidesLooked            time.Time // when renamed files were last looked for
	lookedAt                 identity
}

// New checks the options and makes an input that hands its alerts to the intake, which must
// serve no other. The ledger must be the intake's; its name is the one that positions are
// kept under.
func New(opts Options, intake *consumer.Intake, ledger *consumer.Ledger, positions Positions, log *slog.Logger) (*Input, error) {
	if opts.Path == "" {
		return nil, errors.New("alerts file: give the path of Falco's file_output.filename")
	}
	path, err := filepath.Abs(opts.Path)
	if err != nil {
		return nil, fmt.Errorf("alerts file %q: %w", opts.Path, err)
	}
	if len(path) > maxPath {
		return nil, fmt.Errorf("alerts file %q: the path has more than %d bytes", path[:64]+"…", maxPath)
	}
	opts.Path = path
	setDefault(&opts.PollInterval, DefaultPollInterval)
	setDefault(&opts.Quiet, defaultQuiet)
	setDefault(&opts.Linger, defaultLinger)
	in := &Input{
		opts: opts, name: ledger.Status().Name, intake: intake, ledger: ledger, positions: positions, log: log,
		free: make(chan struct{}, 1), targets: []string{path},
	}
	in.free <- struct{}{}
	return in, nil
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// Run follows the file until ctx ends and returns nil. What it has read by then is handed
// over, or, where the journal does not take it, left in the file for the next start. It must
// be called once.
func (in *Input) Run(ctx context.Context) error {
	defer in.ledger.SetState(consumer.StateStopped, "")
	defer in.closeSources()
	in.space = make([]byte, readSize+printSize)
	if !in.opts.PollOnly {
		w, err := newWaker()
		if err != nil {
			in.log.Warn("no inotify: the alerts file is only looked at regularly", "path", in.opts.Path, "every", in.opts.PollInterval, "error", err)
		}
		in.waker = w
		defer w.close()
	}
	if !in.loadPosition(ctx) {
		return nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for armed := false; ctx.Err() == nil; {
		switch progress := in.round(ctx); {
		case progress:
			armed = false
			in.sleep(ctx, timer, pace, nil)
		case !armed:
			// What came before the watch was set does not wake: look once more.
			armed = true
			in.arm()
		default:
			armed = false
			in.sleep(ctx, timer, in.interval(), in.waker.woken())
		}
	}
	return nil
}

// interval is how long nothing needs to be looked at: after a rotation, time alone tells when
// the next file is due.
func (in *Input) interval() time.Duration {
	if in.rotated.IsZero() {
		return in.opts.PollInterval
	}
	return min(in.opts.PollInterval, in.opts.Quiet)
}

// sleep waits for the time, for wake, or for the end of ctx.
func (in *Input) sleep(ctx context.Context, timer *time.Timer, d time.Duration, wake <-chan struct{}) {
	timer.Reset(d)
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// arm asks to be woken when a source grows or a file appears.
func (in *Input) arm() {
	for _, s := range in.sources {
		s.watch = in.waker.file(s.f)
	}
	for _, target := range in.targets {
		in.waker.dir(filepath.Dir(target))
	}
}

// round looks at everything once, and reports whether there was anything new.
func (in *Input) round(ctx context.Context) (progress bool) {
	switch {
	case len(in.sources) > 0:
	case len(in.pending) > 0:
		if !in.resume(ctx) {
			return false
		}
	case !in.begin(ctx):
		return false
	default:
	}
	for _, s := range slices.Clone(in.sources) {
		read, err := in.drain(ctx, s)
		progress = progress || read
		switch {
		case ctx.Err() != nil:
			return progress
		case errors.Is(err, errTruncated):
			in.truncated(ctx, s)
			return true
		case err != nil:
			in.fail(err)
			return progress
		default:
		}
	}
	progress = in.follow() || progress
	in.expire(ctx)
	in.tell()
	return progress
}

// drain reads a source until it has no more for the moment.
func (in *Input) drain(ctx context.Context, s *source) (progress bool, err error) {
	if !in.takeLines(ctx, s) { // that were read when it was opened
		return true, nil
	}
	for ctx.Err() == nil {
		n, err := s.fill(in.space)
		if errors.Is(err, errCorrupt) {
			in.mayHaveLost(fmt.Sprintf("%s cannot be unpacked from byte %d on: %v", s.name, s.offset, err))
			err = nil
		}
		progress = progress || n > 0
		if !in.takeLines(ctx, s) {
			return progress, nil
		}
		if err != nil || n < readSize {
			in.handOver(ctx)
			return progress, err
		}
	}
	return progress, nil
}

// takeLines takes in the whole lines that were read. It reports false when ctx has ended.
func (in *Input) takeLines(ctx context.Context, s *source) bool {
	for {
		line, err := s.line()
		if line == nil && err == nil {
			return true
		}
		in.batch.add(line, err)
		if in.batch.isFull() && !in.handOver(ctx) {
			return false
		}
	}
}

// begin opens the first file. Its reason not to is in the ledger.
func (in *Input) begin(ctx context.Context) bool {
	fromEnd := in.opts.FromEnd
	in.opts.FromEnd = false // what appears from now on is new
	if in.after != nil && in.advance(*in.after) {
		return true
	}
	s, err := openSource(in.opts.Path)
	if err != nil {
		in.unavailable(reason(in.opts.Path, err))
		return false
	}
	if fromEnd {
		if err := s.seekEnd(); err != nil {
			s.close()
			in.unavailable(reason(in.opts.Path, err))
			return false
		}
	}
	in.prime(s)
	in.add(s)
	in.available()
	// Noted before anything is read, it is found again also when it is rotated right after a stop.
	return in.handOverPosition(ctx)
}

// prime reads the first of a file: by that it is noticed when it is truncated before its turn
// comes. An error comes again then.
func (in *Input) prime(s *source) {
	if !s.packed {
		_, _ = s.fill(in.space)
		s.look()
	}
}

// add makes a file the one being read.
func (in *Input) add(s *source) {
	in.sources = append(in.sources, s)
	in.after, in.rotated, in.looked = nil, time.Time{}, time.Time{}
	in.rememberTarget()
}

// rememberTarget notes where the path leads.
func (in *Input) rememberTarget() {
	target, err := filepath.EvalSymlinks(in.opts.Path)
	if err == nil {
		in.addTarget(target)
	}
}

// maxTargets bounds the places that are searched: the path, and where it led lately.
const maxTargets = 4

func (in *Input) addTarget(target string) {
	if slices.Contains(in.targets, target) {
		return
	}
	if len(in.targets) == maxTargets {
		in.targets = slices.Delete(in.targets, 1, 2)
	}
	in.targets = append(in.targets, target)
}

// fail lets go of everything after an error of reading, to find it again.
func (in *Input) fail(err error) {
	in.pending = in.marks()
	in.closeSources()
	in.unavailable(reason(in.opts.Path, err))
}

func (in *Input) closeSources() {
	for _, s := range in.sources {
		in.waker.forget(s.watch)
		s.close()
	}
	in.sources = nil
}

// available notes that the file is there.
func (in *Input) available() {
	if in.ledger.SetState(consumer.StateConnected, "") {
		in.log.Info("following the alerts file", "path", in.opts.Path)
	}
}

// unavailable notes, and logs once, why the file is not there.
func (in *Input) unavailable(reason string) {
	if in.ledger.SetState(consumer.StateConnecting, reason) {
		in.log.Warn("the alerts file cannot be read; trying on", "path", in.opts.Path, "reason", reason)
	}
}

func (in *Input) mayHaveLost(what string) {
	in.ledger.MayHaveLost(what)
	in.log.Warn("alerts may be lost", "path", in.opts.Path, "what", what)
}

// tell notes in the ledger how far the input has read.
func (in *Input) tell() {
	if len(in.sources) == 0 {
		return
	}
	lag, unknown := in.ahead, false
	for _, s := range in.sources {
		s.look()
		lag += max(0, s.size-s.offset)
		unknown = unknown || s.packed && !s.ended
	}
	if unknown {
		lag = -1
	}
	last := in.sources[len(in.sources)-1]
	in.ledger.SetPosition(fmt.Sprintf("byte %d of %s", last.offset, last.name), lag)
}
