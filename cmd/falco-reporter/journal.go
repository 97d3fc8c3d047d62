package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/redact"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

func newJournalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "Look after the journal on disk: backup, export, check",
		Long: `Look after the journal on disk. All of it only reads, and works while the daemon runs. It must be
done by a user who may read the directory: root, or the user of the daemon.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q of journal", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJournalBackupCommand(), newJournalExportCommand(), newJournalCheckCommand())
	return cmd
}

func newJournalBackupCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the journal, as it is at one moment, to a new file",
		Long: `Copy the journal, as it is at one moment, to a new file. It holds alerts and reports with the
secrets that are in them: the file is for its owner alone. To go back to it, stop the daemon and
put it in place of journal.db, without the journal.db-wal and journal.db-shm that are there.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return journal.Backup(cmd.Context(), dir, args[0])
		},
	}
	addStateDir(cmd.Flags(), &dir)
	return cmd
}

func newJournalExportCommand() *cobra.Command {
	var dir string
	var redaction redaction
	cmd := &cobra.Command{
		Use:   "export alerts|reports|rejected",
		Short: "Print what the journal keeps as JSON, one object a line, oldest first",
		Long: `Print what the journal keeps as JSON, one object a line, oldest first.

  alerts    the alerts as they were accepted, with the secrets that are in them;
            "falco-reporter report" reads them
  reports   every revision of every report
  rejected  the newest messages that were no alerts, and why

Printed reports have no secrets, unless --redact=off; alerts and rejected messages are as they
came.`,
		Args: usageArgs(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{
			journal.ExportAlerts, journal.ExportReports, journal.ExportRejected,
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			unredacted, err := redaction.off()
			if err != nil {
				return err
			}
			return journal.Export(cmd.Context(), dir, cmd.OutOrStdout(), args[0], func(e journal.ReportEntry) ([]byte, error) {
				return exportReport(e, unredacted)
			})
		},
	}
	addStateDir(cmd.Flags(), &dir)
	redaction.add(cmd.Flags())
	return cmd
}

// exportReport is a report as one line of JSON, without its end.
func exportReport(e journal.ReportEntry, unredacted bool) ([]byte, error) {
	r := new(pb.Report)
	if err := proto.Unmarshal(e.Data, r); err != nil {
		return nil, fmt.Errorf("decode report %s: %w", e.ID, err)
	}
	if !unredacted {
		r = redact.Report(r)
	}
	line, err := render.Append(nil, render.JSON, r)
	if n := len(line); err == nil && n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	return line, err
}

// errUnsound says that a check found something.
var errUnsound = errors.New("the journal is not sound: stop the daemon, keep the directory as it is, and go back to a backup, " +
	"or move journal.db away to begin anew; what can be read of it, export prints")

func newJournalCheckCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole journal and say whether it is sound",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := journal.Check(cmd.Context(), dir)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, p := range result.Problems {
				if _, err := fmt.Fprintln(out, p); err != nil {
					return err
				}
			}
			if len(result.Problems) > 0 {
				return fmt.Errorf("%s: %w", dir, errUnsound)
			}
			_, err = fmt.Fprintf(out, "%s: sound, %d alerts, %d report revisions\n", dir, result.Alerts, result.Reports)
			return err
		},
	}
	addStateDir(cmd.Flags(), &dir)
	return cmd
}
