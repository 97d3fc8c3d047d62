package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/app"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// demoPatience is how long the demo waits without anything happening before it gives up.
const demoPatience = 20 * time.Second

func newDemoCommand() *cobra.Command {
	var file string
	var keep bool
	var output outputFlag
	var incidents incidentFlags
	var level string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play recorded alerts through the daemon and print the reports",
		Long: `Start a stand-in for Falco on a private unix socket and the same daemon that run starts, let
it subscribe over gRPC, play recorded alerts, print a report for each, and end. With --join
alerts that belong together share a report, which is printed whenever it is revised, and closed
at the end. No network port is opened and nothing is left behind.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := demo{cmd: cmd, keep: keep}
			var err error
			if d.opts.Render, err = output.options(cmd.OutOrStdout()); err != nil {
				return err
			}
			if d.opts.Log, err = newLogger(cmd.ErrOrStderr(), level); err != nil {
				return err
			}
			if d.opts.Joiner, err = incidents.joiner(); err != nil {
				return usageError{err}
			}
			if d.alerts, err = loadAlerts(file); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "alerts", "", "file with recorded alerts, one a line; without it the bundled ones")
	flags.BoolVar(&keep, "keep", false, "stay up afterwards, and print commands to try")
	output.add(flags, "markdown")
	incidents.add(flags, joinOff)
	flags.StringVar(&level, "log-level", "warn", "least level to log: debug, info, warn, error")
	return cmd
}

// demo is one run of the demo command.
type demo struct {
	cmd    *cobra.Command
	keep   bool
	alerts []falcosim.Alert
	opts   app.Options
}

// run plays the demo in a private directory that is gone afterwards.
func (d *demo) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "falco-reporter-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	falcoSocket := "unix://" + filepath.Join(dir, "falco.sock")
	d.opts.Version = versionText()
	// The alerts are recordings: that they are old says nothing here.
	d.opts.Enrich.Urgency.LateAfter = -1
	d.opts.Inputs.Falco = []falcogrpc.Options{{Address: falcoSocket}}
	d.opts.Listen = "unix://" + filepath.Join(dir, "reports.sock")
	d.opts.Stdout = d.cmd.OutOrStdout()
	// However slowly stdout is read, the demo must not lose a report: the journal keeps all.
	// A report takes some 20 KiB. Every revision tells of another alert, but for the last of an
	// incident, of which there are no more than alerts.
	most := 2*len(d.alerts) + 1
	d.opts.Memory = journal.MemoryOptions{ReportEntries: most, ReportBytes: int64(most) << 20}

	l, err := serve.Listen(ctx, falcoSocket)
	if err != nil {
		return err
	}
	sim := falcosim.New(falcosim.Options{JSONOutput: true})
	served := make(chan error, 1)
	go func() { served <- sim.Serve(l) }()
	defer func() {
		sim.Terminate()
		err = errors.Join(err, <-served)
	}()
	sim.Enqueue(d.alerts...)
	return d.report(ctx)
}

// report runs the daemon until every alert is reported.
func (d *demo) report(ctx context.Context) error {
	daemon, err := app.New(ctx, d.opts)
	if err != nil {
		return err
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan error, 1)
	go func() { done <- daemon.Run(running) }()
	err = d.settle(ctx, daemon, done)
	if err == nil && d.keep {
		d.hints()
		<-ctx.Done()
	}
	if err == nil {
		stop(app.ErrInputsEnded) // without effect where the user has stopped it
	}
	stop(nil)
	if runErr := <-done; err == nil {
		err = runErr
	}
	t := daemon.Totals()
	in := uint64(len(d.alerts))
	lost := in - min(in, t.Reported+t.Repeated) + t.Missed
	if _, werr := fmt.Fprintf(d.cmd.ErrOrStderr(), "demo: %d alerts in, %d reports out, %d lost\n", in, t.Printed, lost); err == nil {
		err = werr
	}
	if err == nil && lost > 0 && ctx.Err() == nil {
		err = errors.New("demo: alerts were lost")
	}
	return err
}

// errEnded says that the daemon ended by itself.
var errEnded = errors.New("the daemon ended early")

// settle waits until every alert is reported. It gives up when nothing happens for long.
func (d *demo) settle(ctx context.Context, daemon *app.App, done chan error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	progress, last := time.Now(), daemon.Totals()
	for !daemon.Settled(len(d.alerts)) {
		select {
		case err := <-done:
			done <- err // for the one who waits for the end
			if err == nil {
				err = errEnded
			}
			return err
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now := daemon.Totals(); now != last {
			progress, last = time.Now(), now
		}
		if time.Since(progress) > demoPatience {
			return fmt.Errorf("demo: nothing happened for %s", demoPatience)
		}
	}
	return nil
}

// hints prints what can be tried while the demo stays up.
func (d *demo) hints() {
	socket := d.opts.Listen[len("unix://"):]
	_, _ = fmt.Fprintf(d.cmd.ErrOrStderr(), `
The daemon stays up; stop it with Ctrl-C. Try, in another terminal:
  grpcurl -plaintext -unix %[1]s list
  grpcurl -plaintext -unix %[1]s describe falcoreporter.v1.ReportService
  grpcurl -plaintext -unix %[1]s -d '{"last": 3}' falcoreporter.v1.ReportService/Subscribe
  grpcurl -plaintext -unix %[1]s falcoreporter.v1.ReportService/GetStatus
  grpcurl -plaintext -unix %[1]s grpc.health.v1.Health/Check
  falco-reporter run --falco %[2]s -o text
`, socket, d.opts.Inputs.Falco[0].Address)
}
