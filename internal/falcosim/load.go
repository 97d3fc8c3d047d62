package falcosim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// errPriority says that an alert's priority is none of Falco's words.
var errPriority = errors.New("unknown priority")

// Load reads recorded alerts, one JSON object a line, in either form, also mixed: Falco's
// JSON as file_output writes it, and the protojson of falco.outputs.response as a gRPC client
// records it. It ends at the first line that is no alert, with an error that names the line.
//
// From Falco's JSON it makes what Falco sends over gRPC: every field a string (null is <NA>),
// evt.time left out (but kept in Falco's notices of itself), tags sorted; JSON is the original
// text. A gRPC recording is kept as it is; an output that is a whole JSON alert becomes JSON,
// and Output the plain line out of it.
func Load(r io.Reader) ([]Alert, error) {
	var alerts []Alert
	scanner := alert.NewScanner(r)
	for {
		found, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return alerts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read recorded alerts: %w", err)
		}
		if found.Err != nil {
			return nil, fmt.Errorf("line %d: %w", found.Line, found.Err)
		}
		a, err := decode(found.Raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", found.Line, err)
		}
		alerts = append(alerts, a)
	}
}

// decode reads one recorded alert of either form.
func decode(raw []byte) (Alert, error) {
	if !isProtoJSON(raw) {
		return fromJSON(raw)
	}
	var r outputs.Response
	if err := protojson.Unmarshal(raw, &r); err != nil {
		return Alert{}, fmt.Errorf("read a gRPC alert: %w", err)
	}
	return fromResponse(&r)
}

// isProtoJSON tells the forms apart. Falco's JSON has the priority as a word in title case,
// always; protojson has the enum's name in upper case, and leaves EMERGENCY out.
func isProtoJSON(raw []byte) bool {
	priority, ok := member(raw, "priority")
	return !ok || priority == strings.ToUpper(priority)
}

// member returns the named string member of a JSON object.
func member(raw []byte, name string) (string, bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := d.ReadToken(); err != nil || tok.Kind() != '{' {
		return "", false
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return "", false
		}
		if key.String() != name {
			if d.SkipValue() != nil {
				return "", false
			}
			continue
		}
		value, err := d.ReadToken()
		if err != nil || value.Kind() != '"' {
			return "", false
		}
		return value.String(), true
	}
	return "", false
}

// fromJSON makes an alert of Falco's JSON.
func fromJSON(raw []byte) (Alert, error) {
	d, err := alert.DecodeJSON(raw)
	if err != nil {
		return Alert{}, fmt.Errorf("read a JSON alert: %w", err)
	}
	if d.Priority == alert.PriorityUnknown {
		return Alert{}, fmt.Errorf("read a JSON alert: %w", errPriority)
	}
	return Alert{
		Time:     d.Time(),
		Priority: d.Priority,
		Rule:     d.Rule,
		Source:   d.Source,
		Hostname: d.Hostname,
		Tags:     slices.Compact(slices.Sorted(slices.Values(d.Tags))),
		Fields:   stringFields(d),
		Output:   plainLine(d),
		JSON:     string(raw),
	}, nil
}

// stringFields are the output fields as Falco sends them over gRPC.
func stringFields(d *alert.Alert) []Field {
	fields := make([]Field, 0, len(d.Fields()))
	for _, f := range d.Fields() {
		if f.Name == "evt.time" && d.Kind != alert.KindFalcoInternal {
			continue
		}
		text := f.Value.Text()
		if f.Value.Kind() == alert.ValueNull {
			text = notAvailable
		}
		fields = append(fields, Field{Name: f.Name, Value: text})
	}
	return fields
}

// plainLine is the output line that Falco sends for the alert with json_output off.
func plainLine(d *alert.Alert) string {
	if d.Kind == alert.KindFalcoInternal {
		if _, _, _, ok := parseLineTime(d.Output); !ok {
			return noticeLine(d)
		}
	}
	return d.Output
}

// fromResponse makes an alert of a recorded gRPC message.
func fromResponse(r *outputs.Response) (Alert, error) {
	raw, err := proto.Marshal(r)
	if err != nil {
		return Alert{}, fmt.Errorf("read a gRPC alert: %w", err)
	}
	d, err := alert.DecodeGRPC(raw)
	if err != nil {
		return Alert{}, fmt.Errorf("read a gRPC alert: %w", err)
	}
	if d.Priority == alert.PriorityUnknown {
		return Alert{}, fmt.Errorf("read a gRPC alert: %w", errPriority)
	}
	a := Alert{
		Time:     d.Time(),
		Priority: d.Priority,
		Rule:     r.GetRule(),
		Source:   r.GetSource(),
		Hostname: r.GetHostname(),
		Tags:     r.GetTags(),
		Output:   r.GetOutput(),
	}
	for _, name := range slices.Sorted(maps.Keys(r.GetOutputFields())) {
		a.Fields = append(a.Fields, Field{Name: name, Value: r.GetOutputFields()[name]})
	}
	if d.Output != a.Output { // the decoder has unwrapped it
		a.JSON, a.Output = a.Output, plainLine(d)
	}
	return a, nil
}
