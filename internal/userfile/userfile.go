// Package userfile reads the files that an operator writes: only regular ones, of a bounded
// size, and again when they change.
package userfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

var errNotRegular = errors.New("not a regular file")

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

// Read returns the bytes of a regular file of at most so many. Its errors are of type
// [fs.PathError].
func Read(name string, most int64) ([]byte, error) {
	file, _, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	return ReadFrom(file, name, most)
}

// ReadFrom returns all bytes that come from r, at most so many; the name is for the error.
func ReadFrom(r io.Reader, name string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, &fs.PathError{Op: "read", Path: name, Err: tooLarge(most)}
	}
	return data, nil
}

// tooLarge is the error of a file that is larger than so many bytes.
func tooLarge(most int64) error {
	if most%(1<<20) == 0 {
		return fmt.Errorf("larger than %d MiB", most>>20)
	}
	return fmt.Errorf("larger than %d bytes", most)
}

// YAMLSeparators counts what can separate two YAML nodes or documents, generously: the memory
// that it takes to read a text is in proportion to it, some 1.2 kB each.
func YAMLSeparators(data []byte) int {
	n := bytes.Count(data, []byte("\n..."))
	for i, c := range data {
		switch c {
		case ',', '[', '{':
			n++
		case '-', ':', '?':
			if i+1 == len(data) || bytes.IndexByte([]byte(" \t\r\n[{\"'"), data[i+1]) >= 0 {
				n++
			}
		default:
		}
	}
	return n
}
