package procevent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Errors that callers of Next branch on.
var (
	// ErrEmpty says that no event is there at the moment.
	ErrEmpty = errors.New("no process event is there")
	// ErrLost says that the kernel threw events away. What Next returns afterwards is valid.
	ErrLost = errors.New("process events were lost")
)

// receiveBytes is the size asked for the kernel's queue: some 5,000 events at 768 bytes each,
// as the kernel counts them and doubles what is asked for.
const receiveBytes = 4 << 20

// answerTime bounds the wait for the kernel's answer to the request for events.
const answerTime = 500 * time.Millisecond

// Conn is a connection to the process connector. Next must not be called concurrently with
// itself; Wait may run beside it. Close must not run beside either.
//
// Go's poller is not used: an event has to be looked at within less than a millisecond, while
// the process is still there, and the poller adds another thread to the way of each.
type Conn struct {
	fd   int
	wake int // an eventfd that ends Wait
	buf  []byte
	next map[uint32]uint32 // by processor, the number of the event that must come next
	held *Event            // read, and to be returned after ErrLost
}

// Open connects and waits until the kernel confirms that events come. An error says what is
// missing.
func Open(ctx context.Context) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("open the kernel's process connector (seccomp may forbid it): %w", err)
	}
	// Without CAP_NET_ADMIN the size is limited, and the next step fails anyway.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBytes)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIndexProc}); err != nil {
		_ = unix.Close(fd) // the first error tells more
		return nil, fmt.Errorf("join the kernel's process events (needs CAP_NET_ADMIN): %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd) // the first error tells more
		return nil, fmt.Errorf("make an eventfd for process events: %w", err)
	}
	c := &Conn{fd: fd, wake: wake, buf: make([]byte, 4096), next: make(map[uint32]uint32)}
	if err := c.listen(ctx, fd); err != nil {
		_ = c.Close() // the first error tells more
		return nil, err
	}
	return c, nil
}

// listen asks for events and waits for the answer.
func (c *Conn) listen(ctx context.Context, fd int) error {
	if err := unix.Sendto(fd, request(os.Getpid()), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for process events (they come in the host's network namespace only): %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for {
		e, err := c.receive()
		switch {
		case errors.Is(err, ErrEmpty):
			if err := c.Wait(ctx); err != nil {
				return fmt.Errorf("the kernel did not confirm process events (they come in the host's pid namespace only): %w", err)
			}
		case errors.Is(err, ErrLost):
		case err != nil:
			return err
		case e.Kind == ack && e.errno == 0:
			return nil
		case e.Kind == ack:
			return fmt.Errorf("ask for process events (needs CAP_NET_ADMIN): %w", syscall.Errno(e.errno))
		default:
		}
	}
}

// Close ends the connection.
func (c *Conn) Close() error { return errors.Join(unix.Close(c.fd), unix.Close(c.wake)) }

// Wait blocks until there is something to read or ctx ends, whose error it then returns.
func (c *Conn) Wait(ctx context.Context) error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_, _ = unix.Write(c.wake, one[:]) // fails only if it is set already
	})
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Fd: int32(c.wake), Events: unix.POLLIN}} //nolint:gosec // descriptors
	_, err := unix.Poll(fds, -1)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Poll(fds, -1)
	}
	if !stop() {
		<-interrupted
		_, _ = unix.Read(c.wake, one[:]) // takes the wake-up back for the next Wait
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("wait for process events: %w", err)
	}
	return nil
}

// Next returns the next event without waiting for one. Its errors are ErrEmpty, ErrLost, and
// those that end the connection.
func (c *Conn) Next() (Event, error) {
	if c.held != nil {
		e := *c.held
		c.held = nil
		return e, nil
	}
	for {
		e, err := c.receive()
		if err != nil {
			return Event{}, err
		}
		if e.Kind == ack {
			continue // somebody else's
		}
		want, known := c.next[e.cpu]
		c.next[e.cpu] = e.seq + 1
		if known && want != e.seq {
			c.held = &e
			return Event{}, ErrLost
		}
		return e, nil
	}
}

// receive reads one message of the kernel.
func (c *Conn) receive() (Event, error) {
	for {
		n, from, err := unix.Recvfrom(c.fd, c.buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return Event{}, ErrEmpty
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			return Event{}, ErrLost
		case err != nil:
			return Event{}, fmt.Errorf("read process events: %w", err)
		}
		if nl, ok := from.(*unix.SockaddrNetlink); !ok || nl.Pid != 0 {
			continue // another process can send here; only the kernel is believed
		}
		if e, err := parse(c.buf[:n]); err == nil {
			return e, nil
		}
	}
}
