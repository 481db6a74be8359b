package aspnet

import (
	"errors"
	"sync"
	"time"

	"switchboard/internal/pairing"
)

var errShutdown = errors.New("the service is shutting down")

// A table has the connections by the secret token that names them in requests.
type table struct {
	mu     sync.Mutex
	conns  map[string]*Conn  // guarded by mu, as is all below
	words  map[string][]byte // of connections that have ended a short time ago, for clients that come too late; nil for none
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

// forget is called once for each connection. What its client was to be told at the end is kept for a
// while: the client's start or poll may be on its way.
func (t *table) forget(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c.token)
	if c.words != nil && !t.closed {
		if t.words == nil {
			t.words = map[string][]byte{}
		}
		t.words[c.token] = c.words
		time.AfterFunc(c.h.limits.CloseTimeout, func() { t.forgetWords(c.token) })
	}
	c.h.config.Places.Give(c.traced)
	c.h.open.Done()
}

func (t *table) forgetWords(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if delete(t.words, token); len(t.words) == 0 {
		t.words = nil
	}
}

// lastWords returns what the client of a connection that ends, or has just ended, is told, or nil.
func (t *table) lastWords(token string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.conns[token]; c != nil {
		return c.lastWords()
	}
	return t.words[token]
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
