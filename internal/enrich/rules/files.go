package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// maxFiles bounds how many files the paths may lead to.
const maxFiles = 4096

// DefaultPaths are the rule files that Falco reads when it is not told otherwise.
func DefaultPaths() []string {
	return []string{"/etc/falco/falco_rules.yaml", "/etc/falco/falco_rules.local.yaml", "/etc/falco/rules.d"}
}

// located is a rule file that the paths lead to.
type located struct {
	path string
	// optional is whether it is one of DefaultPaths or lies in one.
	optional bool
}

// locate finds the files, in the order in which they are applied. A path that is no directory
// counts as a file, whether or not there is one.
func locate(paths []string) ([]located, []error) {
	var files []located
	var errs []error
	for _, p := range paths {
		optional := slices.Contains(DefaultPaths(), p)
		info, err := os.Stat(p)
		if err != nil || !info.IsDir() {
			files = append(files, located{p, optional})
			continue
		}
		names, err := ruleFiles(p)
		switch {
		case err != nil && optional:
			files = append(files, located{p, true}) // reading it says why
		case err != nil:
			errs = append(errs, fmt.Errorf("load rules: %w", err))
		}
		for _, name := range names {
			files = append(files, located{name, optional})
		}
	}
	if len(files) > maxFiles {
		errs = append(errs, fmt.Errorf("load rules: the paths lead to %d files; only the first %d are read", len(files), maxFiles))
		files = files[:maxFiles]
	}
	return files, errs
}

// ruleFiles are the rule files right in a directory, in lexical order. Links are followed: a
// Kubernetes ConfigMap is a directory of links.
func ruleFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" {
			continue
		}
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names, err
}
