package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/app"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
)

// TestEveryRecordedAlert: over real gRPC from the stand-in to a subscriber, each recorded alert
// gives the report that it gives when read from its file, but for when and how it came.
func TestEveryRecordedAlert(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "alerts", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	never := enrich.Options{Urgency: enrich.Urgency{LateAfter: -1}} // recordings are old
	enricher, err := enrich.New(never)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			alerts, err := falcosim.Load(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			d := startDaemon(t, func(o *app.Options) { o.Enrich = never })
			d.sim.Enqueue(alerts...)
			stream := d.subscribe()
			for line := range bytes.Lines(raw) {
				a, err := alert.DecodeJSON(line)
				if err != nil {
					t.Fatal(err)
				}
				event, err := stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				got, want := event.GetReport(), enricher.Report(a)
				if diff := cmp.Diff(want, got, protocmp.Transform(),
					protocmp.IgnoreFields(&pb.Report{}, "received_time"),
					// gRPC brings neither a uuid nor, in plain form, the types of fields and
					// the time among them.
					protocmp.IgnoreFields(&pb.Alert{}, "input", "uuid", "output_fields", "output"),
				); diff != "" {
					t.Errorf("%s (-file +gRPC):\n%s", a.ID, diff)
				}
				for name, value := range want.GetAlert().GetOutputFields() {
					if other := got.GetAlert().GetOutputFields()[name]; other != value && name != "evt.time" {
						t.Errorf("%s: %s is %q from the file and %q over gRPC", a.ID, name, value, other)
					}
				}
			}
		})
	}
}
