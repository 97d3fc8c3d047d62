package falcohttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// elementBytes is what an element of a body counts for beside its own bytes: 1 KiB is about
// what the smallest alert takes once it is decoded.
const elementBytes = 1 << 10

// parcel is what a body holds.
type parcel struct {
	alerts []*alert.Alert
	bad    []bad
	share  *share
}

// bad is an element that is no alert. Raw may be nil.
type bad struct {
	raw []byte
	err error
}

// Errors of elements of our own making.
var (
	errOwnReport = errors.New("it is a report of falco-reporter: one that comes back would be reported again, for ever")
	errOwnNotice = errors.New("it is a notice or report of falco-reporter: one that comes back would be reported again, for ever")
)

// unpack finds the alerts in a body. An error is about the body as a whole; nothing of it is
// then to be used. The alerts keep parts of the body.
func unpack(body []byte, s *share) (parcel, error) {
	p := parcel{share: s}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return p, errEmpty
	}
	if body[0] == '{' {
		// Nearly always there is just one.
		if a, err := decode(body); err == nil {
			p.alerts = append(p.alerts, a)
			return p, nil
		}
	}
	if body[0] == '[' {
		rest, err := p.array(body)
		if err != nil {
			return p, err
		}
		body = rest
	}
	return p, p.lines(body)
}

// array adds the elements of the array that the body begins with, and returns what follows it.
// What comes after a fault of its JSON is one bad element.
func (p *parcel) array(body []byte) (rest []byte, err error) {
	d := lenient(body)
	_, _ = d.ReadToken() // the bracket
	for d.PeekKind() != ']' {
		raw, err := d.ReadValue()
		if err != nil {
			at := d.InputOffset()
			return nil, p.addBad(body[at:], fmt.Errorf("%w: the array is not JSON after byte %d", alert.ErrNotAnAlert, at))
		}
		if err := p.add(bytes.Clone(raw)); err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, p.addBad(nil, fmt.Errorf("%w: the array does not end", alert.ErrNotAnAlert))
	}
	return body[d.InputOffset():], nil
}

// lines adds objects that stand one a line, or over several. A line that is not JSON costs
// itself only.
func (p *parcel) lines(body []byte) error {
	scanner, at := alert.NewScanner(bytes.NewReader(body)), lineFinder{rest: body}
	for {
		found, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if found.Err != nil {
			err = p.addBad(at.line(found.Line), fmt.Errorf("line %d: %w", found.Line, found.Err))
		} else {
			err = p.add(found.Raw)
		}
		if err != nil {
			return err
		}
	}
}

// add adds one element.
func (p *parcel) add(raw []byte) error {
	a, err := decode(raw)
	if err != nil {
		return p.addBad(raw, err)
	}
	p.alerts = append(p.alerts, a)
	return p.count()
}

func (p *parcel) addBad(raw []byte, err error) error {
	p.bad = append(p.bad, bad{raw: raw[:min(len(raw), journal.MaxRejectedBytes)], err: err})
	return p.count()
}

// count holds the elements to their bounds.
func (p *parcel) count() error {
	if len(p.alerts)+len(p.bad) > MaxElements {
		return errTooMany
	}
	return p.share.take(elementBytes)
}

// decode decodes one alert, and refuses what is our own.
func decode(raw []byte) (*alert.Alert, error) {
	a, err := alert.DecodeJSON(raw)
	switch {
	case errors.Is(err, alert.ErrTooLarge):
		return nil, err
	case (err != nil || len(a.Fields()) == 0) && isReport(raw):
		return nil, errOwnReport
	case err != nil:
		return nil, err
	case a.Kind == alert.KindReporterInternal:
		return nil, errOwnNotice
	default:
		return a, nil
	}
}

// isReport reports whether raw is one of our reports: an object with the members revision,
// urgency and actions, and without output_fields.
func isReport(raw []byte) bool {
	d := lenient(raw)
	if d.PeekKind() != '{' {
		return false
	}
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	var revision, urgency, actions bool
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return false
		}
		switch name.String() {
		case "revision":
			revision = true
		case "urgency":
			urgency = true
		case "actions":
			actions = true
		case "output_fields":
			return false
		default:
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return revision && urgency && actions
}

// lenient reads JSON as package alert does.
func lenient(raw []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// lineFinder finds lines by their number from 1, in rising order.
type lineFinder struct {
	rest   []byte
	passed int
}

func (f *lineFinder) line(n int) []byte {
	for ; f.passed < n-1; f.passed++ {
		_, f.rest, _ = bytes.Cut(f.rest, []byte("\n"))
	}
	line, _, _ := bytes.Cut(f.rest, []byte("\n"))
	return line
}
