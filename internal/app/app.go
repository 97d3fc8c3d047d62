// Package app wires the daemon:
//
//	inputs ── intake ── alert log ── worker ── report log ─┬─ stdout
//	                                                       └─ server: subscribers
//
// [App.Run] owns every goroutine of it. Stopping goes the way of the data: the inputs stop and
// settle, what they received is journaled, enrichment accounts for it, stdout and the
// subscribers get the rest, then the server ends its streams. The whole is bounded by
// Options.StopTimeout; what is not done by then is counted and said.
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

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
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
	// Falco are the gRPC inputs.
	Falco []falcogrpc.Options
	// Listen is where the report stream is served, unix:///PATH; empty is nowhere.
	Listen string
	// Stdout gets every report in Format; nil is none.
	Stdout io.Writer
	Format render.Format
	// Journal bounds the journal in memory.
	Journal journal.MemoryOptions
	// Enrich says what enrichment knows. Its Rules are set from the rule files.
	Enrich enrich.Options
	// RuleFiles are Falco's rule files and folders of them, read again when they change.
	RuleFiles []string
	// Unredacted lets reports out with the secrets that are in them.
	Unredacted bool
	// Log gets what operators should know.
	Log *slog.Logger
	// StopTimeout bounds a stop; 0 is DefaultStopTimeout.
	StopTimeout time.Duration
}

// App is the daemon. It runs once.
type App struct {
	opts     Options
	log      *slog.Logger
	journal  *journal.Memory
	enricher *enrich.Enricher
	worker   *enrich.Worker
	inputs   []*input
	server   *serve.Server
	listener net.Listener
	printer  *printer
	rules    *rules.Watcher
	healthMu sync.Mutex
	start    time.Time
}

// input is one input with what belongs to it.
type input struct {
	ledger *consumer.Ledger
	intake *consumer.Intake
	falco  *falcogrpc.Input
}

