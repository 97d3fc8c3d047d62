// Package procfs reads what /proc tells of single processes, bound to the process.
//
// A pid can be reused between two reads. [Reader.Read] therefore opens the directory of the
// process once and reads everything through it: the kernel answers with "no such process" when
// that process is gone, and never with another one of the same pid. When it started comes
// first, so that the caller can tell whose data these are.
//
// The package starts no goroutine.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Tick is how fine /proc tells when a process started, in nanoseconds. It is 10 ms on
// every architecture that Falco runs on.
const Tick = 10_000_000

// Bounds of what is kept of a process, in bytes.
const (
	MaxCommandLine = 1 << 10
	maxExePath     = 1 << 10
	maxFile        = 8 << 10 // of a file below /proc/PID that is read
)

// ErrGone says that there is no such process.
var ErrGone = errors.New("no such process")

// Process is what /proc tells of a process.
type Process struct {
	PID, Parent int32
	// StartTick is when its first thread started, in ticks since boot.
	StartTick int64
	// Threads is how many there are. Zombie is whether the first has ended.
	Threads int32
	Zombie  bool
	// Kernel is whether it is a thread of the kernel.
	Kernel bool
	// Exec tells one exec of the process from another: where the kernel put its stack, which is
	// random each time. It is 0 where the reader may not know.
	Exec uint64
	// Name is the kernel's name for it, at most 15 bytes before invalid ones were replaced.
	Name string
	// ExePath is the path of the executable, empty if it cannot be read.
	ExePath string
	// CommandLine is the arguments, joined by blanks; at most MaxCommandLine bytes, with an
	// ellipsis where it was cut. Arguments is where the second argument begins in it.
	CommandLine string
	Arguments   int
	// HasCommandLine is whether it could be read.
	HasCommandLine bool
	// UID is the effective user, if HasUID.
	UID    uint32
	HasUID bool
	// NamespacePID is the pid in its own pid namespace, if that is not the reader's; else 0.
	NamespacePID int32
	// Cgroup is what its control group tells.
	Cgroup Cgroup
}

// Reader reads processes below one mount of /proc. It is not for concurrent use.
type Reader struct {
	dir string
	buf []byte
}

// New makes a reader of the given mount.
func New(dir string) *Reader { return &Reader{dir: dir, buf: make([]byte, maxFile)} }

