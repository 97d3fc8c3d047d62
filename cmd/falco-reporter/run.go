package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/app"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
)

// runFlags are the flags of run.
type runFlags struct {
	falco           []string
	caFile          string
	certFile        string
	keyFile         string
	busy, idle      time.Duration
	listen          string
	output          *string
	level           string
	lateAfter       time.Duration
	pageAt, todayAt string
	knowledge       knowledge
	redact          redaction
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: subscribe to Falco, report to stdout and over gRPC",
		Example: `  falco-reporter run --falco unix:///run/falco/falco.sock -o json
  falco-reporter run --falco unix:///run/falco/falco.sock --listen unix:///run/falco-reporter/reports.sock -o none`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDaemon(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.falco, "falco", nil, "Falco's gRPC server: unix:///PATH or HOST:PORT (Falco 0.18 to 0.43); may be repeated")
	flags.StringVar(&f.caFile, "falco-ca", "", "file with the CA of Falco's certificate, for HOST:PORT")
	flags.StringVar(&f.certFile, "falco-cert", "", "file with our certificate, for HOST:PORT")
	flags.StringVar(&f.keyFile, "falco-key", "", "file with our key, for HOST:PORT")
	flags.DurationVar(&f.busy, "falco-busy-interval", falcogrpc.DefaultBusyInterval, "how often to ask Falco while alerts arrive")
	flags.DurationVar(&f.idle, "falco-idle-interval", falcogrpc.DefaultIdleInterval, "how often to ask Falco otherwise")
	flags.StringVar(&f.listen, "listen", "", "serve the report stream at unix:///PATH")
	f.output = addOutput(flags, "json", true)
	f.knowledge.add(flags)
	f.redact.add(flags)
	flags.DurationVar(&f.lateAfter, "late-after", 15*time.Minute, "age from which on an event, when it arrives, is late and does not page; negative for never")
	flags.StringVar(&f.pageAt, "page-at", "critical", "least severe Falco priority that pages, if nothing speaks against it")
	flags.StringVar(&f.todayAt, "today-at", "warning", "least severe Falco priority that is for today")
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
	format, errFormat := parseOutput(*f.output, true)
	unredacted, errRedact := f.redact.off()
	log, errLog := newLogger(cmd.ErrOrStderr(), f.level)
	var errs []error
	if len(f.falco) == 0 {
		errs = append(errs, errors.New("no input: give --falco unix:///run/falco/falco.sock, or where your Falco's gRPC server is"))
	}
	if f.busy <= 0 || f.idle <= 0 {
		errs = append(errs, errors.New("--falco-busy-interval and --falco-idle-interval must be positive"))
	}
	if f.listen == "" && *f.output == none {
		errs = append(errs, errors.New("nothing to do with the reports: give --listen, or another --output than none"))
	}
	opts := app.Options{Version: versionText(), Listen: f.listen, Format: format, Unredacted: unredacted, Log: log}
	if errLog != nil {
		return app.Options{}, errLog // it is what the rest is told through
	}
	know, err := f.knowledge.options(log)
	if err != nil {
		errs = append(errs, err)
	}
	know.Urgency = enrich.Urgency{LateAfter: f.lateAfter, PageAt: alert.ParsePriority(f.pageAt), TodayAt: alert.ParsePriority(f.todayAt)}
	opts.Enrich, opts.RuleFiles = know, f.knowledge.ruleFiles()
	for flag, p := range map[string]alert.Priority{"--page-at " + f.pageAt: know.Urgency.PageAt, "--today-at " + f.todayAt: know.Urgency.TodayAt} {
		if p == alert.PriorityUnknown {
			errs = append(errs, fmt.Errorf("%s: not one of Falco's priorities (emergency to debug)", flag))
		}
	}
	for _, address := range f.falco {
		o := falcogrpc.Options{Address: address, BusyInterval: f.busy, IdleInterval: f.idle}
		if !falcogrpc.IsUnix(address) {
			tls, err := falcogrpc.MutualTLS(f.caFile, f.certFile, f.keyFile)
			if err != nil {
				errs = append(errs, err)
			}
			o.TLS = tls
		}
		opts.Falco = append(opts.Falco, o)
	}
	if format != "" {
		opts.Stdout = cmd.OutOrStdout()
	}
	if err := errors.Join(append(errs, errFormat, errRedact)...); err != nil {
		return app.Options{}, usageError{err}
	}
	return opts, nil
}
