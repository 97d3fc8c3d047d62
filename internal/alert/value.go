package alert

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ValueKind is the type that a value came with.
type ValueKind uint8

// The kinds of values. gRPC brings strings only.
const (
	ValueNull   ValueKind = iota // JSON null
	ValueString                  // a string
	ValueNumber                  // a JSON number, kept as the literal
	ValueBool                    // true or false
	ValueJSON                    // an object or array, kept as JSON text
)

// Value is the value of an output field, exact: numbers are kept as they were written.
type Value struct {
	kind ValueKind
	text string
}

// StringValue makes a string value, as the fields of a gRPC alert are.
func StringValue(s string) Value { return Value{kind: ValueString, text: s} }

// Kind is the type that the value came with.
func (v Value) Kind() ValueKind { return v.kind }

// Text is the value as text: a string's content, a number's literal, true or false, JSON
// text. It is empty for null.
func (v Value) Text() string { return v.text }

// Int is the value as an integer if it is one within int64, whether it came as a number or
// as a decimal string.
func (v Value) Int() (int64, bool) {
	if v.kind != ValueNumber && v.kind != ValueString {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

// notAvailable is what Falco prints for a field without a value in its text outputs and in
// every gRPC field.
const notAvailable = "<NA>"

// Absent reports whether a value of the named field stands for "none": null, <NA>, the empty
// string, -1 for ids, ports and descriptors, and 4294967295 (the kernel's -1) for user and
// group ids.
func Absent(name string, v Value) bool {
	switch v.kind {
	case ValueNull:
		return true
	case ValueString:
		if v.text == "" || v.text == notAvailable {
			return true
		}
	case ValueNumber, ValueBool, ValueJSON:
	}
	switch v.text {
	case "-1":
		return minusOneIsNone(name)
	case "4294967295":
		return name == "user.uid" || name == "user.loginuid" || name == "group.gid"
	}
	return false
}

// minusOneIsNone reports whether -1 in the named field means that there is none. It is a list
// of names, not of types: a process can have the name or command line "-1".
func minusOneIsNone(name string) bool {
	switch name {
	case "user.uid", "user.loginuid", "group.gid",
		"proc.pid", "proc.ppid", "proc.vpid", "proc.pvpid", "proc.sid", "proc.sid.vpid", "proc.pgid", "proc.vpgid",
		"proc.loginshellid", "proc.tty", "proc.pid.ts", "proc.ppid.ts",
		"thread.tid", "thread.vtid", "fd.num", "fd.ino", "fd.dev",
		"fd.cport", "fd.sport", "fd.lport", "fd.rport",
		"container.start_ts":
		return true
	}
	return strings.HasPrefix(name, "proc.apid[")
}

// JSON is the value as JSON text.
func (v Value) JSON() string {
	switch v.kind {
	case ValueString:
		// AppendQuote fails on invalid UTF-8 only, which a decoded value does not hold.
		b, err := jsontext.AppendQuote(nil, v.text)
		if err != nil {
			return `""`
		}
		return string(b)
	case ValueNumber, ValueBool, ValueJSON:
		return v.text
	case ValueNull:
	}
	return "null"
}
