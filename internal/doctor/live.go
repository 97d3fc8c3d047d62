package doctor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"google.golang.org/grpc/status"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// The harmless alert. The rule is of Falco's stable set and fires when a program that is not in
// its lists opens /etc/shadow for reading; cat is in none of them. Only root can open it, and
// an attempt that fails does not count.
const (
	liveRule    = "Read sensitive file untrusted"
	liveCommand = "sudo cat /etc/shadow >/dev/null"
)

// followInterval is how often the alerts file is looked at.
const followInterval = 50 * time.Millisecond

// seenAlert is an alert that came while we waited.
type seenAlert struct {
	rule string
	when time.Time // of the event
}

// checkLive waits for an alert, where that takes it away from nobody.
func (d *examination) checkLive(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	began := time.Now()
	switch {
	case d.daemon.running:
		d.judge(began, "our daemon's stream", func(found func(seenAlert) bool) error { return d.liveFromDaemon(ctx, began, found) })
	case d.AlertsFile != "":
		d.judge(began, "the alerts file (no daemon answers at "+falcoconf.Show(d.Daemon)+")",
			func(found func(seenAlert) bool) error { return d.liveFromFile(ctx, began, found) })
	default:
		d.add("live", Fail, "systemctl start falco-reporter; falco-reporter doctor --live",
			"not tried: no daemon answers at %s, and asking Falco itself would take alerts away from its other clients", falcoconf.Show(d.Daemon))
	}
}

// judge waits for the alert and tells what came.
func (d *examination) judge(began time.Time, through string, follow func(found func(seenAlert) bool) error) {
	const check = "live"
	var got *seenAlert
	var took time.Duration
	others := 0
	last := make(map[string]time.Time) // by rule: a revision of a report repeats what came before
	err := follow(func(a seenAlert) bool {
		if a.rule != liveRule {
			if a.when.After(last[a.rule]) {
				last[a.rule] = a.when
				others++
			}
			return false
		}
		got, took = &a, time.Since(a.when)
		return true
	})
	switch {
	case got != nil:
		d.add(check, OK, "", "%q came through %s, %d ms after the event; other alerts meanwhile: %d", got.rule, through, took.Milliseconds(), others)
	case err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
		d.add(check, Fail, "journalctl -u falco-reporter", "through %s: %s", through, falcoconf.Show(err.Error()))
	case others > 0:
		d.add(check, Warn, "falco -l \""+liveRule+"\"", "alerts come through %s (%d), but %q did not within %s: the command was not run, or the rule is off or has an exception for it",
			through, others, liveRule, time.Since(began).Round(time.Second))
	default:
		d.add(check, Fail, "journalctl -u falco", "nothing came through %s within %s, if the command was run", through, time.Since(began).Round(time.Second))
	}
}

// tell says what to do.
func (d *examination) tell() {
	if d.Say != nil {
		d.Say(fmt.Sprintf("Now run this, as somebody who may, within %s: %s\nIt reads a file that only root may read, and throws it away; Falco's rule %q fires.", d.Timeout, liveCommand, liveRule))
	}
}

// liveFromDaemon follows our daemon's report stream, which takes nothing from anybody.
func (d *examination) liveFromDaemon(ctx context.Context, began time.Time, found func(seenAlert) bool) error {
	conn, err := dialDaemon(d.Daemon)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the stream ends with it
	stream, err := pb.NewReportServiceClient(conn).Subscribe(ctx, &pb.SubscribeRequest{Start: &pb.SubscribeRequest_Last{Last: 0}})
	if err != nil {
		return streamError(ctx, err)
	}
	// The header says that the daemon has the subscription: what happens from now on comes.
	if _, err := stream.Header(); err != nil {
		return streamError(ctx, err)
	}
	d.tell()
	for {
		event, err := stream.Recv()
		if err != nil {
			return streamError(ctx, err)
		}
		// A report grows by revisions: what is new in it is what happened last.
		for _, group := range event.GetReport().GetAlerts() {
			when := group.GetOccurrences().GetLastTime().AsTime()
			if when.Before(began) {
				continue
			}
			if found(seenAlert{group.GetRule(), when}) {
				return nil
			}
		}
	}
}

// streamError prefers the end of our own time to what gRPC makes of it.
func streamError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New(status.Convert(err).Message())
}

// liveFromFile follows the alerts file, also to a new one of the same name.
func (d *examination) liveFromFile(ctx context.Context, began time.Time, found func(seenAlert) bool) error {
	f := &follower{path: d.host(d.AlertsFile)}
	defer f.close()
	if err := f.open(io.SeekEnd); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.tell()
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		for line := f.line(); line != nil; line = f.line() {
			a, err := alert.DecodeJSON(line)
			if err == nil && !a.Time().Before(began) && found(seenAlert{a.Rule, a.Time()}) {
				return nil
			}
		}
		select {
		case <-tick.C:
			if err := f.again(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follower reads the lines that are added to a file.
type follower struct {
	path string
	file *os.File
	in   *bufio.Reader
	held []byte // the beginning of a line
}

func (f *follower) open(whence int) error {
	file, err := openRegular(f.path)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, whence); err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.in, f.held = file, bufio.NewReader(file), nil
	return nil
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // only read
		f.file = nil
	}
}

// line is the next whole line, nil while there is none. One that is longer than an alert can
// be is let go.
func (f *follower) line() []byte {
	if f.file == nil {
		return nil
	}
	part, err := f.in.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		f.hold(part)
		part, err = f.in.ReadSlice('\n')
	}
	f.hold(part)
	if err != nil {
		return nil
	}
	line := bytes.Clone(f.held)
	f.held = f.held[:0]
	return line
}

func (f *follower) hold(part []byte) {
	if len(f.held)+len(part) <= alert.MaxBytes {
		f.held = append(f.held, part...)
	}
}

// again goes over to a new file of the name, once there is one.
func (f *follower) again() error {
	if f.file != nil {
		old, err := f.file.Stat()
		if err != nil {
			return err
		}
		now, err := os.Stat(f.path)
		if err != nil || os.SameFile(old, now) {
			return nil // away for the moment, or the same: what is left of the old comes first
		}
		f.close()
	}
	err := f.open(io.SeekStart)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
