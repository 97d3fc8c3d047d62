package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// TestMetrics: what GetStatus says is what Prometheus gets, nothing a peer names is a label, and
// two inputs of one name, or one whose name is no text, do not cost the other metrics.
func TestMetrics(t *testing.T) {
	fail := error(nil)
	status := func(context.Context) (*pb.GetStatusResponse, error) {
		return &pb.GetStatusResponse{
			Version: "1.2.3",
			Inputs: []*pb.InputStatus{{
				Name: "grpc", Kind: "grpc", State: pb.InputState_INPUT_STATE_SILENT, Received: 15, Journaled: 1, Repeated: 2, Rejected: 3, Lost: 4, AtRisk: 5,
				LagBytes: new(uint64(7)), LagNanos: 1_500_000_000, FalcoDroppedEvents: 9, RelayedByFalcosidekick: 11,
			}, {Name: "grpc", Kind: "grpc", Received: 16}, {Name: "file:\xff", Kind: "file", Received: 17}},
			Readers: []*pb.ReaderStatus{
				{Name: StdoutReader, Delivered: 3}, {Name: "1.2.3.4:5", Delivered: 1, Missed: 2, Behind: 8, PrunedUnread: 6}, {Name: "left", Delivered: 10, Missed: 20},
			},
			Ancestry: &pb.AncestryStatus{Layers: []*pb.AncestryLayer{{Name: "procfs", Live: true}}, Found: 6},
		}, fail
	}
	enrichment := func() Enrichment { return Enrichment{Waiting: 12, Stalled: true} }
	s := New(Options{Journal: newJournal(t, 2, 3), Status: status, Enrichment: enrichment})
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeMetrics(ctx, lis) }()
	scrape := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+lis.Addr().String()+"/metrics", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }() // it was read
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	_, body := scrape()
	for _, want := range []string{
		`falco_reporter_build_info{attack_version="",version="1.2.3"} 1`,
		`falco_reporter_input_received_total{input="grpc",kind="grpc"} 15`,
		`falco_reporter_input_at_risk{input="grpc",kind="grpc"} 5`,
		`falco_reporter_input_lag_bytes{input="grpc",kind="grpc"} 7`,
		`falco_reporter_input_delay_seconds{input="grpc",kind="grpc"} 1.5`,
		`falco_reporter_input_state{input="grpc",kind="grpc",state="silent"} 1`,
		`falco_reporter_input_state{input="grpc",kind="grpc",state="connected"} 0`,
		`falco_reporter_falco_dropped_events_total{input="grpc",kind="grpc"} 9`,
		`falco_reporter_input_relayed_by_falcosidekick_total{input="grpc",kind="grpc"} 11`,
		"falco_reporter_input_received_total{input=\"file:\uFFFD\",kind=\"file\"} 17",
		`falco_reporter_journal_entries{log="reports"} 2`,
		`falco_reporter_reader_delivered_total{reader="stdout"} 3`,
		`falco_reporter_reader_delivered_total{reader="subscribers"} 11`,
		`falco_reporter_reader_missed_total{reader="subscribers"} 22`,
		`falco_reporter_reader_behind{reader="subscribers"} 8`,
		`falco_reporter_reader_pruned_unread{reader="subscribers"} 6`,
		`falco_reporter_ancestry_layer{layer="procfs"} 1`,
		`falco_reporter_ancestry_found_total 6`,
		`falco_reporter_enrichment_waiting_alerts 12`,
		`falco_reporter_enrichment_stalled 1`,
		`falco_reporter_journal_failing 0`,
		`go_goroutines`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if strings.Contains(body, "1.2.3.4") {
		t.Error("a peer's name is a label")
	}
	fail = errBroken
	if code, body := scrape(); code != http.StatusInternalServerError {
		t.Errorf("without a status: %d\n%s", code, body)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
