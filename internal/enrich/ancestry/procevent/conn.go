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

// QueueBytes is the size asked for the kernel's queue: some 10,000 events at 768 bytes each, as
// the kernel counts them, which doubles what is asked for.
const QueueBytes = 4 << 20

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
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, QueueBytes) != nil {
		// Without CAP_NET_ADMIN net.core.rmem_max limits it: Queue tells what came of it.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, QueueBytes)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIndexProc}); err != nil {
		_ = unix.Close(fd) // the first error tells more
		return nil, fmt.Errorf("join the kernel's process events (older kernels want CAP_NET_ADMIN for that): %w", err)
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
			return fmt.Errorf("ask for process events (older kernels want CAP_NET_ADMIN for that): %w", syscall.Errno(e.errno))
		default:
		}
	}
}

// Close ends the connection.
func (c *Conn) Close() error { return errors.Join(unix.Close(c.fd), unix.Close(c.wake)) }

// Queue is the size of the kernel's queue as asked for: less than QueueBytes where that is
// limited, 0 if it is not known.
func (c *Conn) Queue() int {
	n, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return n / 2
}

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
		want, known := c.next[e.cpu]
		c.next[e.cpu] = e.seq + 1 // the answer to somebody else's request has a number, too
		isEvent := e.Kind != ack
		if known && want != e.seq {
			if isEvent {
				c.held = &e
			}
			return Event{}, ErrLost
		}
		if isEvent {
			return e, nil
		}
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
