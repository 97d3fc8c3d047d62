package falcosim

import (
	"time"
	"unicode/utf8"

	"github.com/falcosecurity/client-go/pkg/api/schema"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Alert is an alert as Falco holds it before it is sent. [Load] makes it from a recording; a
// test may as well fill one by hand. Strings may hold any bytes: Falco sends the arguments of a
// process as they are, invalid UTF-8 included.
//
// It is a value: a copy may be changed, but Tags and Fields are shared with the original.
type Alert struct {
	// Time is the time of the event.
	Time time.Time
	// Priority is the rule's priority; PriorityUnknown is sent as Emergency, the enum's 0.
	Priority alert.Priority
	// Rule, Source and Hostname are Falco's fields of the same names.
	Rule, Source, Hostname string
	// Tags are in the order in which they are sent; Falco's are sorted.
	Tags []string
	// Fields are the output fields as gRPC brings them, all strings, each name once.
	Fields []Field
	// Output is the plain output line, sent when json_output is off.
	Output string
	// JSON is the whole alert in Falco's JSON, sent as the output when json_output is on. If
	// it is empty, FalcoJSON makes it of the rest.
	JSON string
}

// Field is an output field as gRPC brings it.
type Field struct {
	Name, Value string
}

// Field numbers of falco.outputs.response, from Falco's outputs.proto.
const (
	numTime             protowire.Number = 1
	numPriority         protowire.Number = 2
	numSourceDeprecated protowire.Number = 3
	numRule             protowire.Number = 4
	numOutput           protowire.Number = 5
	numOutputFields     protowire.Number = 6
	numHostname         protowire.Number = 7
	numTags             protowire.Number = 8
	numSource           protowire.Number = 9
)

// Message is the alert as a falco.outputs.response in protobuf, as Falco sends it with
// json_output set or not.
//
// It writes the wire format itself because the standard encoder refuses strings that are not
// UTF-8, which Falco's (C++) sends. A test holds it against the generated code.
func (a *Alert) Message(jsonOutput bool) []byte {
	output := a.Output
	if jsonOutput {
		output = a.FalcoJSON()
	}
	b := make([]byte, 0, a.messageSize(output))
	b = a.appendTime(b)
	if a.Priority > alert.PriorityEmergency {
		b = appendVarint(b, numPriority, uint64(a.Priority-alert.PriorityEmergency))
	}
	if s := sourceEnum(a.Source); s != 0 {
		b = appendVarint(b, numSourceDeprecated, s)
	}
	b = appendString(b, numRule, a.Rule)
	b = appendString(b, numOutput, output)
	for _, f := range a.Fields {
		b = protowire.AppendTag(b, numOutputFields, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(entrySize(f))) //nolint:gosec // a size is not negative
		b = protowire.AppendTag(b, 1, protowire.BytesType)
		b = protowire.AppendString(b, f.Name)
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendString(b, f.Value)
	}
	b = appendString(b, numHostname, a.Hostname)
	for _, tag := range a.Tags {
		b = protowire.AppendTag(b, numTags, protowire.BytesType)
		b = protowire.AppendString(b, tag)
	}
	return appendString(b, numSource, a.Source)
}

// appendTime appends the time as a google.protobuf.Timestamp.
func (a *Alert) appendTime(b []byte) []byte {
	var buf [24]byte
	ts := appendVarint(buf[:0], 1, uint64(a.Time.Unix()))    //nolint:gosec // protobuf's own encoding of a signed number
	ts = appendVarint(ts, 2, uint64(a.Time.Nanosecond()))    //nolint:gosec // 0 to 999999999
	b = protowire.AppendTag(b, numTime, protowire.BytesType) // always there, if only as 1970
	return protowire.AppendBytes(b, ts)
}

// appendVarint appends a number; proto3 leaves out 0.
func appendVarint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

// appendString appends a string; proto3 leaves out the empty one.
func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

// entrySize is the encoded size of a field as an entry of the map.
func entrySize(f Field) int {
	return 2 + protowire.SizeBytes(len(f.Name)) + protowire.SizeBytes(len(f.Value))
}

// messageSize is at least the encoded size of the alert, so that encoding allocates once.
func (a *Alert) messageSize(output string) int {
	const most = 1 + 10 // the tag and length of any one part
	n := 3*most + 24 + len(a.Rule) + len(output) + len(a.Hostname) + len(a.Source) + 4*most
	for _, f := range a.Fields {
		n += most + entrySize(f)
	}
	for _, tag := range a.Tags {
		n += most + len(tag)
	}
	return n
}

// sourceEnum is the number that Falco still sends beside the source's name.
func sourceEnum(source string) uint64 {
	switch source {
	case "", "syscall":
		return uint64(schema.Source_SYSCALL)
	case "k8s_audit":
		return uint64(schema.Source_K8S_AUDIT)
	case internalSource:
		return uint64(schema.Source_INTERNAL)
	default:
		return uint64(schema.Source_PLUGIN)
	}
}

// internalSource is the source of Falco's notices about itself.
const internalSource = "internal"

// validUTF8 reports whether Falco can write the alert as JSON.
func (a *Alert) validUTF8() bool {
	for _, f := range a.Fields {
		if !utf8.ValidString(f.Value) {
			return false
		}
	}
	return utf8.ValidString(a.Output) && utf8.ValidString(a.JSON)
}
