// Package app wires the daemon:
//
//	inputs ── intake ── alert log ── worker ── report log ─┬─ stdout
//	                                                       └─ server: subscribers
//
// [App.Run] owns every goroutine of it. Stopping goes the way of the data: the inputs stop and
// settle, what they received is journaled, enrichment accounts for it, stdout and the
// subscribers get the rest, then the server ends its streams. The whole is bounded by
// Options.StopTimeout; what is not done by then is counted and said. When the inputs have ended
// by themselves, enrichment also closes the incidents that are open, and it and stdout have
// the time that they need, until somebody asks for a stop.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/userfile"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/redact"
	"github.com/falco-reporter/falco-reporter/internal/render"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// DefaultStopTimeout bounds a stop: 4.5 s, so that the process is gone within 5 s.
const DefaultStopTimeout = 4500 * time.Millisecond

// Options say what the daemon is made of.
type Options struct {
	// Version is the program's.
	Version string
	// Inputs are where alerts come in.
	Inputs Inputs
	// Ancestry says where chains of processes are read from besides the alerts. Its LocalInput
	// is set from the inputs. Nil is nowhere.
	Ancestry *ancestry.Options
	// SilentAfter is for how long nothing may come from an input or host before that is
	// reported; 0 is for ever.
	SilentAfter time.Duration
	// Listen is where the report stream is served, unix:///PATH; empty is nowhere.
	Listen string
	// Metrics is HOST:PORT where Prometheus finds metrics; empty is nowhere.
	Metrics string
	// Stdout gets every report, written as Render says; nil is none.
	Stdout io.Writer
	Render render.Options
	// SQLite is the journal on disk; nil is one in memory, with the bounds of Memory.
	SQLite *journal.SQLiteOptions
	Memory journal.MemoryOptions
	// Enrich says what enrichment knows. Its Rules and Playbooks are set from the files.
	Enrich enrich.Options
	// Joiner makes what joins alerts into incidents; nil is a report for every alert.
	Joiner func() enrich.Joiner
	// RuleFiles are Falco's rule files and folders of them, read again when they change.
	RuleFiles []string
	// Playbooks are playbook files and folders of them, read again when they change.
	Playbooks []string
	// Unredacted lets reports out with the secrets that are in them.
	Unredacted bool
	// Log gets what operators should know.
	Log *slog.Logger
	// StopTimeout bounds a stop; 0 is DefaultStopTimeout.
	StopTimeout time.Duration
}

// App is the daemon. It runs once.
type App struct {
	opts      Options
	log       *slog.Logger
	journal   journal.Journal
	enricher  *enrich.Enricher
	worker    *enrich.Worker
	inputs    []*input
	silence   *consumer.Silence // nil if silence is not watched
	tracker   *ancestry.Tracker // nil if chains are the alerts' own
	server    *serve.Server
	listener  net.Listener
	metrics   net.Listener
	printer   *printer
	rules     *userfile.Watcher[rules.Set]
	playbooks *userfile.Watcher[playbook.Library]
	healthMu  sync.Mutex
	progress  progress
	start     time.Time
}

// New checks the options and prepares the daemon. The journal is open and sockets are there
// when New returns without an error: Run must follow, which closes them.
func New(ctx context.Context, opts Options) (*App, error) {
	a := &App{opts: opts, log: opts.Log, start: time.Now()}
	if a.opts.StopTimeout <= 0 {
		a.opts.StopTimeout = DefaultStopTimeout
	}
	if err := a.prepare(ctx); err != nil {
		return nil, errors.Join(err, a.abandon())
	}
	return a, nil
}

