package rules

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// defaultSource is the event source of a rule that names none.
const defaultSource = "syscall"

// item is one rule item of a file: the definition of a rule or a change to one. For a
// definition, replace holds all of it.
type item struct {
	name    string
	line    int
	defines bool
	// macro says that it is a macro, of which only the condition is read.
	macro bool
	// source is empty where it plays no part.
	source          string
	replace, append patch
}

// patch is what an item says of a rule. Nil is for what it does not mention.
type patch struct {
	condition, output, desc *string
	priority                *alert.Priority
	enabled                 *bool
	tags                    *[]string
	exceptions              *[]exception
}

// operation is what is done with the value of a key.
type operation string

const (
	opAppend  operation = "append"
	opReplace operation = "replace"
)

// operations are the keys that an override can name, and how.
func operations(key string) []operation {
	switch key {
	case "condition", "output", "desc", "tags", "exceptions":
		return []operation{opAppend, opReplace}
	case "priority", "enabled", "capture", "capture_duration", "warn_evttypes", "skip-if-unknown-filter":
		return []operation{opReplace}
	default:
		return nil
	}
}

var (
	errBothForms  = errors.New("has both append and override")
	errNoEnabled  = errors.New("has neither a condition nor enabled")
	errNotMapping = errors.New("is not a mapping")
)

// parse reads the rule items of a file, with at most left bytes of text, and says what is left
// of them. The notes are about items that make no sense.
func parse(data []byte, left int) (items []item, notes []note, rest int, err error) {
	docs, err := documents(data)
	if err != nil {
		return nil, nil, left, err
	}
	nodes, err := contents(docs)
	if err != nil {
		return nil, nil, left, err
	}
	r := reader{left: left}
	for _, n := range nodes {
		it := item{line: n.Line}
		isRule, err := r.item(n, &it)
		switch {
		case errors.Is(err, errTooMuch):
			return nil, nil, left, errTooMuch
		case err != nil:
			notes = append(notes, note{it.line, it.name, err})
		case isRule:
			items = append(items, it)
		}
	}
	return items, notes, r.left, nil
}

// item reads an item; isRule is false for one that is none of a rule.
func (r *reader) item(n *yaml.Node, it *item) (isRule bool, err error) {
	if isNull(n) {
		return false, nil
	}
	keys, err := r.members(n)
	if err != nil {
		return false, fmt.Errorf("the item %w", err)
	}
	for _, other := range []string{"required_engine_version", "required_plugin_versions", "list"} {
		if keys[other] != nil {
			return false, nil
		}
	}
	if keys["macro"] != nil {
		return r.macro(keys, it)
	}
	if keys["rule"] == nil {
		return false, nil // an item of a newer Falco
	}
	if it.name, err = r.text(keys, "rule"); err != nil {
		return false, err
	}
	return true, r.rule(keys, it)
}

// macro reads a macro. One that makes no sense is passed over: conditions are shown as written, and
// from a macro that is not known nothing follows.
func (r *reader) macro(keys members, it *item) (bool, error) {
	name, err := r.text(keys, "macro")
	if err != nil {
		return false, only(err, errTooMuch)
	}
	condition, err := r.optional(keys, "condition")
	if err != nil || condition == nil {
		return false, only(err, errTooMuch)
	}
	appends, err := r.flag(keys, "append")
	if err != nil {
		return false, only(err, errTooMuch)
	}
	ops, err := r.overrides(keys)
	if err != nil {
		return false, only(err, errTooMuch)
	}
	it.name, it.macro = name, true
	if ops["condition"] == opAppend || appends != nil && *appends {
		it.append.condition = condition
	} else {
		it.replace.condition = condition
	}
	return true, nil
}

// only is err if it is target, and otherwise nil.
func only(err, target error) error {
	if errors.Is(err, target) {
		return err
	}
	return nil
}

// rule reads a rule item in whichever of its forms.
func (r *reader) rule(keys members, it *item) error {
	appends, err := r.flag(keys, "append")
	if err != nil {
		return err
	}
	overrides, err := r.overrides(keys)
	if err != nil {
		return err
	}
	old := appends != nil && *appends
	switch {
	case old && len(overrides) > 0:
		return errBothForms
	case len(overrides) > 0:
		return r.override(keys, overrides, it)
	case old:
		return r.oldAppend(keys, it)
	case keys["condition"] == nil && keys["output"] == nil && keys["desc"] == nil && keys["priority"] == nil:
		return r.oldEnable(keys, it)
	default:
		return r.define(keys, it)
	}
}

