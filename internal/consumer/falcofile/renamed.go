package falcofile

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// maxBeside bounds how many names of a directory are looked at for one that a file was renamed
	// to, at some microseconds each: 10,000.
	maxBeside = 10_000
	// besideInterval spaces these looks while the path leads nowhere, which can be for days.
	besideInterval = time.Second
	// maxRenames bounds how often it is looked for again because it was renamed meanwhile.
	maxRenames = 3
)

// searchRenamed finds the file that a mark was made in under a name that rotation would not give
// it, such as events.log.old: by its inode, and by what stands in it. Files are those that were
// found by their names.
func (in *Input) searchRenamed(ctx context.Context, m mark, files []file) *source {
	// Without content it is known by its inode alone, which another file may have got since,
	// unless the file system says when it was made.
	if m.Offset == 0 && m.Born == 0 || slices.ContainsFunc(files, func(f file) bool { return f.id.same(m.id()) }) {
		return nil
	}
	for range maxRenames {
		f, ok := in.besides(m)
		if !ok || ctx.Err() != nil {
			return nil
		}
		if s, _ := in.find(ctx, m, []file{f}); s != nil {
			in.log.Info("the alerts file was found again by its inode", "path", in.opts.Path, "file", s.name)
			return s
		}
	}
	return nil
}

// maySearchRenamed reports whether to look for renamed files now: always when the path leads to a
// file, since what is not found is then given up, and else from time to time.
func (in *Input) maySearchRenamed() bool {
	if in.cannotLook() != "" && time.Since(in.besidesLooked) < besideInterval {
		return false
	}
	in.besidesLooked = time.Now()
	return true
}

// besides finds the file with a mark's inode in the directories of the alerts file.
func (in *Input) besides(m mark) (file, bool) {
	var dirs []string
	for _, target := range in.targets {
		if dir := filepath.Dir(target); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		if f, ok := inodeIn(dir, m.id()); ok {
			return f, true
		}
	}
	return file{}, false
}

// inodeIn finds the regular file with an identity among the first maxBeside names of a directory.
func inodeIn(dir string, id identity) (file, bool) {
	d, err := os.Open(dir) //nolint:gosec // where the operator's file is
	if err != nil {
		return file{}, false // that it cannot be listed was said
	}
	defer func() { _ = d.Close() }() // it was only read
	for seen := 0; seen < maxBeside; {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if fi, ok := regular(e); ok && identify(fi).same(identity{device: id.device, inode: id.inode}) {
				if f := describe(filepath.Join(dir, e.Name()), fi); f.id.same(id) {
					return f, true
				}
			}
		}
		if seen += len(entries); err != nil {
			break
		}
	}
	return file{}, false
}

// regular describes an entry that is a regular file, and is still there.
func regular(e fs.DirEntry) (fs.FileInfo, bool) {
	if !e.Type().IsRegular() {
		return nil, false
	}
	fi, err := e.Info()
	return fi, err == nil && fi.Mode().IsRegular()
}
