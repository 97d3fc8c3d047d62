package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// socketMode lets owner and group connect: connecting takes the right to write.
	socketMode = 0o660
	// maxSocketPath is what the kernel takes: 108 bytes with the closing zero.
	maxSocketPath = 107
	// probeTimeout is how long a listener may take to let a connection in.
	probeTimeout = time.Second
	// lockTimeout is how long another process may be busy opening a socket in the same
	// directory, which takes it milliseconds or a probeTimeout.
	lockTimeout = 3 * time.Second
	lockRetry   = 10 * time.Millisecond
)

// Listen opens a listener at the address: unix:///absolute/path or unix:path.
//
// The socket has mode 0660 from the moment it is there. A socket file that nobody listens on
// is replaced; one that is in use, and anything that is not a socket, is left alone and is an
// error. Of several processes that try at once, one succeeds. Closing the listener removes
// the file if it is still the one that Listen made. The context bounds Listen, not the
// listener.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	path, err := socketPath(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	l, err := openSocket(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	return l, nil
}

// socketPath is the absolute path in a unix address.
func socketPath(address string) (string, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", errors.New("want unix:///path/of/socket; other addresses are not served: TCP would need TLS, which is not there yet")
	}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if path = rest; !filepath.IsAbs(path) {
			return "", errors.New("the path after unix:// must begin with a slash")
		}
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("want unix:///path/of/socket")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("make the path absolute: %w", err)
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("the path of a socket can have %d bytes; this one has %d", maxSocketPath, len(path))
	}
	return path, nil
}

// openSocket makes the path ours and listens there.
func openSocket(ctx context.Context, path string) (net.Listener, error) {
	// Between finding a dead socket and listening on a new one, another process could do the
	// same, and its live socket would be taken for the dead one.
	unlock, err := lockDirectory(ctx, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := clearPath(ctx, path); err != nil {
		return nil, err
	}
	l, err := bind(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &socket{UnixListener: l, path: path}
	if s.file, err = os.Lstat(path); err == nil {
		// The umask may have taken from the mode; it cannot have added to it.
		err = os.Chmod(path, socketMode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set the mode of the socket: %w", err), s.Close())
	}
	return s, nil
}

// lockDirectory keeps other processes that want to listen in the directory out. The lock
// is on the directory itself, so that no file is left behind.
func lockDirectory(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir) //nolint:gosec // the operator's path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the directory %s does not exist; create it, or have systemd do so with RuntimeDirectory=", dir)
	case err != nil:
		return nil, fmt.Errorf("open the directory of the socket: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // which ends the lock
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close() // the reason to fail is the lock
			return nil, fmt.Errorf("lock the directory %s: %w", dir, err)
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			_ = f.Close() // the reason to fail is the lock
			return nil, fmt.Errorf("another process has locked the directory %s: %w", dir, ctx.Err())
		}
	}
}

// clearPath removes a dead socket from the path and refuses everything else that is there.
func clearPath(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for an old socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket; move it away or choose another path", path)
	}
	dialer := net.Dialer{Timeout: probeTimeout}
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close() // it has told us what we asked
		return errors.New("another process is listening there; stop it or choose another path")
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove the old socket: %w", err)
		}
		return nil
	default:
		return fmt.Errorf("a socket is there that may be in use; stop its owner or choose another path: %w", err)
	}
}

// bind listens at a path where nothing is. Linux gives the new file the mode of the socket
// that is bound, less the umask. So the mode is set on the socket before: there is no moment
// at which the file has a wider one, and the umask, which all threads share, is not touched.
func bind(ctx context.Context, path string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var chmodErr error
		err := raw.Control(func(fd uintptr) {
			chmodErr = syscall.Fchmod(int(fd), socketMode)
		})
		return errors.Join(err, chmodErr)
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("bind the socket: %w", err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("bind the socket: got a %T", l), l.Close())
	}
	u.SetUnlinkOnClose(false)
	return u, nil
}

// socket is a listener that takes its file with it. It may be used concurrently.
type socket struct {
	*net.UnixListener
	path string
	file fs.FileInfo // nil if it could not be read
	once sync.Once
	err  error
}

// Close implements net.Listener. It removes the file while still listening: the inode cannot
// be another's yet, and whoever looks at the path finds it in use or gone, but never dead.
func (s *socket) Close() error {
	s.once.Do(func() {
		now, err := os.Lstat(s.path)
		if err == nil && s.file != nil && os.SameFile(now, s.file) {
			err = os.Remove(s.path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		s.err = errors.Join(err, s.UnixListener.Close())
	})
	return s.err
}
