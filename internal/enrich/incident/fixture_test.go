package incident_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// The worker takes an Engine as it is, and a Singly.
var (
	_ enrich.Joiner = (*incident.Engine)(nil)
	_ enrich.Joiner = (*incident.Singly)(nil)
)

// standard is the Enricher that all tests share: it is immutable.
var standard = sync.OnceValues(func() (*enrich.Enricher, error) { return enrich.New(enrich.Options{}) })

func enricher(t testing.TB) *enrich.Enricher {
	t.Helper()
	e, err := standard()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// recorded are the alerts of some lines of a recording, from 1, as if each had been received at
// the time of its event.
func recorded(t testing.TB, name string, from, to int) []*alert.Alert {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "..", "..", "shared", "alerts", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var in io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	var out []*alert.Alert
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan() && n <= to; n++ {
		if n >= from {
			out = append(out, decode(t, bytes.Clone(lines.Bytes())))
		}
	}
	if len(out) != to-from+1 {
		t.Fatalf("%s has no lines %d to %d", name, from, to)
	}
	return out
}

func decode(t testing.TB, raw []byte) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	a.ReceivedNanos = a.Nanos
	return a
}

// start is when the alerts that tests make begin.
var start = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// made is an alert of host h, some time after the start, with these output fields.
func made(t testing.TB, after time.Duration, rule, priority string, fields map[string]any) *alert.Alert {
	t.Helper()
	host := "h"
	if h, ok := fields["host"].(string); ok {
		host = h
	}
	raw, err := json.Marshal(map[string]any{
		"rule": rule, "priority": priority, "source": "syscall", "hostname": host, "time": start.Add(after).Format(time.RFC3339Nano), "output_fields": fields,
	})
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, raw)
}

// fields are output fields with others over them.
func fields(base map[string]any, over ...any) map[string]any {
	out := maps.Clone(base)
	for i := 0; i+1 < len(over); i += 2 {
		key, _ := over[i].(string)
		out[key] = over[i+1]
	}
	return out
}

// process are the fields of a process, with pids that are known well.
func process(pid, parent int, name, parentName string) map[string]any {
	return map[string]any{
		"evt.type": "openat", "evt.res": "SUCCESS", "fd.name": "/srv/" + name, "container.id": "host", "user.name": "root", "user.uid": 0,
		"proc.name": name, "proc.cmdline": name + " --quiet run", "proc.pid": pid, "proc.pid.ts": started(pid),
		"proc.pname": parentName, "proc.ppid": parent, "proc.ppid.ts": started(parent),
	}
}

// started is when the process of a pid started in tests.
func started(pid int) int64 { return start.Add(-time.Hour + time.Duration(pid)*time.Second).UnixNano() }

// joined gives alerts to an engine, lets everything close, and returns all revisions.
func joined(t testing.TB, o incident.Options, alerts []*alert.Alert) []*pb.Report {
	t.Helper()
	e := incident.New(o)
	var out []*pb.Report
	for i, a := range alerts {
		out = append(out, e.Add(uint64(i+1), a, enricher(t).Report(a))...)
	}
	return append(out, end(e)...)
}

// end lets an engine close everything.
func end(e *incident.Engine) []*pb.Report {
	var out []*pb.Report
	for {
		at, ok := e.Next()
		if !ok {
			return out
		}
		out = append(out, e.Advance(at)...)
	}
}

// final are the last revisions of all reports, in the order in which they were opened.
func final(t testing.TB, revisions []*pb.Report) []*pb.Report {
	t.Helper()
	at := make(map[string]int)
	var out []*pb.Report
	for _, r := range revisions {
		i, known := at[r.GetId()]
		if !known {
			at[r.GetId()] = len(out)
			out = append(out, r)
			if r.GetRevision() != 1 {
				t.Errorf("report %s begins with revision %d", r.GetId(), r.GetRevision())
			}
			continue
		}
		if r.GetRevision() != out[i].GetRevision()+1 || out[i].GetClosed() {
			t.Errorf("report %s: revision %d follows %d, closed %t", r.GetId(), r.GetRevision(), out[i].GetRevision(), out[i].GetClosed())
		}
		out[i] = r
	}
	for _, r := range out {
		if !r.GetClosed() {
			t.Errorf("report %s was never closed", r.GetId())
		}
	}
	return out
}

// counts are the alerts of a report by rule.
func counts(r *pb.Report) map[string]uint64 {
	out := make(map[string]uint64)
	for _, g := range r.GetAlerts() {
		out[g.GetRule()] += g.GetOccurrences().GetCount()
	}
	return out
}

func total(r *pb.Report) (n uint64) {
	for _, c := range counts(r) {
		n += c
	}
	return n
}

// encoded is a report as it is kept.
func encoded(t testing.TB, r *pb.Report) string {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// kept is the state as a journal has it.
type kept map[string][]byte

func (k kept) put(states []journal.State) {
	for _, s := range states {
		if s.Data == nil {
			delete(k, s.Key)
			continue
		}
		k[s.Key] = s.Data
	}
}

func (k kept) all() []journal.State {
	var out []journal.State
	for key, data := range k {
		out = append(out, journal.State{Key: key, Data: data})
	}
	return out
}
