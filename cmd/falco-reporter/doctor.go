package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/doctor"
)

// exitWarned is doctor's exit status if the worst finding is a warning.
const exitWarned = 3

// exitError is an error that has been told already, with the exit status it asks for.
type exitError struct{ status int }

// Error implements error.
func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	options                   doctor.Options
	caFile, certFile, keyFile string
	output                    string
}

func newDoctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check an installation, and say how to mend it",
		Long: `Check an installation: Falco's version, socket and configuration, whether alerts carry what a
report needs, the permissions of our user, the journal, the clock, the running daemon. Each
finding comes with its remedy. Nothing is changed, and no alert is taken away from anybody.

Without --falco, --alerts-file and --http-listen, Falco's configuration says how alerts come.
With --live, doctor tells how to trigger a harmless alert and waits for it: through the running
daemon, or in the alerts file. It never subscribes to Falco itself, whose gRPC clients share one
queue. Run it as root: what it cannot see it can only say so.

The exit status is by the worst finding: 0 for ok, 3 for warn, 1 for fail; 2 for a command line
that is not understood.`,
		Example: `  sudo falco-reporter doctor
  sudo falco-reporter doctor --alerts-file /var/log/falco/events.log --live`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return examine(cmd, &f) },
	}
	flags, o := cmd.Flags(), &f.options
	flags.StringVar(&o.Falco, "falco", "", "Falco's gRPC server: unix:///PATH or HOST:PORT")
	flags.StringVar(&f.caFile, "falco-ca", "", "file with the CA of Falco's certificate, for HOST:PORT")
	flags.StringVar(&f.certFile, "falco-cert", "", "file with our certificate, for HOST:PORT")
	flags.StringVar(&f.keyFile, "falco-key", "", "file with our key, for HOST:PORT")
	flags.StringVar(&o.AlertsFile, "alerts-file", "", "the file that Falco's file_output writes")
	flags.StringVar(&o.HTTPListen, "http-listen", "", "where the daemon takes Falco's http_output: HOST:PORT")
	addFalcoConfig(flags, &o.Config, &o.Root)
	flags.StringVar(&o.StateDir, "state-dir", "/var/lib/falco-reporter", "the journal's directory; empty for none")
	flags.StringVar(&o.Daemon, "listen", "unix:///run/falco-reporter/reports.sock", "the socket of the running daemon's report stream: unix:///PATH")
	flags.StringVar(&o.User, "user", "", "whom the daemon runs as; without it, that of the running daemon, or falco-reporter")
	flags.BoolVar(&o.Live, "live", false, "wait for a harmless alert, end to end")
	flags.DurationVar(&o.Timeout, "timeout", time.Minute, "how long --live waits")
	flags.StringVarP(&f.output, "output", "o", "text", "format: text, json")
	return cmd
}

// examine runs the checks and prints the findings.
func examine(cmd *cobra.Command, f *doctorFlags) error {
	if err := f.complete(); err != nil {
		return usageError{err}
	}
	f.options.Say = func(text string) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), text) }
	findings := doctor.Run(cmd.Context(), f.options)
	worst := doctor.Worst(findings)
	if err := printFindings(cmd, findings, worst, f.output); err != nil {
		return err
	}
	switch worst {
	case doctor.OK:
		return nil
	case doctor.Warn:
		return exitError{exitWarned}
	default:
		return exitError{exitFailed}
	}
}

// complete checks the flags, all of them.
func (f *doctorFlags) complete() error {
	errs := []error{absolute(&f.options.Config, &f.options.Root)}
	if f.output != "text" && f.output != "json" {
		errs = append(errs, fmt.Errorf("unknown output format %q: choose one of text, json", f.output))
	}
	if f.options.Timeout <= 0 {
		errs = append(errs, errors.New("--timeout must be positive"))
	}
	if !strings.HasPrefix(f.options.Daemon, "unix:///") {
		errs = append(errs, fmt.Errorf("--listen %q: want unix:///PATH", f.options.Daemon))
	}
	switch {
	case f.options.Falco == "" || strings.HasPrefix(f.options.Falco, "unix:///"):
	case falcogrpc.IsUnix(f.options.Falco):
		errs = append(errs, fmt.Errorf("--falco %q: a unix socket is written unix:///PATH, with an absolute path", f.options.Falco))
	default:
		tls, err := falcogrpc.MutualTLS(f.caFile, f.certFile, f.keyFile)
		f.options.FalcoTLS = tls
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// printFindings prints them.
func printFindings(cmd *cobra.Command, findings []doctor.Finding, worst doctor.Status, format string) error {
	if format == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Status   doctor.Status    `json:"status"`
			Findings []doctor.Finding `json:"findings"`
		}{worst, findings})
	}
	var b strings.Builder
	for _, f := range findings {
		b.WriteString(wrap(fmt.Sprintf("%-5s", f.Status), f.Check+": "+f.Seen) + "\n")
		if f.Remedy != "" {
			// Not wrapped: it is to be copied.
			b.WriteString("     Remedy: " + f.Remedy + "\n")
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%sWorst: %s\n", b.String(), worst)
	return err
}
