package falcosim

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// recordings are where the alerts of a real Falco are.
const recordings = "../../../shared/alerts"

// recording reads a recorded file, or skips the test without one.
func recording(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(recordings, name))
	if errors.Is(err, os.ErrNotExist) {
		tb.Skipf("the recorded alerts are not beside the repository: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return data
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	if data, err = io.ReadAll(r); err != nil {
		tb.Fatal(err)
	}
	return data
}

// load loads a recorded file.
func load(tb testing.TB, name string) []Alert {
	tb.Helper()
	alerts, err := Load(bytes.NewReader(recording(tb, name)))
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return alerts
}

// response reads a message by the generated code.
func response(t *testing.T, message []byte) *outputs.Response {
	t.Helper()
	r := new(outputs.Response)
	if err := proto.Unmarshal(message, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLoadsEveryRecording: every line becomes an alert, which encodes in both forms to one and
// the same alert for the decoder that the daemon uses.
func TestLoadsEveryRecording(t *testing.T) {
	names, err := filepath.Glob(recordings + "/*.jsonl*")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("the recorded alerts are not beside the repository")
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			alerts := load(t, filepath.Base(name))
			if lines := bytes.Count(recording(t, filepath.Base(name)), []byte("\n")); len(alerts) != lines {
				t.Errorf("%d alerts of %d lines", len(alerts), lines)
			}
			for i := 0; i < len(alerts); i += 1 + len(alerts)/200 { // the flood has thousands alike
				a := alerts[i]
				plain, err := alert.DecodeGRPC(a.Message(false))
				if err != nil {
					t.Fatalf("plain: %v", err)
				}
				wrapped, err := alert.DecodeGRPC(a.Message(true))
				if err != nil {
					t.Fatalf("in JSON: %v", err)
				}
				if plain.Rule != wrapped.Rule || plain.Nanos != wrapped.Nanos || plain.Priority != wrapped.Priority {
					t.Errorf("%s: plain and JSON differ", a.Rule)
				}
				// The JSON of a notice lacks the values at the end of the line.
				if a.Source != internalSource && plain.ID != wrapped.ID {
					t.Errorf("%s: id %s plain and %s in JSON", a.Rule, plain.ID, wrapped.ID)
				}
			}
		})
	}
}

// TestMakesOfJSONWhatFalcoSent: Falco wrote these alerts to a file and sent them over gRPC.
func TestMakesOfJSONWhatFalcoSent(t *testing.T) {
	for _, name := range []string{"falco-0.43-default", "falco-0.43-full"} {
		ours := load(t, name+"-json.jsonl")
		for i, line := range strings.Split(strings.TrimSpace(string(recording(t, name+"-grpc.jsonl"))), "\n") {
			want := new(outputs.Response)
			if err := protojson.Unmarshal([]byte(line), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, response(t, ours[i].Message(true)), protocmp.Transform()); diff != "" {
				t.Fatalf("%s, alert %d (-Falco +ours):\n%s", name, i+1, diff)
			}
		}
	}
}

// TestKeepsGRPCRecordings: what was received with json_output off is sent again as it was.
func TestKeepsGRPCRecordings(t *testing.T) {
	for _, name := range []string{"falco-0.43-plain-grpc.jsonl", "falco-0.43-internal-grpc.jsonl"} {
		ours := load(t, name)
		for i, line := range strings.Split(strings.TrimSpace(string(recording(t, name))), "\n") {
			want := new(outputs.Response)
			if err := protojson.Unmarshal([]byte(line), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, response(t, ours[i].Message(false)), protocmp.Transform()); diff != "" {
				t.Fatalf("%s, alert %d (-Falco +ours):\n%s", name, i+1, diff)
			}
		}
	}
}

// TestTakesThePlainLineOutOfJSON: a recording with json_output on, sent with it off.
func TestTakesThePlainLineOutOfJSON(t *testing.T) {
	fromJSON, fromGRPC := load(t, "falco-0.43-full-json.jsonl"), load(t, "falco-0.43-full-grpc.jsonl")
	for i := range fromJSON {
		if diff := cmp.Diff(fromJSON[i], fromGRPC[i]); diff != "" {
			t.Fatalf("alert %d (-from JSON +from gRPC):\n%s", i+1, diff)
		}
		if !strings.HasPrefix(fromGRPC[i].Output, fromGRPC[i].Time.Format(lineTimeLayout)+": ") {
			t.Fatalf("alert %d: the line is %.80q", i+1, fromGRPC[i].Output)
		}
	}
}

// TestBuildsFalcosJSON: without the original, the JSON comes out as Falco wrote it.
func TestBuildsFalcosJSON(t *testing.T) {
	for _, name := range []string{"falco-0.43-default-json.jsonl", "falco-0.43-full-json.jsonl"} {
		for i, a := range load(t, name) {
			want := a.JSON
			a.JSON = ""
			if diff := cmp.Diff(want, a.FalcoJSON()); diff != "" {
				t.Errorf("%s, line %d (-Falco +ours):\n%s", name, i+1, diff)
			}
		}
	}
}

