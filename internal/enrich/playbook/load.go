package playbook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

// MaxFileBytes is the most that one playbook file may take in [Load].
const MaxFileBytes = 4 << 20

// Load returns the embedded playbooks with those of the paths: files, and directories for
// their files that end in .yaml or .yml, not below. The playbooks of a later path replace
// those of an earlier one for the same thing; two in one path are an error. With an error,
// which joins what is wrong with each file, there is no Library.
func Load(paths []string) (*Library, error) {
	l, err := Embedded()
	if err != nil {
		return nil, err
	}
	return l.load(paths)
}

// load puts the playbooks of the paths above those of l.
func (l *Library) load(paths []string) (*Library, error) {
	var errs []error
	for _, p := range paths {
		layer := &Library{byKey: make(map[string]*Playbook)}
		files, err := locate(p)
		errs = append(errs, err)
		for _, f := range files {
			errs = append(errs, layer.addFile(f))
		}
		l = l.under(layer)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("load playbooks: %w", err)
	}
	return l, nil
}

// addFile adds the playbooks of one file.
func (l *Library) addFile(name string) error {
	data, err := userfile.Read(name, MaxFileBytes)
	if err != nil {
		return err
	}
	if err := l.add(Parse(data)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// locate finds the files that a path leads to. What is no directory counts as a file, whether
// or not there is one. Links are followed: a Kubernetes ConfigMap is a directory of links.
func locate(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	var files []string
	for _, e := range entries {
		file := filepath.Join(name, e.Name())
		if info, err := os.Stat(file); isPlaybookFile(file) && (err != nil || !info.IsDir()) {
			files = append(files, file)
		}
	}
	return files, err
}
