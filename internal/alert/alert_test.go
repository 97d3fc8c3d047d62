package alert_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/schema"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// fileless is the alert behind the first of the sample reports.
const fileless = `{"uuid":"cec8d1cb-e854-45bf-a0bf-b7aa73707b4a","output":"14:00:46.937782756: Critical Fileless execution via memfd_create (process=3)","priority":"Critical","rule":"Fileless execution via memfd_create","time":"2024-10-05T13:00:46.937782756Z","output_fields":{"container.id":"c61b4b13ae44","container.name":null,"evt.time":1728133246937782756,"proc.tty":34816,"proc.cmdline":"-1","user.loginuid":-1,"user.name":"","user.uid":4294967295,"proc.is_exe_from_memfd":true},"source":"syscall","tags":["T1620","maturity_stable"],"hostname":"mini-debian-lab","cluster":{"name":"a b"}}`

func decode(t *testing.T, s string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeJSON([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDecodeJSON(t *testing.T) {
	a := decode(t, fileless)
	if a.Kind != alert.KindRule || a.Priority != alert.PriorityCritical || a.Source != "syscall" || a.Hostname != "mini-debian-lab" ||
		a.Nanos != 1728133246937782756 || a.UUID == "" || len(a.Tags) != 2 || string(a.Raw) != fileless {
		t.Errorf("decoded wrongly: %+v", a)
	}
	if n, ok := a.Int("evt.time"); !ok || n != 1728133246937782756 {
		t.Errorf("evt.time = %d, %v; want every digit", n, ok)
	}
	for _, name := range []string{"container.name", "user.loginuid", "user.name", "user.uid", "no.such.field"} {
		if s, ok := a.Text(name); ok {
			t.Errorf("%s = %q; want absent", name, s)
		}
	}
	if s := a.String("proc.cmdline"); s != "-1" {
		t.Errorf(`proc.cmdline = %q; a process may be called "-1"`, s)
	}
	if v, ok := a.Bool("proc.is_exe_from_memfd"); !v || !ok {
		t.Error("proc.is_exe_from_memfd is not true")
	}
	if len(a.Extra) != 1 || a.Extra[0].Name != "cluster" || a.Extra[0].Value.JSON() != `{"name":"a b"}` {
		t.Errorf("extra members = %v", a.Extra)
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"text":             {`Sun Nov 22: Falco version 0.43.0`, "not JSON"},
		"empty":            {``, "ends too early"},
		"number":           {`5`, "not a JSON object"},
		"two objects":      {fileless + "{}", "something follows"},
		"cut off":          {fileless[:100], "ends too early"},
		"no rule":          {`{"time":"2024-10-05T13:00:46Z"}`, "no rule"},
		"no time":          {`{"rule":"r"}`, "no time"},
		"bad time":         {`{"rule":"r","time":"yesterday"}`, "not RFC 3339"},
		"time before 1970": {`{"rule":"r","time":"1969-12-31T23:59:59Z"}`, "outside of 1970"},
		"time beyond 2262": {`{"rule":"r","time":"2300-01-01T00:00:00Z"}`, "outside of 1970"},
		"deep":             {`{"rule":"r","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alert.DecodeJSON([]byte(tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v; want one with %q", err, tc.want)
			}
		})
	}
}

func TestDecodeJSONIsLenient(t *testing.T) {
	for name, in := range map[string]string{
		"time from evt.time": `{"rule":"r","output_fields":{"evt.time":5}}`,
		"old time zone":      `{"rule":"r","time":"2022-10-05T13:00:46.937782756+0000"}`,
		"doubled member":     `{"rule":"x","rule":"r","time":"2024-10-05T13:00:46Z"}`,
		"odd types":          `{"rule":"r","time":"2024-10-05T13:00:46Z","tags":"x","output_fields":[1],"priority":7}`,
		"odd tags":           `{"rule":"r","time":"2024-10-05T13:00:46Z","tags":[1,{"a":[]},null]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if a := decode(t, in); a.Rule != "r" || a.Nanos == 0 {
				t.Errorf("decoded wrongly: %+v", a)
			}
		})
	}
}

func TestPriorityInAnyCase(t *testing.T) {
	for _, s := range []string{"Warning", "WARNING", "warning", "wArNiNg"} {
		if p := alert.ParsePriority(s); p != alert.PriorityWarning {
			t.Errorf("%s = %v", s, p)
		}
	}
	if p := alert.ParsePriority("INFO"); p != alert.PriorityInformational {
		t.Errorf("INFO = %v", p)
	}
	if p := alert.ParsePriority("urgent"); p != alert.PriorityUnknown {
		t.Errorf("urgent = %v", p)
	}
}

// response is the gRPC form of an alert.
func response(json bool) *outputs.Response {
	r := &outputs.Response{
		Time: timestamppb.New(decodeTime), Priority: schema.Priority_CRITICAL, Rule: "Fileless execution via memfd_create",
		Output: "14:00:46.937782756: Critical Fileless execution via memfd_create (process=3)", Hostname: "mini-debian-lab",
		Tags: []string{"T1620", "maturity_stable"}, Source: "syscall",
		OutputFields: map[string]string{"container.id": "c61b4b13ae44", "container.name": "<NA>", "proc.tty": "34816", "user.uid": "4294967295"},
	}
	if json {
		r.Output = fileless
	}
	return r
}

var decodeTime = time.Date(2024, 10, 5, 13, 0, 46, 937782756, time.UTC)

func TestOneEventHasOneIdentity(t *testing.T) {
	fromJSON := decode(t, fileless)
	plain, err := alert.DecodeGRPC(marshal(t, response(false)))
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := alert.DecodeGRPC(marshal(t, response(true)))
	if err != nil {
		t.Fatal(err)
	}
	otherUUID := decode(t, strings.Replace(fileless, "cec8d1cb", "00000000", 1))
	otherCase := decode(t, strings.Replace(fileless, `"Critical"`, `"CRITICAL"`, 1))
	for _, a := range []*alert.Alert{plain, wrapped, otherUUID, otherCase} {
		if a.ID != fromJSON.ID {
			t.Errorf("identity %s; want %s", a.ID, fromJSON.ID)
		}
	}
	if diff := cmp.Diff(fields(fromJSON), fields(wrapped)); diff != "" {
		t.Errorf("the wrapped alert's fields differ (-json +grpc):\n%s", diff)
	}
	if wrapped.Output != fromJSON.Output {
		t.Errorf("the wrapped alert's output is %q", wrapped.Output)
	}
	later := decode(t, strings.ReplaceAll(fileless, "46.937782756Z", "46.937782757Z"))
	if later.ID == fromJSON.ID || later.ID < fromJSON.ID {
		t.Errorf("an event one nanosecond later has identity %s; want one after %s", later.ID, fromJSON.ID)
	}
	if _, err := alert.ParseID(string(later.ID)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "x", string(later.ID) + "0", strings.ToUpper(string(later.ID)), strings.Repeat("z", 32)} {
		if _, err := alert.ParseID(bad); err == nil {
			t.Errorf("%q passes for an id", bad)
		}
	}
}

// TestWithoutOutputLine is for json_include_output_property: false.
func TestWithoutOutputLine(t *testing.T) {
	const a = `{"rule":"r","time":"2024-10-05T13:00:46Z","output_fields":{"proc.name":"a"}}`
	if decode(t, a).ID == decode(t, strings.Replace(a, `"a"`, `"b"`, 1)).ID {
		t.Error("two events share an identity")
	}
}

func TestPlainLine(t *testing.T) {
	for in, want := range map[string]string{
		"14:00:46.937782756: Critical Something (a: b)":        "Something (a: b)",
		"2026-11-22T02:07:38.364460168+0000: Notice Something": "Something",
		"Critical Something": "Something",
		"02:00:00.000000000: Debug Falco internal: syscall event drop. 1 sys": "Falco internal: syscall event drop. 1 sys",
		"Something: else": "Something: else",
		"":                "",
	} {
		if got := alert.PlainLine(in); got != want {
			t.Errorf("PlainLine(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestInvalidUTF8IsRepaired(t *testing.T) {
	raw := marshal(t, response(false))
	broken := []byte(strings.Replace(string(raw), "mini-debian-lab", "mini\xff\xfe\x80\x81ian-lab", 1))
	a, err := alert.DecodeGRPC(broken)
	if err != nil {
		t.Fatal(err)
	}
	if a.Hostname != "mini�ian-lab" {
		t.Errorf("hostname %q", a.Hostname)
	}
	if string(a.Raw) != string(broken) {
		t.Error("the raw bytes are not what was received")
	}
	// The standard decoder is what fails on it: the reason for our own.
	if proto.Unmarshal(broken, new(outputs.Response)) == nil {
		t.Error("the standard decoder takes it: DecodeGRPC is no longer needed for this")
	}
}

func TestInternalNotice(t *testing.T) {
	a := decode(t, `{"rule":"Falco internal: syscall event drop","time":"2026-11-22T01:59:19Z","priority":"Debug","source":"internal"}`)
	if a.Kind != alert.KindFalcoInternal {
		t.Errorf("kind %v", a.Kind)
	}
	// Falco words its notices differently in JSON and in plain form.
	b := decode(t, `{"rule":"Falco internal: syscall event drop","time":"2026-11-22T01:59:19Z","priority":"Debug","source":"internal","output":"x"}`)
	if b.ID != a.ID {
		t.Errorf("identity %s and %s of one notice", a.ID, b.ID)
	}
}

// TestAForgedWrapIsNotBelieved: an output that is a JSON alert of another rule or time.
func TestAForgedWrapIsNotBelieved(t *testing.T) {
	r := response(false)
	r.Output = strings.Replace(fileless, `"rule":"Fileless`, `"rule":"Other`, 1)
	a, err := alert.DecodeGRPC(marshal(t, r))
	if err != nil {
		t.Fatal(err)
	}
	if a.Output != r.GetOutput() || a.UUID != "" {
		t.Errorf("taken for a wrapped alert: %+v", a)
	}
}

// TestRecordings: every recorded alert decodes, all events have different identities, and the
// two recordings of one event the same.
func TestRecordings(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "alerts")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	for _, name := range []string{"falco-0.43-default", "falco-0.43-full"} {
		fromFile := recording(t, filepath.Join(dir, name+"-json.jsonl"))
		fromGRPC := recording(t, filepath.Join(dir, name+"-grpc.jsonl"))
		if len(fromFile) == 0 || len(fromFile) != len(fromGRPC) {
			t.Fatalf("%s: %d and %d alerts", name, len(fromFile), len(fromGRPC))
		}
		for id, a := range fromFile {
			b := fromGRPC[id]
			if b == nil {
				t.Errorf("%s: alert %s is not in the gRPC recording", name, id)
				continue
			}
			if diff := cmp.Diff(fields(a), fields(b)); diff != "" {
				t.Errorf("%s: alert %s differs (-json +grpc):\n%s", name, id, diff)
			}
		}
	}
	for _, name := range []string{"falco-0.43-plain-grpc.jsonl", "falco-0.43-internal-grpc.jsonl", "seeds.jsonl"} {
		recording(t, filepath.Join(dir, name))
	}
}

// recording reads alerts by identity, and fails on two with the same one. Recordings of gRPC
// are decoded twice, from their JSON and from the protobuf encoding, which must agree.
func recording(t *testing.T, file string) map[alert.ID]*alert.Alert {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	out := make(map[alert.ID]*alert.Alert)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, alert.MaxBytes)
	for n := 1; lines.Scan(); n++ {
		a := decode(t, lines.Text())
		if out[a.ID] != nil {
			t.Errorf("%s:%d: the identity %s is taken", file, n, a.ID)
		}
		out[a.ID] = a
		if !strings.Contains(file, "-grpc") {
			continue
		}
		var r outputs.Response
		if err := protojson.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		b, err := alert.DecodeGRPC(marshal(t, &r))
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
		if b.ID != a.ID || b.Priority != a.Priority || b.Kind != a.Kind || !cmp.Equal(fields(a), fields(b)) {
			t.Errorf("%s:%d: JSON and protobuf of one alert differ", file, n)
		}
	}
	return out
}

// fields are the output fields that have a value.
func fields(a *alert.Alert) map[string]string {
	out := make(map[string]string)
	for _, f := range a.Fields() {
		if s, ok := a.Text(f.Name); ok {
			out[f.Name] = s
		}
	}
	return out
}

func marshal(t testing.TB, r *outputs.Response) []byte {
	t.Helper()
	b, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkAlert holds what every decoded alert must be, whatever it was decoded from.
func checkAlert(t *testing.T, a *alert.Alert) {
	t.Helper()
	if a.Rule == "" || a.Nanos < 0 {
		t.Errorf("without rule or time: %+v", a)
	}
	if _, err := alert.ParseID(string(a.ID)); err != nil {
		t.Errorf("id %q: %v", a.ID, err)
	}
	texts := append([]string{a.Rule, a.Source, a.Hostname, a.Output, a.UUID}, a.Tags...)
	last := ""
	for i, f := range a.Fields() {
		if i > 0 && f.Name <= last {
			t.Errorf("field %q after %q", f.Name, last)
		}
		last = f.Name
		texts = append(texts, f.Name, f.Value.Text())
		if !json.Valid([]byte(f.Value.JSON())) {
			t.Errorf("%s: %s is not JSON", f.Name, f.Value.JSON())
		}
	}
	for _, s := range texts {
		if !utf8.ValidString(s) {
			t.Errorf("%q is not UTF-8", s)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(fileless))
	seedWith("falco-0.43-full-json.jsonl", func(line []byte) { f.Add(line) })
	seedWith("falco-0.43-internal-grpc.jsonl", func(line []byte) { f.Add(line) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := alert.DecodeJSON(raw)
		if err != nil {
			return
		}
		checkAlert(t, a)
		again, err := alert.DecodeJSON(raw)
		if err != nil || again.ID != a.ID {
			t.Errorf("decoding again gives %v, %v", again, err)
		}
	})
}

func FuzzDecodeGRPC(f *testing.F) {
	f.Add(marshal(f, response(false)))
	f.Add(marshal(f, response(true)))
	seedWith("falco-0.43-plain-grpc.jsonl", func(line []byte) {
		var r outputs.Response
		if protojson.Unmarshal(line, &r) == nil {
			f.Add(marshal(f, &r))
		}
	})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := alert.DecodeGRPC(raw)
		if err == nil {
			checkAlert(t, a)
		}
		// Where the standard decoder succeeds, ours reads the same.
		var r outputs.Response
		if err != nil || proto.Unmarshal(raw, &r) != nil || strings.HasPrefix(r.GetOutput(), "{") {
			return
		}
		if a.Rule != r.GetRule() || a.Output != r.GetOutput() || a.Hostname != r.GetHostname() || a.Source != r.GetSource() || !cmp.Equal(a.Tags, r.GetTags()) {
			t.Errorf("decoded %+v from %v", a, &r)
		}
		for k, v := range r.GetOutputFields() {
			if got, ok := a.Lookup(k); !ok || got.Text() != v {
				t.Errorf("%s = %q; want %q", k, got.Text(), v)
			}
		}
	})
}

// seedWith calls add for the first lines of a recording, where there is one.
func seedWith(name string, add func(line []byte)) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "alerts", name))
	if err != nil {
		return
	}
	for i, line := range strings.Split(string(data), "\n") {
		if line != "" && i < 20 {
			add([]byte(line))
		}
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(fileless)))
	for b.Loop() {
		if _, err := alert.DecodeJSON([]byte(fileless)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeGRPC(b *testing.B) {
	raw := marshal(b, response(false))
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := alert.DecodeGRPC(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLongNamesStayApart: names of hosts and rules are bounded, as long as they are, by whichever
// way they come; the identity is of the whole, and names that differ stay different.
func TestLongNamesStayApart(t *testing.T) {
	long := strings.Repeat("漢", 1<<20)
	text := func(rule, host string) *alert.Alert {
		b, err := json.Marshal(map[string]any{"rule": rule, "hostname": host, "time": "2024-10-05T13:00:46Z", "output": "x"})
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, string(b))
	}
	a, b := text(long+"a", long+"b"), text(long+"b", long+"b")
	if len(a.Rule) > alert.MaxNameBytes || len(a.Hostname) > alert.MaxNameBytes || !utf8.ValidString(a.Rule) || !strings.Contains(a.Rule, "3145729 bytes in all") {
		t.Errorf("rule %q, host %q", a.Rule, a.Hostname)
	}
	if a.Rule == b.Rule || a.Hostname != b.Hostname || a.ID == b.ID || alert.BoundName(a.Rule) != a.Rule {
		t.Errorf("rules %q and %q, hosts %q and %q", a.Rule, b.Rule, a.Hostname, b.Hostname)
	}
	raw, err := proto.Marshal(&outputs.Response{Rule: long + "a", Hostname: long + "b", Output: "x", Time: timestamppb.New(a.Time())})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := alert.DecodeGRPC(raw); err != nil || g.Rule != a.Rule || g.Hostname != a.Hostname || g.ID != a.ID {
		t.Errorf("over gRPC: %+v, %v", g, err)
	}
	if exact := strings.Repeat("x", alert.MaxNameBytes); text(exact, exact).Rule != exact {
		t.Error("a name that is not too long is changed")
	}
}
