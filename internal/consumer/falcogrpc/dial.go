package falcogrpc

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// deadPeer is how long sent data may stay unacknowledged before a TCP connection counts as
// dead: 30 s. We send a request at least every IdleInterval, so that a host that vanished is
// noticed without pings, which Falco's server would punish.
const deadPeer = 30_000 // milliseconds

// tcpUserTimeout sets TCP_USER_TIMEOUT.
func tcpUserTimeout(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, deadPeer)
	}); cerr != nil {
		return cerr
	}
	if err != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", err)
	}
	return nil
}

// dialReason says in words why there was no connection.
func dialReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the socket does not exist: Falco is not running, or its grpc section is not enabled; " + otherInputs
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens on the socket: Falco is not running (a killed Falco leaves its socket behind)"
	case errors.Is(err, fs.ErrPermission):
		return "no permission: our user needs read and write permission on Falco's socket"
	default:
		return err.Error()
	}
}
