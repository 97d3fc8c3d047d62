package attack

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// errNotFlat says that a line is none of those that a file of descriptions is made of.
var errNotFlat = errors.New("want a comment, an empty line, \"ID: >-\", or a line of text after two spaces, all in printable ASCII")

// readDescriptions reads every file of descriptions of a directory. An id may stand in one
// file only, once, and with a text.
func readDescriptions(fsys fs.FS, dir string) (map[string]string, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list ATT&CK descriptions: %w", err)
	}
	all := make(map[string]string)
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read ATT&CK descriptions: %w", err)
		}
		if err := parseDescriptions(string(data), all); err != nil {
			return nil, fmt.Errorf("read ATT&CK descriptions %s: %w", name, err)
		}
	}
	return all, nil
}

// parseDescriptions adds the descriptions of one file to all. The files are YAML, but only
// maps from id to a folded text ("ID: >-"): a YAML library would take a third of the time in
// which ATT&CK loads. What is outside of that is an error, and a test holds the result
// against the library.
func parseDescriptions(file string, all map[string]string) error {
	p := descriptionParser{all: all}
	n := 0
	for line := range strings.Lines(file) {
		n++
		if err := p.line(strings.TrimSuffix(line, "\n")); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return p.end()
}

// descriptionParser reads descriptions line by line.
type descriptionParser struct {
	all  map[string]string
	id   string   // whose text is being read, empty between texts
	text []string // its lines so far
}

// line reads one line.
func (p *descriptionParser) line(line string) error {
	key, isKey := strings.CutSuffix(line, ": >-")
	switch {
	case isKey && isID(key):
		if err := p.end(); err != nil {
			return err
		}
		p.id = key
		return nil
	case isText(line) && p.id != "":
		p.text = append(p.text, line[len(textIndent):])
		return nil
	case line == "" || line[0] == '#' && isPrintable(line):
		return p.end()
	default:
		return errNotFlat
	}
}

// end ends the text that is being read, if any.
func (p *descriptionParser) end() error {
	if p.id == "" {
		return nil
	}
	if len(p.text) == 0 {
		return fmt.Errorf("%s has no text", p.id)
	}
	if _, ok := p.all[p.id]; ok {
		return fmt.Errorf("%s is described twice", p.id)
	}
	p.all[p.id] = strings.Join(p.text, " ")
	p.id, p.text = "", p.text[:0]
	return nil
}

// textIndent is what a line of text begins with.
const textIndent = "  "

// isText is whether a line is one of a text, which nothing but a space can be folded into.
func isText(line string) bool {
	return strings.HasPrefix(line, textIndent) && len(line) > len(textIndent) && line[len(textIndent)] != ' ' &&
		!strings.HasSuffix(line, " ") && isPrintable(line)
}

// isID is whether a key can be an id of ATT&CK.
func isID(key string) bool {
	_, rest, ok := cutID(key)
	return ok && rest == ""
}

// isPrintable is whether s is printable ASCII.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