// TestNoticesGoBothWays: Falco's notices of itself were recorded as plain lines only; from the
// line to JSON and back nothing may be lost.
func TestNoticesGoBothWays(t *testing.T) {
	for _, a := range load(t, "falco-0.43-internal-grpc.jsonl") {
		again, err := Load(strings.NewReader(a.FalcoJSON()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(response(t, a.Message(false)), response(t, again[0].Message(false)), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-as recorded +through JSON):\n%s", a.Rule, diff)
		}
	}
	drop := load(t, "falco-0.43-internal-grpc.jsonl")[1].FalcoJSON()
	for _, want := range []string{
		`"output":"Falco internal: syscall event drop. 1 system calls dropped in last second."`,
		`"n_drops":"1"`, // Falco quotes these numbers
	} {
		if !strings.Contains(drop, want) {
			t.Errorf("the JSON of a drop notice lacks %s:\n%s", want, drop)
		}
	}
}

func TestLoadMakesFieldsStrings(t *testing.T) {
	const raw = `{"hostname":"h","output":"01:45:12.344329612: Warning x","output_fields":{"evt.time":1795311912344329612,` +
		`"z":null,"proc.pid":9223372036854775807,"f":1.50,"t":true,"s":"","a":[1, "x"]},"priority":"Warning","rule":"r",` +
		`"source":"k8s_audit","tags":["b","a","b"],"time":"2026-11-22T01:45:12.344329612Z","uuid":"u"}`
	got, err := Load(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := []Alert{{
		Time: time.Unix(1795311912, 344329612).UTC(), Priority: alert.PriorityWarning, Rule: "r", Source: "k8s_audit", Hostname: "h",
		Tags: []string{"a", "b"},
		Fields: []Field{
			{"a", `[1,"x"]`},
			{"f", "1.50"},
			{"proc.pid", "9223372036854775807"},
			{"s", ""},
			{"t", "true"},
			{"z", "<NA>"},
		},
		Output: "01:45:12.344329612: Warning x", JSON: raw,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadNamesTheBadLine(t *testing.T) {
	const good = `{"time":"2026-11-22T01:59:15.5Z","priority":"NOTICE","rule":"r","output":"o"}` + "\n"
	for name, test := range map[string]struct{ input, want string }{
		"not JSON":              {good + "Warning Something happened\n", "line 2: "},
		"cut off":               {good + "\n" + `{"time":"2026-`, "line 3: "},
		"not an alert":          {`{"priority":"Notice"}`, "line 1: "},
		"no rule in protojson":  {good + good + `{"time":"2026-11-22T01:59:15Z","priority":"NOTICE"}`, "line 3: "},
		"strange protojson":     {good + `{"time":"2026-11-22T01:59:15Z","priority":"NOTICE","rule":"r","pid":1}`, "line 2: "},
		"unknown priority":      {`{"time":"2026-11-22T01:59:15Z","priority":"Grave","rule":"r"}`, "line 1: "},
		"unknown priority enum": {`{"time":"2026-11-22T01:59:15Z","priority":"GRAVE","rule":"r"}`, "line 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			alerts, err := Load(strings.NewReader(test.input))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %d alerts and error %v, want one that begins with %q", len(alerts), err, test.want)
			}
		})
	}
}

// TestMessageIsWhatTheGeneratedCodeWrites holds the hand-written encoder against protobuf's.
func TestMessageIsWhatTheGeneratedCodeWrites(t *testing.T) {
	for name, a := range map[string]Alert{
		"nothing but a time": {Time: time.Unix(0, 0)},
		"empty strings":      {Time: time.Unix(1, 1), Tags: []string{""}, Fields: []Field{{"", ""}, {"a", ""}}},
		"everything": {
			Time: time.Unix(1795311912, 344329612), Priority: alert.PriorityDebug, Rule: "r", Source: "k8s_audit",
			Hostname: "h", Tags: []string{"a", "b"}, Fields: []Field{{"k", strings.Repeat("long", 9000)}}, Output: "é",
		},
		"a plugin": {Time: time.Unix(5, 0), Source: "aws_cloudtrail"},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.Message(false)
			want, err := proto.MarshalOptions{Deterministic: true}.Marshal(response(t, got))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
			if cap(got) != cap(a.Message(false)) || cap(got) > len(got)+200 {
				t.Errorf("%d bytes in a buffer of %d", len(got), cap(got))
			}
		})
	}
}

// FuzzLoad: whatever loads can be sent in both forms, for the decoder that the daemon uses.
func FuzzLoad(f *testing.F) {
	for line := range bytes.Lines(DemoAlerts()) {
		f.Add(line)
	}
	f.Add([]byte(`{"time":"2026-11-22T01:59:19.5Z","source_deprecated":"INTERNAL","rule":"Falco internal: x","output":"o (n=\"1\")","output_fields":{"n":"1"},"source":"internal"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		alerts, err := Load(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i := range alerts {
			for _, jsonOutput := range []bool{false, true} {
				r := newRepeatable(alerts[i], jsonOutput)
				for _, by := range []time.Duration{0, time.Second} {
					a := r.later(by)
					if _, err := alert.DecodeGRPC(a.Message(jsonOutput)); err != nil {
						t.Errorf("json_output %v, %v later: %v", jsonOutput, by, err)
					}
				}
			}
		}
	})
}
