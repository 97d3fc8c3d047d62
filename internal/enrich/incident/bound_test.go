package incident_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestAnAccountIsBounded, however long what its alerts say: clients refuse more than 4 MiB.
func TestAnAccountIsBounded(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 40 {
		f := process(100+i, 50, "p", "sh")
		f["proc.cmdline"] = strings.Repeat(strconv.Itoa(i)+" ", 1<<17)
		alerts = append(alerts, made(t, time.Duration(i)*time.Millisecond, "R"+strconv.Itoa(i%20), "Notice", f))
	}
	for _, r := range joined(t, incident.Options{}, alerts) {
		if n := proto.Size(r); n > 3<<20+64<<10 {
			t.Errorf("revision %d takes %d bytes", r.GetRevision(), n)
		}
	}
}
