package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/userfile"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

func newPlaybooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "playbooks",
		Short: "Write and check playbooks of your own",
		Long: `Write and check playbooks of your own: YAML files that say what an alert means and what to do about
it. With run, report and explain, --playbooks takes a folder of them.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q of playbooks", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPlaybooksSchemaCommand(), newPlaybooksCheckCommand(), newPlaybooksListCommand())
	return cmd
}

func newPlaybooksSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of playbook files",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(playbook.Schema())
			return err
		},
	}
}

func newPlaybooksCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Check playbook files, without using them",
		Long: `Check playbook files, without using them. Everything that is wrong with a file is told; "-" is
standard input. Each file is checked by itself.`,
		Example: `  falco-reporter playbooks check my-playbooks/*.yaml`,
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, name := range args {
				errs = append(errs, checkPlaybooks(cmd, name))
			}
			return errors.Join(errs...)
		},
	}
}

// checkPlaybooks checks one file and says what is in it.
func checkPlaybooks(cmd *cobra.Command, name string) error {
	var data []byte
	var err error
	if name == "-" {
		data, err = userfile.ReadFrom(cmd.InOrStdin(), "standard input", playbook.MaxFileBytes)
	} else {
		data, err = userfile.Read(name, playbook.MaxFileBytes)
	}
	if err != nil {
		return fmt.Errorf("check playbooks: %w", err)
	}
	keys, err := playbook.Check(data)
	if err != nil {
		return fmt.Errorf("check playbooks: %s: %w", name, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: sound, %s\n", name, playbooks(len(keys)))
	return err
}

// playbooks counts playbooks.
func playbooks(n int) string {
	if n == 1 {
		return "1 playbook"
	}
	return fmt.Sprintf("%d playbooks", n)
}

func newPlaybooksListCommand() *cobra.Command {
	var own []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print what there are playbooks for",
		Long: `Print what there are playbooks for, one a line: rule:NAME, technique:ID, tactic:ID or source:NAME.
"*" is for the sources that have none of their own.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := playbook.Load(own)
			if err != nil {
				return err
			}
			var keys []string
			for key := range l.All() {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			_, err = io.WriteString(cmd.OutOrStdout(), strings.Join(keys, "\n")+"\n")
			return err
		},
	}
	cmd.Flags().StringArrayVar(&own, "playbooks", nil, "file or folder with playbooks of your own, in addition; may be repeated")
	return cmd
}
