package falcoconf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Strategies of merging.
const (
	strategyAppend   = "append"
	strategyOverride = "override"
	strategyAddOnly  = "add-only"
)

// configFiles is the key that names further files.
const configFiles = "config_files"

// Read reads falco.yaml at the path and what it includes. An error is one that keeps Falco
// from starting, or us from reading what Falco, as root, can read: fs.ErrNotExist and
// fs.ErrPermission are among them.
func Read(path string, o Options) (*Config, error) {
	c := &Config{opts: o, main: path, sections: make(map[string]*section)}
	root, err := c.load(path)
	if err != nil {
		return nil, err
	}
	c.Files = append(c.Files, File{Path: path})
	if root == nil {
		c.warn("%s has no content", Show(path))
		return c, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: line %d: not a YAML mapping: Falco cannot start with it", path, root.Line)
	}
	// Falco looks a key up in the first file: of a key that stands there twice, the first counts.
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := follow(root.Content[i]), follow(root.Content[i+1])
		place := Place{path, root.Content[i].Line}
		if first := c.sections[key.Value]; first != nil {
			c.warn("%s: %q stands in lines %d and %d: Falco takes the first", Show(path), Show(key.Value), first.place.Line, place.Line)
			continue
		}
		c.sections[key.Value] = newSection(value, place)
	}
	if err := c.includeAll(path); err != nil {
		return nil, err
	}
	return c, nil
}

// Stock is the configuration that Falco of the version comes with, for where there is none to
// be read. Root's config.d is read all the same, if there is one.
func Stock(path string, o Options) (*Config, error) {
	o.virtual = map[string][]byte{path: stockFile(o.Version)}
	c, err := Read(path, o)
	if err != nil {
		return nil, err
	}
	c.assumed = true
	for _, s := range c.sections {
		if s.place.File == path {
			s.place.Line = 0 // it is in no line that anybody could look up
		}
	}
	return c, nil
}

// stockFile is what counts here of the falco.yaml that Falco comes with.
func stockFile(v Version) []byte {
	text := "json_output: false\nstdout_output:\n  enabled: true\nsyslog_output:\n  enabled: true\n" +
		"file_output:\n  enabled: false\n  keep_alive: false\n  filename: ./events.txt\n" +
		"http_output:\n  enabled: false\n  url: \"\"\n" +
		"rules_files:\n  - /etc/falco/falco_rules.yaml\n  - /etc/falco/falco_rules.local.yaml\n  - /etc/falco/rules.d\n"
	if v.AtLeast(sinceConfigFiles) {
		text += "config_files:\n  - " + dropInDir + "\n"
	}
	if v.AtLeast(sinceSuggestedOutput) {
		text += "append_output:\n  - suggested_output: true\n"
	}
	if v.HasGRPC() {
		text += "grpc:\n  enabled: false\n  bind_address: \"" + DefaultSocket + "\"\n  threadiness: 0\ngrpc_output:\n  enabled: false\n"
	}
	return []byte(text)
}

// With is the configuration as it would be with one more file.
func (c *Config) With(path string, content []byte) (*Config, error) {
	o := c.opts
	o.virtual = maps.Clone(o.virtual)
	if o.virtual == nil {
		o.virtual = make(map[string][]byte)
	}
	o.virtual[path] = content
	return Read(c.main, o)
}

// load reads and parses a file.
func (c *Config) load(path string) (*yaml.Node, error) {
	data, err := c.opts.readFile(path)
	if err != nil {
		if _, named := errors.AsType[*os.PathError](err); named {
			return nil, fmt.Errorf("read Falco's configuration: %w", err) // it says which file
		}
		return nil, fmt.Errorf("read Falco's configuration: %s: %w", path, err)
	}
	root, err := parse(data)
	if err != nil {
		// The reader may quote what it read.
		return nil, fmt.Errorf("read Falco's configuration: %s: %s", path, Show(err.Error()))
	}
	return root, nil
}

// newSection is a section from one file.
func newSection(value *yaml.Node, place Place) *section {
	if value.Kind != yaml.SequenceNode {
		return &section{place: place, value: value}
	}
	s := &section{place: place, list: true}
	for _, n := range value.Content {
		s.items = append(s.items, item{Place{place.File, n.Line}, n})
	}
	return s
}

