package falcoconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

const (
	// maxFileBytes bounds a file. Falco's own falco.yaml has 60 kB.
	maxFileBytes = 1 << 20
	// maxFiles bounds how many files a configuration has.
	maxFiles = 1000
	// maxDepth bounds the nesting. append_output is at depth 5, settings of plugins below 10.
	maxDepth = 64
	// maxSeparators bounds how much structure a file has, and with it the memory to read it:
	// about 1.2 kB a separator, 60 MB. Falco's own falco.yaml has 2,500 with its comments.
	maxSeparators = 50_000
)

var (
	errNotText  = errors.New("not a text in UTF-8")
	errTooDense = fmt.Errorf("has more than %d YAML separators", maxSeparators)
)

// readFile reads the file that Falco has at the path. What is no file would block or never
// end.
func (o Options) readFile(path string) ([]byte, error) {
	if data, ok := o.virtual[path]; ok {
		return data, nil
	}
	return userfile.Read(o.at(path), maxFileBytes)
}

// at is where we find what Falco has at the path. A relative path is relative to the directory
// that Falco runs in, which under systemd is the root.
func (o Options) at(path string) string {
	if o.Root == "" {
		if filepath.IsAbs(path) {
			return path
		}
		return "/" + path
	}
	return filepath.Join(o.Root, path)
}

// Path is where we find what Falco has at the path.
func (o Options) Path(path string) string { return o.at(path) }

// virtualDir reports whether a virtual file lies in the directory.
func (o Options) virtualDir(dir string) bool {
	for path := range o.virtual {
		if filepath.Dir(path) == filepath.Clean(dir) {
			return true
		}
	}
	return false
}

// files are the regular files of a directory, as Falco takes them: all of them, links
// followed, in the order of their names.
func (o Options) files(dir string) ([]string, error) {
	var out []string
	for path := range o.virtual {
		if filepath.Dir(path) == filepath.Clean(dir) {
			out = append(out, path)
		}
	}
	entries, err := os.ReadDir(o.at(dir))
	if err != nil && (len(out) == 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(o.at(path))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to nowhere
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

// parse is the root of the first YAML document, nil for one without content: Falco reads no
// further document.
func parse(data []byte) (root *yaml.Node, err error) {
	if !utf8.Valid(data) {
		return nil, errNotText
	}
	if userfile.YAMLSeparators(data) > maxSeparators {
		return nil, errTooDense
	}
	// The library panics where it finds itself in a state it thought impossible.
	defer func() {
		if v := recover(); v != nil {
			root, err = nil, fmt.Errorf("the YAML reader failed on it: %v", v)
		}
	}()
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth))
	reader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithV4Defaults(), yaml.WithPlugin(limits))
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := reader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil, nil
	}
	return doc.Content[0], nil
}
