package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
	"github.com/falco-reporter/falco-reporter/internal/consumer/stdin"
)

// Inputs say where alerts come in: any number at once.
type Inputs struct {
	// Falco are subscriptions to Falco's gRPC server.
	Falco []falcogrpc.Options
	// Files are files that Falco writes.
	Files []falcofile.Options
	// HTTP are addresses that Falco or falcosidekick post to.
	HTTP []falcohttp.Options
	// Stdin is a stream of alerts; nil is none. When it ends, the daemon stops if it has no
	// other input.
	Stdin io.Reader
}

// source brings alerts in until ctx ends; what it returns then failed.
type source interface {
	Run(ctx context.Context) error
}

// input is one input with what belongs to it.
type input struct {
	ledger *consumer.Ledger
	intake *consumer.Intake
	source source
}

// addInputs makes the inputs. The first of a kind is called by it, further ones grpc-2 and so
// on; files are called by their path.
func (a *App) addInputs(ctx context.Context, in Inputs) error {
	for i, o := range in.Falco {
		err := a.addInput(falcogrpc.Kind, i, o.Address, consumer.IntakeOptions{}, func(_ string, k *consumer.Intake, l *consumer.Ledger) (source, error) {
			return falcogrpc.New(o, k, l, a.log)
		})
		if err != nil {
			return err
		}
	}
	for i, o := range in.Files {
		err := a.addInput(falcofile.Kind, i, o.Path, consumer.IntakeOptions{}, func(_ string, k *consumer.Intake, l *consumer.Ledger) (source, error) {
			return falcofile.New(o, k, l, a.journal, a.log)
		})
		if err != nil {
			return err
		}
	}
	for i, o := range in.HTTP {
		bounds := consumer.IntakeOptions{MaxAlerts: falcohttp.QueueLength, MaxBytes: falcohttp.QueueBytes}
		err := a.addInput(falcohttp.Kind, i, o.Address, bounds, func(_ string, k *consumer.Intake, l *consumer.Ledger) (source, error) {
			return falcohttp.New(ctx, o, k, l, a.log)
		})
		if err != nil {
			return err
		}
	}
	if in.Stdin == nil {
		return nil
	}
	return a.addInput(stdin.Kind, 0, "-", consumer.IntakeOptions{}, func(_ string, k *consumer.Intake, l *consumer.Ledger) (source, error) {
		return stdin.New(in.Stdin, k, l, a.log), nil
	})
}

// addInput makes one input.
func (a *App) addInput(kind string, i int, address string, opts consumer.IntakeOptions, make func(string, *consumer.Intake, *consumer.Ledger) (source, error)) error {
	name := kind
	switch {
	case kind == falcofile.Kind:
		name += ":" + address // its position is kept by its name
	case i > 0:
		name = fmt.Sprintf("%s-%d", kind, i+1)
	}
	if slices.ContainsFunc(a.inputs, func(in *input) bool { return in.ledger.Status().Name == name }) {
		return fmt.Errorf("the input %q is given twice", name)
	}
	ledger := consumer.NewLedger(name, kind, address)
	ledger.OnState(a.inputsChanged)
	ledger.SilentAfter(a.opts.SilentAfter)
	if a.silence != nil {
		opts.Seen = a.silence.Seen
	}
	if a.tracker != nil {
		opts.Capture = a.tracker.Capture
	}
	intake := consumer.NewIntake(name, a.journal, ledger, a.log, opts)
	s, err := make(name, intake, ledger)
	if err != nil {
		return err
	}
	a.inputs = append(a.inputs, &input{ledger: ledger, intake: intake, source: s})
	return nil
}

// isLocal reports whether what an input brings is of this host's own Falco, as far as the way
// shows: by a unix socket, a file, a pipe, or loopback.
func (a *App) isLocal(name string) bool {
	for _, in := range a.inputs {
		s := in.ledger.Status()
		if s.Name != name {
			continue
		}
		switch s.Kind {
		case falcogrpc.Kind:
			return falcogrpc.IsUnix(s.Address)
		case falcohttp.Kind:
			host, _, err := net.SplitHostPort(s.Address)
			ip := net.ParseIP(host)
			return err == nil && (host == "localhost" || ip.IsLoopback())
		default:
			return true
		}
	}
	return false
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

// runInputs runs every input and its intake. An intake ends once its input has ended and its
// queue is empty. When every input has come to its end by itself, the daemon has nothing left
// to do: that is ErrInputsEnded.
func (a *App) runInputs(soft, hard context.Context, failed func(error)) <-chan error {
	return start(func() error {
		var wg sync.WaitGroup
		a.noteRunning(soft, &wg)
		errs, stopped := make([]error, len(a.inputs)), make([]error, len(a.inputs))
		for i, in := range a.inputs {
			wg.Go(func() {
				defer in.intake.Close()
				stopped[i] = in.source.Run(soft)
			})
			wg.Go(func() { errs[i] = in.intake.Run(hard) })
		}
		wg.Wait()
		for i, err := range stopped {
			if errors.Is(err, stdin.ErrEnded) {
				stopped[i] = nil
			}
		}
		a.noteStopped(hard, joinEach(stopped, errs))
		err := errors.Join(append(stopped, errs...)...)
		if err == nil && soft.Err() == nil {
			return ErrInputsEnded
		}
		return err
	}, failed)
}
