package falcohttp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// refusal is an error with the status that it is answered with. Its words are ours alone and
// go to the sender, too.
type refusal struct {
	status int
	words  string
}

// Error implements error.
func (r *refusal) Error() string { return r.words }

// Why requests are refused.
var (
	errPath     = &refusal{http.StatusNotFound, "alerts are not taken at this path"}
	errBrowser  = &refusal{http.StatusForbidden, "requests of web pages are not taken"}
	errMethod   = &refusal{http.StatusMethodNotAllowed, "alerts are sent with POST"}
	errType     = &refusal{http.StatusUnsupportedMediaType, "the content type must be application/json or application/x-ndjson"}
	errEncoding = &refusal{http.StatusUnsupportedMediaType, "the content encoding must be gzip or none"}
	errTooLarge = &refusal{http.StatusRequestEntityTooLarge, "the body is larger than " + strconv.Itoa(MaxBody>>20) + " MiB"}
	errTooMany  = &refusal{http.StatusRequestEntityTooLarge, "the body holds more than " + strconv.Itoa(MaxElements) + " alerts"}
	errSlow     = &refusal{http.StatusRequestTimeout, "the body did not come in time"}
	errBroken   = &refusal{http.StatusBadRequest, "the body could not be read"}
	errEmpty    = &refusal{http.StatusBadRequest, "the body is empty"}
	errPlain    = &refusal{http.StatusBadRequest, "plain text is no alert: set json_output to true in falco.yaml"}
	errNoAlert  = &refusal{http.StatusBadRequest, "the body holds no Falco alert"}
	errBusy     = &refusal{http.StatusServiceUnavailable, "too many requests at once"}
	errDefect   = &refusal{http.StatusInternalServerError, "a defect of falco-reporter"}
	errFull     = &refusal{http.StatusServiceUnavailable, "too many alerts wait for the journal"}
)

// answer is what a sender is told: with a 200, that accepted alerts are in the journal; with a
// 202, that they will be.
type answer struct {
	status             int
	accepted, rejected int
	words              string
}

func (r *refusal) answer(rejected int) answer {
	return answer{status: r.status, rejected: rejected, words: r.words}
}

// write sends the answer. Senders such as falcosidekick take any status but 200, 201, 202 and
// 204 for a failure of everything: what was rejected among good alerts is in the body only.
func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	switch a.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "gzip")
	default:
	}
	body := fmt.Appendf(nil, `{"accepted":%d,"rejected":%d`, a.accepted, a.rejected)
	if a.words != "" {
		body = fmt.Appendf(body, `,"error":%q`, a.words) // of ours: plain ASCII
	}
	body = append(body, "}\n"...)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a sender that is gone has no use for it
}

// serve answers one request.
func (in *Input) serve(w http.ResponseWriter, r *http.Request) {
	if !in.gate.enter() {
		in.busy().write(w)
		return
	}
	defer in.gate.leave()
	defer in.survive(w)
	in.take(w, r).write(w)
}

// survive lets a defect of ours cost one request only, and never silently.
func (in *Input) survive(w http.ResponseWriter) {
	v := recover()
	if v == nil {
		return
	}
	in.log.Error("a defect of falco-reporter: an HTTP request could not be handled", "panic", v, "stack", string(debug.Stack()))
	in.ledger.MayHaveLost("a defect of falco-reporter: an HTTP request could not be handled")
	errDefect.answer(0).write(w)
}

// take takes what a request brings.
func (in *Input) take(w http.ResponseWriter, r *http.Request) answer {
	if err := in.check(r); err != nil {
		return in.refuse(r, nil, err)
	}
	s := &share{of: &in.reading}
	defer s.release()
	body, err := in.read(w, r, s)
	if err == nil {
		err = checkType(r, body)
	}
	if err != nil {
		return in.refuse(r, body, err)
	}
	due := time.NewTimer(in.opts.AnswerWithin)
	defer due.Stop()
	p, err := unpack(body, s)
	if err != nil {
		return in.refuse(r, body, err)
	}
	for _, b := range p.bad {
		in.reject(r, b.raw, b.err)
	}
	if len(p.alerts) == 0 {
		return p.nothing()
	}
	return in.commit(p, due.C)
}

// check looks at what comes before the body.
func (in *Input) check(r *http.Request) error {
	path := sha256.Sum256([]byte(r.URL.Path))
	switch {
	case subtle.ConstantTimeCompare(path[:], in.path[:]) == 0:
		return errPath
	case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "":
		// Any web page can have a browser on this host post to a loopback address.
		return errBrowser
	case r.Method != http.MethodPost:
		return errMethod
	default:
		return nil
	}
}

// checkType looks at the content type: none is as good as the right one.
func checkType(r *http.Request, body []byte) error {
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(given)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return errType
	}
	switch media {
	case "application/json", "text/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return nil
	case "text/plain": // Falco's with json_output false; others send JSON with it
		if start := bytes.TrimSpace(body); len(start) > 0 && start[0] != '{' && start[0] != '[' {
			return errPlain
		}
		return nil
	default:
		return errType
	}
}

// refuse refuses a request as a whole.
func (in *Input) refuse(r *http.Request, body []byte, err error) answer {
	why, ok := errors.AsType[*refusal](err)
	if !ok {
		why = errNoAlert
	}
	if why == errBusy {
		return in.busy()
	}
	in.reject(r, body, err)
	return why.answer(1)
}

// busy refuses a request of which nobody knows how many alerts it would have brought.
func (in *Input) busy() answer {
	in.ledger.MayHaveLost("an HTTP request was refused because there were too many at once")
	return errBusy.answer(0)
}

// reject counts and keeps a message, with who sent it.
func (in *Input) reject(r *http.Request, raw []byte, err error) {
	in.intake.Reject(raw, fmt.Errorf("from %s: %w", r.RemoteAddr, err))
}

// nothing is the answer where there is no alert among the elements.
func (p parcel) nothing() answer {
	switch {
	case len(p.bad) == 0: // an empty array
		return answer{status: http.StatusOK}
	case len(p.bad) == 1 && errors.Is(p.bad[0].err, alert.ErrTooLarge):
		return (&refusal{http.StatusRequestEntityTooLarge, "an alert is " + alert.ErrTooLarge.Error()}).answer(1)
	case errors.Is(p.bad[0].err, errOwnReport), errors.Is(p.bad[0].err, errOwnNotice):
		return (&refusal{http.StatusBadRequest, "falco-reporter's own reports are not taken"}).answer(len(p.bad))
	default:
		return errNoAlert.answer(len(p.bad))
	}
}

// commit hands alerts to the journal, and waits until they are there or the answer is due.
func (in *Input) commit(p parcel, due <-chan time.Time) answer {
	n := len(p.alerts)
	committed := make(chan struct{})
	ok := in.intake.TryPut(consumer.Batch{Alerts: p.alerts, Done: func() {
		close(committed)
		in.pressure.ease()
	}})
	p.share.release()
	if !ok {
		in.pressure.full()
		return errFull.answer(len(p.bad))
	}
	if !in.intake.IsFailing() { // else the sender, all of Falco's outputs, would wait for nothing
		select {
		case <-committed:
			return answer{status: http.StatusOK, accepted: n, rejected: len(p.bad)}
		case <-due:
		}
	}
	select {
	case <-committed: // both at once
		return answer{status: http.StatusOK, accepted: n, rejected: len(p.bad)}
	default:
		in.ledger.AnsweredEarly(n)
		return answer{status: http.StatusAccepted, accepted: n, rejected: len(p.bad)}
	}
}
