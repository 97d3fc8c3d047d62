package falcofile

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// gzipSuffix is how the names of compressed files end.
const gzipSuffix = ".gz"

// identity tells files apart.
type identity struct {
	device, inode uint64
	// born is when the file was made, in nanoseconds since 1970, which tells it from one that got
	// the inode of one that was removed; 0 where the file system does not say.
	born int64
}

// same reports whether two identities can be of one file.
func (id identity) same(as identity) bool {
	return id.device == as.device && id.inode == as.inode && (id.born == as.born || id.born == 0 || as.born == 0)
}

// identify is the identity of a file without the time of its birth.
func identify(fi os.FileInfo) identity {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	return identity{device: st.Dev, inode: st.Ino}
}

// bornFile is when an open file was made.
func bornFile(f *os.File) int64 { return born(int(f.Fd()), "", unix.AT_EMPTY_PATH) }

// bornName is when the file with a name was made.
func bornName(name string) int64 { return born(unix.AT_FDCWD, name, 0) }

func born(dir int, name string, flags int) int64 {
	var st unix.Statx_t
	if unix.Statx(dir, name, flags, unix.STATX_BTIME, &st) != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*int64(time.Second) + int64(st.Btime.Nsec)
}

// file is one that was found beside the path, or the one that the path leads to.
type file struct {
	name           string
	id             identity
	size, modified int64
	current        bool // the path leads to it
}

func (f file) gz() bool { return strings.HasSuffix(f.name, gzipSuffix) }

// maxListings bounds how often a directory is listed anew because it changed meanwhile.
const maxListings = 8

// list finds what the path leads to and what was rotated away from there, oldest first. A
// directory is not listed in one step, and a rename meanwhile can hide a file: hence it is
// listed until two listings agree.
func (in *Input) list() (files []file, err error) {
	in.rememberTarget()
	for range maxListings {
		before := files
		if files, err = in.listOnce(); err != nil {
			return files, err
		}
		if before != nil && agree(before, files) {
			return files, nil
		}
	}
	return files, nil
}

// agree reports whether two listings name the same files.
func agree(a, b []file) bool {
	return slices.EqualFunc(a, b, func(a, b file) bool { return a.name == b.name && a.id == b.id })
}

// listing is list where what cannot be listed is taken for not there, and logged.
func (in *Input) listing() []file {
	files, err := in.list()
	if err != nil {
		in.log.Warn("the directory of the alerts file cannot be listed: rotated files are not found", "path", in.opts.Path, "error", err)
	}
	return files
}

func (in *Input) listOnce() ([]file, error) {
	files := []file{}
	fi, err := os.Stat(in.opts.Path)
	if err == nil && fi.Mode().IsRegular() {
		files = append(files, describe(in.opts.Path, fi))
		files[0].current = true
	}
	var failed error
	for _, target := range in.targets {
		dir, base := filepath.Split(target)
		entries, err := os.ReadDir(dir)
		if err != nil {
			failed = err
		}
		for _, e := range entries {
			if !isRotation(base, e.Name()) || e.Name() == base && target == in.opts.Path {
				continue
			}
			fi, err := e.Info()
			if err != nil || !fi.Mode().IsRegular() {
				continue // gone meanwhile, or none of ours
			}
			f := describe(filepath.Join(dir, e.Name()), fi)
			if !slices.ContainsFunc(files, func(o file) bool { return o.id.same(f.id) }) {
				files = append(files, f)
			}
		}
	}
	files = slices.DeleteFunc(files, func(f file) bool {
		// While it is being compressed there are both: the plain one is whole.
		plain, isGzip := strings.CutSuffix(f.name, gzipSuffix)
		return isGzip && slices.ContainsFunc(files, func(o file) bool { return o.name == plain })
	})
	slices.SortStableFunc(files, compare)
	return files, failed
}

func describe(name string, fi fs.FileInfo) file {
	id := identify(fi)
	id.born = bornName(name)
	return file{name: name, id: id, size: fi.Size(), modified: fi.ModTime().UnixNano()}
}

// isRotation reports whether a name is base or what rotation makes of it, such as
// events.log.1, events.log-20261122.gz or events-20261122.log.
func isRotation(base, name string) bool {
	name = strings.TrimSuffix(name, gzipSuffix)
	if name == base {
		return true
	}
	added, ok := strings.CutPrefix(name, base)
	if ext := filepath.Ext(base); !ok && ext != "" {
		added, ok = strings.CutPrefix(name, strings.TrimSuffix(base, ext))
		if ok {
			added, ok = strings.CutSuffix(added, ext)
		}
	}
	const digits = "0123456789"
	return ok && len(added) >= 2 && strings.Contains(".-_", added[:1]) && strings.Contains(digits, added[1:2]) &&
		strings.Trim(added, digits+".-_:TZ+") == ""
}

// maxCounted is how many digits a number has by which rotation counts; what has more is a date.
const maxCounted = 5

// compare orders files by age, oldest first. The name decides between files that were changed
// within one tick of the clock.
func compare(a, b file) int {
	if a.current != b.current {
		if a.current {
			return 1
		}
		return -1
	}
	if c := cmp.Compare(a.modified, b.modified); c != 0 {
		return c
	}
	ao, bo := ordinal(a.name), ordinal(b.name)
	if len(ao) <= maxCounted && len(bo) <= maxCounted {
		// Counted: the largest number is the oldest.
		ao, bo = strings.Repeat("0", maxCounted-len(ao))+ao, strings.Repeat("0", maxCounted-len(bo))+bo
		return cmp.Compare(bo, ao)
	}
	return cmp.Or(cmp.Compare(ao, bo), cmp.Compare(a.name, b.name))
}

// ordinal is the date or number that rotation has put into a name: its last digits, with what
// separates parts of a date left out.
func ordinal(name string) string {
	const digits = "0123456789"
	name = filepath.Base(strings.TrimSuffix(name, gzipSuffix))
	name = name[:strings.LastIndexAny(name, digits)+1]
	name = name[len(strings.TrimRight(name, digits+"-_:TZ+")):]
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(digits, r) {
			return r
		}
		return -1
	}, name)
}

// successors are the files that came after the given one and have anything in them, oldest
// first, without those that are being read. Where it is not among the files, those that were
// changed in the same instant count.
func successors(files []file, after file, reading []*source) []file {
	i := slices.IndexFunc(files, func(f file) bool { return after.name != "" && f.id.same(after.id) })
	if i >= 0 {
		files = files[i+1:]
	}
	var out []file
	for _, f := range files {
		isRead := slices.ContainsFunc(reading, func(s *source) bool { return s.id.same(f.id) })
		if !isRead && f.size > 0 && (f.current || f.modified >= after.modified) {
			out = append(out, f)
		}
	}
	return out
}
