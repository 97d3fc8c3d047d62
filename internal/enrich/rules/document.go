package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/falco-reporter/falco-reporter/internal/userfile"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// maxDepth bounds the nesting of a file. An exception's values, the deepest thing in a
	// rule, are at depth 8.
	maxDepth = 64
	// maxSeparators bounds how much structure a file has, and with it the memory that reading
	// it takes: 1.2 kB a separator for the worst of files, 600 MB. Rules have one separator
	// in 43 bytes: 16 MiB of them have 400,000.
	maxSeparators = 500_000
)

var (
	errNotText      = errors.New("not a text in UTF-8")
	errTooDense     = fmt.Errorf("has more than %d YAML separators", maxSeparators)
	errNotRules     = errors.New("not a YAML list of rules")
	errReaderFailed = errors.New("the YAML reader failed on it")
)

// documents are the YAML documents of a file, as syntax trees with aliases in place.
func documents(data []byte) (docs []*yaml.Node, err error) {
	if !utf8.Valid(data) {
		return nil, errNotText
	}
	if userfile.YAMLSeparators(data) > maxSeparators {
		return nil, errTooDense
	}
	// The library panics where it finds itself in a state it thought impossible.
	defer func() {
		if v := recover(); v != nil {
			docs, err = nil, fmt.Errorf("%w: %v", errReaderFailed, v)
		}
	}()
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth))
	reader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithV4Defaults(), yaml.WithPlugin(limits))
	if err != nil {
		return nil, err
	}
	for {
		doc := new(yaml.Node)
		if err := reader.Load(doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
}

// contents are the items of all documents of a file.
func contents(docs []*yaml.Node) ([]*yaml.Node, error) {
	var items []*yaml.Node
	for _, doc := range docs {
		if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
			continue
		}
		switch root := doc.Content[0]; {
		case isNull(root):
		case root.Kind == yaml.SequenceNode:
			items = append(items, root.Content...)
		default:
			return nil, fmt.Errorf("line %d: %w", root.Line, errNotRules)
		}
	}
	return items, nil
}

// follow is the node that an alias stands for, and any other node itself.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// isNull reports whether n is null, in any of its spellings.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}
