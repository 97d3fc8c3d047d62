package playbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"
)

// wholeText is what to do about a placeholder within a text.
const wholeText = "a value is a whole text with its own quotes; let it stand alone as a value, without quotes of yours"

// checkYAML wants each span to be a scalar by itself; for Falco it may also be a value in a
// condition.
func checkYAML(text string, spans []span, falco bool) error {
	found := scalars{falco: falco}
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("with a value such as %q in the place of its first placeholder, it is no YAML (a long text needs a block of its own: >-): %w", spans[0].value, err)
		}
		found.add(&doc)
	}
	for _, s := range spans {
		written := text[s.start:s.end]
		if found.has(s.value) || found.condition(written) {
			continue
		}
		return s.error("within a text, a comment or a name", wholeText)
	}
	return nil
}

// scalars are the texts of YAML documents.
type scalars struct {
	falco      bool
	whole      []string // each by itself
	conditions []string // of Falco's rules and macros
}

// add collects what a node holds.
func (s *scalars) add(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		s.whole = append(s.whole, n.Value)
	}
	for i, c := range n.Content {
		if s.falco && n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "condition" {
			s.conditions = append(s.conditions, c.Value)
		}
		s.add(c)
	}
}

// has reports whether a value is a scalar, exactly once.
func (s *scalars) has(value string) bool {
	n := 0
	for _, w := range s.whole {
		if w == value {
			n++
		}
	}
	return n == 1
}

// word is a piece of a condition of Falco: between quotes, bare, or anything else.
var word = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'(),=!<>]+|.`)

// condition reports whether a value, as it was written, stands in a condition as a word of it.
func (s *scalars) condition(written string) bool {
	for _, c := range s.conditions {
		for _, at := range word.FindAllStringIndex(c, -1) {
			if c[at[0]:at[1]] == written && delimits(c[:at[0]], len(c[:at[0]])-1) && delimits(c, at[1]) {
				return true
			}
		}
	}
	return false
}

// delimits reports whether a condition has, at the byte i, what can stand beside a value.
func delimits(c string, i int) bool {
	return i < 0 || i >= len(c) || strings.IndexByte(" \t\r\n(),=<>", c[i]) >= 0
}

// checkJSON wants each span to be a value by itself. A name would be no name where the value is a number.
func checkJSON(text string, spans []span) error {
	found := make(map[string]bool)
	dec := jsontext.NewDecoder(bytes.NewReader([]byte(text)))
	for {
		token, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("with a value such as %q in the place of its first placeholder, it is no JSON; let placeholders stand alone, without quotes of yours: %w", spans[0].value, err)
		}
		if k := token.Kind(); k == '"' || k == '0' {
			found[token.String()] = true
		}
	}
	for _, s := range spans {
		if !found[s.value] {
			return s.error("within a text", wholeText)
		}
	}
	return nil
}

// setting is the beginning of a line of a configuration file up to a value.
var setting = regexp.MustCompile(`^\s*[^\s=#;\[][^\s=]*(\s*=|\s)`)

// checkSettings wants each span to stand in a setting's value. There it needs no quotes, since
// only plain words are written.
func checkSettings(text string, spans []span) error {
	for _, s := range spans {
		begin := strings.LastIndexByte(text[:s.start], '\n') + 1
		if !setting.MatchString(text[begin:s.start]) {
			return s.error("in a comment, a section or a name", "put it into the value of a setting")
		}
	}
	return nil
}
