package render

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// appendJSON appends a report as one line.
//
// It writes the protobuf JSON form itself. protojson varies its spacing on purpose, does not
// escape what steers a terminal beyond ASCII, and takes six times as long, which would be
// most of the time that an alert may take in all. A test holds the two together.
func appendJSON(dst []byte, r *pb.Report) []byte {
	return append(appendJSONMessage(dst, r.ProtoReflect()), '\n')
}

// appendJSONMessage appends the set fields of m, in the order of their declaration.
func appendJSONMessage(dst []byte, m protoreflect.Message) []byte {
	dst = append(dst, '{')
	first := true
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		v := m.Get(fd)
		if isInvalidTime(fd, v) {
			continue
		}
		dst = appendComma(dst, &first)
		dst = append(dst, '"')
		dst = append(dst, fd.Name()...)
		dst = append(dst, '"', ':')
		switch {
		case fd.IsMap():
			dst = appendJSONMap(dst, v.Map())
		case fd.IsList():
			dst = appendJSONList(dst, fd, v.List())
		default:
			dst = appendJSONValue(dst, fd, v)
		}
	}
	return append(dst, '}')
}

// isInvalidTime reports whether v is a timestamp outside of what RFC 3339 can say.
func isInvalidTime(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	if fd.Kind() != protoreflect.MessageKind || fd.IsList() || fd.IsMap() {
		return false
	}
	t, ok := v.Message().Interface().(*timestamppb.Timestamp)
	return ok && !t.IsValid()
}

func appendComma(dst []byte, first *bool) []byte {
	if *first {
		*first = false
		return dst
	}
	return append(dst, ',')
}

func appendJSONList(dst []byte, fd protoreflect.FieldDescriptor, l protoreflect.List) []byte {
	dst = append(dst, '[')
	first := true
	for i := range l.Len() {
		dst = appendComma(dst, &first)
		dst = appendJSONValue(dst, fd, l.Get(i))
	}
	return append(dst, ']')
}

// appendJSONMap appends a map from string to string, the only kind in the schema, sorted.
func appendJSONMap(dst []byte, m protoreflect.Map) []byte {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	dst = append(dst, '{')
	first := true
	for _, k := range keys {
		dst = appendComma(dst, &first)
		dst = append(appendJSONString(dst, k.String()), ':')
		dst = appendJSONString(dst, m.Get(k).String())
	}
	return append(dst, '}')
}

// appendJSONValue appends a single value of one of the kinds that the schema uses.
func appendJSONValue(dst []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return appendJSONString(dst, v.String())
	case protoreflect.MessageKind:
		if t, ok := v.Message().Interface().(*timestamppb.Timestamp); ok {
			return appendJSONTime(dst, t)
		}
		return appendJSONMessage(dst, v.Message())
	case protoreflect.EnumKind:
		if name := fd.Enum().Values().ByNumber(v.Enum()); name != nil {
			return append(append(append(dst, '"'), name.Name()...), '"')
		}
		return strconv.AppendInt(dst, int64(v.Enum()), 10)
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool())
	case protoreflect.Uint32Kind:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case protoreflect.Int64Kind:
		return append(strconv.AppendInt(append(dst, '"'), v.Int(), 10), '"')
	case protoreflect.Uint64Kind:
		return append(strconv.AppendUint(append(dst, '"'), v.Uint(), 10), '"')
	default:
		return append(dst, "null"...) // no such kind in the schema; a test says so
	}
}

// appendJSONTime appends a time with 0, 3, 6 or 9 decimals, as protobuf wants it.
func appendJSONTime(dst []byte, ts *timestamppb.Timestamp) []byte {
	layout := "2006-01-02T15:04:05.000000000Z"
	switch n := ts.GetNanos(); {
	case n == 0:
		layout = "2006-01-02T15:04:05Z"
	case n%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case n%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	default:
	}
	dst = append(dst, '"')
	dst = ts.AsTime().AppendFormat(dst, layout)
	return append(dst, '"')
}

// appendJSONString appends s as a JSON string. Whatever appendVisible would spell out is
// escaped, so that the line can be printed to a terminal; the parsed value is s all the same.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	v := sieve{rest: s}
	for v.rest != "" {
		safe, unsafe := v.next()
		dst = appendJSONSafe(dst, safe)
		if unsafe != "" {
			dst = appendJSONEscape(dst, unsafe)
		}
	}
	return append(dst, '"')
}

// appendJSONSafe appends text in which only the quote and the backslash need an escape.
func appendJSONSafe(dst []byte, s string) []byte {
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
}

// appendJSONEscape appends the escape of one character. A byte that is not UTF-8 becomes
// U+FFFD, for JSON has no way to say it.
func appendJSONEscape(dst []byte, s string) []byte {
	r, _ := utf8.DecodeRuneInString(s)
	switch r {
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
	}
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		dst = appendHex(append(dst, '\\', 'u'), uint64(high), 4)
		return appendHex(append(dst, '\\', 'u'), uint64(low), 4)
	}
	return appendHex(append(dst, '\\', 'u'), uint64(r), 4)
}
