package rules

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

const (
	// MaxFileBytes is the most that one rule file may take.
	MaxFileBytes = 16 << 20
	// MaxRules is the most rules that are kept; further ones are left out with an error.
	MaxRules = 100_000

	// maxText bounds what one load reads out of all files together, in bytes: each text once
	// for every place that an alias puts it in, and nodeCost for each member of a list or
	// mapping.
	maxText  = 64 << 20
	nodeCost = 32

	// maxNotes bounds the warnings about one file.
	maxNotes = 20
)

// Load reads the rule files that the paths lead to, in their order: files, and directories for
// those of their files that end in .yaml or .yml, in lexical order and not below.
//
// The Set is never nil: it has everything that could be read. The error joins what could not be
// read at all: a path that is not there, a file that is no YAML list or too large. A file that
// cannot be read is no error where the path is one of DefaultPaths. Items that make no sense
// are left out with a warning that names file and line.
func Load(paths []string, log *slog.Logger) (*Set, error) {
	return load(paths, log, maxText, MaxRules)
}

// load is Load with other bounds.
func load(paths []string, log *slog.Logger, maxText, maxRules int) (*Set, error) {
	files, errs := locate(paths)
	l := loader{log: log, left: maxText, room: maxRules, byName: make(map[string]*draft), macros: make(map[string][]string)}
	for _, f := range files {
		if err := l.load(f); err != nil {
			errs = append(errs, err)
		}
	}
	set := l.finish()
	if l.refused > 0 {
		errs = append(errs, fmt.Errorf("load rules: only the first %d rules are kept; definitions left out: %d", maxRules, l.refused))
	}
	return set, errors.Join(errs...)
}

// loader applies files, one after the other.
type loader struct {
	log     *slog.Logger
	left    int // of what may be read
	room    int // for so many more rules
	byName  map[string]*draft
	ordered []*draft
	refused int // definitions that there was no room for
	macros  map[string][]string
}

// note is something in a file that was left out.
type note struct {
	line int
	rule string
	err  error
}

// load applies one file: all of it, or nothing when it is no rule file.
func (l *loader) load(f located) error {
	data, err := userfile.Read(f.path, MaxFileBytes)
	if err != nil {
		if f.optional {
			l.log.Debug("default rule file not read", "file", f.path, "error", err)
			return nil
		}
		return fmt.Errorf("load rules: %w", err)
	}
	items, notes, left, err := parse(data, l.left)
	if err != nil {
		return fmt.Errorf("load rules: %s: %w", f.path, err)
	}
	l.left = left
	for i := range items {
		if err := l.apply(f.path, &items[i]); err != nil {
			notes = append(notes, note{items[i].line, items[i].name, err})
		}
	}
	l.warn(f.path, notes)
	return nil
}

// warn logs what was left out of a file.
func (l *loader) warn(file string, notes []note) {
	for i, n := range notes {
		if i == maxNotes {
			l.log.Warn("more of a rule file left out", "file", file, "count", len(notes)-maxNotes)
			return
		}
		l.log.Warn("part of a rule file left out", "file", file, "line", n.line, "rule", n.rule, "reason", n.err)
	}
}

// finish makes the Set.
func (l *loader) finish() *Set {
	s := &Set{rules: make([]Rule, len(l.ordered)), index: make(map[string]int, len(l.ordered))}
	p := prover{macros: make(map[string]string, len(l.macros))}
	for name, pieces := range l.macros {
		p.macros[name] = strings.Join(pieces, " ")
	}
	for i, d := range l.ordered {
		rule, notes := d.rule()
		l.warn(d.file, notes)
		rule.Proofs = p.proofs(rule.Condition)
		s.rules[i] = rule
		s.index[rule.Name] = i
	}
	return s
}
