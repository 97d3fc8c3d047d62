// Package alert holds one decoded Falco alert, whichever way it came: the raw bytes as they
// were received, and typed, exact access to the fields.
//
// There are two encodings: the JSON object that Falco writes to files, pipes and HTTP, and
// the protobuf message of its gRPC outputs service (Falco 0.18 to 0.43), whose output line
// may itself be the whole JSON object. [DecodeJSON] and [DecodeGRPC] read them into the same
// [Alert]; [Scanner] finds the JSON objects in a file or stream.
//
// Every string of a decoded alert is valid UTF-8: each run of other bytes, which Falco sends
// when a process has them in its arguments, has become one U+FFFD. Raw keeps them. Strings
// may still hold anything else that an attacker chose.
//
// The package starts no goroutine. An Alert is immutable once decoded and may be shared.
package alert

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Encoding is how the raw bytes of an alert are encoded.
type Encoding uint8

// The encodings. Their numbers are kept in journals: they must not change.
const (
	EncodingJSON Encoding = 1 // Falco's JSON object
	EncodingGRPC Encoding = 2 // a falco.outputs.response protobuf message
)

// Kind tells alerts of rules from what Falco says about itself.
type Kind uint8

// The kinds.
const (
	KindRule          Kind = iota + 1 // a rule matched an event
	KindFalcoInternal                 // a notice of Falco: dropped system calls, a metrics snapshot
	// KindReporterInternal is a notice of falco-reporter about itself or its inputs. Only
	// falco-reporter makes them: what comes in as one is not accepted.
	KindReporterInternal
)

// internalRulePrefix is what Falco begins the rule name of its own notices with.
const internalRulePrefix = "Falco internal:"

// ReporterSource is the source of falco-reporter's own notices, and of the events that it
// sends to other programs.
const ReporterSource = "falco_reporter"

// internalSource is the source of Falco's own notices.
const internalSource = "internal"

// Alert is one Falco alert. It must not be changed after it was decoded; it may then be used
// concurrently.
type Alert struct {
	// ID is the identity of the alert; see [ID].
	ID ID
	// Kind is whether a rule fired or Falco speaks of itself.
	Kind Kind
	// Nanos is the time of the event in nanoseconds since 1970, never negative.
	Nanos int64
	// Rule is the rule's name, never empty; see [BoundName].
	Rule string
	// Priority is the rule's priority, PriorityUnknown if it was none of Falco's words.
	Priority Priority
	// Source is Falco's event source such as "syscall"; empty if the alert did not say.
	Source string
	// Hostname is the name of the host that Falco ran on; empty if the alert did not say. See
	// [BoundName].
	Hostname string
	// Output is the plain output line, also where it came wrapped in JSON.
	Output string
	// Tags are the rule's tags as received.
	Tags []string
	// UUID is the one that falcosidekick adds; never part of the identity.
	UUID string
	// Extra are the members of the JSON object that Falco does not define, as JSON text.
	Extra []Field

	// Input is the name of the input that received it, ReceivedNanos when it did, in
	// nanoseconds since 1970. Both are set by the consumer before the alert is shared.
	Input         string
	ReceivedNanos int64

	// Captured is what only the moment of its arrival knew of its process: an encoded
	// falcoreporter.v1.Report with those members alone. Set by the consumer; may be empty.
	Captured []byte

	// Raw is the alert as received, in the given encoding.
	Raw      []byte
	Encoding Encoding

	// fields are the output fields, sorted by name, each name once.
	fields []Field
}

// Field is an output field and its value.
type Field struct {
	Name  string
	Value Value
}

// Time is the time of the event, in UTC.
func (a *Alert) Time() time.Time { return time.Unix(0, a.Nanos).UTC() }

// Received is when the alert was received, in UTC.
func (a *Alert) Received() time.Time { return time.Unix(0, a.ReceivedNanos).UTC() }

// Fields are all output fields, sorted by name, those without a value included. The slice
// must not be changed.
func (a *Alert) Fields() []Field { return a.fields }

