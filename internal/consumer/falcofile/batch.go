package falcofile

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// Bounds of a batch: 256 lines and 4 MiB of them, unless a single line is longer.
const (
	maxBatchLines = 256
	maxBatchBytes = 4 << 20
)

// batch is what was read and not handed over yet.
type batch struct {
	alerts   []*alert.Alert
	rejected []rejected
	bytes    int
}

// rejected is a line that is no alert. It is counted when its batch is handed over, so that
// a line that is read again after a stop was not counted before.
type rejected struct {
	raw    []byte
	reason error
}

func (b *batch) isFull() bool {
	return len(b.alerts)+len(b.rejected) >= maxBatchLines || b.bytes >= maxBatchBytes
}

// add takes a line in, or its beginning and why it is no alert. The line is copied.
func (b *batch) add(line []byte, err error) {
	if err != nil {
		b.reject(line, err)
		return
	}
	// A writer that does not append leaves zero bytes before its next line after a truncation.
	line = bytes.TrimSpace(bytes.TrimLeft(line, "\x00"))
	if len(line) == 0 {
		return
	}
	a, err := decode(line)
	if err == nil {
		b.take(a)
		return
	}
	if cut, a := mend(line); a != nil {
		b.reject(line[:cut], errCutOff)
		b.take(a)
		return
	}
	b.reject(line, err)
}

// addLast takes in what stands after the last whole line of a file that will not grow.
func (b *batch) addLast(rest []byte) {
	if rest = bytes.TrimSpace(rest); len(rest) == 0 {
		return
	}
	if a, err := decode(rest); err == nil {
		b.take(a)
		return
	}
	b.reject(rest, errCutOff)
}

func (b *batch) take(a *alert.Alert) {
	b.alerts = append(b.alerts, a)
	b.bytes += len(a.Raw)
}

func (b *batch) reject(raw []byte, reason error) {
	raw = bytes.Clone(raw[:min(len(raw), journal.MaxRejectedBytes)])
	b.rejected = append(b.rejected, rejected{raw: raw, reason: reason})
	b.bytes += len(raw)
}

var (
	errCutOff = fmt.Errorf("%w: the line was cut off: its writer ended within it", alert.ErrNotAnAlert)
	errPlain  = fmt.Errorf("%w: a plain text line: set json_output: true in falco.yaml and restart Falco", alert.ErrNotAnAlert)
)

// decode decodes a copy of a line.
func decode(line []byte) (*alert.Alert, error) {
	if line[0] != '{' && isPlain(line) {
		return nil, errPlain
	}
	return alert.DecodeJSON(bytes.Clone(line))
}

// isPlain reports whether a line is Falco's without JSON: a time, a colon, a priority.
func isPlain(line []byte) bool {
	const longestTime = len("2026-11-22T06:03:00.000000000+0000")
	at, rest, ok := bytes.Cut(line[:min(len(line), longestTime+len(": Informational "))], []byte(": "))
	if !ok || len(at) == 0 || at[0] < '0' || at[0] > '9' {
		return false
	}
	word, _, ok := bytes.Cut(rest, []byte(" "))
	return ok && alert.ParsePriority(string(word)) != alert.PriorityUnknown
}

// maxMends bounds how many beginnings of an alert mend tries.
const maxMends = 8

// mend finds the whole alert at the end of a line whose first one was cut off, as a Falco that
// is killed and started anew leaves it; cut is where it begins. An attacker cannot place one:
// quotes within a text are escaped, so that {" can end a text but not begin an object in it.
func mend(line []byte) (cut int, a *alert.Alert) {
	if line[0] != '{' {
		return 0, nil
	}
	cut = len(line)
	for range maxMends {
		if cut = bytes.LastIndex(line[:cut], []byte(`{"`)); cut <= 0 {
			break
		}
		if a, err := decode(line[cut:]); err == nil {
			return cut, a
		}
	}
	return 0, nil
}

// handOver gives the batch to the intake together with the position behind it, as soon as
// the one before is in the journal. It reports false when ctx has ended before that.
func (in *Input) handOver(ctx context.Context) bool {
	if len(in.batch.alerts)+len(in.batch.rejected) == 0 {
		return ctx.Err() == nil
	}
	return in.handOverPosition(ctx)
}

// handOverPosition is handOver also for an empty batch.
func (in *Input) handOverPosition(ctx context.Context) bool {
	if !in.acquire(ctx) {
		return false
	}
	for _, s := range in.sources {
		s.look()
	}
	p, err := in.position()
	if err != nil {
		in.log.Error("the position in the alerts file cannot be noted; alerts may come twice after a restart", "path", in.opts.Path, "error", err)
	}
	for _, r := range in.batch.rejected {
		in.intake.Reject(r.raw, r.reason)
	}
	err = in.intake.Put(ctx, consumer.Batch{Alerts: in.batch.alerts, Position: p, Done: in.release})
	in.batch = batch{alerts: make([]*alert.Alert, 0, cap(in.batch.alerts))}
	in.tell()
	return err == nil
}

// tellInterval is how often the ledger learns how the file grows while the journal waits.
const tellInterval = time.Second

// acquire waits until no batch is on its way. The intake has room then: Put does not wait.
func (in *Input) acquire(ctx context.Context) bool {
	select {
	case <-in.free:
		return true
	default:
	}
	tick := time.NewTicker(tellInterval)
	defer tick.Stop()
	for {
		select {
		case <-in.free:
			return true
		case <-ctx.Done():
			return false
		case <-tick.C:
			in.tell()
		}
	}
}

func (in *Input) release() { in.free <- struct{}{} }
