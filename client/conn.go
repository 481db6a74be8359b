package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// closeWait bounds the goodbye of Stop.
const closeWait = 5 * time.Second

// A State is that of a connection.
type State int

// The states.
const (
	Disconnected State = iota // not started, or ended
	Connecting                // Start has not returned yet
	Connected
	Reconnecting // lost, and tried again
)

func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Reconnecting:
		return "reconnecting"
	}
	return "disconnected"
}

// A Conn is a connection to a hub. Its methods may be called from any goroutine.
type Conn struct {
	config Config // fixed, as is url
	url    *url.URL

	mu       sync.Mutex
	state    State                 // guarded by mu, as is all below
	session  *session              // while connected
	handlers map[string][]*handler // by target in lower case; slices are never changed
	stop     context.CancelFunc    // ends the connection; nil while disconnected
	done     chan struct{}         // closed when it has ended; nil before the first Start
}

// New returns a connection to the hub at url, which is not started. The error tells
// every mistake in config, named by its field.
func New(url string, config Config) (*Conn, error) {
	u, err := parseURL(url)
	if err != nil {
		err = fmt.Errorf("url: %w", err)
	}
	if err := errors.Join(err, config.check()); err != nil {
		return nil, fmt.Errorf("configure SignalR client: %w", err)
	}
	return &Conn{config: config, url: u, handlers: map[string][]*handler{}}, nil
}

// State returns the state of this moment.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// ConnectionID returns the id by which the hub knows this connection, or "" while
// there is none or if negotiation is skipped. It changes with each reconnect that is
// not stateful.
func (c *Conn) ConnectionID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	return c.session.link.id
}

// Start connects, and returns when the hub has accepted the handshake. It is not tried
// again: reconnecting is for connections that were open. ctx bounds the attempt only.
// After the connection has ended it may be started again.
//
// Errors are those of negotiation ([*HTTPError], [*NegotiateError]), of the transports
// and of the handshake ([*HandshakeError]).
func (c *Conn) Start(ctx context.Context) error {
	life, stop := context.WithCancel(context.Background())
	c.mu.Lock()
	if c.state != Disconnected {
		c.mu.Unlock()
		stop()
		return fmt.Errorf("start: the connection is %v", c.state)
	}
	before := c.done
	c.state, c.stop, c.done = Connecting, stop, make(chan struct{})
	done := c.done
	c.mu.Unlock()
	if before != nil {
		<-before // the callbacks of the end before
	}

	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(life, func() { cancel(errStopped) })()
	s, err := c.open(attempt)
	if err != nil {
		stop()
		c.mu.Lock()
		c.state, c.stop = Disconnected, nil
		c.mu.Unlock()
		close(done)
		return fmt.Errorf("start: %w", err)
	}
	go c.keep(life, s, done)
	return nil
}

//lint:ignore ST1005 the text is that of the official clients
var errStopped = errors.New("The connection was stopped.")

// Stop ends the connection and waits until all that works for it has ended, handlers
// included, or ctx is done. It is not an error if there is none. What was sent before
// is on its way to the hub first. It must not be called by a handler.
func (c *Conn) Stop(ctx context.Context) error {
	c.mu.Lock()
	stop, done := c.stop, c.done
	c.mu.Unlock()
	if done == nil {
		return nil
	}
	if stop != nil {
		stop()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop: %w", context.Cause(ctx))
	}
}

// open makes a session: transport, handshake, goroutines.
func (c *Conn) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	l, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := newSession(c, l)
	if err := s.shakeHands(ctx); err != nil {
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
		defer cancel()
		l.close(wait)
		return nil, err
	}
	c.mu.Lock()
	c.state, c.session = Connected, s
	c.mu.Unlock()
	s.run()
	return s, nil
}

// keep sees to a connection until it has ended for good.
func (c *Conn) keep(life context.Context, s *session, done chan struct{}) {
	defer close(done)
	var reason error
	for s != nil {
		var again bool
		reason, again = s.serve(life)
		if life.Err() != nil {
			reason, again = nil, false
		}
		c.mu.Lock()
		c.session = nil
		again = again && c.config.Reconnect != nil
		if again {
			c.state = Reconnecting
		}
		c.mu.Unlock()
		if s = nil; again {
			s, reason = c.reconnect(life, reason)
		}
	}
	c.mu.Lock()
	c.state, c.stop = Disconnected, nil
	c.mu.Unlock()
	if c.config.OnClosed != nil {
		c.config.OnClosed(reason)
	}
}

// reconnect returns nil and the reason to close when all attempts have failed.
func (c *Conn) reconnect(life context.Context, reason error) (*session, error) {
	if c.config.OnReconnecting != nil {
		c.config.OnReconnecting(reason)
	}
	lost := time.Now()
	for attempt, failure := 0, reason; ; attempt++ {
		wait, again := c.config.Reconnect(Retry{Attempt: attempt, Elapsed: time.Since(lost), Reason: failure})
		if !again {
			return nil, reason
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-life.Done():
			timer.Stop()
			return nil, nil
		}
		var s *session
		if s, failure = c.open(life); failure == nil {
			if c.config.OnReconnected != nil {
				c.config.OnReconnected(s.link.id)
			}
			return s, nil
		}
		c.config.Logger.Info("not connected again", "attempt", attempt+1, "error", failure)
		if life.Err() != nil {
			return nil, nil
		}
	}
}

// connected returns the session that calls go over.
func (c *Conn) connected() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil, ErrNotConnected
	}
	return c.session, nil
}

// handlersOf returns the handlers of a target, which matches without regard to case.
func (c *Conn) handlersOf(target string) []*handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handlers[strings.ToLower(target)]
}