// New checks the options and prepares the daemon. If it listens, the socket is there when New
// returns: Run must follow, which closes it.
func New(ctx context.Context, opts Options) (*App, error) {
	watcher, err := rules.NewWatcher(opts.RuleFiles, 0, opts.Log)
	if err != nil {
		opts.Log.Warn("not all rule files could be read; reports lack what they say", "error", err)
	}
	opts.Enrich.Rules = watcher.Current
	enricher, err := enrich.New(opts.Enrich)
	if err != nil {
		return nil, err
	}
	if opts.StopTimeout <= 0 {
		opts.StopTimeout = DefaultStopTimeout
	}
	j := journal.NewMemory(opts.Journal)
	a := &App{
		opts: opts, log: opts.Log, journal: j, enricher: enricher,
		worker: enrich.NewWorker(j, enricher, nil, opts.Log), rules: watcher, start: time.Now(),
	}
	var readers journal.Journal = j
	if !opts.Unredacted {
		readers = newOutgoing(j, redact.Report)
	}
	a.server = serve.New(serve.Options{Journal: readers, Status: a.status, Logger: opts.Log})
	for i, o := range opts.Falco {
		if err := a.addFalco(i, o); err != nil {
			return nil, err
		}
	}
	if opts.Stdout != nil {
		a.printer = newPrinter(readers, opts.Stdout, opts.Format, opts.Log)
	}
	if opts.Listen != "" {
		if a.listener, err = serve.Listen(ctx, opts.Listen); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// addFalco adds a gRPC input. The first is called grpc, further ones grpc-2 and so on.
func (a *App) addFalco(i int, o falcogrpc.Options) error {
	name := falcogrpc.Kind
	if i > 0 {
		name = fmt.Sprintf("%s-%d", falcogrpc.Kind, i+1)
	}
	ledger := consumer.NewLedger(name, falcogrpc.Kind, o.Address)
	ledger.OnState(a.inputsChanged)
	intake := consumer.NewIntake(name, a.journal, ledger, a.log, consumer.IntakeOptions{})
	falco, err := falcogrpc.New(o, intake, ledger, a.log)
	if err != nil {
		return err
	}
	a.inputs = append(a.inputs, &input{ledger: ledger, intake: intake, falco: falco})
	return nil
}

// inputsChanged tells the health service whether every input has its source.
func (a *App) inputsChanged() {
	// One after the other, so that what was seen last is what is set last.
	a.healthMu.Lock()
	defer a.healthMu.Unlock()
	all := true
	for _, in := range a.inputs {
		all = all && in.ledger.Status().State == consumer.StateConnected
	}
	a.server.SetInputsServing(all)
}

// Run runs the daemon until ctx ends and then stops it in order. It returns nil after a clean
// stop, and otherwise what failed or what the stop had to cut off.
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
	ruleFiles := start(func() error { return a.rules.Run(soft) }, func(error) {}) // it ends with soft alone
	serveCtx, stopServing := context.WithCancel(hard)
	defer stopServing()
	server := start(func() error { return a.serve(serveCtx) }, failed)
	a.inputsChanged()
	a.log.Info("started", "version", a.opts.Version, "inputs", len(a.inputs), "listen", a.opts.Listen, "journal", "memory")

	<-soft.Done()
	cause := context.Cause(soft)
	if ctx.Err() == nil {
		a.log.Error("stopping because a part failed", "error", cause)
	} else {
		a.log.Info("stopping")
	}
	timer := time.AfterFunc(a.opts.StopTimeout, cancel)
	defer timer.Stop()
	var errs []error
	if err := <-ruleFiles; !errors.Is(err, context.Canceled) {
		errs = append(errs, err)
	}
	errs = append(errs, wait(hard, "inputs", inputs))
	a.worker.Finish()
	errs = append(errs, wait(hard, "enrichment", worker))
	a.printer.finish()
	errs = append(errs, wait(hard, "stdout", printer))
	stopServing()
	errs = append(errs, wait(hard, "report stream", server), a.journal.Close())
	a.logEnd()
	if ctx.Err() == nil {
		return cause // what failed first, and made the rest stop
	}
	return errors.Join(errs...)
}

// runInputs runs every input and its intake. An intake ends once its input has ended and its
// queue is empty.
func (a *App) runInputs(soft, hard context.Context, failed func(error)) <-chan error {
	return start(func() error {
		var wg sync.WaitGroup
		errs, stopped := make([]error, len(a.inputs)), make([]error, len(a.inputs))
		for i, in := range a.inputs {
			wg.Go(func() {
				defer in.intake.Close()
				stopped[i] = in.falco.Run(soft)
			})
			wg.Go(func() { errs[i] = in.intake.Run(hard) })
		}
		wg.Wait()
		return errors.Join(append(stopped, errs...)...)
	}, failed)
}

// serve serves the report stream, if there is one.
func (a *App) serve(ctx context.Context) error {
	if a.listener == nil {
		return nil
	}
	return a.server.Serve(ctx, a.listener)
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
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		err = errUnfinished
	default:
	}
	return fmt.Errorf("%s: %w", part, err)
}

// logEnd says what became of every alert.
func (a *App) logEnd() {
	w := a.worker.Stats()
	for _, in := range a.inputs {
		s := in.ledger.Status()
		a.log.Info("input ended", "input", s.Name, "received", s.Received, "journaled", s.Journaled,
			"repeated", s.Repeated, "rejected", s.Rejected, "at_risk", s.AtRisk(), "lost", s.Lost,
			"disconnects", s.Disconnects, "uncertain_disconnects", s.Uncertain)
	}
	a.log.Info("stopped", "alerts", w.Alerts, "reports", w.Revisions, "plain", w.Plain, "missed_by_stdout", a.printer.missed())
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
	// Received and Repeated count alerts, Printed counts the reports on stdout.
	Received, Repeated, Printed uint64
}

// Totals may be called at any time.
func (a *App) Totals() Totals {
	var t Totals
	for _, in := range a.inputs {
		s := in.ledger.Status()
		t.Received += s.Received
		t.Repeated += s.Repeated
	}
	t.Printed = a.printer.printed()
	return t
}

// Status describes the daemon, as GetStatus does.
func (a *App) Status(ctx context.Context) (*pb.GetStatusResponse, error) { return a.status(ctx) }
