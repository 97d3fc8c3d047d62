package playbook

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"

	"go.yaml.in/yaml/v4"
)

//go:embed books/*.yaml
var books embed.FS

// Library is a set of playbooks. It may be used concurrently.
type Library struct {
	byKey map[string]*Playbook
}

// Embedded returns the playbooks of this project.
func Embedded() (*Library, error) {
	l := &Library{byKey: make(map[string]*Playbook)}
	if err := l.readDir(books, "books"); err != nil {
		return nil, fmt.Errorf("embedded playbooks: %w", err)
	}
	if l.byKey["source:*"] == nil {
		return nil, errors.New(`embedded playbooks: there is none for source "*"`)
	}
	return l, nil
}

// Add returns a library with the playbooks of every .yaml file of dir added. They replace
// those for the same rule, technique, tactic or source. An error names the file; l stays as
// it was.
func (l *Library) Add(dir fs.FS) (*Library, error) {
	added := &Library{byKey: make(map[string]*Playbook)}
	if err := added.readDir(dir, "."); err != nil {
		return nil, err
	}
	for key, p := range l.byKey {
		if added.byKey[key] == nil {
			added.byKey[key] = p
		}
	}
	return added, nil
}

// readDir reads every .yaml file of a folder. Two playbooks for one thing are an error.
func (l *Library) readDir(fsys fs.FS, dir string) error {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".yaml" {
			continue
		}
		data, err := fs.ReadFile(fsys, path.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if err := l.readFile(data); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// readFile reads one file: a mapping whose member playbooks is a list. Unknown members are
// errors that name the line.
func (l *Library) readFile(data []byte) error {
	var file struct {
		Playbooks []*Playbook `yaml:"playbooks"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var errs []error
	for i, p := range file.Playbooks {
		if p == nil {
			errs = append(errs, fmt.Errorf("playbook %d is empty", i+1))
			continue
		}
		if err := p.validate(); err != nil {
			errs = append(errs, fmt.Errorf("playbook %d: %w", i+1, err))
			continue
		}
		key, err := p.key()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if l.byKey[key] != nil {
			errs = append(errs, fmt.Errorf("playbook %d: there are two for %s", i+1, key))
		}
		l.byKey[key] = p
	}
	return errors.Join(errs...)
}

// Subject is what a playbook is looked for.
type Subject struct {
	Rule       string
	Techniques []string // ids, the most telling first
	Tactics    []string // ids
	Source     string
}

// Find returns the most specific playbook for a subject, by rule, then technique, then tactic,
// then source. From the source's playbook it takes what the specific one lacks: actions for
// the phases it has none for. The result is never nil and must not be changed.
func (l *Library) Find(s Subject) *Playbook {
	base := l.General(s.Source)
	specific := l.Specific(s)
	if specific == nil {
		return base
	}
	out := *specific
	has := make(map[string]bool)
	for _, a := range specific.Actions {
		has[a.Phase] = true
	}
	out.Actions = nil
	for _, phase := range Phases() {
		from := specific
		if !has[phase] {
			from = base
		}
		for _, a := range from.Actions {
			if a.Phase == phase {
				out.Actions = append(out.Actions, a)
			}
		}
	}
	return &out
}

// General returns the playbook of a source, that of "*" where it has none of its own. It is
// never nil and must not be changed.
func (l *Library) General(source string) *Playbook {
	if p := l.byKey["source:"+source]; p != nil {
		return p
	}
	return l.byKey["source:*"]
}

// Specific returns the most specific playbook for a subject by rule, technique or tactic, nil
// if there is none. It must not be changed.
func (l *Library) Specific(s Subject) *Playbook {
	if p := l.byKey["rule:"+s.Rule]; p != nil {
		return p
	}
	for _, id := range s.Techniques {
		if p := l.byKey["technique:"+id]; p != nil {
			return p
		}
	}
	for _, id := range s.Tactics {
		if p := l.byKey["tactic:"+id]; p != nil {
			return p
		}
	}
	return nil
}

// All are the playbooks of the library by what they are about, such as "rule:NAME".
func (l *Library) All() iter.Seq2[string, *Playbook] { return maps.All(l.byKey) }
