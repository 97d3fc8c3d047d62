package playbook

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MaxFileBytes is the most that one playbook file may take in [Load] and [ReadFile].
const MaxFileBytes = 4 << 20

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = fmt.Errorf("larger than %d MiB", MaxFileBytes>>20)
)

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
	data, err := ReadFile(name)
	if err != nil {
		return err
	}
	if err := l.add(data); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ReadFile reads a playbook file: a regular one of at most [MaxFileBytes].
func ReadFile(name string) ([]byte, error) {
	file, _, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileBytes {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errTooLarge}
	}
	return data, nil
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

// open opens a file and describes it. Only a regular file opens, and a pipe in its place does
// not block.
func open(name string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator names the files
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, nil, err
	}
	return file, info, nil
}
