package rules

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

var (
	errTooMuch   = errors.New("with it the rule files hold more than may be read, what aliases repeat included")
	errNotScalar = errors.New("is not a text")
	errEmpty     = errors.New("is empty")
	errNotList   = errors.New("is not a list")
)

// reader reads values out of syntax trees. Everything it touches is paid for, since aliases
// make a tree of any size out of a short file.
type reader struct {
	left int
}

// pay takes n bytes from what may still be read.
func (r *reader) pay(n int) error {
	if n > r.left {
		return errTooMuch
	}
	r.left -= n
	return nil
}

// members are the entries of a mapping, aliases followed. Of a doubled key the first counts,
// as in Falco.
type members map[string]*yaml.Node

// members reads a mapping.
func (r *reader) members(n *yaml.Node) (members, error) {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		return nil, errNotMapping
	}
	if err := r.pay(nodeCost * len(n.Content)); err != nil {
		return nil, err
	}
	m := make(members, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := follow(n.Content[i])
		if key.Kind != yaml.ScalarNode || m[key.Value] != nil {
			continue
		}
		m[key.Value] = follow(n.Content[i+1])
	}
	return m, nil
}

// elements are the elements of a list, aliases followed.
func (r *reader) elements(n *yaml.Node) ([]*yaml.Node, error) {
	n = follow(n)
	if n.Kind != yaml.SequenceNode {
		return nil, errNotList
	}
	if err := r.pay(nodeCost * len(n.Content)); err != nil {
		return nil, err
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = follow(c)
	}
	return out, nil
}

// scalar is the text of a scalar; null has none.
func (r *reader) scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", errNotScalar
	}
	if isNull(n) {
		return "", nil
	}
	return n.Value, r.pay(len(n.Value))
}

// text is the text of a key, which must not be empty.
func (r *reader) text(keys members, key string) (string, error) {
	n := keys[key]
	if n == nil {
		return "", fmt.Errorf("has no %s", key)
	}
	s, err := r.scalar(n)
	if err == nil && s == "" {
		err = errEmpty
	}
	if err != nil {
		return "", fmt.Errorf("%s %w", clip(key), err)
	}
	return s, nil
}

// optional is text as a pointer.
func (r *reader) optional(keys members, key string) (*string, error) {
	s, err := r.text(keys, key)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// texts is a list of texts; null is an empty one.
func (r *reader) texts(n *yaml.Node) ([]string, error) {
	if isNull(n) {
		return nil, nil
	}
	nodes, err := r.elements(n)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(nodes))
	for i, e := range nodes {
		if out[i], err = r.scalar(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// flag is a truth value in one of the spellings of Falco's YAML reader; nil where the key is
// not there.
func (r *reader) flag(keys members, key string) (*bool, error) {
	if keys[key] == nil {
		return nil, nil
	}
	s, err := r.text(keys, key)
	if err != nil {
		return nil, err
	}
	var v bool
	switch {
	case isWord(s, "true", "yes", "on", "y"):
		v = true
	case isWord(s, "false", "no", "off", "n"):
	default:
		return nil, fmt.Errorf("%s is neither true nor false: %q", key, clip(s))
	}
	return &v, nil
}

// isWord reports whether s is one of the words: in lower case, upper case, or with the first
// letter in upper case.
func isWord(s string, words ...string) bool {
	for _, w := range words {
		if s == w || s == strings.ToUpper(w) || s == strings.ToUpper(w[:1])+w[1:] {
			return true
		}
	}
	return false
}

// clip cuts a text for a log line.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