// prepare makes the parts, in the order in which they need each other.
func (a *App) prepare(ctx context.Context) (err error) {
	if a.rules, err = rules.NewWatcher(a.opts.RuleFiles, 0, a.log); err != nil {
		a.log.Warn("not all rule files could be read; reports lack what they say", "error", err)
	}
	a.opts.Enrich.Rules = a.rules.Current
	if a.playbooks, err = playbook.NewWatcher(a.opts.Playbooks, 0, a.log); err != nil {
		return err
	}
	a.opts.Enrich.Playbooks = a.playbooks.Current
	if a.enricher, err = enrich.New(a.opts.Enrich); err != nil {
		return err
	}
	if err := a.openJournal(ctx); err != nil {
		return err
	}
	a.worker = enrich.NewWorker(a.journal, a.enricher, a.opts.Joiner, a.log)
	readers := a.journal
	if !a.opts.Unredacted {
		readers = newOutgoing(a.journal, redact.Report)
	}
	a.server = serve.New(serve.Options{Journal: readers, Status: a.status, Enrichment: a.progress.state, Logger: a.log})
	if a.opts.SilentAfter > 0 {
		a.silence = consumer.NewSilence(a.opts.SilentAfter, a.journal, a.log)
	}
	if o := a.opts.Ancestry; o != nil {
		tracked := *o
		tracked.LocalInput, tracked.Log = a.isLocal, a.log
		a.tracker = ancestry.New(tracked)
	}
	if err := a.addInputs(ctx, a.opts.Inputs); err != nil {
		return err
	}
	a.findUnclean(ctx)
	if a.silence != nil {
		for _, in := range a.inputs {
			a.silence.Watch(in.ledger)
		}
		if err := a.silence.Remember(ctx, a.journal); err != nil {
			a.log.Warn("not every host that was watched for silence is watched on", "error", err)
		}
	}
	if a.opts.Stdout != nil {
		if a.printer, err = newPrinter(readers, a.opts.Stdout, a.opts.Render, a.log); err != nil {
			return err
		}
	}
	if a.opts.Metrics != "" {
		if a.metrics, err = new(net.ListenConfig).Listen(ctx, "tcp", a.opts.Metrics); err != nil {
			return fmt.Errorf("listen for metrics: %w", err)
		}
	}
	if a.opts.Listen != "" {
		if a.listener, err = serve.Listen(ctx, a.opts.Listen); err != nil {
			return err
		}
	}
	return nil
}

// openJournal opens the journal on disk, or makes one in memory.
func (a *App) openJournal(ctx context.Context) error {
	if a.opts.SQLite == nil {
		a.journal = journal.NewMemory(a.opts.Memory)
		return nil
	}
	j, err := journal.OpenSQLite(ctx, *a.opts.SQLite)
	if err != nil {
		return err
	}
	a.journal = j
	return nil
}

// abandon closes what is open of a daemon that will not run.
func (a *App) abandon() error {
	var errs []error
	for _, in := range a.inputs {
		if c, ok := in.source.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	for _, l := range []net.Listener{a.metrics, a.listener} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	if a.journal != nil {
		errs = append(errs, a.journal.Close())
	}
	return errors.Join(errs...)
}

// ErrInputsEnded says that no input will bring anything any more.
var ErrInputsEnded = errors.New("every input has come to its end")

// Run runs the daemon until ctx ends, or every input has come to its end, and then stops it in
// order. A ctx whose cause is ErrInputsEnded says that nothing will come, too: the incidents that
// are open are closed, which a stop otherwise leaves to the next run. It returns nil after a
// clean stop, and otherwise what failed or what the stop had to cut off.
func (a *App) Run(ctx context.Context) error {
	// hard ends when the time to stop is over; it outlives ctx.
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	soft, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	failed := func(err error) {
		if err != nil {
			stop(err)
		}
	}
	inputs := a.runInputs(soft, hard, failed)
	worker := start(func() error { return a.worker.Run(hard) }, failed)
	printer := start(func() error { return a.printer.run(hard) }, failed)
	watches := start(func() error { a.watch(soft); return nil }, failed)
	serveCtx, stopServing := context.WithCancel(hard)
	defer stopServing()
	server := start(func() error { return a.serve(serveCtx) }, failed)
	a.inputsChanged()
	a.logStart(ctx)

	<-soft.Done()
	cause := context.Cause(soft)
	ended := errors.Is(cause, ErrInputsEnded)
	asked := ctx.Err() != nil || ended
	if asked {
		a.log.Info("stopping", "why", cause)
	} else {
		a.log.Error("stopping because a part failed", "error", cause)
	}
	timer := time.AfterFunc(a.opts.StopTimeout, cancel)
	defer timer.Stop()
	hurry := func() {}
	if ended { // nobody waits, until somebody does
		timer.Stop()
		hurry = sync.OnceFunc(func() { timer.Reset(a.opts.StopTimeout) })
		defer context.AfterFunc(ctx, hurry)()
	}
	errs := []error{wait(hard, "watches", watches), wait(hard, "inputs", inputs)}
	if ended {
		a.worker.End()
	} else {
		a.worker.Finish()
	}
	errs = append(errs, wait(hard, "enrichment", worker))
	a.printer.finish()
	errs = append(errs, wait(hard, "stdout", printer))
	hurry() // a subscriber may be slow for ever, and come back
	stopServing()
	errs = append(errs, wait(hard, "report stream", server))
	readers := a.readersAtEnd(ctx)
	errs = append(errs, a.journal.Close())
	a.logEnd(readers)
	if !asked {
		return cause // what failed first, and made the rest stop
	}
	return errors.Join(errs...)
}

// watch runs what only looks, until ctx ends: rule files, silence, the health of the journal and
// of enrichment. None of it ends before, nor fails.
func (a *App) watch(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.rules.Run(ctx) })
	wg.Go(func() { _ = a.playbooks.Run(ctx) })
	wg.Go(func() { a.watchJournal(ctx) })
	if a.tracker != nil {
		wg.Go(func() { _ = a.tracker.Run(ctx) })
	}
	if a.silence != nil {
		wg.Go(func() { _ = a.silence.Run(ctx) })
	}
	wg.Wait()
}

