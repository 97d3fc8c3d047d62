package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/redact"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

func newReportCommand() *cobra.Command {
	var output outputFlag
	var incidents incidentFlags
	var know knowledge
	var urgency urgencyFlags
	var hide redaction
	cmd := &cobra.Command{
		Use:   "report [FILE...|-]",
		Short: "Report on Falco's JSON alerts from files or standard input, and end",
		Long: `Report on Falco's JSON alerts: one a line as Falco writes them, or objects and arrays over
several lines. Without a FILE, or where it is -, standard input is read. What is no alert is
named on stderr with its file and line; the rest is reported all the same, and the exit status
is then 1. How old an alert is does not lower its urgency here: that it was read late says nothing.`,
		Example: `  falco-reporter report /var/log/falco/events.log
  journalctl --unit falco --output cat | falco-reporter report -o text`,
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := output.options(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			stream, err := render.NewStream(options)
			if err != nil {
				return err
			}
			log, err := newLogger(cmd.ErrOrStderr(), "warn")
			if err != nil {
				return err
			}
			levels, err := urgency.options()
			if err != nil {
				return usageError{err}
			}
			enricher, refused, err := know.enricher(levels, log)
			if err != nil {
				return err
			}
			unredacted, err := hide.off()
			if err != nil {
				return err
			}
			r := &reporter{enricher: enricher, render: stream, unredacted: unredacted, bad: refused != nil}
			join, err := incidents.joiner()
			if err != nil {
				return usageError{err}
			}
			if join != nil {
				r.join = join()
			}
			return reportAll(cmd, args, r)
		},
	}
	output.add(cmd.Flags(), "markdown")
	incidents.add(cmd.Flags(), joinOff)
	know.add(cmd.Flags())
	urgency.add(cmd.Flags())
	hide.add(cmd.Flags())
	return cmd
}

// endAtOnce is how many incidents are closed at once when the alerts end: each is a report in memory.
const endAtOnce = 64

// reporter writes reports of what it reads.
type reporter struct {
	enricher   *enrich.Enricher
	render     *render.Stream
	join       enrich.Joiner // nil for a report of every alert
	seq        uint64
	out        *bufio.Writer
	errs       io.Writer
	buf        []byte
	bad        bool // something could not be reported
	unredacted bool
}

func reportAll(cmd *cobra.Command, files []string, r *reporter) error {
	r.out, r.errs = bufio.NewWriter(cmd.OutOrStdout()), cmd.ErrOrStderr()
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := r.file(cmd.Context(), name, cmd.InOrStdin()); err != nil {
			return errors.Join(err, r.out.Flush())
		}
	}
	if r.join != nil {
		for last := r.join.End(endAtOnce); len(last) > 0; last = r.join.End(endAtOnce) {
			if err := r.closed(last); err != nil {
				return err
			}
		}
	}
	if _, err := r.out.Write(r.render.End(nil)); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	if r.bad {
		return silentError{errors.New("not everything could be reported")}
	}
	return nil
}

// file reports on one file. A file that cannot be read is told like an alert that cannot; the
// error is one of writing.
func (r *reporter) file(ctx context.Context, name string, stdin io.Reader) error {
	if name == "-" {
		return r.stream(ctx, "(standard input)", stdin)
	}
	f, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return r.complain("%v\n", err)
	}
	defer func() { _ = f.Close() }() // only read
	return r.stream(ctx, name, f)
}

// stream reports on every alert of a stream.
func (r *reporter) stream(ctx context.Context, name string, in io.Reader) error {
	s := alert.NewScanner(in)
	for {
		found, err := r.next(ctx, s)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return r.complain("%s: %v\n", name, err)
		}
		if err := r.one(name, found); err != nil {
			return err
		}
		// Whoever pipes alerts in wants to see each report when it is made.
		if s.Buffered() == 0 {
			if err := r.out.Flush(); err != nil {
				return fmt.Errorf("write reports: %w", err)
			}
		}
	}
}

// next is the next thing in the stream, or ctx's error if that ends first: reading from a pipe
// cannot be interrupted, and the process is about to end.
func (r *reporter) next(ctx context.Context, s *alert.Scanner) (alert.Scanned, error) {
	if s.Buffered() > 0 {
		return s.Next()
	}
	type result struct {
		found alert.Scanned
		err   error
	}
	done := make(chan result, 1)
	go func() {
		found, err := s.Next()
		done <- result{found, err}
	}()
	select {
	case got := <-done:
		return got.found, got.err
	case <-ctx.Done():
		return alert.Scanned{}, ctx.Err()
	}
}

// one reports on one alert, or says why it cannot.
func (r *reporter) one(name string, found alert.Scanned) error {
	if found.Err != nil {
		return r.complain("%s:%d: %v\n", name, found.Line, found.Err)
	}
	a, err := alert.DecodeJSON(found.Raw)
	if err != nil {
		return r.complain("%s:%d: %v\n", name, found.Line, err)
	}
	report, err := r.enricher.ReportOrPlain(a)
	if err != nil {
		if err := r.complain("%s:%d: %v\n", name, found.Line, err); err != nil {
			return err
		}
	}
	if r.join == nil {
		return r.write(report)
	}
	r.seq++
	return r.closed(r.join.Add(r.seq, a, report))
}

// closed writes of some revisions those that are the last of their incidents: they are the
// whole account, and here nobody waits for it.
func (r *reporter) closed(revisions []*pb.Report) error {
	for _, report := range revisions {
		if !report.GetClosed() {
			continue
		}
		if err := r.write(report); err != nil {
			return err
		}
	}
	return nil
}

// write writes a report.
func (r *reporter) write(report *pb.Report) error {
	if !r.unredacted {
		report = redact.Report(report)
	}
	r.buf = r.render.Append(r.buf[:0], report)
	if _, err := r.out.Write(r.buf); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	return nil
}

// complain tells what could not be reported. The reports so far go out first, so that both
// streams on one terminal are in order.
func (r *reporter) complain(format string, args ...any) error {
	r.bad = true
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	_, err := fmt.Fprintf(r.errs, "falco-reporter: "+format, args...)
	return err
}