// includeAll merges what config_files names.
func (c *Config) includeAll(main string) error {
	s := c.sections[configFiles]
	if s == nil {
		return nil
	}
	if !c.opts.Version.AtLeast(sinceConfigFiles) {
		c.warn("%s has config_files, which Falco %s does not know", Show(main), c.opts.Version)
		return nil
	}
	items := s.items
	if !s.list {
		items = []item{{s.place, s.value}} // Falco takes a single value as a list of one
	}
	for _, it := range items {
		inc, ok := c.entry(it)
		if !ok {
			continue
		}
		if inc.path == main {
			return fmt.Errorf("%s: line %d: config_files names %s itself: Falco cannot start with it", main, it.place.Line, main)
		}
		files, err := c.expand(&inc)
		if err != nil {
			return fmt.Errorf("read Falco's configuration: %w", err)
		}
		c.includes = append(c.includes, inc)
		for _, file := range files {
			if err := c.include(file, inc.strategy); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry reads an entry of config_files.
func (c *Config) entry(it item) (include, bool) {
	n := follow(it.node)
	inc := include{strategy: strategyAppend}
	if !c.opts.Version.AtLeast(sinceStrategies) {
		inc.strategy = strategyOverride
	}
	switch {
	case n.Kind == yaml.ScalarNode && !isNull(n):
		inc.path = n.Value
	case n.Kind == yaml.MappingNode && c.opts.Version.AtLeast(sinceStrategies):
		if p := member(n, "path"); p != nil {
			inc.path = p.Value
		}
		if s := member(n, "strategy"); s != nil {
			switch s.Value {
			case strategyOverride, strategyAddOnly:
				inc.strategy = s.Value
			case strategyAppend:
			default:
				c.warn("%s: line %d: Falco knows no strategy %q and appends", Show(it.place.File), it.place.Line, Show(s.Value))
			}
		}
	default:
	}
	if inc.path == "" {
		c.warn("%s: line %d: an entry of config_files that Falco %s does not understand", Show(it.place.File), it.place.Line, c.opts.Version)
	}
	return inc, inc.path != ""
}

// expand is the files of an entry of config_files. What is not there is skipped, as Falco
// does.
func (c *Config) expand(inc *include) ([]string, error) {
	info, err := os.Stat(c.opts.at(inc.path))
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.opts.virtualDir(inc.path):
		inc.there, inc.dir = true, true
		return c.opts.files(inc.path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	inc.there, inc.dir = true, info.IsDir()
	if !inc.dir {
		return []string{inc.path}, nil
	}
	return c.opts.files(inc.path)
}

// include merges one file.
func (c *Config) include(path, strategy string) error {
	if len(c.Files) >= maxFiles {
		return fmt.Errorf("read Falco's configuration: more than %d files", maxFiles)
	}
	c.Files = append(c.Files, File{Path: path, Strategy: strategy})
	root, err := c.load(path)
	if err != nil {
		return err
	}
	if !isYAML(path) {
		c.warn("%s: Falco reads every file there, this one too, whatever it is called", Show(path))
	}
	return c.mergeRoot(path, strategy, root)
}

// isYAML reports whether a file is called as one of YAML.
func isYAML(path string) bool {
	ext := filepath.Ext(path)
	return ext == ".yaml" || ext == ".yml"
}

// mergeRoot merges the content of a file.
func (c *Config) mergeRoot(path, strategy string, root *yaml.Node) error {
	if root == nil {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: line %d: not a YAML mapping: Falco cannot start with it", path, root.Line)
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := follow(root.Content[i]), follow(root.Content[i+1])
		place := Place{path, root.Content[i].Line}
		if key.Value == configFiles {
			return fmt.Errorf("%s: line %d: config_files in an included file: Falco cannot start with it", path, place.Line)
		}
		if first := seen[key.Value]; first > 0 {
			c.warn("%s: %q stands in lines %d and %d", Show(path), Show(key.Value), first, place.Line)
		}
		seen[key.Value] = place.Line
		if err := c.merge(key.Value, newSection(value, place), strategy); err != nil {
			return err
		}
	}
	return nil
}

// merge merges one top-level key of an included file.
func (c *Config) merge(key string, s *section, strategy string) error {
	old := c.sections[key]
	switch {
	case old == nil:
		c.sections[key] = s
	case strategy == strategyAddOnly:
	case strategy == strategyAppend && s.list && old.list:
		c.sections[key] = &section{place: old.place, list: true, items: append(slices.Clip(old.items), s.items...)}
	case strategy == strategyAppend && s.list && isNull(old.value):
		c.sections[key] = s
	case strategy == strategyAppend && s.list:
		return fmt.Errorf("%s: line %d: a list %q, which %s has as something else: Falco cannot start with it", s.place.File, s.place.Line, key, old.place.File)
	default:
		c.sections[key] = s
	}
	return nil
}

// warn notes something that is probably not meant.
func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}
