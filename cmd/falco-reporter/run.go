package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/app"
)

// runFlags are the flags of run.
type runFlags struct {
	inputs      inputFlags
	journal     journalFlags
	ancestry    ancestryFlags
	incidents   incidentFlags
	silentAfter time.Duration
	listen      string
	metrics     string
	output      outputFlag
	level       string
	lateAfter   time.Duration
	urgency     urgencyFlags
	knowledge   knowledge
	redact      redaction
}

func newRunCommand() *cobra.Command {
	f := runFlags{output: outputFlag{endless: true}}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: take Falco's alerts in, report to stdout and over gRPC",
		Long: `Take alerts in by any number of inputs at once, write each to the journal before anything else,
and report to stdout and to the subscribers of the report stream. What was accepted is not lost
when the process ends, however it ends: the next run goes on with it.`,
		Example: `  falco-reporter run --alerts-file /var/log/falco/events.log --listen unix:///run/falco-reporter/reports.sock -o none
  falco-reporter run --falco unix:///run/falco/falco.sock -o json
  falco-reporter run --http-listen 127.0.0.1:2802 -o json
  falco -o json_output=true | falco-reporter run --stdin --journal memory -o text`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDaemon(cmd, &f) },
	}
	flags := cmd.Flags()
	f.inputs.add(flags)
	f.journal.add(flags)
	f.ancestry.add(flags)
	f.incidents.add(flags, joinOn)
	flags.DurationVar(&f.silentAfter, "silent-after", 0, "report inputs and hosts from which nothing came for so long, neither alerts nor Falco's metrics; 0 for never")
	flags.StringVar(&f.listen, "listen", "", "serve the report stream at unix:///PATH")
	flags.StringVar(&f.metrics, "metrics-listen", "", "serve metrics for Prometheus at http://HOST:PORT/metrics")
	f.output.add(flags, "json")
	f.knowledge.add(flags)
	f.redact.add(flags)
	flags.DurationVar(&f.lateAfter, "late-after", 15*time.Minute, "age from which on an event, when it arrives, is late and does not page; negative for never")
	f.urgency.add(flags)
	flags.StringVar(&f.level, "log-level", "info", "least level to log: debug, info, warn, error")
	return cmd
}

func runDaemon(cmd *cobra.Command, f *runFlags) error {
	opts, err := f.options(cmd)
	if err != nil {
		return err
	}
	daemon, err := app.New(cmd.Context(), opts)
	if err != nil {
		return err
	}
	return daemon.Run(cmd.Context())
}

// options checks the flags, all of them, and reports everything that is wrong.
func (f *runFlags) options(cmd *cobra.Command) (app.Options, error) {
	rendering, errFormat := f.output.options(cmd.OutOrStdout())
	unredacted, errRedact := f.redact.off()
	log, errLog := newLogger(cmd.ErrOrStderr(), f.level)
	if errLog != nil {
		return app.Options{}, errLog // it is what the rest is told through
	}
	inputs, errInputs := f.inputs.options(cmd.InOrStdin())
	sqlite, errJournal := f.journal.options(log)
	know, _ := f.knowledge.options(log) // what is refused has been told, and the daemon goes on
	urgency, errUrgency := f.urgency.options()
	urgency.LateAfter = f.lateAfter
	know.Urgency = urgency
	tracked, errAncestry := f.ancestry.options()
	joiner, errJoin := f.incidents.joiner()
	errs := []error{errFormat, errRedact, errInputs, errJournal, errAncestry, errJoin, errUrgency}
	if f.listen == "" && f.output.format == none {
		errs = append(errs, errors.New("nothing to do with the reports: give --listen, or another --output than none"))
	}
	if f.silentAfter < 0 {
		errs = append(errs, errors.New("--silent-after must not be negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return app.Options{}, usageError{err}
	}
	opts := app.Options{
		Version: versionText(), Inputs: inputs, SQLite: sqlite, Ancestry: tracked, Joiner: joiner, SilentAfter: f.silentAfter, Listen: f.listen, Metrics: f.metrics,
		Render: rendering, Enrich: know, RuleFiles: f.knowledge.ruleFiles(), Playbooks: f.knowledge.playbooks, Unredacted: unredacted, Log: log,
	}
	if rendering.Format != "" {
		opts.Stdout = cmd.OutOrStdout()
	}
	return opts, nil
}
