package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// maxFiles bounds how many files the paths may lead to.
const maxFiles = 4096

// DefaultPaths are the rule files that Falco reads when it is not told otherwise.
func DefaultPaths() []string {
	return []string{"/etc/falco/falco_rules.yaml", "/etc/falco/falco_rules.local.yaml", "/etc/falco/rules.d"}
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = fmt.Errorf("larger than %d MiB", MaxFileBytes>>20)
)

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

// open opens the file and describes it. Only a regular file opens, and a pipe in its place
// does not block.
func (f located) open() (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: f.path, Err: errNotRegular}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, nil, err
	}
	return file, info, nil
}

// read returns the bytes of the file.
func (f located) read() ([]byte, error) {
	file, _, err := f.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileBytes {
		return nil, &fs.PathError{Op: "read", Path: f.path, Err: errTooLarge}
	}
	return data, nil
}
