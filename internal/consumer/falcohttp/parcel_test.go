package falcohttp

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// unpacked is unpack with all the memory that there may be, which must come back.
func unpacked(t *testing.T, body []byte) (parcel, error) {
	t.Helper()
	var b budget
	b.left.Store(maxReading)
	s := &share{of: &b}
	p, err := unpack(body, s)
	s.release()
	if b.left.Load() != maxReading {
		t.Errorf("%d bytes did not come back", maxReading-b.left.Load())
	}
	return p, err
}

// TestRecordings: what Falco wrote is all taken, as lines and as an array.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("../../../../shared/alerts/*-json.jsonl")
	if err != nil || len(files) == 0 {
		t.Skip("the recorded alerts are not there")
	}
	for _, f := range files {
		lines, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Count(lines, []byte("\n"))
		array := append(append([]byte("["), bytes.ReplaceAll(bytes.TrimSpace(lines), []byte("\n"), []byte(","))...), ']')
		for _, body := range [][]byte{lines, array} {
			if p, err := unpacked(t, body); err != nil || len(p.alerts) != want || len(p.bad) != 0 {
				t.Errorf("%s: %d alerts of %d, %v, %v", f, len(p.alerts), want, p.bad, err)
			}
		}
	}
}

// TestMemoryIsShared: when it is used up, large bodies are refused and small ones are not.
func TestMemoryIsShared(t *testing.T) {
	var b budget
	b.left.Store(freeBytes)
	small := bytes.Repeat([]byte(" "), freeBytes)
	s := &share{of: &b}
	if got, err := readAll(bytes.NewReader(make([]byte, 3*freeBytes)), -1, s); !errors.Is(err, errBusy) || s.taken != freeBytes {
		t.Errorf("%d bytes read, %d taken, %v", len(got), s.taken, err)
	}
	for _, size := range []int{len(small), -1} {
		got, err := readAll(bytes.NewReader(small[:freeBytes-1]), min(size, freeBytes-1), &share{of: &b})
		if err != nil || len(got) != freeBytes-1 {
			t.Errorf("a small body: %d bytes, %v", len(got), err)
		}
	}
	if s.release(); b.left.Load() != freeBytes {
		t.Errorf("%d bytes are left", b.left.Load())
	}
}

// TestTheGate lets in as many as it may, and none once it is closed.
func TestTheGate(t *testing.T) {
	var g gate
	for n := range maxRequests {
		if !g.enter() {
			t.Fatalf("no room for request %d", n)
		}
	}
	if g.enter() {
		t.Error("one too many")
	}
	for range maxRequests {
		g.leave()
	}
	if !g.enter() {
		t.Error("no room after all have left")
	}
	closed := make(chan struct{})
	go func() { defer close(closed); g.close() }()
	for g.enter() {
		g.leave()
	}
	select {
	case <-closed:
		t.Error("closed with a request under way")
	default:
	}
	g.leave()
	<-closed
}

// TestADefect costs one request, and is told.
func TestADefect(t *testing.T) {
	var logs strings.Builder
	in := &Input{ledger: consumer.NewLedger("http", Kind, ""), log: slog.New(slog.NewTextHandler(&logs, nil))} // without an intake
	w := httptest.NewRecorder()
	in.serve(w, httptest.NewRequest(http.MethodPost, "/none", nil))
	if s := in.ledger.Status(); w.Code != http.StatusInternalServerError || s.PossibleLosses != 1 || !strings.Contains(logs.String(), "nil pointer") {
		t.Errorf("%d, %+v, %s", w.Code, s, &logs)
	}
	in.gate.close() // the request has left
}

// FuzzUnpack: no body is too strange; an alert in an array is the same as alone, and one on a
// line of its own is found behind whatever precedes it in lines that end.
func FuzzUnpack(f *testing.F) {
	good := []byte(`{"rule":"r","time":"2026-11-22T01:00:00Z","output_fields":{"n":1}}`)
	for _, seed := range []string{
		"", string(good), "[" + string(good) + "]", string(good) + "\n" + string(good), "[[[", `[{"a":1},`, `{"a":`, "x\n{}", "[]\n[1]{",
		`{"revision":1,"urgency":2,"actions":3}`, "{\"rule\":\"\xff\",\"rule\":2}", `{"rule":"r","time":"2026-11-22T01:00:00Z","source":"falco_reporter"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := unpacked(t, bytes.Clone(body))
		if err != nil {
			return
		}
		for _, a := range p.alerts {
			if a.Rule == "" || a.Kind == alert.KindReporterInternal || len(a.Raw) > len(body) {
				t.Errorf("%+v", a)
			}
		}
		if len(p.alerts) == 1 && len(p.bad) == 0 && bytes.TrimSpace(body)[0] == '{' {
			q, err := unpacked(t, append(append([]byte("["), body...), ']'))
			if err != nil || len(q.alerts) != 1 || q.alerts[0].ID != p.alerts[0].ID {
				t.Errorf("in an array: %+v, %v", q, err)
			}
		}
		if !bytes.ContainsAny(body, "{[") {
			q, err := unpacked(t, append(append(bytes.Clone(body), '\n'), good...))
			if err != nil || len(q.alerts) != 1 {
				t.Errorf("on a line of its own: %+v, %v", q, err)
			}
		}
	})
}
