package enrich_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/falco-reporter/falco-reporter/internal/enrich"
)

// TestReportsAreBounded: whatever an alert brings, a default gRPC client can receive its report.
func TestReportsAreBounded(t *testing.T) {
	e := enricher(t)
	long := strings.Repeat("é", 2<<20)
	many := make(map[string]any)
	for i := range 60_000 {
		many[fmt.Sprintf("evt.arg.field%d", i)] = "value"
	}
	for name, fields := range map[string]map[string]any{
		"one long text":   {"proc.cmdline": long, "proc.name": "x"},
		"many long texts": {"proc.cmdline": long[:1<<20], "proc.env": long[:1<<20], "fd.name": "/" + long[:1<<20], "proc.acmdline[2]": long[:1<<20], "proc.aname[2]": "y"},
		"many fields":     many,
		"a long name":     {strings.Repeat("x", 4<<20): "y"},
	} {
		t.Run(name, func(t *testing.T) {
			a := withFields(t, fields)
			r := e.Report(a)
			if n := proto.Size(r); n > enrich.MaxReportBytes {
				t.Errorf("%d bytes", n)
			}
			if r.GetId() != string(a.ID) {
				t.Error("another identity")
			}
			if _, err := proto.Marshal(r); err != nil {
				t.Error(err)
			}
			if strings.HasSuffix(name, "texts") && !strings.Contains(r.GetProcess().GetCommandLine(), "bytes in all") {
				t.Error("the cut is not told")
			}
		})
	}
}
