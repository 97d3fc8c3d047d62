package falcohttp_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
)

// TestTheJournalComesFirst: there is no answer before the alert is in the journal.
func TestTheJournalComesFirst(t *testing.T) {
	b := stuck(t, falcohttp.Options{AnswerWithin: time.Hour}, consumer.IntakeOptions{})
	answer := make(chan answered, 1)
	go func() {
		a, err := b.send(http.MethodPost, b.url, bytes.NewReader(made(1)))
		if err != nil {
			t.Error(err)
		}
		answer <- a
	}()
	<-b.journal.arrived
	select {
	case a := <-answer:
		t.Errorf("answered %d before the journal had it", a.status)
	case <-time.After(200 * time.Millisecond):
	}
	close(b.journal.open)
	if a := <-answer; a.status != http.StatusOK || a.Accepted != 1 || a.Rejected != 0 {
		t.Errorf("answered %+v", a)
	}
	if s := b.ledger.Status(); s.Journaled != 1 || s.AnsweredEarly != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFalcoDoesNotWait for a journal that is stuck: the answer comes all the same.
func TestFalcoDoesNotWait(t *testing.T) {
	b := stuck(t, falcohttp.Options{}, consumer.IntakeOptions{})
	a := b.post(http.StatusAccepted, made(1))
	if a.took < falcohttp.DefaultAnswerWithin || a.took > 40*falcohttp.DefaultAnswerWithin {
		t.Errorf("it took %v", a.took)
	}
	if s := b.ledger.Status(); s.AnsweredEarly != 1 || s.AtRisk() != 1 {
		t.Errorf("%+v", s)
	}
	close(b.journal.open)
	if s := b.stop(); s.AnsweredEarly != 1 || s.Journaled != 1 {
		t.Errorf("%+v", s)
	}
}

// TestTheBound: no more is held than the intake may, the rest is refused and counted, and that
// ends when there is room.
func TestTheBound(t *testing.T) {
	size := len(made(0))
	b := stuck(t, falcohttp.Options{AnswerWithin: time.Millisecond}, consumer.IntakeOptions{MaxAlerts: 100, MaxBytes: 3*size + 10})
	for n := range 3 {
		b.post(http.StatusAccepted, made(n))
	}
	for range 2 {
		if a := b.post(http.StatusServiceUnavailable, made(3)); a.header.Get("Retry-After") != "1" || a.Accepted != 0 {
			t.Errorf("%+v", a)
		}
	}
	if s := b.ledger.Status(); s.State != consumer.StateDropping || s.Reason == "" || s.AtRisk() != 3 || s.Lost != 2 {
		t.Errorf("%+v", s)
	}
	close(b.journal.open)
	b.until(func(s consumer.Status) bool { return s.State == consumer.StateConnected })
	if a, err := b.send(http.MethodPost, b.url, bytes.NewReader(made(3))); err != nil || a.status/100 != 2 || a.Accepted != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if s := b.stop(); s.Journaled != 4 || s.Lost != 2 || s.Received != 6 {
		t.Errorf("%+v", s)
	}
	if logs := b.logs.String(); strings.Count(logs, "refused") != 1 || strings.Count(logs, "taken again") != 1 {
		t.Error(logs)
	}
}

// TestRefusals: each has its status, is counted, and is kept with the reason and the sender.
func TestRefusals(t *testing.T) {
	const marker = "attacker-chosen"
	good := string(made(1))
	bomb := bytes.Repeat(packed(bytes.Repeat([]byte(" "), 1<<20)), falcohttp.MaxBody>>20+1)
	for _, test := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		reason                   string
	}{
		{"method", http.MethodPut, "/", good, nil, 405, "POST"},
		{"get", http.MethodGet, "/", "", nil, 405, "POST"},
		{"path", "", "/" + marker, good, nil, 404, "path"},
		{"path before method", http.MethodGet, "/metrics", "", nil, 404, "path"},
		{"web page", "", "/", good, []string{"Origin", "http://" + marker}, 403, "web pages"},
		{"type", "", "/", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "content type"},
		{"bad type", "", "/", good, []string{"Content-Type", "a b c"}, 415, "content type"},
		{"encoding", "", "/", good, []string{"Content-Encoding", "br"}, 415, "content encoding"},
		{"gzip twice", "", "/", good, []string{"Content-Encoding", "gzip, gzip"}, 415, "content encoding"},
		{"no gzip", "", "/", good, []string{"Content-Encoding", "gzip"}, 400, "could not be read"},
		{"torn gzip", "", "/", string(packed([]byte(good))[:100]), []string{"Content-Encoding", "gzip"}, 400, "could not be read"},
		{"too large", "", "/", strings.Repeat(" ", falcohttp.MaxBody+1), nil, 413, "larger than 32 MiB"},
		{"unpacks too large", "", "/", string(bomb), []string{"Content-Encoding", "gzip"}, 413, "larger than 32 MiB"},
		{"too many", "", "/", "[" + strings.Repeat("{},", falcohttp.MaxElements) + "{}]", nil, 413, "more than 16384 alerts"},
		{"too many lines", "", "/", strings.Repeat("x\n", falcohttp.MaxElements+1), nil, 413, "more than 16384 alerts"},
		{"alert too large", "", "/", `{"rule":"` + strings.Repeat("x", alert.MaxBytes) + `"}`, nil, 413, "larger than the 16 MiB"},
		{"empty", "", "/", " \n", nil, 400, "empty"},
		{"plain text", "", "/", "10:00:00: Warning " + marker, []string{"Content-Type", "text/plain"}, 400, "json_output"},
		{"no JSON", "", "/", marker, nil, 400, "not a JSON object"},
		{"torn", "", "/", good[:1000], nil, 400, "cut off"},
		{"no alert", "", "/", `{"` + marker + `":1}`, nil, 400, "it has no rule"},
		{"no time", "", "/", `{"rule":"` + marker + `"}`, nil, 400, "it has no time"},
		{"bad time", "", "/", `{"rule":"r","time":"` + marker + `"}`, nil, 400, "not RFC 3339"},
		{"deep array", "", "/", strings.Repeat("[", 1<<20), nil, 400, "not JSON"},
		{"deep object", "", "/", strings.Repeat(`{"a":`, 1<<20), nil, 400, "not a Falco alert"},
		{"open array", "", "/", "[", nil, 400, "not JSON"},
		{"own report", "", "/", `{"id":"x","revision":1,"urgency":{"level":"page"},"actions":[],"rule":{"name":"r"},"alert":{}}`, nil, 400, "it is a report of falco-reporter"},
		{"own report with a time", "", "/", `{"rule":"r","time":"2026-11-22T01:00:00Z","revision":1,"urgency":1,"actions":[]}`, nil, 400, "it is a report of falco-reporter"},
		{"own notice", "", "/", `{"rule":"r","time":"2026-11-22T01:00:00Z","source":"falco_reporter","output_fields":{"a":1}}`, nil, 400, "a notice or report"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := listen(t, falcohttp.Options{})
			method := test.method
			if method == "" {
				method = http.MethodPost
			}
			a, err := b.send(method, "http://"+b.address+test.path, strings.NewReader(test.body), test.header...)
			if err != nil || a.status != test.status || a.Accepted != 0 || strings.Contains(a.text, marker) {
				t.Errorf("answer %d %s, %v", a.status, a.text, err)
			}
			if test.status == http.StatusMethodNotAllowed && a.header.Get("Allow") != http.MethodPost {
				t.Errorf("headers %v", a.header)
			}
			if s := b.stop(); s.Received != 1 || s.Rejected != 1 {
				t.Errorf("%+v", s)
			}
			kept, err := b.journal.Rejected(context.Background())
			if err != nil || len(kept) != 1 || !strings.Contains(kept[0].Reason, test.reason) || !strings.Contains(kept[0].Reason, "from 127.0.0.1:") {
				t.Errorf("kept %.500v, %v", kept, err)
			}
		})
	}
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

