package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// exception is an exception as an item gives it.
type exception struct {
	name   string
	line   int
	fields list
	comps  list
	// hasValues is whether the item has values, be they none.
	hasValues bool
	values    []value
}

// list is one text or several; single tells which. It is unset while it has no texts.
type list struct {
	single bool
	texts  []string
}

// value is an element of an exception's values: a text or a list, whose elements are texts or
// lists of them.
type value struct {
	isList bool
	text   string
	list   []value
}

// exceptions reads the key exceptions; null is none. Fresh ones must have fields.
func (r *reader) exceptions(n *yaml.Node, fresh bool) (*[]exception, error) {
	out := []exception{}
	if isNull(n) {
		return &out, nil
	}
	nodes, err := r.elements(n)
	if err != nil {
		return nil, fmt.Errorf("exceptions: %w", err)
	}
	for _, e := range nodes {
		ex, err := r.exception(e)
		if err == nil && fresh {
			err = ex.complete()
		}
		if err != nil {
			return nil, fmt.Errorf("exception %q at line %d: %w", clip(ex.name), e.Line, err)
		}
		out = append(out, ex)
	}
	return &out, nil
}

// exception reads one exception.
func (r *reader) exception(n *yaml.Node) (exception, error) {
	ex := exception{line: n.Line}
	keys, err := r.members(n)
	if err != nil {
		return ex, err
	}
	if ex.name, err = r.text(keys, "name"); err != nil {
		return ex, err
	}
	if ex.fields, err = r.list(keys["fields"]); err != nil {
		return ex, fmt.Errorf("fields: %w", err)
	}
	if ex.comps, err = r.list(keys["comps"]); err != nil {
		return ex, fmt.Errorf("comps: %w", err)
	}
	if keys["values"] == nil {
		return ex, nil
	}
	ex.hasValues = true
	if isNull(keys["values"]) {
		return ex, nil
	}
	nodes, err := r.elements(keys["values"])
	if err != nil {
		return ex, fmt.Errorf("values: %w", err)
	}
	ex.values, err = r.values(nodes, 2)
	return ex, err
}

// list reads one text or a list of them.
func (r *reader) list(n *yaml.Node) (list, error) {
	if n == nil || isNull(n) {
		return list{}, nil
	}
	if n.Kind != yaml.ScalarNode {
		texts, err := r.texts(n)
		return list{texts: texts}, err
	}
	s, err := r.scalar(n)
	if err == nil && s == "" {
		err = errEmpty
	}
	return list{single: true, texts: []string{s}}, err
}

// values reads the elements of an exception's values, which may be lists to the given depth.
func (r *reader) values(nodes []*yaml.Node, depth int) ([]value, error) {
	out := make([]value, len(nodes))
	for i, n := range nodes {
		var err error
		if n.Kind != yaml.SequenceNode {
			if out[i].text, err = r.scalar(n); err != nil {
				return nil, fmt.Errorf("values: line %d: %w", n.Line, err)
			}
			continue
		}
		if depth == 0 {
			return nil, fmt.Errorf("values: line %d: nested too deep", n.Line)
		}
		children, err := r.elements(n)
		if err != nil {
			return nil, err
		}
		out[i].isList = true
		if out[i].list, err = r.values(children, depth-1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// complete checks an exception that stands by itself, and fills in Falco's operators where it
// has none: = for each of several fields, in for a single one.
func (e *exception) complete() error {
	n := len(e.fields.texts)
	switch {
	case n == 0:
		return errors.New("has no fields")
	case len(e.comps.texts) == 0 && e.fields.single:
		e.comps = list{single: true, texts: []string{"in"}}
	case len(e.comps.texts) == 0:
		e.comps.texts = slices.Repeat([]string{"="}, n)
	case e.comps.single != e.fields.single:
		return errors.New("fields and comps must both be texts or both lists")
	case len(e.comps.texts) != n:
		return fmt.Errorf("has %d fields and %d comps", n, len(e.comps.texts))
	}
	for i, c := range e.comps.texts {
		e.comps.texts[i] = strings.TrimSpace(c)
	}
	return nil
}

// exceptions are the exceptions of a draft, found by name. Of several with one name the first
// is found, as in Falco.
type exceptions struct {
	all    []exception
	byName map[string]int
}

// set puts others into their place.
func (e *exceptions) set(all []exception) {
	e.all, e.byName = nil, make(map[string]int, len(all))
	for _, ex := range all {
		e.add(ex)
	}
}

// add adds one at the end.
func (e *exceptions) add(ex exception) {
	if _, found := e.byName[ex.name]; !found {
		e.byName[ex.name] = len(e.all)
	}
	e.all = append(e.all, ex)
}

// append adds values to the exception of the same name, and otherwise the whole exception. All
// are checked before the first is added.
func (e *exceptions) append(added []exception) error {
	for i := range added {
		ex := &added[i]
		_, found := e.byName[ex.name]
		switch {
		case found && (len(ex.fields.texts) > 0 || len(ex.comps.texts) > 0):
			return fmt.Errorf("exception %q is there already: only values can be appended to it", clip(ex.name))
		case found:
			continue
		case !ex.hasValues:
			return fmt.Errorf("exception %q has no values", clip(ex.name))
		}
		if err := ex.complete(); err != nil {
			return fmt.Errorf("exception %q: %w", clip(ex.name), err)
		}
	}
	for _, ex := range added {
		if i, found := e.byName[ex.name]; found {
			e.all[i].values = append(e.all[i].values, ex.values...)
		} else {
			e.add(ex)
		}
	}
	return nil
}

// export makes the exception of a Rule. What does not fit its fields is left out and counted.
func (e *exception) export() (out Exception, misfits int) {
	out = Exception{Name: e.name, Fields: e.fields.texts, Comps: e.comps.texts, Single: e.fields.single}
	if e.fields.single {
		all := Value{List: []string{}}
		for _, v := range e.values {
			if v.isList {
				misfits++
				continue
			}
			all.List = append(all.List, v.text)
		}
		if len(all.List) > 0 {
			out.Values = [][]Value{{all}}
		}
		return out, misfits
	}
	for _, v := range e.values {
		row, ok := v.row(len(e.fields.texts))
		if !ok {
			misfits++
			continue
		}
		out.Values = append(out.Values, row)
	}
	return out, misfits
}

// row is a row of n fields.
func (v value) row(n int) ([]Value, bool) {
	if len(v.list) != n {
		return nil, false
	}
	row := make([]Value, n)
	for i, c := range v.list {
		if !c.isList {
			row[i].Text = c.text
			continue
		}
		row[i].List = make([]string, len(c.list))
		for j, e := range c.list {
			row[i].List[j] = e.text
		}
	}
	return row, true
}