// Find returns a reader of the first mount that shows the processes of the host, and not those
// of a container only.
// The error is that of the first: the others are where it would be in a container.
func Find(dirs ...string) (*Reader, error) {
	var first error
	for _, dir := range dirs {
		r := New(dir)
		err := r.isHosts()
		if err == nil {
			return r, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = errors.New("no mount of /proc is configured")
	}
	return nil, first
}

// kthreadd is the pid of the parent of all threads of the kernel, in the host's pid namespace.
const kthreadd = 2

// isHosts checks that pid 2 is the kernel's. No process can pretend to be that: whether
// something is a thread of the kernel is a flag that only the kernel sets.
func (r *Reader) isHosts() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(r.dir, &fs); err != nil {
		return fmt.Errorf("look for the host's processes in %s: %w", r.dir, err)
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		return fmt.Errorf("%s is no mount of /proc", r.dir)
	}
	p, err := r.Stat(kthreadd)
	switch {
	case errors.Is(err, ErrGone) && r.hidesOthers(), errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s hides the processes of other users (hidepid, as systemd's ProtectProc= sets it: falco-reporter-ancestry.conf lifts that)", r.dir)
	case errors.Is(err, ErrGone), err == nil && !p.Kernel:
		return fmt.Errorf("%s does not show the host's processes (in Kubernetes: hostPID: true)", r.dir)
	case err != nil:
		return fmt.Errorf("look for the host's processes in %s: %w", r.dir, err)
	default:
		return nil
	}
}

// hidesOthers reports whether the mount shows nobody else's processes: in every pid namespace
// there is a pid 1.
func (r *Reader) hidesOthers() bool {
	_, err := r.Stat(1)
	return errors.Is(err, ErrGone)
}

// MayNotReadExe reports whether the path of a process's executable is kept from us for want of
// a permission.
func (r *Reader) MayNotReadExe(pid int32) bool {
	dir, err := r.open(pid)
	if err != nil {
		return false
	}
	defer unix.Close(dir) //nolint:errcheck // only read from
	_, err = unix.Readlinkat(dir, "exe", r.buf)
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}

// Dir is the mount that is read.
func (r *Reader) Dir() string { return r.dir }

// PIDs are the processes that there are.
func (r *Reader) PIDs() ([]int32, error) {
	d, err := os.Open(r.dir)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer d.Close() //nolint:errcheck // only read from
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	pids := make([]int32, 0, len(names))
	for _, name := range names {
		if n, err := strconv.ParseInt(name, 10, 32); err == nil && n > 0 {
			pids = append(pids, int32(n))
		}
	}
	return pids, nil
}

// Stat reads what is in /proc/PID/stat only: all but the paths, users and control groups.
func (r *Reader) Stat(pid int32) (Process, error) {
	dir, err := r.open(pid)
	if err != nil {
		return Process{}, err
	}
	defer unix.Close(dir) //nolint:errcheck // only read from
	return r.stat(dir, pid)
}

// Read reads a process. Of one that ends meanwhile, there is what could be read.
func (r *Reader) Read(pid int32) (Process, error) {
	dir, err := r.open(pid)
	if err != nil {
		return Process{}, err
	}
	defer unix.Close(dir) //nolint:errcheck // only read from
	p, err := r.stat(dir, pid)
	if err != nil || p.Kernel {
		return p, err
	}
	// Cheapest first: a process that ends within microseconds still leaves something.
	p.ExePath = r.exe(dir)
	if b, err := r.file(dir, "cmdline"); err == nil && len(b) > 0 {
		p.CommandLine, p.Arguments = commandLine(b)
		p.HasCommandLine = true
	}
	if b, err := r.file(dir, "cgroup"); err == nil && len(b) > 0 {
		p.Cgroup = ParseCgroup(string(b))
	}
	if b, err := r.file(dir, "status"); err == nil {
		parseStatus(b, &p)
	}
	return p, nil
}

// open opens the directory of a process.
func (r *Reader) open(pid int32) (int, error) {
	fd, err := unix.Open(filepath.Join(r.dir, strconv.Itoa(int(pid))), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, gone(err)
	}
	return fd, nil
}

// gone makes ErrGone of the ways in which the kernel says so.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return fmt.Errorf("read a process: %w", err)
}

// file reads a file below a process's directory, at most maxFile bytes of it. The result is
// good until the next call.
func (r *Reader) file(dir int, name string) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, gone(err)
	}
	defer unix.Close(fd) //nolint:errcheck // only read from
	n := 0
	for n < len(r.buf) {
		m, err := unix.Read(fd, r.buf[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, gone(err)
		}
		if m == 0 {
			break
		}
		n += m
	}
	return r.buf[:n], nil
}

// deleted is what the kernel puts behind the path of a file that is no more there.
const deleted = " (deleted)"

