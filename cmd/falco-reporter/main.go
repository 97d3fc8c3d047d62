// Command falco-reporter turns Falco alerts into incident reports.
//
//	falco-reporter run      the daemon: subscribes to Falco, reports to stdout and over gRPC
//	falco-reporter report   reports on alerts from files or standard input, and ends
//	falco-reporter explain  what is known about a rule, technique or tactic
//	falco-reporter demo     plays recorded alerts through the daemon, to see what it does
//	falco-reporter setup    what to configure in Falco, and for our user, for a good report
//	falco-reporter doctor   checks an installation, and says what to mend
//	falco-reporter journal  backup, export and check of the journal on disk
//	falco-reporter playbooks  write and check playbooks of your own
//	falco-reporter sim      a stand-in for Falco's gRPC output, for trials
//	falco-reporter version  the version
//
// stdout carries reports only; everything else goes to stderr. The exit status is 0 on
// success, 1 if something went wrong, 2 for a command line that is not understood; doctor has 3
// for a warning.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) //nolint:forbidigo // this is the one place
}

// usageError is an error of the command line.
type usageError struct{ error }

// silentError is an error that has been told already.
type silentError struct{ error }

// run is the program: it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// With the signal ignored, writing to a closed pipe is an error like others, and the
	// daemon and the demo can clean up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// The first signal asks the daemon to stop; from then on a signal ends the process as it
	// would without us.
	defer context.AfterFunc(ctx, stop)()
	root := newRoot(stdin, stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var silent silentError
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &silent):
		return exitFailed
	case errors.Is(err, syscall.EPIPE):
		return exitFailed // whoever read our output has gone; nobody is left to tell
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "falco-reporter: %v\nRun 'falco-reporter --help' for usage.\n", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintf(stderr, "falco-reporter: %v\n", err)
		return exitFailed
	}
}

func newRoot(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "falco-reporter",
		Short:         "Turn Falco alerts into incident reports that people act on",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRunCommand(), newReportCommand(), newExplainCommand(), newDemoCommand(), newSetupCommand(), newDoctorCommand(),
		newJournalCommand(), newPlaybooksCommand(), newSimCommand(), newVersionCommand())
	return root
}

// usageArgs makes a check of positional arguments an error of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
