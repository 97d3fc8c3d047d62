package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

func TestParseFormat(t *testing.T) {
	for _, name := range Formats() {
		if f, err := ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("ParseFormat(%q) = %q, %v", name, f, err)
		}
	}
	for _, name := range []string{"", "JSON", "htm"} {
		_, err := ParseFormat(name)
		if err == nil || !strings.Contains(err.Error(), "markdown, text, html, json") {
			t.Errorf("ParseFormat(%q): %v", name, err)
		}
		if dst, err := Append([]byte("kept"), Format(name), &pb.Report{}); err == nil || string(dst) != "kept" {
			t.Errorf("Append as %q: %q, %v", name, dst, err)
		}
	}
}

// TestStream checks what may be relied on when reports follow each other in one stream.
func TestStream(t *testing.T) {
	for f, begin := range map[Format]string{JSON: `{"`, Markdown: "# ", Text: rule + "\n"} {
		var stream []byte
		n := 0
		for range 2 { // maps are walked in another order each time
			for _, r := range reports(t) {
				one := render(t, f, r)
				if again := render(t, f, r); one != again {
					t.Errorf("%s: not the same twice", f)
				}
				var err error
				if stream, err = Append(stream, f, r); err != nil || !bytes.HasSuffix(stream, []byte(one)) {
					t.Fatalf("%s: not appended: %v", f, err)
				}
				n++
			}
		}
		if got := strings.Count("\n"+string(stream), "\n"+begin); got != n {
			t.Errorf("%s: %d reports have %d beginnings", f, n, got)
		}
		if f == JSON && bytes.Count(stream, []byte("\n")) != n {
			t.Errorf("%d reports have %d lines", n, bytes.Count(stream, []byte("\n")))
		}
		if f != JSON && !bytes.HasSuffix(stream, []byte("\n\n")) {
			t.Errorf("%s: no empty line at the end", f)
		}
	}
}

// TestEmpty checks reports with nothing, and with blank or impossible values everywhere.
func TestEmpty(t *testing.T) {
	blank, bad := everything(), everything()
	poison(blank.ProtoReflect(), "  ")
	poison(bad.ProtoReflect(), strings.Repeat("\x80\xff", maxValue))
	bad.EventTime = &timestamppb.Timestamp{Seconds: 1 << 60, Nanos: -1}
	bad.Urgency.Level, bad.Ancestry[0].Level = 99, 0
	bad.Actions[0].Phase, bad.Shown[0].Confidence = 99, 99
	hollow := &pb.Report{
		Urgency: &pb.Urgency{}, Shown: []*pb.Finding{{}, nil}, Actions: []*pb.Action{{}, nil}, Rule: &pb.Rule{}, Event: &pb.Event{},
		Process: &pb.Process{Session: &pb.Session{}}, Ancestry: []*pb.Ancestor{{}, nil}, User: &pb.User{}, Container: &pb.Container{},
		Kubernetes: &pb.Kubernetes{Request: &pb.KubernetesRequest{}}, Network: &pb.Network{Client: &pb.Endpoint{}}, File: &pb.File{},
		Attack: &pb.Attack{Techniques: []*pb.Technique{{}}, Tactics: []*pb.Tactic{{}}}, Alerts: []*pb.AlertGroup{{}, nil, {Samples: []*pb.AlertSample{{}, nil}}}, Alert: &pb.Alert{},
		Timeline: []*pb.TimelineEntry{{}, nil}, Processes: []*pb.ProcessNode{{}, nil, {Process: &pb.Ancestor{User: &pb.User{}}}}, Login: &pb.Login{},
		Silence: &pb.Silence{}, Redactions: []*pb.Redaction{{}, nil}, AncestryNotes: []string{""},
	}
	for _, r := range []*pb.Report{nil, {}, hollow, blank, bad} {
		for _, f := range Formats() {
			out := render(t, Format(f), r)
			checkVisible(t, out)
			if f == "markdown" && strings.Contains(out, "\n\n\n") || f == "json" && !json.Valid([]byte(out)) {
				t.Errorf("%s: %s", f, out)
			}
		}
	}
}

// TestJSONIsProtobufJSON holds our encoder against protojson. What it fails for with
// "everything" is missing in json_report.go.
func TestJSONIsProtobufJSON(t *testing.T) {
	all := reports(t)
	delete(all, "hostile") // escaped otherwise; FuzzJSON reads it back
	all["everything"] = everything()
	for name, r := range all {
		b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, b); err != nil {
			t.Fatal(err)
		}
		want.WriteByte('\n')
		if d := cmp.Diff(strings.Split(want.String(), ","), strings.Split(render(t, JSON, r), ",")); d != "" {
			t.Errorf("%s: -protojson +ours:\n%s", name, d)
		}
	}
	r := &pb.Report{Title: "a\u202e\U000e0041\"\\\x7f", Workload: 77}
	if got, want := render(t, JSON, r), `{"title":"a\u202e\udb40\udc41\"\\\u007f","workload":77}`+"\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain “text” – äöü 漢字 \\n":             "plain “text” – äöü 漢字 \\n",
		"\x00\a\t\n\r\x1b\x7f":                  `\x00\x07\t\n\r\x1b\x7f`,
		"\u0080\u009b\u00a0\u00ad":              `\u0080\u009b\u00a0\u00ad`,
		"\u200b\u202e\u2066\u2028\ufeff":        `\u200b\u202e\u2066\u2028\ufeff`,
		"\ufe0f\u3164\u2800\ue000\u0378":        `\ufe0f\u3164\u2800\ue000\u0378`,
		"\U000e0041\U0010ffff":                  `\U000e0041\U0010ffff`,
		"\xff\xc3":                              `\xff\xc3`,
		"\ufffd":                                "\ufffd",
		"e\u0301 \u0301\n\u0301":                "e\u0301 \\u0301\\n\\u0301",
		"o\u0302\u0302\u0302\u0302\u0302\u0302": "o\u0302\u0302\u0302\u0302\\u0302\\u0302",
	} {
		got := visible(in)
		if got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
		if again := visible(got); again != got {
			t.Errorf("not stable: %q becomes %q", got, again)
		}
	}
}

