package playbook

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
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
	// Where placeholders stand in these is looked at by a test: it would take as long again.
	if err := l.readDir(books, "books", parse); err != nil {
		return nil, fmt.Errorf("embedded playbooks: %w", err)
	}
	if l.byKey["source:*"] == nil {
		return nil, errors.New(`embedded playbooks: there is none for source "*"`)
	}
	return l, nil
}

// Add returns a library with the playbooks of every .yaml and .yml file right in dir added.
// They replace those for the same rule, technique, tactic or source. An error names the file;
// l stays as it was.
func (l *Library) Add(dir fs.FS) (*Library, error) {
	added := &Library{byKey: make(map[string]*Playbook)}
	if err := added.readDir(dir, ".", Parse); err != nil {
		return nil, err
	}
	return l.under(added), nil
}

// under returns a library with what is above, and what l has besides.
func (l *Library) under(above *Library) *Library {
	out := &Library{byKey: maps.Clone(l.byKey)}
	maps.Copy(out.byKey, above.byKey)
	return out
}

// readDir reads every file of a folder that bears the name of a playbook file by a parser. Two
// playbooks for one thing are an error.
func (l *Library) readDir(fsys fs.FS, dir string, parser func([]byte) ([]*Playbook, error)) error {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !isPlaybookFile(e.Name()) {
			continue
		}
		data, err := fs.ReadFile(fsys, path.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if err := l.add(parser(data)); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// isPlaybookFile reports whether a file of this name in a folder is read.
func isPlaybookFile(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml"
}

// add adds the playbooks of one file, and reports what was wrong with it. With an error some
// may have been added.
func (l *Library) add(books []*Playbook, err error) error {
	errs := []error{err}
	for _, p := range books {
		if l.byKey[p.Key()] != nil {
			errs = append(errs, fmt.Errorf("there are two for %s", p.Key()))
		}
		l.byKey[p.Key()] = p
	}
	return errors.Join(errs...)
}

// Subject is what a playbook is looked for.
type Subject struct {
	Rule       string
	Techniques []string // ids, the most telling first
	Tactics    []string // ids
	Source     string
	// Event is the kind of the event, one of EventKinds; empty is one that is none of them, or
	// not known, which every playbook may be for.
	Event string
}

// Find returns the most specific playbook for a subject, by rule, then technique, then the
// technique that a sub-technique belongs to, then tactic, then source. A technique's playbook that
// is for events of other kinds is passed over. From the source's playbook it takes what the
// specific one lacks: actions for the phases it has none for, and where it speaks of Docker, those
// for containers of other engines. Actions about a process are left out where the source says that
// there is none. The result is never nil and must not be changed.
func (l *Library) Find(s Subject) *Playbook {
	base := l.General(s.Source)
	specific := l.Specific(s)
	if specific == nil {
		return base
	}
	out := *specific
	out.Actions = nil
	for _, phase := range Phases() {
		own, more := specific.in(phase, s.Source), base.in(phase, s.Source)
		switch {
		case len(own) == 0, slices.Contains(specific.WithSource, phase):
		case slices.ContainsFunc(own, forCRI) || !slices.ContainsFunc(own, func(a Action) bool { return a.ForDocker() }):
			more = nil
		default:
			more = slices.DeleteFunc(more, func(a Action) bool { return !forCRI(a) })
		}
		out.Actions = append(append(out.Actions, own...), more...)
	}
	return &out
}

// systemCalls is the source of the alerts that are about a process.
const systemCalls = "syscall"

// in are the actions of a phase that fit alerts of the source; an unknown one can be any.
func (p *Playbook) in(phase, source string) []Action {
	var out []Action
	for _, a := range p.Actions {
		if a.Phase == phase && (a.When != WhenProcess || source == systemCalls || source == "") {
			out = append(out, a)
		}
	}
	return out
}

// speaksOf reports whether the playbook is for events of a kind; an unknown one can be any.
func (p *Playbook) speaksOf(event string) bool {
	return len(p.Events) == 0 || event == "" || slices.Contains(p.Events, event)
}

// General returns the playbook of a source, that of "*" where it has none of its own. It is
// never nil and must not be changed.
func (l *Library) General(source string) *Playbook {
	if p := l.byKey["source:"+source]; p != nil {
		return p
	}
	return l.byKey["source:*"]
}

// Specific returns the most specific playbook for a subject by rule, technique, parent
// technique or tactic, nil if there is none. It must not be changed.
func (l *Library) Specific(s Subject) *Playbook {
	if p := l.byKey["rule:"+s.Rule]; p != nil {
		return p
	}
	for _, id := range s.Techniques {
		if p := l.byKey["technique:"+id]; p != nil && p.speaksOf(s.Event) {
			return p
		}
	}
	for _, id := range s.Techniques {
		parent, _, sub := strings.Cut(id, ".")
		if p := l.byKey["technique:"+parent]; sub && p != nil && p.speaksOf(s.Event) {
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
