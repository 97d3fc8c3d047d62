package alert_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// scan is what a Scanner finds, a line each: "LINE JSON" or "LINE error".
func scan(t interface{ Fatal(...any) }, r io.Reader) []string {
	var out []string
	for s := alert.NewScanner(r); ; {
		found, err := s.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if found.Err != nil {
			out = append(out, fmt.Sprint(found.Line, " error"))
			continue
		}
		out = append(out, fmt.Sprint(found.Line, " ", strings.Join(strings.Fields(string(found.Raw)), "")))
	}
}

func TestScanner(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":            {"", nil},
		"blank lines":        {"\n  \n\r\n", nil},
		"lines":              {`{"a":1}` + "\n" + `{"b":2}` + "\r\n", []string{`1 {"a":1}`, `2 {"b":2}`}},
		"no last line end":   {`{"a":1}`, []string{`1 {"a":1}`}},
		"one over lines":     {"{\n \"a\": {\n  \"b\": \"}\"\n }\n}\n", []string{`1 {"a":{"b":"}"}}`}},
		"value on own line":  {"{\"a\":\n{\"b\":1}\n}\n", []string{`1 {"a":{"b":1}}`}},
		"several on a line":  {`{"a":1}{"b":2} {"c":3}`, []string{`1 {"a":1}`, `1 {"b":2}`, `1 {"c":3}`}},
		"array":              {`[{"a":1},{"b":2}]`, []string{`1 {"a":1}`, `1 {"b":2}`}},
		"array over lines":   {"[\n{\"a\":1},\n{\"b\":2}\n]\n", []string{`2 {"a":1}`, `3 {"b":2}`}},
		"empty array":        {`[]`, nil},
		"foreign line":       {"Falco 0.43\n" + `{"a":1}`, []string{"1 error", `2 {"a":1}`}},
		"torn in a string":   {`{"a":"x` + "\n" + `{"b":2}`, []string{"1 error", `2 {"b":2}`}},
		"torn after a value": {`{"a":1,` + "\n" + `{"b":2}`, []string{"1 error", `2 {"b":2}`}},
		"torn at the end":    {`{"b":2}` + "\n" + `{"a":{"x":`, []string{`1 {"b":2}`, "2 error"}},
		"behind an object":   {`{"a":1} x` + "\n" + `{"b":2}`, []string{`1 {"a":1}`, "1 error", `2 {"b":2}`}},
		"bad array":          {`[{"a":1},,]` + "\n" + `{"b":2}`, []string{`1 {"a":1}`, "1 error", `2 {"b":2}`}},
		"quotes and escapes": {`{"a":"\"}{\\"}`, []string{`1 {"a":"\"}{\\"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, scan(t, strings.NewReader(tc.in))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, scan(t, iotest.OneByteReader(strings.NewReader(tc.in)))); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScannerSkipsWhatIsTooLarge(t *testing.T) {
	huge := `{"a":"` + strings.Repeat("x", alert.MaxBytes) + `"}`
	want := []string{"1 error", `2 {"b":2}`}
	if diff := cmp.Diff(want, scan(t, strings.NewReader(huge+"\n"+`{"b":2}`))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScannerPassesOnErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	s := alert.NewScanner(io.MultiReader(strings.NewReader(`{"a":1}`+"\n"), iotest.ErrReader(broken)))
	if found, err := s.Next(); err != nil || string(found.Raw) != `{"a":1}` {
		t.Fatalf("%v, %v", found, err)
	}
	if _, err := s.Next(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// TestScannerLosesNoAlert: whatever torn lines stand between whole ones, every whole one is
// found, with its line.
func TestScannerLosesNoAlert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in strings.Builder
		var want []string
		for line := 1; line <= rapid.IntRange(1, 12).Draw(t, "lines"); line++ {
			whole := fmt.Sprintf(`{"rule":%q,"n":%d,"output_fields":{"a":[1,"]}"]}}`, rapid.String().Draw(t, "rule"), line)
			if rapid.Bool().Draw(t, "torn") {
				// Torn within the text of the rule or behind a member, as a crash leaves it.
				cut := rapid.SampledFrom([]int{len(`{"rule":"`), strings.Index(whole, `,"n"`) + 1}).Draw(t, "cut")
				in.WriteString(whole[:cut] + "\n")
				continue
			}
			in.WriteString(whole + "\n")
			want = append(want, fmt.Sprint(line, " ", strings.Join(strings.Fields(whole), "")))
		}
		var got []string
		for _, s := range scan(t, strings.NewReader(in.String())) {
			if !strings.HasSuffix(s, " error") {
				got = append(got, s)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s\ninput:\n%s", diff, in.String())
		}
	})
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("[{\"a\":1},\n{\"b\":\"}\"}]{\"c\"\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := strings.Count(string(in), "\n") + 1
		for s := alert.NewScanner(strings.NewReader(string(in))); ; {
			found, err := s.Next()
			if err != nil {
				return
			}
			if (found.Err == nil) == (found.Raw == nil) || found.Line < 1 || found.Line > lines {
				t.Fatalf("found %+v in %d lines", found, lines)
			}
		}
	})
}
