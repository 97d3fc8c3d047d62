package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxBytes bounds the encoded size of one alert: 16 MiB. Falco has no bound of its own, but
// Linux limits the arguments and environment of a process, the largest things in an alert, to
// 6 MiB (a quarter of the 24 MiB at which the kernel caps them), and JSON can double that.
const MaxBytes = 16 << 20

// maxDepth bounds how deep the JSON of an alert may be nested. Falco's has two levels.
const maxDepth = 64

// Errors of decoding that say what an input was, where a caller can act on it. They come
// wrapped.
var (
	// ErrTooLarge says that an alert exceeds MaxBytes.
	ErrTooLarge = fmt.Errorf("larger than the %d MiB that an alert may take", MaxBytes>>20)
	// ErrNotAnAlert says that the input is not a Falco alert at all.
	ErrNotAnAlert = errors.New("not a Falco alert")
)

// DecodeJSON decodes the JSON object of one alert, as Falco writes it to files, pipes and
// HTTP, as falcosidekick forwards it, or as protojson spells a gRPC alert. The alert keeps
// raw, which must not be changed afterwards.
//
// It is lenient where leniency loses nothing (unknown members are kept, a doubled name's last
// value counts, invalid UTF-8 is repaired) and an error says what is missing otherwise.
func DecodeJSON(raw []byte) (*Alert, error) {
	if len(raw) > MaxBytes {
		return nil, ErrTooLarge
	}
	a := &Alert{Raw: raw, Encoding: EncodingJSON}
	if err := a.readObject(raw); err != nil {
		return nil, err
	}
	return a, a.finish()
}

// newDecoder reads JSON leniently.
func newDecoder(raw []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(raw),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// readObject fills a from the one JSON object in raw.
func (a *Alert) readObject(raw []byte) error {
	d := newDecoder(raw)
	if d.PeekKind() != '{' {
		if _, err := d.ReadToken(); err != nil {
			return jsonError(err)
		}
		return fmt.Errorf("%w: not a JSON object", ErrNotAnAlert)
	}
	if err := readMembers(d, a.readMember); err != nil {
		return jsonError(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the JSON object", ErrNotAnAlert)
	}
	return nil
}

// jsonError words an error of the JSON decoder.
func jsonError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the JSON ends too early", ErrNotAnAlert)
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("%w: not JSON at byte %d: %w", ErrNotAnAlert, syntax.ByteOffset, syntax.Err)
	}
	return err
}

// readMembers reads one object and calls each for every member, positioned before the value.
func readMembers(d *jsontext.Decoder, each func(d *jsontext.Decoder, name string) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := each(d, valid(tok.String())); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// readValue reads any one value.
func readValue(d *jsontext.Decoder) (Value, error) {
	switch d.PeekKind() {
	case '{', '[':
		if d.StackDepth() > maxDepth {
			return Value{}, fmt.Errorf("%w: nested deeper than %d", ErrNotAnAlert, maxDepth)
		}
		v, err := d.ReadValue()
		if err != nil {
			return Value{}, err
		}
		v = v.Clone()
		if err := v.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			return Value{}, err
		}
		return Value{kind: ValueJSON, text: valid(string(v))}, nil
	default:
	}
	tok, err := d.ReadToken()
	if err != nil {
		return Value{}, err
	}
	switch tok.Kind() {
	case '"':
		return Value{kind: ValueString, text: valid(tok.String())}, nil
	case '0':
		return Value{kind: ValueNumber, text: tok.String()}, nil
	case 't', 'f':
		return Value{kind: ValueBool, text: tok.String()}, nil
	default:
		return Value{}, nil
	}
}

// readMember reads one member of the alert's object.
func (a *Alert) readMember(d *jsontext.Decoder, name string) error {
	switch name {
	case "output_fields":
		if d.PeekKind() == '{' {
			return a.readFields(d)
		}
	case "tags":
		if d.PeekKind() == '[' {
			return a.readTags(d)
		}
	default:
	}
	v, err := readValue(d)
	if err != nil {
		return err
	}
	if v.kind == ValueNull {
		return nil
	}
	switch name {
	case "time":
		return a.setTime(v.text)
	case "rule":
		a.Rule = v.text
	case "output":
		a.Output = v.text
	case "priority":
		a.Priority = ParsePriority(v.text)
	case "source":
		a.Source = v.text
	case "hostname":
		a.Hostname = v.text
	case "uuid":
		a.UUID = v.text
	case "output_fields", "tags", "source_deprecated":
		// Of another type than Falco's, or the enumeration of sources that gRPC still
		// carries beside the source's name: nothing to learn from.
	default:
		a.Extra = append(a.Extra, Field{Name: name, Value: v})
	}
	return nil
}