// define reads a whole rule.
func (r *reader) define(keys members, it *item) error {
	it.defines = true
	for _, key := range []string{"condition", "output", "desc", "priority"} {
		if keys[key] == nil {
			return fmt.Errorf("has no %s", key)
		}
	}
	var err error
	if it.source, err = r.source(keys); err != nil {
		return err
	}
	if it.source == "" {
		it.source = defaultSource
	}
	for _, key := range []string{"condition", "output", "desc", "priority", "enabled", "tags", "exceptions"} {
		if err := r.value(keys, key, &it.replace, true); err != nil {
			return err
		}
	}
	return nil
}

// oldAppend reads the form with append: true. Falco takes nothing else from it: not enabled,
// nor tags.
func (r *reader) oldAppend(keys members, it *item) error {
	if keys["condition"] == nil && keys["exceptions"] == nil {
		return errors.New("appends neither a condition nor exceptions")
	}
	var err error
	if it.source, err = r.source(keys); err != nil {
		return err
	}
	if err := r.value(keys, "condition", &it.append, false); err != nil {
		return err
	}
	return r.value(keys, "exceptions", &it.append, false)
}

// oldEnable reads the form that has nothing but enabled.
func (r *reader) oldEnable(keys members, it *item) error {
	if keys["enabled"] == nil {
		return errNoEnabled
	}
	return r.value(keys, "enabled", &it.replace, false)
}

// overrides reads the key override: which key is appended, which replaced.
func (r *reader) overrides(keys members) (map[string]operation, error) {
	n := keys["override"]
	if n == nil || isNull(n) {
		return nil, nil
	}
	entries, err := r.members(n)
	if err != nil {
		return nil, fmt.Errorf("override %w", err)
	}
	ops := make(map[string]operation, len(entries))
	for key := range entries {
		text, err := r.text(entries, key)
		if err != nil {
			return nil, fmt.Errorf("override: %w", err)
		}
		op := operation(text)
		if known := operations(key); known != nil && !slices.Contains(known, op) {
			return nil, fmt.Errorf("override: %s cannot be %q, only %q", key, clip(text), known)
		}
		ops[key] = op
	}
	return ops, nil
}

// override reads the form with override. Every key that is mentioned there must be there, and
// the other way round; what only a newer Falco knows is ignored.
func (r *reader) override(keys members, ops map[string]operation, it *item) error {
	for key := range ops {
		if operations(key) != nil && keys[key] == nil {
			return fmt.Errorf("override names %s, which the item does not have", key)
		}
	}
	for key := range keys {
		if operations(key) != nil && ops[key] == "" {
			return fmt.Errorf("has %s, which override does not name", key)
		}
	}
	if ops["condition"] != "" {
		var err error
		if it.source, err = r.source(keys); err != nil {
			return err
		}
	}
	for key, op := range ops {
		to, fresh := &it.replace, true
		if op == opAppend {
			to, fresh = &it.append, false
		}
		if err := r.value(keys, key, to, fresh); err != nil {
			return err
		}
	}
	return nil
}

// source reads the key source; it is empty where there is none.
func (r *reader) source(keys members) (string, error) {
	if n := keys["source"]; n == nil || isNull(n) || (n.Kind == yaml.ScalarNode && n.Value == "") {
		return "", nil
	}
	return r.text(keys, "source")
}

// value reads one key into p. A key that is not there, or that plays no part in a report, is
// passed over. Fresh exceptions do not add to others: they must say what they compare.
func (r *reader) value(keys members, key string, p *patch, fresh bool) error {
	if keys[key] == nil {
		return nil
	}
	var err error
	switch key {
	case "condition":
		p.condition, err = r.optional(keys, key)
	case "output":
		p.output, err = r.optional(keys, key)
	case "desc":
		p.desc, err = r.optional(keys, key)
	case "enabled":
		p.enabled, err = r.flag(keys, key)
	case "priority":
		p.priority, err = r.priority(keys)
	case "tags":
		p.tags, err = r.tags(keys)
	case "exceptions":
		p.exceptions, err = r.exceptions(keys[key], fresh)
	default:
	}
	return err
}

// priority reads the key priority.
func (r *reader) priority(keys members) (*alert.Priority, error) {
	text, err := r.text(keys, "priority")
	if err != nil {
		return nil, err
	}
	p := alert.ParsePriority(text)
	if p == alert.PriorityUnknown {
		return nil, fmt.Errorf("priority %q is none of Falco's", clip(text))
	}
	return &p, nil
}

// tags reads the key tags.
func (r *reader) tags(keys members) (*[]string, error) {
	tags, err := r.texts(keys["tags"])
	if err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	return &tags, nil
}
