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

// addOutput adds the one flag that chooses a format, everywhere the same.
func addOutput(flags *pflag.FlagSet, def string, withNone bool) *string {
	choices := render.Formats()
	if withNone {
		choices = append(choices, none)
	}
	return flags.StringP("output", "o", def, "format of the reports on stdout: "+strings.Join(choices, ", "))
}

// parseOutput reads the flag; with none the format is empty.
func parseOutput(s string, withNone bool) (render.Format, error) {
	if withNone && s == none {
		return "", nil
	}
	f, err := render.ParseFormat(s)
	if err != nil {
		return "", usageError{err}
	}
	return f, nil
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
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(stderr, opts)), nil
	}
	return slog.New(slog.NewJSONHandler(stderr, opts)), nil
}
