package render

import (
	"maps"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// jsonWriter writes the protobuf JSON form: members in the order of the schema, by the
// schema's names, those without a value left out.
//
// It is written by hand (json_report.go), not with protojson, which varies its spacing on
// purpose, does not escape what steers a terminal beyond ASCII, and takes several times as
// long: most of the time that an alert may take in all. Tests hold it against protojson and
// fail for a field that it does not write.
type jsonWriter struct {
	dst []byte
	// more says that a member or element stands before the next in its object or array.
	more bool
	// keys is room for sorting the keys of a map.
	keys []string
}

// appendJSON appends a report as one line.
func appendJSON(dst []byte, r *pb.Report) []byte {
	w := &jsonWriter{dst: dst}
	w.open('{')
	w.report(r)
	w.close('}')
	return append(w.dst, '\n')
}

func (w *jsonWriter) open(bracket byte) {
	w.dst = append(w.dst, bracket)
	w.more = false
}

func (w *jsonWriter) close(bracket byte) {
	w.dst = append(w.dst, bracket)
	w.more = true
}

// comma separates from the member or element before.
func (w *jsonWriter) comma() {
	if w.more {
		w.dst = append(w.dst, ',')
	}
	w.more = true
}

// key begins a member.
func (w *jsonWriter) key(name string) {
	w.comma()
	w.dst = append(append(append(w.dst, '"'), name...), '"', ':')
}

func (w *jsonWriter) text(name, s string) {
	if s != "" {
		w.key(name)
		w.dst = appendJSONString(w.dst, s)
	}
}

func (w *jsonWriter) flag(name string, b bool) {
	if b {
		w.optionalFlag(name, &b)
	}
}

func (w *jsonWriter) optionalFlag(name string, b *bool) {
	if b != nil {
		w.key(name)
		w.dst = strconv.AppendBool(w.dst, *b)
	}
}

func (w *jsonWriter) uint32(name string, n uint32) {
	if n != 0 {
		w.optionalUint32(name, &n)
	}
}

func (w *jsonWriter) optionalUint32(name string, n *uint32) {
	if n != nil {
		w.key(name)
		w.dst = strconv.AppendUint(w.dst, uint64(*n), 10)
	}
}

// uint64 writes a number as a string, for many readers of JSON know only 53 bits.
func (w *jsonWriter) uint64(name string, n uint64) {
	if n != 0 {
		w.key(name)
		w.dst = append(strconv.AppendUint(append(w.dst, '"'), n, 10), '"')
	}
}

// optionalInt64 writes a number as uint64 does.
func (w *jsonWriter) optionalInt64(name string, n *int64) {
	if n != nil {
		w.key(name)
		w.dst = append(strconv.AppendInt(append(w.dst, '"'), *n, 10), '"')
	}
}

// enum writes the name of a value, or the number of one that the schema does not know.
func (w *jsonWriter) enum(name string, names map[int32]string, n int32) {
	if n == 0 {
		return
	}
	w.key(name)
	if s, ok := names[n]; ok {
		w.dst = append(append(append(w.dst, '"'), s...), '"')
		return
	}
	w.dst = strconv.AppendInt(w.dst, int64(n), 10)
}

// time writes a time with 0, 3, 6 or 9 decimals, as protobuf wants it. A time that RFC 3339
// cannot say is left out.
func (w *jsonWriter) time(name string, t *timestamppb.Timestamp) {
	if !isTime(t) {
		return
	}
	layout := `"2006-01-02T15:04:05.000000000Z"`
	switch n := t.GetNanos(); {
	case n == 0:
		layout = `"2006-01-02T15:04:05Z"`
	case n%1e6 == 0:
		layout = `"2006-01-02T15:04:05.000Z"`
	case n%1e3 == 0:
		layout = `"2006-01-02T15:04:05.000000Z"`
	default:
	}
	w.key(name)
	w.dst = t.AsTime().AppendFormat(w.dst, layout)
}

func (w *jsonWriter) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	w.open('[')
	for _, s := range list {
		w.comma()
		w.dst = appendJSONString(w.dst, s)
	}
	w.close(']')
}

// textMap writes a map, sorted.
func (w *jsonWriter) textMap(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.key(name)
	w.open('{')
	w.keys = slices.AppendSeq(w.keys[:0], maps.Keys(m))
	slices.Sort(w.keys)
	for _, key := range w.keys {
		w.comma()
		w.dst = append(appendJSONString(w.dst, key), ':')
		w.dst = appendJSONString(w.dst, m[key])
	}
	w.close('}')
}

// writeObject writes a message, unless there is none.
func writeObject[T any](w *jsonWriter, name string, m *T, write func(*jsonWriter, *T)) {
	if m == nil {
		return
	}
	w.key(name)
	w.open('{')
	write(w, m)
	w.close('}')
}

// writeObjects writes a list of messages. One that is nil counts as an empty one.
func writeObjects[T any](w *jsonWriter, name string, list []*T, write func(*jsonWriter, *T)) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	w.open('[')
	for _, m := range list {
		w.comma()
		w.open('{')
		if m != nil {
			write(w, m)
		}
		w.close('}')
	}
	w.close(']')
}

// appendJSONString appends s as a JSON string. Whatever appendVisible would spell out is
// escaped, so that the line can be printed to a terminal; the parsed value is s all the same.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	v := sieve{rest: s, json: true}
	for v.rest != "" {
		safe, unsafe := v.next()
		dst = append(dst, safe...)
		if unsafe != "" {
			dst = appendJSONEscape(dst, unsafe)
		}
	}
	return append(dst, '"')
}

// appendJSONEscape appends the escape of one character. A byte that is not UTF-8 becomes
// U+FFFD, for JSON has no way to say it.
func appendJSONEscape(dst []byte, s string) []byte {
	r, _ := utf8.DecodeRuneInString(s)
	switch r {
	case '"', '\\':
		return append(dst, '\\', s[0])
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
		return appendHex(appendHex(dst, `\u`, high, 4), `\u`, low, 4)
	}
	return appendHex(dst, `\u`, r, 4)
}
