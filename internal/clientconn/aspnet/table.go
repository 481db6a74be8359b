package aspnet

import (
	"errors"
	"sync"

	"switchboard/internal/pairing"
)

var errShutdown = errors.New("the service is shutting down")

// A table has the connections by the secret token that names them in requests.
type table struct {
	mu     sync.Mutex
	conns  map[string]*Conn // guarded by mu, as is closed
	closed bool
}

// add is called before anybody else knows of c.
func (t *table) add(c *Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errShutdown
	}
	if err := c.h.config.Places.Take(c.traced); err != nil {
		return err
	}
	t.conns[c.token] = c
	c.h.open.Add(1) // while the table is locked: none is added once Shutdown waits
	return nil
}

func (t *table) find(token string) *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conns[token]
}

// forget is called once for each connection.
func (t *table) forget(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c.token)
	c.h.config.Places.Give(c.traced)
	c.h.open.Done()
}

// shut refuses new connections and closes all there are.
func (t *table) shut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, c := range t.conns {
		c.Close(pairing.ServiceShutdown, "")
	}
}

// abort ends the transports of connections that have not closed by themselves.
func (t *table) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		c.abort()
	}
}