// TestShapes: one alert, arrays and lines; the good ones of a body are taken, whatever the others are.
func TestShapes(t *testing.T) {
	one, two, three := string(made(1)), string(made(2)), string(made(3))
	large := strings.Replace(one, "xxx", strings.Repeat("y", 3<<20), 1)
	sidekick := strings.Replace(one, "{", `{"uuid":"0e1c5a4e-1","`+"\xff"+`":2,"rule":"doubled",`, 1)
	for _, test := range []struct {
		name, body         string
		header             []string
		accepted, rejected int
		repeated           uint64
	}{
		{name: "one", body: one, accepted: 1},
		{name: "falcosidekick's", body: sidekick, header: []string{"Content-Type", "application/json; charset=utf-8"}, accepted: 1},
		{name: "over several lines", body: strings.ReplaceAll(one, ",", ",\n"), accepted: 1},
		{name: "text", body: one, header: []string{"Content-Type", "text/plain"}, accepted: 1},
		{name: "a parameter that is none", body: one, header: []string{"Content-Type", "application/json; charset"}, accepted: 1},
		{name: "lines", body: one + "\n" + two + "\r\n\n" + three, header: []string{"Content-Type", "application/x-ndjson"}, accepted: 3},
		{name: "in one line", body: one + two, accepted: 2},
		{name: "array", body: "[" + one + "," + two + "]", accepted: 2},
		{name: "arrays", body: "[" + one + "]\n[" + two + "]" + three, accepted: 3},
		{name: "empty array", body: "[]"},
		{name: "gzip", body: string(packed([]byte(one + "\n" + two))), header: []string{"Content-Encoding", "gzip"}, accepted: 2},
		{name: "a bad line", body: one + "\nnonsense\n" + one[:500] + "\n{}\n" + two, accepted: 2, rejected: 3},
		{name: "a bad element", body: "[" + one + `,1,{"rule":1},` + two + "]", accepted: 2, rejected: 2},
		{name: "a torn array", body: "[" + one + "," + two[:500], accepted: 1, rejected: 1},
		{name: "twice the same", body: "[" + one + "," + one + "]", accepted: 2, repeated: 1},
		{name: "more than one alert may take", body: "[" + large + strings.Repeat(","+large, 5) + "]", accepted: 6, repeated: 5},
	} {
		for _, chunked := range []bool{false, true} {
			if chunked && len(test.body) > 1<<20 {
				continue // the race detector makes it slow, and it is read like the others
			}
			t.Run(fmt.Sprintf("%s/%v", test.name, chunked), func(t *testing.T) {
				b := listen(t, falcohttp.Options{})
				body := io.Reader(strings.NewReader(test.body))
				if chunked {
					body = struct{ io.Reader }{body} // of a length that the client cannot know
				}
				a, err := b.send(http.MethodPost, b.url, body, test.header...)
				if err != nil || a.status != http.StatusOK || a.Accepted != test.accepted || a.Rejected != test.rejected {
					t.Errorf("answer %d %s, %v", a.status, a.text, err)
				}
				s := b.stop()
				if want := uint64(test.accepted) - test.repeated; s.Journaled != want || s.Repeated != test.repeated || s.Rejected != uint64(test.rejected) {
					t.Errorf("%+v", s)
				}
				if kept, err := b.journal.Rejected(context.Background()); err != nil || len(kept) != test.rejected {
					t.Errorf("kept %v, %v", kept, err)
				} else if test.name == "a bad line" && (string(kept[0].Raw) != "nonsense" || string(kept[1].Raw) != one[:500]) {
					t.Errorf("kept %v", kept)
				}
				if test.name == "falcosidekick's" {
					b.expectSame(sidekick, one)
				}
			})
		}
	}
}

