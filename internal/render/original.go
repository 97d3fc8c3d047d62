package render

import (
	"encoding/json"
	"maps"
	"slices"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// layOriginal lays out the alert as Falco's JSON, and the names of the fields that came
// without a value.
func layOriginal(a *pb.Alert) []block {
	if a == nil {
		return nil
	}
	out := []block{code{language: "json", text: string(appendOriginal(nil, a))}}
	if unset := present(a.GetUnsetFields()...); len(unset) > 0 {
		out = append(out, paragraph(line{}.words("Without a value: ").values(unset).words(".")))
	}
	return out
}

// appendOriginal appends the alert as an indented JSON object with Falco's names, sorted. All
// field values are strings, as in Falco's gRPC: which were numbers is not known any more.
func appendOriginal(dst []byte, a *pb.Alert) []byte {
	members := map[string][]byte{}
	for name, value := range a.GetExtra() {
		members[name] = extraValue(value)
	}
	for name, value := range map[string]string{
		"hostname": a.GetHostname(), "output": a.GetOutput(), "priority": a.GetPriority(),
		"rule": a.GetRule(), "source": a.GetSource(), "uuid": a.GetUuid(),
	} {
		if value != "" {
			members[name] = appendJSONString(nil, value)
		}
	}
	if t := a.GetTime(); isTime(t) {
		members["time"] = t.AsTime().AppendFormat(nil, `"2006-01-02T15:04:05.000000000Z"`)
	}
	if len(a.GetTags()) > 0 {
		members["tags"] = appendTags(nil, a.GetTags())
	}
	if len(a.GetOutputFields()) > 0 {
		members["output_fields"] = appendFields(nil, a.GetOutputFields())
	}
	return appendMembers(dst, members, "")
}

// appendMembers appends an object whose values are encoded already.
func appendMembers(dst []byte, members map[string][]byte, indent string) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '\n'), indent...), "  "...)
		dst = append(appendJSONString(dst, name), ": "...)
		dst = append(dst, members[name]...)
	}
	return append(append(append(dst, '\n'), indent...), '}')
}

func appendFields(dst []byte, fields map[string]string) []byte {
	members := make(map[string][]byte, len(fields))
	for name, value := range fields {
		members[name] = appendJSONString(nil, value)
	}
	return appendMembers(dst, members, "  ")
}

func appendTags(dst []byte, tags []string) []byte {
	dst = append(dst, '[')
	for i, tag := range tags {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendJSONString(dst, tag)
	}
	return append(dst, ']')
}

// extraValue is the JSON of a member that Falco does not define, on one line; as a string if
// it is no JSON, or JSON that holds what must not reach a screen.
func extraValue(s string) []byte {
	v := sieve{rest: s}
	if _, unsafe := v.next(); unsafe == "" && json.Valid([]byte(s)) {
		return []byte(s)
	}
	return appendJSONString(nil, s)
}
