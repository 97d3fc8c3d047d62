package playbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Parse reads a playbook file: a mapping whose member playbooks is a list. It returns the
// sound ones, and an error that joins everything that is wrong with the file; unknown members
// and values that are no texts are named with their lines. An empty file has no playbooks.
//
// What Parse takes is what the schema of [Schema] allows, and more than that: it looks for each
// placeholder of a snippet with a parser of the snippet's language, and refuses those whose
// values would not stay one word or one text.
func Parse(data []byte) ([]*Playbook, error) {
	books, err := parse(data)
	errs := []error{err}
	var sound []*Playbook
	for _, p := range books {
		if err := p.checkPlacements(); err != nil {
			errs = append(errs, err)
		} else {
			sound = append(sound, p)
		}
	}
	return sound, errors.Join(errs...)
}

// parse is Parse without the look at where placeholders stand.
func parse(data []byte) ([]*Playbook, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one YAML document")
	}
	if err := onlyTexts(&doc); err != nil {
		return nil, err
	}
	return decode(&doc)
}

// Check reports everything that is wrong with a playbook file, two playbooks for one thing
// included, and otherwise says what it has playbooks for, such as "rule:NAME".
func Check(data []byte) (keys []string, err error) {
	l := &Library{byKey: make(map[string]*Playbook)}
	if err := l.add(Parse(data)); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(l.byKey)), nil
}

// decode reads the document of a file.
func decode(doc *yaml.Node) ([]*Playbook, error) {
	var file struct {
		Playbooks *[]*Playbook `yaml:"playbooks"`
	}
	if err := doc.Load(&file, yaml.WithKnownFields()); err != nil {
		return nil, inWords(err)
	}
	if file.Playbooks == nil {
		return nil, errors.New("there is no list of playbooks")
	}
	var sound []*Playbook
	var errs []error
	for i, p := range *file.Playbooks {
		if err := p.validate(); err != nil {
			errs = append(errs, fmt.Errorf("playbook %d: %w", i+1, err))
		} else {
			sound = append(sound, p)
		}
	}
	return sound, errors.Join(errs...)
}

// inWords is an error of the YAML library without the names of our types, which mean nothing to
// who wrote the file.
func inWords(err error) error {
	var all *yaml.LoadErrors
	if !errors.As(err, &all) {
		return err
	}
	var errs []error
	for _, e := range all.Errors {
		text := e.Unwrap().Error()
		if name, ok := strings.CutPrefix(text, "field "); ok {
			if name, _, ok = strings.Cut(name, " not found in type "); ok {
				text = fmt.Sprintf("no key %q belongs here", name)
			}
		}
		errs = append(errs, fmt.Errorf("line %d: %s", e.Mark.Line, text))
	}
	return errors.Join(errs...)
}

// onlyTexts reports the values that are neither texts nor lists or mappings of them. YAML
// would quietly make a text of a number or a date, and nothing of a null: not what was meant.
func onlyTexts(n *yaml.Node) error {
	var errs []error
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0: // a key: decoding knows which there are
		case c.Kind == yaml.ScalarNode && c.ShortTag() == "!!null":
			errs = append(errs, fmt.Errorf("line %d: the value is empty", c.Line))
		case c.Kind == yaml.ScalarNode && c.ShortTag() != "!!str":
			errs = append(errs, fmt.Errorf("line %d: %q is no text: put it between quotes", c.Line, c.Value))
		default:
			errs = append(errs, onlyTexts(c))
		}
	}
	return errors.Join(errs...)
}