// journalLook is how often the journal is asked how it is.
const journalLook = time.Second

// watchJournal keeps the health of the journal, and of enrichment, which shows in it.
func (a *App) watchJournal(ctx context.Context) {
	tick := time.NewTicker(journalLook)
	defer tick.Stop()
	for {
		if stats, err := a.journal.Stats(ctx); err == nil {
			a.server.SetJournalServing(stats.Failure == "")
			a.watchProgress(stats.Alerts.Tail.Seq)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watchProgress tells when enrichment does not move on although alerts wait, and when it does again.
func (a *App) watchProgress(tail uint64) {
	changed := a.progress.look(a.journal.Done().Seq, tail, time.Now())
	switch now := a.progress.state(); {
	case !changed:
		return
	case now.Stalled:
		a.log.Error("no reports are made although alerts wait for them", "waiting", now.Waiting, "for", stallAfter)
	default:
		a.log.Info("reports are made again", "waiting", now.Waiting)
	}
	a.server.SetEnrichmentServing(!a.progress.state().Stalled)
}

// serve serves the report stream and the metrics, where they are wanted.
func (a *App) serve(ctx context.Context) error {
	var wg sync.WaitGroup
	var stream, metrics error
	if a.listener != nil {
		wg.Go(func() { stream = a.server.Serve(ctx, a.listener) })
	}
	if a.metrics != nil {
		wg.Go(func() { metrics = a.server.ServeMetrics(ctx, a.metrics) })
	}
	wg.Wait()
	return errors.Join(stream, metrics)
}

// logStart says what the daemon is made of.
func (a *App) logStart(ctx context.Context) {
	kind := ""
	if stats, err := a.journal.Stats(ctx); err == nil {
		kind = stats.Kind
	}
	a.log.Info("started", "version", a.opts.Version, "inputs", len(a.inputs), "listen", a.opts.Listen, "journal", kind)
}

// start runs f in a goroutine. Its error goes to failed at once and into the channel.
func start(f func() error, failed func(error)) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := f()
		failed(err)
		done <- err
	}()
	return done
}

// errUnfinished says that a part did not end in the time that a stop has.
var errUnfinished = errors.New("not finished in the time that a stop has")

// lastGrace is how long a part may take to end once it was told that the time is over.
const lastGrace = 250 * time.Millisecond

// wait waits for a part to end and says which one did not end well. A part that is stuck
// outside of our hands, in a write to a stdout that nobody reads, is left behind.
func wait(hard context.Context, part string, done <-chan error) error {
	var err error
	select {
	case err = <-done:
	case <-hard.Done():
		grace := time.NewTimer(lastGrace)
		defer grace.Stop()
		select {
		case err = <-done:
		case <-grace.C:
			err = errUnfinished
		}
	}
	switch {
	case err == nil || errors.Is(err, ErrInputsEnded):
		return nil
	case errors.Is(err, context.Canceled):
		err = errUnfinished
	default:
	}
	return fmt.Errorf("%s: %w", part, err)
}

// Settled reports whether n messages have been received in all, and everything that came of
// them has gone out to stdout.
func (a *App) Settled(n int) bool {
	var received, journaled, atRisk uint64
	for _, in := range a.inputs {
		s := in.ledger.Status()
		received += s.Received
		journaled += s.Journaled
		atRisk += s.AtRisk()
	}
	w := a.worker.Stats()
	return received >= uint64(max(n, 0)) && atRisk == 0 && w.Alerts >= journaled &&
		(a.printer == nil || a.printer.seen() >= w.Revisions)
}

// Totals is what came in and went out so far.
type Totals struct {
	// Received, Repeated and Reported count alerts; Reported are those that the report log accounts
	// for. Printed counts the report revisions on stdout, Missed those that are not there, or not
	// yet.
	Received, Repeated, Reported, Printed, Missed uint64
}

// Totals may be called at any time.
func (a *App) Totals() Totals {
	var t Totals
	for _, in := range a.inputs {
		s := in.ledger.Status()
		t.Received += s.Received
		t.Repeated += s.Repeated
	}
	w := a.worker.Stats()
	t.Reported, t.Printed = w.Alerts, a.printer.printed()
	if a.printer != nil {
		t.Missed = w.Revisions - min(w.Revisions, a.printer.done())
	}
	return t
}

// Status describes the daemon, as GetStatus does.
func (a *App) Status(ctx context.Context) (*pb.GetStatusResponse, error) { return a.status(ctx) }