// setTime reads an RFC 3339 time with up to nine decimals.
func (a *Alert) setTime(s string) error {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		// Falco before 0.34 wrote a zone without a colon.
		t, err = time.Parse("2006-01-02T15:04:05.999999999-0700", s)
	}
	if err != nil {
		return fmt.Errorf("%w: time %s is not RFC 3339", ErrNotAnAlert, strconv.Quote(clip(s)))
	}
	return a.setUnix(t.Unix(), int64(t.Nanosecond()))
}

// maxSeconds is the last second whose nanoseconds since 1970 fit an int64, in the year 2262.
const maxSeconds = (1<<63 - 1) / 1_000_000_000

// setUnix sets the time from seconds and nanoseconds since 1970.
func (a *Alert) setUnix(sec, nsec int64) error {
	if sec < 0 || sec >= maxSeconds || nsec < 0 || nsec >= 1_000_000_000 {
		return fmt.Errorf("%w: its time lies outside of 1970 to 2262", ErrNotAnAlert)
	}
	a.Nanos = sec*1_000_000_000 + nsec
	return nil
}

// readFields reads output_fields.
func (a *Alert) readFields(d *jsontext.Decoder) error {
	fields := make([]Field, 0, 32)
	err := readMembers(d, func(d *jsontext.Decoder, name string) error {
		v, err := readValue(d)
		fields = append(fields, Field{Name: name, Value: v})
		return err
	})
	a.setFields(fields)
	return err
}

// readTags reads the array of tags; what is not a string in it is skipped.
func (a *Alert) readTags(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	a.Tags = nil
	for d.PeekKind() != ']' {
		v, err := readValue(d)
		if err != nil {
			return err
		}
		if v.kind == ValueString {
			a.Tags = append(a.Tags, v.text)
		}
	}
	_, err := d.ReadToken()
	return err
}

// finish checks what every alert must have, unwraps an output line that is itself the whole
// JSON alert, and gives the alert its identity.
func (a *Alert) finish() error {
	a.unwrap()
	if a.Rule == "" {
		return fmt.Errorf("%w: it has no rule", ErrNotAnAlert)
	}
	if n, ok := a.Int("evt.time"); a.Nanos == 0 && ok && n > 0 {
		a.Nanos = n
	}
	if a.Nanos == 0 {
		return fmt.Errorf("%w: it has no time", ErrNotAnAlert)
	}
	a.Kind = KindRule
	if a.Source == internalSource || strings.HasPrefix(a.Rule, internalRulePrefix) {
		a.Kind = KindFalcoInternal
	}
	if a.Source == ReporterSource {
		a.Kind = KindReporterInternal
	}
	a.ID = identify(a)
	a.Rule, a.Hostname = BoundName(a.Rule), BoundName(a.Hostname) // behind the identity, which is of the whole
	return nil
}

// unwrap replaces what came around a JSON alert by that alert. With json_output, Falco puts
// the whole JSON alert into the output line of a gRPC alert; it has the plain line, and the
// fields with their types. Falco begins every plain line with a time, so that no text of a
// rule or an attacker can pass for a wrapped alert; that rule and time agree is checked all
// the same.
func (a *Alert) unwrap() {
	if !strings.HasPrefix(a.Output, "{") {
		return
	}
	inner := &Alert{Raw: a.Raw, Encoding: a.Encoding}
	if inner.readObject([]byte(a.Output)) != nil || inner.Rule != a.Rule || inner.Nanos != a.Nanos {
		return
	}
	if strings.HasPrefix(inner.Output, "{") {
		return // Falco wraps once
	}
	inner.setFields(append(missingFrom(inner, a.fields), inner.fields...))
	if inner.Hostname == "" {
		inner.Hostname = a.Hostname
	}
	if inner.Source == "" {
		inner.Source = a.Source
	}
	if len(inner.Tags) == 0 {
		inner.Tags = a.Tags
	}
	if inner.Priority == PriorityUnknown {
		inner.Priority = a.Priority
	}
	if inner.UUID == "" {
		inner.UUID = a.UUID
	}
	inner.Extra = append(inner.Extra, a.Extra...)
	*a = *inner
}

// missingFrom are the fields that a does not have.
func missingFrom(a *Alert, fields []Field) []Field {
	var out []Field
	for _, f := range fields {
		if _, ok := a.Lookup(f.Name); !ok {
			out = append(out, f)
		}
	}
	return out
}

// clip cuts a text for an error message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return valid(s[:most]) + "..."
}