// expectSame checks that the journal's alert is raw with its uuid, and has the id of plain.
func (b *bench) expectSame(raw, plain string) {
	b.Helper()
	want, err := alert.DecodeJSON([]byte(plain))
	if err != nil {
		b.Fatal(err)
	}
	got, err := b.journal.Alert(context.Background(), want.ID)
	if err != nil || got.Alert.UUID != "0e1c5a4e-1" || string(got.Alert.Raw) != raw || got.Alert.Input != "http" {
		b.Errorf("%+v, %v", got, err)
	}
}

// TestSlowSendersAreCutOff, in the header and in the body, while others go on.
func TestSlowSendersAreCutOff(t *testing.T) {
	b := listen(t, falcohttp.Options{ReadTimeout: time.Second})
	header, body := b.dial(), b.dial()
	b.write(header, "POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	b.write(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	for n := range 20 {
		b.post(http.StatusOK, made(n))
	}
	if got, err := io.ReadAll(header); err != nil || len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.1 4")) {
		t.Errorf("the slow header got %q, %v", got, err)
	}
	if got, err := io.ReadAll(body); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 408")) {
		t.Errorf("the slow body got %q, %v", got, err)
	}
	if s := b.stop(); s.Journaled != 20 || s.Rejected != 1 || !strings.Contains(s.LastRejected, "in time") {
		t.Errorf("%+v", s)
	}
}

// TestHeaderFlood ends with its connection.
func TestHeaderFlood(t *testing.T) {
	b := listen(t, falcohttp.Options{})
	c := b.dial()
	b.write(c, "POST / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X-Flood: "+strings.Repeat("x", 1000)+"\r\n", 25))
	if got, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(got, "431") {
		t.Errorf("got %q, %v", got, err)
	}
	b.post(http.StatusOK, made(1))
}

