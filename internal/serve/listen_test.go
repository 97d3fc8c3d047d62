package serve

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mustListen listens until the test ends.
func mustListen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := Listen(t.Context(), "unix://"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// modeOf is the mode of a file, or what went wrong.
func modeOf(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return err.Error()
	}
	return info.Mode().String()
}

// deadSocket leaves a socket file on which nobody listens.
func deadSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func connects(path string) bool {
	conn, err := new(net.Dialer).Dial("unix", path)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// The mode is 0660 whatever the umask is, and never wider: bind alone gives it.
func TestListenMode(t *testing.T) {
	dir := t.TempDir()
	for _, umask := range []fs.FileMode{0, 0o022, 0o077, 0o777} {
		old := syscall.Umask(int(umask))
		l, err := bind(t.Context(), filepath.Join(dir, "bound"))
		bound := modeOf(filepath.Join(dir, "bound"))
		listening, err2 := Listen(t.Context(), "unix:"+filepath.Join(dir, "opened"))
		syscall.Umask(old)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if want := (fs.ModeSocket | socketMode&^umask).String(); bound != want {
			t.Errorf("umask %#o: the socket is born with %s, want %s", umask, bound, want)
		}
		if got, want := modeOf(filepath.Join(dir, "opened")), "Srw-rw----"; got != want {
			t.Errorf("umask %#o: the socket has %s, want %s", umask, got, want)
		}
		_, _ = l.Close(), os.Remove(filepath.Join(dir, "bound"))
		if err := listening.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestListenReplacesDeadSocket(t *testing.T) {
	path := socketIn(t)
	deadSocket(t, path)
	mustListen(t, path)
	if !connects(path) {
		t.Error("nobody listens")
	}
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	mustListen(t, at("live"))
	datagram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at("datagram")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = datagram.Close() }()
	deadSocket(t, at("dead"))
	for _, err := range []error{os.WriteFile(at("file"), []byte("precious"), 0o600), os.Symlink(at("dead"), at("link")), os.Mkdir(at("dir"), 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	long := at(strings.Repeat("x", maxSocketPath-len(dir)))
	tests := []struct{ address, text string }{
		{"unix://" + at("live"), "another process is listening there; stop it or choose another path"},
		{"unix://" + at("datagram"), "may be in use"},
		{"unix://" + at("file"), "is not a socket"},
		{"unix://" + at("link"), "is not a socket"},
		{"unix://" + at("dir"), "is not a socket"},
		{"unix://" + at("missing/sock"), at("missing") + " does not exist; create it"},
		{"unix://" + at("file/sock"), "not a directory"},
		{"unix://" + long, "107 bytes; this one has 108"},
		{"unix://relative", "must begin with a slash"},
		{"unix:", "want unix:///path"},
		{"unix:///a\x00b", "want unix:///path"},
		{"", "want unix:///path"},
		{"127.0.0.1:5060", "TCP would need TLS"},
		{"tcp://127.0.0.1:5060", "TCP would need TLS"},
	}
	for _, tt := range tests {
		before := modeOf(strings.TrimPrefix(tt.address, "unix://"))
		if l, err := Listen(t.Context(), tt.address); err == nil {
			t.Errorf("%s: no error", tt.address)
			_ = l.Close()
		} else if !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want %q", tt.address, err, tt.text)
		}
		if after := modeOf(strings.TrimPrefix(tt.address, "unix://")); after != before {
			t.Errorf("%s: was %s, is %s", tt.address, before, after)
		}
	}
	mustListen(t, long[:maxSocketPath]) // the longest
	if !connects(at("live")) {
		t.Error("the live socket is gone")
	}
}

func TestListenRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := Listen(t.Context(), "unix:@name") // a file, not the abstract socket
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := os.Getwd()
	if got := modeOf(filepath.Join(dir, "@name")); got != "Srw-rw----" {
		t.Error(got)
	}
	t.Chdir(os.TempDir())
	if err := l.Close(); err != nil || connects(filepath.Join(dir, "@name")) {
		t.Errorf("closed with %v", err)
	}
}

// Closing removes what Listen made and nothing else, and may be done twice.
func TestListenCloseKeepsOthers(t *testing.T) {
	path := socketIn(t)
	first := mustListen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := mustListen(t, path)
	for range 2 {
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	if !connects(path) {
		t.Error("closing the first took the socket of the second")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// Of many that find a dead socket at once, one gets the path.
func TestListenRace(t *testing.T) {
	for range 20 {
		path := socketIn(t)
		deadSocket(t, path)
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if l, err := Listen(t.Context(), "unix://"+path); err == nil {
					won.Add(1)
					t.Cleanup(func() { _ = l.Close() })
				} else if !strings.Contains(err.Error(), "another process is listening") {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || !connects(path) {
			t.Errorf("%d got the path", won.Load())
		}
	}
}

func TestListenLockedDirectory(t *testing.T) {
	path := socketIn(t)
	unlock, err := lockDirectory(t.Context(), filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Listen(ctx, "unix://"+path); err == nil || !strings.Contains(err.Error(), "has locked the directory") {
		t.Errorf("got %v", err)
	}
	unlock()
	mustListen(t, path)
}
