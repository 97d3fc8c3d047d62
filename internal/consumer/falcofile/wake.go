package falcofile

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// waker tells of changes to files and directories by way of inotify. Every watch fires once:
// a file that is written all the time wakes only who asks again. A nil waker never wakes.
type waker struct {
	fd    int
	f     *os.File
	wakes chan struct{}
	done  chan struct{}
}

func newWaker() (*waker, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	w := &waker{fd: fd, f: os.NewFile(uintptr(fd), "inotify"), wakes: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w, nil
}

// run passes events on until the descriptor is closed. Which they are does not matter.
func (w *waker) run() {
	defer close(w.done)
	buf := make([]byte, 4<<10)
	for {
		if _, err := w.f.Read(buf); err != nil {
			return
		}
		select {
		case w.wakes <- struct{}{}:
		default:
		}
	}
}

// close ends the waker and joins its goroutine.
func (w *waker) close() {
	if w == nil {
		return
	}
	_ = w.f.Close() // it was only read
	<-w.done
}

// woken gets something after a watch has fired.
func (w *waker) woken() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.wakes
}

// file watches an open file, whatever its name has become. It returns the watch for forget. If
// the file cannot be watched, looking regularly has to do.
func (w *waker) file(f *os.File) int {
	if w == nil {
		return 0
	}
	wd, err := unix.InotifyAddWatch(w.fd, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_ONESHOT)
	if err != nil {
		return 0
	}
	return wd
}

// dir watches what appears in a directory and what becomes readable there.
func (w *waker) dir(name string) {
	if w == nil {
		return
	}
	_, _ = unix.InotifyAddWatch(w.fd, name, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB|unix.IN_ONESHOT) // as for a file
}

// forget ends a watch, which may have fired or gone with its file already.
func (w *waker) forget(watch int) {
	if w == nil || watch <= 0 {
		return
	}
	_, _ = unix.InotifyRmWatch(w.fd, uint32(watch)) //nolint:gosec // a watch is not negative
}