// TestIdleConnectionsMakeWay: who holds all connections does not keep Falco out.
func TestIdleConnectionsMakeWay(t *testing.T) {
	b := listen(t, falcohttp.Options{MaxConnections: 3})
	// The server takes them one after the other, so that the first has been quiet for the longest
	// time. (When it would notice that an answered one is quiet again is not known.)
	first := b.dial()
	b.dial()
	b.dial()
	b.post(http.StatusOK, made(1))
	if _, err := io.Copy(io.Discard, first); err != nil {
		t.Errorf("the idle connection: %v", err)
	}
	if s := b.stop(); s.Journaled != 1 || s.PossibleLosses != 1 || !strings.Contains(s.PossibleLoss, "too many HTTP connections") {
		t.Errorf("%+v", s)
	}
}

// TestManySenders at once: each gets its answer, nothing is lost.
func TestManySenders(t *testing.T) {
	b := listen(t, falcohttp.Options{AnswerWithin: falcohttp.DefaultAnswerWithin})
	const senders, each = 1000, 2
	var wg sync.WaitGroup
	for n := range senders {
		wg.Go(func() {
			for i := range each {
				a, err := b.send(http.MethodPost, b.url, bytes.NewReader(made(n*each+i)))
				if err != nil || a.status != http.StatusOK && a.status != http.StatusAccepted {
					t.Errorf("%+v, %v", a, err)
				}
			}
		})
	}
	wg.Wait()
	if s := b.stop(); s.Received != senders*each || s.Journaled != senders*each || s.PossibleLosses != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLargeBodiesDoNotKeepOutSmallOnes: when they have all the memory, further large ones are
// refused, and alerts as Falco sends them are not.
func TestLargeBodiesDoNotKeepOutSmallOnes(t *testing.T) {
	b := listen(t, falcohttp.Options{ReadTimeout: patience})
	most := strings.Repeat(" ", falcohttp.MaxBody-1)
	for range 2 {
		c := b.dial()
		b.write(c, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", falcohttp.MaxBody, most))
		defer func() { _ = c.Close() }()
	}
	large := bytes.Replace(made(1), []byte("xxx"), bytes.Repeat([]byte("y"), 200<<10), 1)
	for end := time.Now().Add(patience); ; {
		a, err := b.send(http.MethodPost, b.url, bytes.NewReader(large))
		if err != nil || time.Now().After(end) {
			t.Fatalf("%+v, %v", a, err)
		}
		if a.status == http.StatusServiceUnavailable {
			break // everything has arrived
		}
	}
	if a, err := b.send(http.MethodPost, b.url, bytes.NewReader(made(2))); err != nil || a.status/100 != 2 || a.Accepted != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if s := b.ledger.Status(); s.PossibleLosses == 0 || !strings.Contains(s.PossibleLoss, "too many at once") {
		t.Errorf("%+v", s)
	}
}

// TestStop lets a request under way end, and cuts one off that does not.
func TestStop(t *testing.T) {
	b := listen(t, falcohttp.Options{})
	body := made(1)
	ends, hangs := b.dial(), b.dial()
	for _, c := range []io.Writer{ends, hangs} {
		_, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Reader{ends, hangs} {
		if _, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))); err != nil {
			t.Fatal(err) // its body is being read from here on
		}
	}
	start := time.Now()
	b.cancel()
	b.refused()
	b.write(ends, string(body))
	if got, err := bufio.NewReader(ends).ReadString('\n'); err != nil || !strings.Contains(got, "200") {
		t.Errorf("the request under way got %q, %v", got, err)
	}
	<-b.ended
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if s := b.stop(); s.Journaled != 1 || s.Rejected != 1 {
		t.Errorf("%+v", s)
	}
}

// refused waits until connections are refused.
func (b *bench) refused() {
	b.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		c, err := net.DialTimeout("tcp", b.address, patience)
		if err != nil {
			return
		}
		_ = c.Close()
	}
	b.Fatal("new connections are taken")
}

// TestThePortIsTaken is an error at the start.
func TestThePortIsTaken(t *testing.T) {
	b := listen(t, falcohttp.Options{})
	if _, err := falcohttp.New(t.Context(), falcohttp.Options{Address: b.address}, nil, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v", err)
	}
}

// TestCurl is what Falco sends with: libcurl, with an alert large enough that it asks first.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	b := listen(t, falcohttp.Options{})
	large := bytes.Replace(made(1), []byte("xxx"), bytes.Repeat([]byte("y"), 2<<20), 1)
	for n, body := range [][]byte{large, made(2)} {
		cmd := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--max-time", "10", "--header", "Content-Type: application/json",
			"--write-out", "%{http_code}", "--output", os.DevNull, "--data-binary", "@-", b.url)
		cmd.Stdin = bytes.NewReader(body)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "200" {
			t.Errorf("body %d: curl says %s, %v", n, out, err)
		}
	}
	if s := b.stop(); s.Journaled != 2 {
		t.Errorf("%+v", s)
	}
}
