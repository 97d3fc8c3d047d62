package falcosim

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// errReset is what the server's own transport sees of a connection that was reset.
var errReset = errors.New("connection reset by the stand-in of Falco")

// connections are the open connections of a server. It may be used concurrently.
type connections struct {
	mu      sync.Mutex
	open    map[*conn]struct{}
	closed  bool
	changed func(open int)
}

// add takes up a connection, or closes it if the server is dead.
func (s *connections) add(c net.Conn) net.Conn {
	out := &conn{Conn: c, set: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close() // nobody is there to be told
		return out
	}
	if s.open == nil {
		s.open = make(map[*conn]struct{})
	}
	s.open[out] = struct{}{}
	s.changed(len(s.open))
	return out
}

// remove forgets a connection.
func (s *connections) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		delete(s.open, c)
		s.changed(len(s.open))
	}
}

// all are the open connections.
func (s *connections) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*conn, 0, len(s.open))
	for c := range s.open {
		conns = append(conns, c)
	}
	return conns
}

// resetAll breaks every connection, now and henceforth.
func (s *connections) resetAll() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, c := range s.all() {
		c.reset()
	}
}

// listener hands its connections to a set.
type listener struct {
	net.Listener
	set *connections
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.set.add(c), nil
}

// conn is a connection to a client. It follows the HTTP/2 frames that it carries, so that it
// can break within a message.
type conn struct {
	net.Conn
	set    *connections
	frames frames // used by Write only, of which there is one at a time
	cut    atomic.Bool
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	end := c.frames.follow(b, c.cut.Load())
	if end < 0 {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:end])
	c.reset()
	return n, errors.Join(errReset, err)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.set.remove(c)
	return c.Conn.Close()
}

// reset closes the connection as the end of a process does: what is unsent is gone.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // it is closed next in any case
	}
	_ = c.Close() // likewise
}

// frames follows a stream of HTTP/2 frames (RFC 9113, section 4.1).
type frames struct {
	header [9]byte
	have   int // how much of the header there is
	left   int // how much of the payload is still to come
}

// frameData is the type of the frames that carry messages.
const frameData = 0

// follow reads on in the stream. With cut set it returns the place in b in the middle of the
// first payload of a message, else and if there is none -1.
func (f *frames) follow(b []byte, cut bool) int {
	for i := 0; i < len(b); {
		if f.left == 0 {
			n := copy(f.header[f.have:], b[i:])
			f.have += n
			i += n
			if f.have < len(f.header) {
				return -1
			}
			f.left = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
		}
		n := min(f.left, len(b)-i)
		if cut && f.header[3] == frameData && n > 1 {
			return i + n/2
		}
		i += n
		f.left -= n
		if f.left == 0 {
			f.have = 0
		}
	}
	return -1
}
