package falcoconf

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

const appendOutput = "append_output"

// systemCalls is the name of Falco's source of system calls.
const systemCalls = "syscall"

// maxCopied bounds how many nodes are copied out of append_output: aliases can make a small
// file large.
const maxCopied = 10_000

// AppendedFields are the fields that append_output gives to every alert of a system call.
func (c *Config) AppendedFields() map[string]bool {
	out := make(map[string]bool)
	s := c.sections[appendOutput]
	if s == nil || !c.opts.Version.HasAppendOutput() {
		return out
	}
	for _, it := range s.items {
		if !matchesAll(it.node) {
			continue
		}
		fields := member(it.node, "extra_fields")
		if fields == nil || fields.Kind != yaml.SequenceNode {
			continue
		}
		for _, f := range fields.Content {
			switch f = follow(f); {
			case f.Kind == yaml.ScalarNode:
				out[f.Value] = true
			case f.Kind == yaml.MappingNode && len(f.Content) == 2:
				out[follow(f.Content[0]).Value] = true // a name of its own: a field of the same name is in the way
			default:
			}
		}
	}
	return out
}

// matchesAll reports whether an entry of append_output is for all rules of system calls.
func matchesAll(entry *yaml.Node) bool {
	match := member(entry, "match")
	if match == nil {
		return true
	}
	if source := member(match, "source"); source != nil && source.Value != "" && source.Value != systemCalls {
		return false
	}
	if rule := member(match, "rule"); rule != nil && rule.Value != "" {
		return false
	}
	tags := member(match, "tags")
	return tags == nil || len(tags.Content) == 0
}

// missingFields are those of the set that Falco knows and alerts do not get yet.
func (c *Config) missingFields(set FieldSet) ([]string, error) {
	list, err := Fields()
	if err != nil {
		return nil, err
	}
	have := c.AppendedFields()
	var out []string
	for _, text := range set.List() {
		f, err := list.Find(text, c.opts.Version)
		if err != nil {
			return nil, err
		}
		if !have[text] && (!f.Container || c.HasContainerFields()) {
			out = append(out, text)
		}
	}
	return out, nil
}

// appendEntry is the entry of append_output that adds the fields.
func appendEntry(fields []string) string {
	var b strings.Builder
	b.WriteString("  - match:\n      source: " + systemCalls + "\n    extra_fields:\n")
	for _, f := range fields {
		b.WriteString("      - " + f + "\n")
	}
	return b.String()
}

// existingEntries are the entries of append_output that are there, written anew.
func (c *Config) existingEntries() (string, error) {
	s := c.sections[appendOutput]
	if s == nil {
		return "", nil
	}
	left := maxCopied
	var b strings.Builder
	for _, it := range s.items {
		n, err := clone(it.node, &left)
		if err != nil {
			return "", fmt.Errorf("%s: line %d: append_output: %w", it.place.File, it.place.Line, err)
		}
		text, err := yaml.Dump([]*yaml.Node{n}, yaml.WithV4Defaults())
		if err != nil {
			return "", fmt.Errorf("%s: line %d: append_output: %w", it.place.File, it.place.Line, err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.TrimSpace(line) != "" {
				b.WriteString("  ")
			}
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

var errTooManyNodes = errors.New("has too many parts to be repeated")

// clone copies a node with its aliases in place, and without comments.
func clone(n *yaml.Node, left *int) (*yaml.Node, error) {
	n = follow(n)
	if *left--; *left < 0 {
		return nil, errTooManyNodes
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value}
	for _, child := range n.Content {
		copied, err := clone(child, left)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, copied)
	}
	return out, nil
}
