package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/falco-reporter/falco-reporter/internal/doctor"
	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

func newSetupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Print what other programs must be told to work with falco-reporter",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for setup", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSetupFalcoCommand())
	return cmd
}

// setupFlags are the flags of setup falco.
type setupFlags struct {
	version, config, root string
	input, fields, output string
	write                 bool
}

func newSetupFalcoCommand() *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "falco",
		Short: "Print the configuration that makes Falco tell more, and reach us",
		Long: `Read Falco's configuration and print the drop-in for it that adds pid, start times and ancestors
to every alert of a system call, and that sends alerts to falco-reporter. Sections that are set
already are left as they are. The drop-in goes to stdout, what else there is to know and to do
to stderr; -o json has all of it on stdout. Nothing is changed, but with --write, which makes
the drop-in as a new file and never overwrites one.

The exit status is 0 if that is all, and 1 if something is left that only you can change.`,
		Example: `  falco-reporter setup falco
  falco-reporter setup falco --falco-version 0.44 --input file --write`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return setupFalco(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.version, "falco-version", "", "Falco's version, like 0.43; without it, that of the falco on PATH, or else "+falcoconf.DefaultVersion().String())
	addFalcoConfig(flags, &f.config, &f.root)
	flags.StringVar(&f.input, "input", "", "how alerts are to come: grpc (Falco up to 0.43), http, file; without it, what is set up already, or else file")
	flags.StringVar(&f.fields, "fields", string(falcoconf.Full), "how much is added to an alert: full, or minimal for pid, starts, and the ancestors' names and pids")
	flags.StringVarP(&f.output, "output", "o", "text", "format: text, json")
	flags.BoolVar(&f.write, "write", false, "make the drop-in as a new file in Falco's config.d")
	return cmd
}

// addFalcoConfig adds the flags that say where Falco's configuration is.
func addFalcoConfig(flags *pflag.FlagSet, config, root *string) {
	flags.StringVar(config, "config", falcoconf.DefaultPath, "Falco's main configuration file")
	flags.StringVar(root, "root", "", "where the root directory of Falco's host is mounted; all its paths are then below this")
}

// absolute makes what the operator gave relative to here absolute. Below a root, Falco's paths
// are its own.
func absolute(config, root *string) error {
	path := root
	if *root == "" {
		path = config
	}
	full, err := filepath.Abs(*path)
	*path = full
	return err
}

// setupFalco reads, plans, prints and, if asked to, writes.
func setupFalco(cmd *cobra.Command, f *setupFlags) error {
	var errs []error
	if f.output != "text" && f.output != "json" {
		errs = append(errs, fmt.Errorf("unknown output format %q: choose one of text, json", f.output))
	}
	if f.fields != string(falcoconf.Full) && f.fields != string(falcoconf.Minimal) {
		errs = append(errs, fmt.Errorf("--fields %q: choose one of full, minimal", f.fields))
	}
	switch falcoconf.Input(f.input) {
	case "", falcoconf.InputGRPC, falcoconf.InputFile, falcoconf.InputHTTP:
	default:
		errs = append(errs, fmt.Errorf("--input %q: choose one of grpc, http, file", f.input))
	}
	errs = append(errs, absolute(&f.config, &f.root))
	version, from, err := f.falcoVersion(cmd)
	if err := errors.Join(append(errs, err)...); err != nil {
		return usageError{err}
	}
	conf, err := readFalcoConfig(f.config, falcoconf.Options{Version: version, Root: f.root})
	if err != nil {
		return err
	}
	plan, err := conf.Plan(falcoconf.PlanOptions{Input: falcoconf.Input(f.input), Fields: falcoconf.FieldSet(f.fields)})
	if errors.Is(err, falcoconf.ErrNoGRPC) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if from != "" {
		plan.Notes = append(plan.Notes, from)
	}
	if err := printPlan(cmd, plan, f.output); err != nil {
		return err
	}
	if f.write {
		if err := writeDropIn(cmd, plan, falcoconf.Options{Root: f.root}); err != nil {
			return err
		}
	}
	if len(plan.Manual) > 0 {
		return silentError{errors.New("something is left to do by hand")}
	}
	return nil
}

// falcoVersion is the version to set up, and where it is from unless it was given.
func (f *setupFlags) falcoVersion(cmd *cobra.Command) (v falcoconf.Version, from string, err error) {
	if f.version != "" {
		v, err = falcoconf.ParseVersion(f.version)
		return v, "", err
	}
	if f.root == "" {
		if text, err := doctor.InstalledFalco(cmd.Context()); err == nil {
			if v, err := falcoconf.ParseVersion(text); err == nil {
				return v, "The version is that of the falco on PATH.", nil
			}
		}
	}
	v = falcoconf.DefaultVersion()
	return v, "No falco was found on PATH: version " + v.String() + " is assumed. --falco-version says otherwise.", nil
}

