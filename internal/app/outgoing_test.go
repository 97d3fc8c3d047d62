package app

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// logged is a journal with these reports, ids made of their places.
func logged(t *testing.T, reports ...*pb.Report) *journal.Memory {
	t.Helper()
	j := journal.NewMemory(journal.MemoryOptions{})
	for _, r := range reports {
		r.Revision = 1
		data, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.AppendReports(t.Context(), j.Done(), []journal.Report{{ID: alert.ID(r.GetId()), Revision: 1, Data: data}}); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// TestOutgoing: readers share one redacted encoding; where nothing is taken out it is the
// journal's own; a report that cannot be redacted is withheld.
func TestOutgoing(t *testing.T) {
	j := logged(t, &pb.Report{Id: "clean", Summary: "fine"}, &pb.Report{Id: "dirty", Summary: "hunter2"}, &pb.Report{Id: "broken", Summary: "hunter2 too"})
	calls := 0
	o := newOutgoing(j, func(r *pb.Report) *pb.Report {
		calls++
		switch r.GetId() {
		case "dirty":
			out := proto.CloneOf(r)
			out.Summary = "[redacted]"
			return out
		case "broken":
			panic("injected") //nolint:forbidigo // the fault that is injected
		default:
			return r
		}
	})
	var first []journal.ReportEntry
	for range 3 {
		entries, err := o.ReadReports(t.Context(), journal.Cursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = entries
		}
		for i := range entries {
			if &entries[i].Data[0] != &first[i].Data[0] {
				t.Errorf("report %d is encoded twice", i)
			}
		}
	}
	if calls != 3 {
		t.Errorf("redacted %d times; want once a report", calls)
	}
	kept, err := j.ReadReports(t.Context(), journal.Cursor{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if &kept[0].Data[0] != &first[0].Data[0] || !bytes.Contains(kept[1].Data, []byte("hunter2")) {
		t.Error("the journal's own reports changed, or a clean one was encoded anew")
	}
	for _, e := range first[1:] {
		if bytes.Contains(e.Data, []byte("hunter2")) {
			t.Errorf("the secret of %s is out: %q", e.ID, e.Data)
		}
	}
	one, err := o.Report(t.Context(), "dirty")
	if err != nil || bytes.Contains(one.Data, []byte("hunter2")) {
		t.Errorf("%q, %v", one.Data, err)
	}
}

// TestOutgoingIsBounded however many reports pass.
func TestOutgoingIsBounded(t *testing.T) {
	o := newOutgoing(nil, nil)
	data := make([]byte, 64<<10)
	for i := range 5000 {
		o.keep(journal.Cursor{Journal: "x", Seq: uint64(i)}, data)
		if len(o.variants) > maxVariants || o.bytes > maxVariantBytes || o.bytes != len(o.variants)*len(data) {
			t.Fatalf("%d variants of %d bytes are kept", len(o.variants), o.bytes)
		}
	}
}