// Lookup returns the named output field, whether or not it has a value.
func (a *Alert) Lookup(name string) (Value, bool) {
	i, ok := slices.BinarySearchFunc(a.fields, name, func(f Field, n string) int { return strings.Compare(f.Name, n) })
	if !ok {
		return Value{}, false
	}
	return a.fields[i].Value, true
}

// Text returns the text of the named output field. It is false where the alert lacks the
// field or the field has no value; see [Absent].
func (a *Alert) Text(name string) (string, bool) {
	v, ok := a.Lookup(name)
	if !ok || Absent(name, v) {
		return "", false
	}
	return v.Text(), true
}

// String is Text with "" for a field without a value.
func (a *Alert) String(name string) string {
	s, _ := a.Text(name)
	return s
}

// Int returns the named output field as an integer, exactly, from JSON numbers and from the
// decimal strings of gRPC alike. It is false where there is no value or it is no integer
// within int64.
func (a *Alert) Int(name string) (int64, bool) {
	v, ok := a.Lookup(name)
	if !ok || Absent(name, v) {
		return 0, false
	}
	return v.Int()
}

// Uint32 is Int limited to what fits an unsigned 32-bit number: ids and ports.
func (a *Alert) Uint32(name string) (uint32, bool) {
	n, ok := a.Int(name)
	if !ok || n < 0 || n > 1<<32-1 {
		return 0, false
	}
	return uint32(n), true
}

// Bool returns the named output field as a truth value. It is false, false where there is no
// value or it is neither true nor false.
func (a *Alert) Bool(name string) (value, ok bool) {
	switch s, _ := a.Text(name); s {
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		return false, false
	}
}

// FieldTime returns the named output field, nanoseconds since 1970, as a time. It is false
// where there is no value or it is not positive.
func (a *Alert) FieldTime(name string) (time.Time, bool) {
	n, ok := a.Int(name)
	if !ok || n <= 0 {
		return time.Time{}, false
	}
	return time.Unix(0, n).UTC(), true
}

// setFields sorts the fields by name and keeps the last of each name.
func (a *Alert) setFields(fields []Field) {
	byName := func(x, y Field) int { return strings.Compare(x.Name, y.Name) }
	if !slices.IsSortedFunc(fields, byName) {
		slices.SortStableFunc(fields, byName)
	}
	out := fields[:0]
	for _, f := range fields {
		if n := len(out); n > 0 && out[n-1].Name == f.Name {
			out[n-1] = f
			continue
		}
		out = append(out, f)
	}
	a.fields = out
}

// Clipped is the alert with every text of more than limit bytes cut to its beginning, with a
// note of its length behind it. Identity and Raw stay. It is the alert itself if nothing is
// that long.
func (a *Alert) Clipped(limit int) *Alert {
	out := *a
	cut := false
	text := func(s string) string {
		if len(s) <= limit {
			return s
		}
		cut = true
		return strings.ToValidUTF8(s[:limit], "") + "… (cut: " + strconv.Itoa(len(s)) + " bytes in all)"
	}
	out.Rule, out.Output, out.Hostname, out.Source, out.UUID = text(a.Rule), text(a.Output), text(a.Hostname), text(a.Source), text(a.UUID)
	clip := func(fields []Field) []Field {
		fields = slices.Clone(fields)
		for i := range fields {
			// A name that is cut could become another's: fields with such a name go.
			fields[i].Value.text = text(fields[i].Value.text)
		}
		return slices.DeleteFunc(fields, func(f Field) bool {
			if len(f.Name) > limit {
				cut = true
				return true
			}
			return false
		})
	}
	out.fields, out.Extra, out.Tags = clip(a.fields), clip(a.Extra), slices.Clone(a.Tags)
	for i := range out.Tags {
		out.Tags[i] = text(out.Tags[i])
	}
	if !cut {
		return a
	}
	for i := range out.Extra {
		if out.Extra[i].Value.kind == ValueJSON {
			out.Extra[i].Value.kind = ValueString // what is cut may be JSON no more
		}
	}
	return &out
}
