package falcoconf

import (
	_ "embed" // the list of fields
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:generate go run ./gen

//go:embed fields.json
var fieldsJSON []byte

// FieldList is the fields that an alert of the system call source can be given.
type FieldList struct {
	// Source is where the list comes from.
	Source string `json:"source"`
	// Fields are sorted by name.
	Fields []Field `json:"fields"`
}

// Field is one of Falco's fields.
type Field struct {
	// Name is the field's, without an argument.
	Name string `json:"name"`
	// Arg says whether the field takes an argument in brackets: "optional", "required", or
	// empty for none.
	Arg string `json:"arg,omitempty"`
	// Container is whether the container plugin provides it from Falco 0.41 on.
	Container bool `json:"container,omitempty"`
	// Since is the first Falco that has it; 0.33.0 is the oldest that was looked at. Empty
	// where it was not.
	Since string `json:"since,omitempty"`
}

// Fields reads the embedded list.
func Fields() (*FieldList, error) {
	var list FieldList
	if err := json.Unmarshal(fieldsJSON, &list); err != nil {
		return nil, fmt.Errorf("read the embedded list of Falco's fields: %w", err)
	}
	return &list, nil
}

// isIndex reports whether an argument, brackets included, is a number, the one kind that we
// use.
func isIndex(arg string) bool {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(arg, "["), "]")
	return ok && len(digits) > 0 && len(digits) <= 3 && strings.Trim(digits, "0123456789") == ""
}

// Find looks a field up by its text in append_output, argument included. It is an error if
// Falco of the version does not know it in this form.
func (l *FieldList) Find(text string, v Version) (Field, error) {
	name, arg := text, ""
	if i := strings.IndexByte(text, '['); i >= 0 {
		name, arg = text[:i], text[i:]
	}
	at, ok := slices.BinarySearchFunc(l.Fields, name, func(f Field, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return Field{}, fmt.Errorf("falco has no field %q", text)
	}
	f := l.Fields[at]
	switch {
	case arg != "" && (f.Arg == "" || !isIndex(arg)):
		return Field{}, fmt.Errorf("field %q: %s takes no such argument", text, f.Name)
	case arg == "" && f.Arg == "required":
		return Field{}, fmt.Errorf("field %q lacks its argument", text)
	case f.Since != "":
		since, err := ParseVersion(f.Since)
		if err != nil {
			return Field{}, fmt.Errorf("field %q: %w", text, err)
		}
		if !v.AtLeast(since.Minor) {
			return Field{}, fmt.Errorf("field %q is there from Falco %s on", text, since)
		}
	default:
	}
	return f, nil
}

// FieldSet chooses how much an alert is given.
type FieldSet string

// The sets.
const (
	// Minimal is the pid, the starts, and the ancestors' names and pids.
	Minimal FieldSet = "minimal"
	// Full is what a report can use.
	Full FieldSet = "full"
)

// Depth is how many levels above the process an alert is given: [1] is the parent. Eight
// processes in all; each further level would add four fields to every alert.
const Depth = 7

// List is the fields of the set, in the order in which they are written.
func (s FieldSet) List() []string {
	ancestors := []string{"proc.apid", "proc.aname"}
	head := []string{"proc.pid", "proc.pid.ts", "proc.vpid", "proc.name", "proc.ppid", "proc.ppid.ts", "proc.pname"}
	tail := []string{"container.id"}
	if s == Full {
		ancestors = append(ancestors, "proc.aexepath", "proc.acmdline")
		head = []string{
			"evt.hostname", "evt.type", "evt.res",
			"proc.pid", "proc.pid.ts", "proc.vpid", "proc.name", "proc.exepath", "proc.cmdline", "proc.cwd", "proc.tty",
			"proc.ppid", "proc.ppid.ts", "proc.pname", "proc.pexepath", "proc.pcmdline",
		}
		tail = []string{
			"proc.sid", "proc.sname", "proc.sid.exepath", "proc.vpgid", "proc.loginshellid",
			"proc.is_exe_upper_layer", "proc.is_exe_from_memfd",
			"user.name", "user.uid", "user.loginuid", "user.loginname",
			"container.id", "container.full_id", "container.name", "container.type",
			"container.image.repository", "container.image.tag", "container.image.digest",
			"container.privileged", "container.start_ts",
			"k8s.ns.name", "k8s.pod.name", "k8s.pod.uid",
		}
	}
	fields := head
	for level := 2; level <= Depth; level++ {
		for _, name := range ancestors {
			fields = append(fields, fmt.Sprintf("%s[%d]", name, level))
		}
	}
	return append(fields, tail...)
}