// exe is the path of the executable. An anonymous memory file is "memfd:NAME". Of a file that
// has been deleted or replaced since, it is the path that it had; that it has been is lost.
func (r *Reader) exe(dir int) string {
	n, err := unix.Readlinkat(dir, "exe", r.buf)
	if err != nil || n > maxExePath {
		return ""
	}
	s := string(r.buf[:n])
	if name, ok := strings.CutPrefix(s, "/memfd:"); ok {
		s = "memfd:" + strings.TrimSuffix(name, deleted)
	} else if path, ok := strings.CutSuffix(s, deleted); ok && isDeleted(dir) {
		s = path
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// isDeleted reports whether the executable's file has no name any more: one may really be
// called "x (deleted)".
func isDeleted(dir int) bool {
	var st unix.Stat_t
	return unix.Fstatat(dir, "exe", &st, 0) == nil && st.Nlink == 0
}

func (r *Reader) stat(dir int, pid int32) (Process, error) {
	b, err := r.file(dir, "stat")
	if err != nil {
		return Process{}, err
	}
	p, ok := parseStat(b)
	if !ok || p.PID != pid {
		return Process{}, fmt.Errorf("/proc/%d/stat is not of the form that proc(5) says", pid)
	}
	return p, nil
}

// parseStat reads /proc/PID/stat: "PID (NAME) STATE PPID …". The name may hold anything, and
// what follows its last bracket is numbers.
func parseStat(b []byte) (Process, bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return Process{}, false
	}
	pid, err := strconv.ParseInt(string(bytes.TrimSpace(b[:open])), 10, 32)
	fields := bytes.Fields(b[end+1:])
	// From state on: state ppid pgrp session tty tpgid flags … threads (18th) itrealvalue
	// starttime (20th) … startstack (26th).
	const state, parent, flags, threads, start, stack = 0, 1, 6, 17, 19, 25
	if err != nil || len(fields) <= start {
		return Process{}, false
	}
	var numbers [start + 1]int64
	for _, i := range [...]int{parent, flags, threads, start} {
		if numbers[i], err = strconv.ParseInt(string(fields[i]), 10, 64); err != nil {
			return Process{}, false
		}
	}
	var exec uint64
	if len(fields) > stack {
		if exec, err = strconv.ParseUint(string(fields[stack]), 10, 64); err != nil {
			return Process{}, false
		}
	}
	const isKernelThread = 0x00200000 // PF_KTHREAD
	return Process{
		PID:       int32(pid),
		Parent:    int32(numbers[parent]), //nolint:gosec // a pid
		StartTick: numbers[start],
		Exec:      exec,
		Threads:   int32(min(numbers[threads], 1<<30)), //nolint:gosec // cut to fit
		Zombie:    string(fields[state]) == "Z" || string(fields[state]) == "X",
		Kernel:    numbers[flags]&isKernelThread != 0,
		Name:      strings.ToValidUTF8(string(b[open+1:end]), "\uFFFD"),
	}, true
}

// commandLine joins arguments, which end with NUL each, by blanks, and tells where the second
// begins.
func commandLine(b []byte) (line string, second int) {
	b = bytes.TrimRight(b, "\x00")
	cut := len(b) > MaxCommandLine
	b = b[:min(len(b), MaxCommandLine)]
	if second = bytes.IndexByte(b, 0) + 1; second == 0 {
		second = len(b)
	}
	joined := bytes.ReplaceAll(b, []byte{0}, []byte{' '})
	head, tail := strings.ToValidUTF8(string(joined[:second]), "\uFFFD"), strings.ToValidUTF8(string(joined[second:]), "\uFFFD")
	if cut {
		tail = strings.TrimSuffix(tail, "\uFFFD") + "…"
	}
	return head + tail, len(head)
}

// parseStatus reads what else is needed from /proc/PID/status.
func parseStatus(b []byte, p *Process) {
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		switch string(name) {
		case "Uid": // real, effective, saved, of the file system
			if f := bytes.Fields(value); len(f) > 1 {
				if n, err := strconv.ParseUint(string(f[1]), 10, 32); err == nil {
					p.UID, p.HasUID = uint32(n), true
				}
			}
		case "NSpid": // from the reader's pid namespace inwards
			if f := bytes.Fields(value); len(f) > 1 {
				if n, err := strconv.ParseInt(string(f[len(f)-1]), 10, 32); err == nil {
					p.NamespacePID = int32(n)
				}
			}
			return // what follows is of no use here
		}
	}
}
