package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

// noteTimeout bounds how long the printer waits for the journal to keep its place.
const noteTimeout = time.Second

// printBatch is how many reports are rendered into one write.
const printBatch = 32

// printer is the reader of the report log that writes to stdout. Like every reader it goes at
// its own speed, and one that falls behind what the journal keeps is told: in the log, and in
// missed. The methods of a nil printer do nothing.
type printer struct {
	journal journal.Journal
	out     io.Writer
	render  *render.Stream
	// forPeople is for formats that people read: they are spared revisions without news.
	forPeople bool
	log       *slog.Logger

	end     chan struct{}
	nWrote  atomic.Uint64
	nSpared atomic.Uint64
	nMissed atomic.Uint64
	at      atomic.Uint64 // number of the last report behind it
}

func newPrinter(j journal.Journal, out io.Writer, o render.Options, log *slog.Logger) (*printer, error) {
	r, err := render.NewStream(o)
	if err != nil {
		return nil, err
	}
	return &printer{journal: j, out: out, render: r, forPeople: o.Format != render.JSON, log: log, end: make(chan struct{})}, nil
}

// finish lets run return once it has written every report that is in the log by then.
func (p *printer) finish() {
	if p != nil {
		close(p.end)
	}
}

func (p *printer) printed() uint64 {
	if p == nil {
		return 0
	}
	return p.nWrote.Load()
}

func (p *printer) missed() uint64 {
	if p == nil {
		return 0
	}
	return p.nMissed.Load()
}

// done is how many reports were written, or are such that people are spared them.
func (p *printer) done() uint64 { return p.nWrote.Load() + p.nSpared.Load() }

// seen is how many reports are behind the printer, done or missed.
func (p *printer) seen() uint64 { return p.done() + p.nMissed.Load() }

// run writes reports until finish and the end of the log, or until ctx ends.
func (p *printer) run(ctx context.Context) error {
	if p == nil {
		return nil
	}
	at, err := p.place(ctx)
	if err != nil {
		return err
	}
	err = journal.Follow(ctx, p.end,
		func(wait context.Context) (err error) { at, err = p.step(wait, at); return err },
		func(ctx context.Context) (bool, error) {
			stats, err := p.journal.Stats(ctx)
			return at.Seq >= stats.Reports.Tail.Seq, err
		})
	if err != nil {
		return err
	}
	if _, err := p.out.Write(p.render.End(nil)); err != nil {
		return fmt.Errorf("write reports to stdout: %w", err)
	}
	return nil
}

// stdoutPosition names the place of stdout in the report log, among the positions.
const stdoutPosition = "reader:stdout"

// place is where the printer goes on: behind what a daemon before this one has written, if the
// journal is still the same. A crash between writing and noting that writes some reports again:
// their id and revision tell.
func (p *printer) place(ctx context.Context) (journal.Cursor, error) {
	data, err := p.journal.Position(ctx, stdoutPosition)
	if errors.Is(err, journal.ErrNotFound) {
		// It begins with the oldest that is kept, and misses nothing by that.
		if stats, err := p.journal.Stats(ctx); err == nil && stats.Reports.Oldest.Seq > 0 {
			p.at.Store(stats.Reports.Oldest.Seq - 1)
		}
		return journal.Cursor{}, nil
	}
	if err != nil {
		return journal.Cursor{}, fmt.Errorf("find where stdout stands: %w", err)
	}
	at, err := journal.ParseCursor(string(data))
	if err != nil {
		p.log.Warn("where stdout stands is not readable; it begins with the oldest report", "error", err)
		return journal.Cursor{}, nil
	}
	p.at.Store(at.Seq)
	return at, nil
}

// note keeps the printer's place. If the journal cannot take it, which it says itself, a
// restart writes some reports again.
func (p *printer) note(ctx context.Context, at journal.Cursor) {
	p.at.Store(at.Seq)
	// What was written was written, also when it is time to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	_, err := p.journal.AppendAlerts(ctx, nil, journal.Position{Input: stdoutPosition, Data: []byte(at.String())})
	if err != nil {
		p.log.Debug("the place of stdout could not be kept", "error", err)
	}
}

// onlyCloses reports whether a revision says nothing but that an incident of one alert is
// closed: whoever reads pages has read it.
func onlyCloses(r *pb.Report) bool {
	alerts := uint64(0)
	for _, g := range r.GetAlerts() {
		alerts += g.GetOccurrences().GetCount()
	}
	return r.GetClosed() && r.GetRevision() == 2 && alerts == 1
}

// step reads once and writes what it read.
func (p *printer) step(ctx context.Context, at journal.Cursor) (journal.Cursor, error) {
	entries, err := p.journal.ReadReports(ctx, at, printBatch)
	if pruned, ok := errors.AsType[*journal.PrunedError](err); ok {
		p.nMissed.Add(pruned.Missed)
		p.log.Warn("stdout was read too slowly: reports were not written to it", "missed", pruned.Missed)
		p.note(ctx, pruned.Resume)
		return pruned.Resume, nil
	}
	if err != nil {
		return at, err
	}
	var buf []byte
	spared := uint64(0)
	for _, e := range entries {
		var r pb.Report
		if err := proto.Unmarshal(e.Data, &r); err != nil {
			return at, fmt.Errorf("decode report %s: %w", e.ID, err)
		}
		if p.forPeople && onlyCloses(&r) {
			spared++
			continue
		}
		buf = p.render.Append(buf, &r)
	}
	if _, err := p.out.Write(buf); err != nil {
		return at, fmt.Errorf("write reports to stdout: %w", err)
	}
	p.nWrote.Add(uint64(len(entries)) - spared)
	p.nSpared.Add(spared)
	at = entries[len(entries)-1].Cursor
	p.note(ctx, at)
	return at, nil
}