func TestLinks(t *testing.T) {
	for url, want := range map[string]bool{
		"https://attack.mitre.org/techniques/T1059/004": true, "https://attack.mitre.org.evil.example/": false, "http://attack.mitre.org/x": false,
		"https://attack.mitre.org/x)[y](javascript:alert(1))": false, "https://attack.mitre.org/a b": false, "javascript:alert(1)": false, "": false,
	} {
		r := &pb.Report{Attack: &pb.Attack{Tactics: []*pb.Tactic{{Id: "TA1", Name: "n", Url: url}}}}
		if got := strings.Contains(render(t, Markdown, r), "[TA1]("+url+")"); got != want {
			t.Errorf("%s: linked is %t", url, got)
		}
	}
	for url, want := range map[string]bool{
		"https://docs.kernel.org/a_b/c.html?x=1&y=2#z": true, "http://falco.org": true, "HTTP://falco.org": false, "https://": false, "https:///x": false,
		"https://good.example@evil.example/": false, "https://a.example/<b>": false, "https://a.example/`": false, "javascript:alert(1)": false,
	} {
		r := &pb.Report{Actions: []*pb.Action{{Title: "t", Reference: url}}}
		if got := strings.Contains(render(t, Markdown, r), "<"+url+">\n"); got != want {
			t.Errorf("%s: linked is %t", url, got)
		}
	}
}

// TestLongValues checks that a line shows both ends of a long value and how much is missing,
// and that the original has it in full; and that this takes time in proportion.
func TestLongValues(t *testing.T) {
	long := "begin" + strings.Repeat("漢x", 1<<16) + "end"
	r := &pb.Report{Process: &pb.Process{CommandLine: long}, Alert: &pb.Alert{OutputFields: map[string]string{"proc.cmdline": long}}}
	for _, f := range []Format{Markdown, Text} {
		out := render(t, f, r)
		joined := strings.Join(strings.Fields(out), "")
		if !strings.Contains(joined, "bytescut)") || !strings.Contains(joined, "xend") {
			t.Errorf("%s: not cut as it should be: %.3000s", f, out)
		}
		if !strings.Contains(joined, long) {
			t.Errorf("%s: nowhere in full", f)
		}
	}
}

// TestLongTexts checks that time grows in proportion to texts that look, at each of a hundred
// thousand places, like the beginning of something long. One takes some tenths of a second at
// most, and several times that with the race detector on a busy machine; with the square of
// its length it would take minutes.
func TestLongTexts(t *testing.T) {
	const n = 1 << 18
	for _, s := range []string{"&", ":a", "#1", "“", "“”", "`", `\|`, "\u0301", "\n", strings.Repeat("1", n/2) + strings.Repeat(".1", n/4)} {
		s = strings.Repeat(s, max(1, n/len(s)))
		r := &pb.Report{Summary: s, Meaning: s, Process: &pb.Process{Name: s}}
		for _, f := range []Format{Markdown, Text, HTML} {
			start := time.Now()
			if render(t, f, r); time.Since(start) > 30*time.Second {
				t.Errorf("%s: %.4q repeated to %d bytes took %s", f, s, n, time.Since(start))
			}
		}
	}
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "e\u0301": 1, "漢字": 4, "ｱ": 1, "Ａ": 2, "👩": 2, "“–”": 3} {
		if got := columnsOf([]byte(s)); got != want {
			t.Errorf("%q takes %d columns, want %d", s, got, want)
		}
	}
}

func TestCompleteness(t *testing.T) {
	for want, r := range map[string]*pb.Report{
		"The chain is complete up to pid 1.":            {AncestryComplete: true, Ancestry: []*pb.Ancestor{{Level: 1, Pid: proto.Int64(1), Name: "init"}}},
		"The chain reaches pid 1, but is not complete.": {Ancestry: []*pb.Ancestor{{Level: 4, Pid: proto.Int64(1), Name: "init"}}},
		"The chain above sh is not known.":              {Process: &pb.Process{Name: "sh"}},
		"The chain above pid 7 is not known.":           {Ancestry: []*pb.Ancestor{{Level: 2, Pid: proto.Int64(7)}, {Level: 1, Name: "x"}}},
		"... (levels 3 to 2: not known)":                {Process: &pb.Process{Name: "sh"}, Ancestry: []*pb.Ancestor{{Level: 1, Name: "x"}, {Level: 4, Name: "y"}}},
		"... (level 1: not known)":                      {Process: &pb.Process{Name: "sh"}, Ancestry: []*pb.Ancestor{{Level: 2, Name: "x"}}},
	} {
		if out := render(t, Text, r); !strings.Contains(out, want) {
			t.Errorf("want %q in:\n%s", want, out)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	r := reports(b)["fileless"]
	for _, f := range Formats() {
		b.Run(f, func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = Append(dst[:0], Format(f), r)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}
