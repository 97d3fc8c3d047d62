// Package falcoconf reads a Falco configuration as Falco does, and writes the drop-in that
// makes Falco tell falco-reporter more.
//
// Falco reads falco.yaml and then, from 0.38 on, what its config_files names: files, and all
// files of directories in the order of their names, whatever they are called. Only top-level
// keys are merged, whole: a section in a later file replaces the section of an earlier one,
// with every member that it does not repeat. Lists too are replaced up to Falco 0.40; from 0.41
// on the strategy of the config_files entry says whether they are appended (the default),
// replaced (override), or left (add-only, which leaves everything that is there).
//
// [Read] never changes anything, [Config.Plan] only computes; nothing here starts a goroutine.
// Files are bounded in size and structure. A Config may be used concurrently.
package falcoconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Options say how to read a configuration.
type Options struct {
	// Version is that of the Falco that the configuration is for.
	Version Version
	// Root is where that Falco's root directory is, for one on a mounted disk; empty is ours.
	// All paths of a Config are as Falco has them, without it.
	Root string

	virtual map[string][]byte // files that are there instead of, or besides, those on disk
}

// Config is what Falco makes of its files.
type Config struct {
	// Files are those that were read, in their order. The first is falco.yaml.
	Files []File
	// Warnings are what is probably not meant as it is written, one sentence each.
	Warnings []string

	opts     Options
	main     string // the path of falco.yaml
	assumed  bool   // nothing was read: it is the configuration that Falco comes with
	sections map[string]*section
	includes []include
}

// File is a file of the configuration.
type File struct {
	// Path is where Falco finds it.
	Path string
	// Strategy is how it is merged: append, override or add-only; empty for the first.
	Strategy string
}

// Place is where something was set.
type Place struct {
	// File is the path, as Falco has it; Line counts from 1, and is 0 where it is not known.
	File string
	Line int
}

// section is one top-level key after merging.
type section struct {
	place Place      // of what counts, or of a list's first part
	value *yaml.Node // the items of a list are in items instead
	items []item
	list  bool
}

// item is one entry of a list, and where it was set.
type item struct {
	place Place
	node  *yaml.Node
}

// include is an entry of config_files.
type include struct {
	path, strategy string
	dir, there     bool
}

// Assumed reports whether nothing was read, and the Config is the one that Falco comes with.
func (c *Config) Assumed() bool { return c.assumed }

// Version is that of the Falco that the configuration was read for.
func (c *Config) Version() Version { return c.opts.Version }

// Defined reports whether a top-level key is set, and where.
func (c *Config) Defined(key string) (Place, bool) {
	s := c.sections[key]
	if s == nil {
		return Place{}, false
	}
	return s.place, true
}

// JSON reports whether outputs get JSON, and what it depends on if that cannot be known.
func (c *Config) JSON() (on bool, depends string) { return c.flag("json_output", false) }

// LeftOutOfJSON are the keys that are off and leave out of JSON what reports are made of.
func (c *Config) LeftOutOfJSON() []string {
	var off []string
	for _, key := range []string{"json_include_output_property", "json_include_output_fields_property", "json_include_tags_property"} {
		if on, _ := c.flag(key, true); !on {
			off = append(off, key)
		}
	}
	return off
}

// RuleFiles are the rule files and directories, as they are set.
func (c *Config) RuleFiles() []string {
	out := c.texts("rules_files")
	if out == nil {
		out = c.texts("rules_file")
	}
	return out
}

// WatchesFiles reports whether Falco loads the configuration again when a file changes.
func (c *Config) WatchesFiles() bool {
	on, _ := c.flag("watch_config_files", true)
	return on
}

// Engine is how Falco gets events: modern_ebpf, kmod, ... It is empty where that is not set.
func (c *Config) Engine() string { return c.member("engine", "kind") }

// The units of Falco's packages.
const (
	modernUnit = "falco-modern-bpf.service"
	kmodUnit   = "falco-kmod.service"
	bpfUnit    = "falco-bpf.service"
	customUnit = "falco-custom.service"
)

// Unit is the systemd unit of Falco: the enabled one, which falco.service is an alias of, or
// else that which Falco's package has for the engine.
func (c *Config) Unit() string {
	if to, err := os.Readlink(c.opts.at("/etc/systemd/system/falco.service")); err == nil {
		switch unit := filepath.Base(to); unit {
		case modernUnit, kmodUnit, bpfUnit, customUnit:
			return unit
		default: // somebody's own, of whatever name
		}
	}
	switch c.Engine() {
	case "kmod":
		return kmodUnit
	case "ebpf":
		return bpfUnit
	case "modern_ebpf", "":
		return modernUnit
	default:
		return customUnit
	}
}

// HasContainerFields reports whether rules can use container.* and k8s.*.
func (c *Config) HasContainerFields() bool {
	if !c.opts.Version.AtLeast(sinceContainerPlugin) || c.assumed {
		return true
	}
	if _, ok := c.sections["load_plugins"]; ok {
		return slices.Contains(c.texts("load_plugins"), "container")
	}
	if s := c.sections["plugins"]; s != nil {
		for _, it := range s.items {
			if n := member(it.node, "name"); n != nil && n.Value == "container" {
				return true
			}
		}
	}
	return false
}

// texts are the scalars of a list.
func (c *Config) texts(key string) []string {
	s := c.sections[key]
	if s == nil {
		return nil
	}
	if !s.list {
		if n := follow(s.value); n.Kind == yaml.ScalarNode && !isNull(n) {
			return []string{n.Value}
		}
		return nil
	}
	out := []string{}
	for _, it := range s.items {
		if n := follow(it.node); n.Kind == yaml.ScalarNode {
			out = append(out, n.Value)
		}
	}
	return out
}

// flag reads a top-level truth value.
func (c *Config) flag(key string, def bool) (on bool, depends string) {
	s := c.sections[key]
	if s == nil || s.list {
		return def, ""
	}
	return truth(s.value, def)
}

// member is the scalar at key.name, or empty.
func (c *Config) member(key, name string) string {
	s := c.sections[key]
	if s == nil || s.list {
		return ""
	}
	if n := member(s.value, name); n != nil && n.Kind == yaml.ScalarNode && !isNull(n) {
		return n.Value
	}
	return ""
}

// member is the value of a mapping's key. Of a key that stands there twice, the first counts,
// as in Falco's YAML reader.
func member(n *yaml.Node, key string) *yaml.Node {
	if n = follow(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if follow(n.Content[i]).Value == key {
			return follow(n.Content[i+1])
		}
	}
	return nil
}

// truth reads a truth value as yaml-cpp does: in quotes too, and def for anything else. With
// an environment variable of Falco's in it the value cannot be known; depends then is the
// text.
func truth(n *yaml.Node, def bool) (on bool, depends string) {
	if n = follow(n); n == nil || n.Kind != yaml.ScalarNode {
		return def, ""
	}
	if strings.Contains(n.Value, "${") {
		return def, n.Value
	}
	s := n.Value
	// Falco's reader takes yes, YES and Yes, and no other mixture.
	if s != strings.ToLower(s) && s != strings.ToUpper(s) && s != strings.ToUpper(s[:1])+strings.ToLower(s[1:]) {
		return def, ""
	}
	switch strings.ToLower(s) {
	case "y", "yes", "true", "on":
		return true, ""
	case "n", "no", "false", "off":
		return false, ""
	default:
		return def, ""
	}
}

// follow is the node that an alias stands for, and any other node itself.
func follow(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// isNull reports whether n is null, in any of its spellings.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
