package app

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// maxVariants bounds how many redacted reports are kept for the readers to share: 1024, with
// 16 MiB together. A reader that is further behind has its own computed again.
const (
	maxVariants     = 1024
	maxVariantBytes = 16 << 20
)

// outgoing is a journal as its readers see it: secrets are taken out of every report on the
// way. The journal itself keeps the reports as they are. What one reader had redacted the
// others share.
type outgoing struct {
	journal.Journal
	redact func(*pb.Report) *pb.Report

	mu       sync.Mutex
	variants map[journal.Cursor][]byte
	bytes    int
}

func newOutgoing(j journal.Journal, redact func(*pb.Report) *pb.Report) *outgoing {
	return &outgoing{Journal: j, redact: redact, variants: make(map[journal.Cursor][]byte)}
}

// ReadReports is the journal's, redacted.
func (o *outgoing) ReadReports(ctx context.Context, after journal.Cursor, limit int) ([]journal.ReportEntry, error) {
	entries, err := o.Journal.ReadReports(ctx, after, limit)
	for i := range entries {
		if entries[i].Data, err = o.variant(entries[i]); err != nil {
			return nil, err
		}
	}
	return entries, err
}

// Report is the journal's, redacted.
func (o *outgoing) Report(ctx context.Context, id alert.ID) (journal.ReportEntry, error) {
	e, err := o.Journal.Report(ctx, id)
	if err == nil {
		e.Data, err = o.variant(e)
	}
	return e, err
}

// variant is the redacted encoding of a report: the very bytes of the journal where nothing
// had to be taken out.
func (o *outgoing) variant(e journal.ReportEntry) ([]byte, error) {
	o.mu.Lock()
	data, ok := o.variants[e.Cursor]
	o.mu.Unlock()
	if ok {
		return data, nil
	}
	var r pb.Report
	if err := proto.Unmarshal(e.Data, &r); err != nil {
		return nil, fmt.Errorf("decode report %s: %w", e.ID, err)
	}
	data = e.Data
	if clean := o.clean(&r); clean != &r {
		var err error
		if data, err = proto.Marshal(clean); err != nil {
			return nil, fmt.Errorf("encode redacted report %s: %w", e.ID, err)
		}
	}
	o.keep(e.Cursor, data)
	return data, nil
}

// clean redacts a report. One that redaction fails on is withheld: what it would have shown
// may be a secret.
func (o *outgoing) clean(r *pb.Report) (out *pb.Report) {
	defer func() {
		if recover() != nil {
			out = &pb.Report{
				Id: r.GetId(), Revision: r.GetRevision(), Closed: r.GetClosed(), EventTime: r.GetEventTime(), ReceivedTime: r.GetReceivedTime(),
				Urgency: r.GetUrgency(), AlertKind: r.GetAlertKind(), Title: "Report withheld",
				Summary: "Taking secrets out of this report failed, so that it is withheld; the alert is in Falco's own output.",
			}
		}
	}()
	return o.redact(r)
}

// keep remembers a variant. When there is no room all are forgotten: readers are close to
// each other, at the end of the log, and it fills again with what they need.
func (o *outgoing) keep(c journal.Cursor, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.variants) >= maxVariants || o.bytes+len(data) > maxVariantBytes {
		clear(o.variants)
		o.bytes = 0
	}
	o.variants[c] = data
	o.bytes += len(data)
}
