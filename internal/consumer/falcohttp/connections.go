package falcohttp

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
)

// connections bounds the open connections. When there are too many, the one that has brought
// nothing for the longest time is closed, so that whoever holds many of them does not keep
// Falco out; a new one is closed only where all others are busy. Its state method is a
// server's ConnState.
type connections struct {
	most   int
	ledger *consumer.Ledger

	mu    sync.Mutex
	open  int
	quiet map[net.Conn]time.Time // those without a request, since when
}

// state follows a connection. The server calls it for a new one before it accepts the next.
func (c *connections) state(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet == nil {
		c.quiet = make(map[net.Conn]time.Time)
	}
	switch state {
	case http.StateNew:
		if c.open++; c.open > c.most {
			c.makeWay(conn)
		}
		c.quiet[conn] = time.Now()
	case http.StateIdle:
		c.quiet[conn] = time.Now()
	case http.StateActive:
		delete(c.quiet, conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.quiet, conn)
		c.open--
	}
}

// makeWay closes a connection. Its end is counted once the server has noticed it.
func (c *connections) makeWay(conn net.Conn) {
	oldest, since := conn, time.Now()
	for q, at := range c.quiet {
		if at.Before(since) {
			oldest, since = q, at
		}
	}
	delete(c.quiet, oldest)
	if t, ok := oldest.(*tls.Conn); ok {
		oldest = t.NetConn() // closing TLS would wait for a client that does not read
	}
	_ = oldest.Close()
	c.ledger.MayHaveLost("there were too many HTTP connections: one was closed, and what it was about to bring may be lost")
}