// readFalcoConfig reads the configuration; where there is none, it is that which Falco comes
// with. One that was named must be there.
func readFalcoConfig(path string, o falcoconf.Options) (*falcoconf.Config, error) {
	conf, err := falcoconf.Read(path, o)
	if errors.Is(err, fs.ErrNotExist) && path == falcoconf.DefaultPath {
		if _, statErr := os.Stat(o.Path(path)); errors.Is(statErr, fs.ErrNotExist) {
			return falcoconf.Stock(path, o)
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: run this as root, who alone can read it", err)
	}
	return conf, err
}

// writeDropIn makes the drop-in's file.
func writeDropIn(cmd *cobra.Command, plan *falcoconf.Plan, o falcoconf.Options) error {
	if plan.DropIn.Content == "" {
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), "falco-reporter: there is nothing to write")
		return err
	}
	if plan.Directory != "" {
		dir := o.Path(plan.Directory)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("%s is not there, and Falco, which reads the drop-in at once, could not write its file: first make it, as step 1 does", dir)
		}
	}
	path := o.Path(plan.DropIn.Path)
	// Falco, root, must be able to read it; there is nothing secret in it. O_EXCL makes it an
	// error if anything is there, a link included.
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the configuration says where
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and stays as it is: move it away, or put the drop-in there by hand", path)
	}
	if err != nil {
		return fmt.Errorf("write the drop-in: %w", err)
	}
	_, err = out.WriteString(plan.DropIn.Content)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the drop-in: %w", err), os.Remove(path)) // half a file could keep Falco from starting
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "falco-reporter: wrote %s\n", path)
	return err
}

// printPlan prints the plan: the drop-in on stdout, the rest on stderr.
func printPlan(cmd *cobra.Command, plan *falcoconf.Plan, format string) error {
	if format == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(plan)
	}
	content := plan.DropIn.Content
	if content == "" {
		content = "# There is nothing to add in a drop-in.\n"
	}
	if _, err := io.WriteString(cmd.OutOrStdout(), content); err != nil {
		return err
	}
	_, err := io.WriteString(cmd.ErrOrStderr(), guide(plan))
	return err
}

// guide is what there is to know and to do besides the drop-in.
func guide(plan *falcoconf.Plan) string {
	var b strings.Builder
	line := func(indent, text string) { b.WriteString(wrap(indent, text) + "\n") }
	line("", fmt.Sprintf("For Falco %s, input %s.", plan.FalcoVersion, plan.Input))
	for _, list := range []struct {
		title string
		items []string
	}{{"Know before", plan.Warnings}, {"What changes, and what does not", plan.Notes}} {
		if len(list.items) > 0 {
			b.WriteString("\n" + list.title + "\n")
		}
		for _, s := range list.items {
			line("  - ", s)
		}
	}
	if len(plan.Manual) > 0 {
		b.WriteString("\nOnly you can change this\n")
	}
	for _, m := range plan.Manual {
		line("  - ", m.Where+": "+m.Why)
		block(&b, m.YAML)
	}
	for i, s := range plan.Steps {
		b.WriteString("\n")
		line("", fmt.Sprintf("%d. %s", i+1, s.Title))
		step(&b, s)
	}
	if plan.Run == "" {
		b.WriteString("\n")
		line("", fmt.Sprintf("The input %s does not reach falco-reporter yet: change what only you can, or choose another --input, and run setup again.", plan.Input))
		return b.String()
	}
	b.WriteString("\nThen:\n")
	block(&b, plan.Run+"\n")
	if s := plan.Service; s != nil {
		b.WriteString("\n" + s.Title + ":\n")
		step(&b, *s)
	}
	return b.String()
}

// step is one thing to do, below its title.
func step(b *strings.Builder, s falcoconf.Step) {
	line := func(text string) { b.WriteString(wrap("   ", text) + "\n") }
	if s.Text != "" {
		line(s.Text)
	}
	for _, f := range s.Files {
		line(f.Path + ":")
		block(b, f.Content)
	}
	if len(s.Commands) > 0 {
		line("As root:")
		block(b, strings.Join(s.Commands, "\n")+"\n")
	}
}

// block sets a text off that is to be copied as it stands.
func block(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		b.WriteString("      " + line)
	}
}
