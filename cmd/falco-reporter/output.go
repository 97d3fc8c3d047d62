package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/falco-reporter/falco-reporter/internal/render"
)

// none is the value of --output for no reports on stdout.
const none = "none"

// outputFlag is the flag that chooses how reports are written, everywhere the same.
type outputFlag struct {
	format string
	// endless is for a command whose reports have no end: it may have none on stdout, and no
	// format that makes one document.
	endless bool
}

// add adds the flag.
func (o *outputFlag) add(flags *pflag.FlagSet, def string) {
	var choices []string
	for _, f := range render.Formats() {
		if !o.endless || !render.Format(f).IsPage() {
			choices = append(choices, f)
		}
	}
	if o.endless {
		choices = append(choices, none)
	}
	flags.StringVarP(&o.format, "output", "o", def, "format of the reports on stdout: "+strings.Join(choices, ", "))
}

// options reads the flag; with none the format is empty. Colours are for people at a terminal
// who have not asked to be spared them (no-color.org).
func (o *outputFlag) options(stdout io.Writer) (render.Options, error) {
	if o.endless && o.format == none {
		return render.Options{}, nil
	}
	f, err := render.ParseFormat(o.format)
	if err != nil {
		return render.Options{}, usageError{err}
	}
	if o.endless && f.IsPage() {
		return render.Options{}, usageError{fmt.Errorf("--output %s: it makes one page, and the reports of a daemon have no end; use report", f)}
	}
	return render.Options{Format: f, Colour: isTerminal(stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}, nil
}

// isTerminal reports whether somebody looks at what is written there.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// redaction is the flag that lets secrets pass.
type redaction string

// Values of --redact.
const (
	redactOn  = "on"
	redactOff = "off"
)

// add adds the flag.
func (r *redaction) add(flags *pflag.FlagSet) {
	flags.StringVar((*string)(r), "redact", redactOn, "take secrets out of reports: on, off")
}

// off reads the flag.
func (r *redaction) off() (bool, error) {
	switch *r {
	case redactOn:
		return false, nil
	case redactOff:
		return true, nil
	default:
		return false, usageError{fmt.Errorf("--redact %q: choose one of on, off", string(*r))}
	}
}

// newLogger logs to stderr: as text on a terminal, as JSON otherwise.
func newLogger(stderr io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("unknown log level %q: choose one of debug, info, warn, error", level)}
	}
	opts := &slog.HandlerOptions{Level: l}
	if isTerminal(stderr) {
		return slog.New(slog.NewTextHandler(stderr, opts)), nil
	}
	return slog.New(slog.NewJSONHandler(stderr, opts)), nil
}
