// Package rules reads Falco's rule files, so that a report can show what the rule behind an
// alert says: its description, condition, maturity and file, for the upstream rules and for
// the user's own.
//
// [Load] applies the files in their order as Falco 0.38 to 0.43 does: a later rule of the same
// name replaces the earlier one, append and override change it. Conditions are shown as written and
// never expanded: lists are passed over, and macros are read only for what a condition proves of
// the events that match it ([Rule.Proofs]). Falco refuses a whole file
// for one bad item; Load leaves out the item, says where it stands, and goes on. Keys and items
// that it does not know, of a newer Falco, are ignored. Merge keys (<<) are among them: Falco's
// own YAML reader has none.
//
// [Watcher] loads again when the files change, by looking at them every few seconds. The
// package starts no goroutine: whoever calls [Watcher.Run] owns it.
//
// What is read is bounded: [MaxFileBytes] and half a million YAML separators a file,
// [MaxRules] rules, and 64 MiB of text and structure for all files of one load, where what an
// alias repeats counts again. A file that goes beyond is left out with an error, and the others
// are loaded.
package rules

import (
	"iter"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Rule is one rule after all files were applied. Its slices must not be changed.
type Rule struct {
	// Name is the name as in alerts, never empty.
	Name string
	// Description is the rule's own sentence, without white space around it.
	Description string
	// Condition is the condition as written, on one line: white space outside of quotes is
	// one space. Macros and lists stand in it by name.
	Condition string
	// Output is the output format, without white space around it.
	Output string
	// Priority is never PriorityUnknown.
	Priority alert.Priority
	// Source is the event source; syscall where the file says nothing.
	Source string
	// Tags are the tags in the order of the files, each once.
	Tags []string
	// Maturity is stable, incubating, sandbox or deprecated, from the first tag such as
	// maturity_stable; empty without one.
	Maturity string
	// Enabled is what the files say; Falco's configuration can enable and disable as well.
	Enabled bool
	// File is the file that defined the rule, as the path given leads to it, and Line the line
	// in it, from 1.
	File string
	Line int
	// ChangedBy are the other files that changed it since, in their order, each once.
	ChangedBy []string
	// Exceptions are the exceptions in their order. Falco does not ask that their names differ.
	Exceptions []Exception
	// Proofs are what the condition proves of an event that matches, by system call; nil for
	// nothing.
	Proofs map[string]Proof
}

// Exception is a named exception of a rule: what matches one of Values is no match of the rule.
type Exception struct {
	// Name is the name by which other files append values to it.
	Name string
	// Fields are the fields that are compared, at least one.
	Fields []string
	// Comps are the operators, one for each field.
	Comps []string
	// Single is true where the file gives fields as one text and not as a list. Values to be
	// appended are then written as a plain list, and otherwise as a list of lists.
	Single bool
	// Values are the rows. A row has a Value for each field and holds when all of its
	// comparisons hold. A Single exception has at most one row: all that its field may be.
	Values [][]Value
}

// Value is what one field is compared with: a text or a list of them.
type Value struct {
	// Text is the text; empty for a list.
	Text string
	// List is the list; nil for a text.
	List []string
}

// Set is what a load found. It is immutable and may be used concurrently. The zero Set is
// empty.
type Set struct {
	rules []Rule
	index map[string]int
}

// Rule returns the rule with exactly this name.
func (s *Set) Rule(name string) (Rule, bool) {
	i, ok := s.index[name]
	if !ok {
		return Rule{}, false
	}
	return s.rules[i], true
}

// Names are the names of all rules, in the order in which they were first defined.
func (s *Set) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range s.rules {
			if !yield(s.rules[i].Name) {
				return
			}
		}
	}
}

// Len is the number of rules.
func (s *Set) Len() int { return len(s.rules) }
