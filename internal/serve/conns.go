package serve

import (
	"log/slog"
	"net"
	"sync"
)

// conns knows the open connections of all listeners: it bounds their number, and it can cut
// them, also those that have not begun to talk, for which gRPC would wait. All methods may be
// called concurrently.
type conns struct {
	logger *slog.Logger
	limit  int

	mu   sync.Mutex
	open map[*conn]struct{}
	full bool // a connection was refused since there was last room
	over bool // cut was called
}

func newConns(limit int, logger *slog.Logger) *conns {
	return &conns{logger: logger, limit: limit, open: make(map[*conn]struct{})}
}

// listener returns lis with its connections counted.
func (c *conns) listener(lis net.Listener) net.Listener { return &listener{Listener: lis, conns: c} }

// add takes up a connection, or reports false if there is no room.
func (c *conns) add(n *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	if len(c.open) >= c.limit {
		if !c.full { // once, not for each of a flood
			c.logger.Warn("refusing connections: too many are open", "open", len(c.open))
		}
		c.full = true
		return false
	}
	c.full = false
	c.open[n] = struct{}{}
	return true
}

func (c *conns) remove(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, n)
}

// cut closes all connections, those to come included.
func (c *conns) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for n := range c.open {
		_ = n.Conn.Close() // gRPC meets the error on its next read
	}
}

// listener refuses connections that are too many.
type listener struct {
	net.Listener
	conns *conns
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, conns: l.conns}
		if l.conns.add(c) {
			return c, nil
		}
		_ = raw.Close() // the client sees that it was refused
	}
}

// conn is a counted connection.
type conn struct {
	net.Conn
	conns *conns
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.conns.remove(c)
	return c.Conn.Close()
}
