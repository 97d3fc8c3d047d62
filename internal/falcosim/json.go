package falcosim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// How Falco spells times: with nine decimals always. The line's is local time.
const (
	jsonTimeLayout = "2006-01-02T15:04:05.000000000Z07:00"
	lineTimeLayout = "15:04:05.000000000"
	lineISOLayout  = "2006-01-02T15:04:05.000000000-0700"
)

// notAvailable is what gRPC brings for null.
const notAvailable = "<NA>"

// FalcoJSON is the alert in Falco's JSON: JSON if that is set, else made of the other fields
// with the members sorted, as Falco sorts them.
//
// gRPC brings output fields as strings, so their types are found by name, for the fields that
// Falco's own rules and append_output use: ids, ports and timestamps become numbers, what is
// named "is_" a truth value, <NA> null (but see saysNA); other fields stay strings. Falco's notices of itself show the
// types in their output line.
func (a *Alert) FalcoJSON() string {
	if a.JSON != "" {
		return a.JSON
	}
	b := make([]byte, 0, 2*(len(a.Output)+256))
	b = appendQuoted(append(b, `{"hostname":`...), a.Hostname)
	output, types := a.Output, typeByName
	if a.Source == internalSource {
		output, types = a.splitNotice()
	}
	b = appendQuoted(append(b, `,"output":`...), output)
	b = a.appendFields(append(b, `,"output_fields":`...), types)
	b = appendQuoted(append(b, `,"priority":`...), a.Priority.String())
	b = appendQuoted(append(b, `,"rule":`...), a.Rule)
	b = appendQuoted(append(b, `,"source":`...), a.Source)
	if a.Source != internalSource {
		b = append(b, `,"tags":[`...)
		for i, tag := range a.Tags {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendQuoted(b, tag)
		}
		b = append(b, ']')
	}
	b = appendQuoted(append(b, `,"time":`...), a.Time.UTC().Format(jsonTimeLayout))
	return string(append(b, '}'))
}

// appendFields appends the object of output fields, evt.time among them, as Falco has it in
// JSON only.
func (a *Alert) appendFields(b []byte, types func(Field) alert.ValueKind) []byte {
	fields := slices.Clone(a.Fields)
	hasTime := slices.ContainsFunc(fields, func(f Field) bool { return f.Name == "evt.time" })
	if !hasTime && a.Source != internalSource {
		fields = append(fields, Field{Name: "evt.time", Value: strconv.FormatInt(a.Time.UnixNano(), 10)})
	}
	slices.SortFunc(fields, func(x, y Field) int { return strings.Compare(x.Name, y.Name) })
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, f.Name), ':')
		switch types(f) {
		case alert.ValueNull:
			b = append(b, "null"...)
		case alert.ValueNumber, alert.ValueBool:
			b = append(b, f.Value...)
		default:
			b = appendQuoted(b, f.Value)
		}
	}
	return append(b, '}')
}

// appendQuoted appends a JSON string. What is not UTF-8 becomes U+FFFD, as from Falco 0.44 on;
// an older Falco does not live to write it, see Server.Enqueue.
func appendQuoted(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD")) // valid text cannot fail
	return b
}

// typeByName finds the JSON type of a field of a rule's alert.
func typeByName(f Field) alert.ValueKind {
	switch {
	case f.Value == notAvailable && !saysNA(f.Name):
		return alert.ValueNull
	case isIntegerField(f.Name) && isInteger(f.Value):
		return alert.ValueNumber
	case isBoolField(f.Name) && (f.Value == "true" || f.Value == "false"):
		return alert.ValueBool
	default:
		return alert.ValueString
	}
}

// saysNA reports whether the field is never null: Falco puts the text <NA> into it itself.
func saysNA(name string) bool {
	switch name {
	case "proc.name", "proc.cmdline", "user.name", "user.loginname":
		return true
	default:
		return false
	}
}

// isInteger reports whether s is an integer as JSON writes it.
func isInteger(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// isIntegerField reports whether Falco gives the field as an integer in JSON.
func isIntegerField(name string) bool {
	switch name {
	case "container.start_ts", "evt.num", "evt.time", "evt.rawtime",
		"fd.num", "fd.dev", "fd.ino", "fd.port", "fd.cport", "fd.sport", "fd.lport", "fd.rport",
		"group.gid", "user.uid", "user.loginuid",
		"proc.pid", "proc.ppid", "proc.vpid", "proc.pvpid", "proc.sid", "proc.pgid", "proc.vpgid",
		"proc.pid.ts", "proc.ppid.ts", "proc.tty", "proc.loginshellid", "proc.duration", "proc.ppid.duration",
		"thread.tid", "thread.vtid":
		return true
	default:
		return strings.HasPrefix(name, "proc.apid[")
	}
}

// isBoolField reports whether Falco gives the field as a truth value in JSON.
func isBoolField(name string) bool {
	return name == "container.privileged" || strings.HasPrefix(name, "proc.is_") || strings.HasPrefix(name, "evt.is_")
}

// splitNotice takes the output line of a notice of Falco about itself apart. Falco builds the
// line as "time: Priority message (name=value ...)", with the values as in JSON; its JSON has
// the message only.
func (a *Alert) splitNotice() (message string, types func(Field) alert.ValueKind) {
	line, values := alert.PlainLine(a.Output), ""
	if first, ok := firstName(a.Fields); ok {
		if i := strings.Index(line, " ("+first+"="); i >= 0 {
			line, values = line[:i], " "+line[i+len(" ("):]
		}
	}
	return line, func(f Field) alert.ValueKind {
		if strings.Contains(values, " "+f.Name+`="`) || !isLiteral(f.Value) {
			return alert.ValueString
		}
		return alert.ValueNumber
	}
}

// firstName is the name that sorts first.
func firstName(fields []Field) (string, bool) {
	if len(fields) == 0 {
		return "", false
	}
	return slices.MinFunc(fields, func(x, y Field) int { return strings.Compare(x.Name, y.Name) }).Name, true
}

// isLiteral reports whether s stands in JSON as it is: a number, true, false or null.
func isLiteral(s string) bool {
	switch jsontext.Value(s).Kind() {
	case '0', 't', 'f', 'n':
		return jsontext.Value(s).IsValid()
	default:
		return false
	}
}

// noticeLine builds the output line of a notice from its JSON form; see splitNotice. The time
// is UTC, since the JSON does not tell Falco's time zone.
func noticeLine(d *alert.Alert) string {
	var b []byte
	b = append(b, d.Time().Format(lineTimeLayout)+": "+d.Priority.String()+" "+d.Output+" ("...)
	for i, f := range d.Fields() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, f.Name...), '=')
		switch f.Value.Kind() {
		case alert.ValueString:
			b = appendQuoted(b, f.Value.Text())
		case alert.ValueNull:
			b = append(b, "null"...)
		default:
			b = append(b, f.Value.Text()...)
		}
	}
	return string(append(b, ')'))
}

// parseLineTime reads the time that an output line begins with and tells its layout.
func parseLineTime(line string) (text string, at time.Time, layout string, ok bool) {
	text, _, ok = strings.Cut(line, ": ")
	if !ok {
		return "", time.Time{}, "", false
	}
	for _, layout := range []string{lineTimeLayout, lineISOLayout} {
		if at, err := time.Parse(layout, text); err == nil {
			return text, at, layout, true
		}
	}
	return "", time.Time{}, "", false
}
