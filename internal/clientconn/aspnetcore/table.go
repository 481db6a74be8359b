package aspnetcore

import (
	"errors"
	"sync"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/negotiate"
)

// Why a connection is refused.
var (
	errUnknown   = errors.New("no connection with that id")
	errBusy      = errors.New("the connection is open already")
	errTransport = errors.New("Cannot change transports mid-connection") //lint:ignore ST1005 the text is that of ASP.NET Core
	errShutdown  = errors.New("the service is shutting down")
)

// A table has the connections of the handler by the secret that names them in
// requests: those that were negotiated and have not come yet, and those whose
// transport is open.
type table struct {
	timeout time.Duration // from negotiate to the first request
	places  *clientconn.Places

	mu      sync.Mutex
	entries map[string]*entry // by connection token; guarded by mu, as is all below
	waiting []*entry          // negotiated ones, oldest first
	expiry  map[*entry]*time.Timer
	closed  bool
}

// An entry is one connection.
type entry struct {
	id      string // connection id, public
	token   string // connection token, secret; the id itself for negotiate version 0
	hub     string
	expires time.Time // when it is forgotten unless it comes
	resumes bool      // it may go on over another socket
	traced  bool      // it is a diagnostic client

	// Guarded by the table:
	transport negotiate.Transport // chosen by the first request; 0 before
	conn      *clientconn.Conn    // while the transport is open, as is exchange
	exchange  *exchange           // nil for WebSockets
	opened    chan struct{}       // closed when the transport opens; nil unless somebody waits for that
}

func newTable(timeout time.Duration, places *clientconn.Places) *table {
	return &table{timeout: timeout, places: places, entries: map[string]*entry{}, expiry: map[*entry]*time.Timer{}}
}

// negotiate adds a connection that is expected within the timeout.
func (t *table) negotiate(e *entry, version int, now time.Time) error {
	e.id, e.expires = clientconn.NewID(), now.Add(t.timeout)
	if e.token = e.id; version > 0 {
		e.token = clientconn.NewID()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.addLocked(e, now); err != nil {
		return err
	}
	t.waiting = append(t.waiting, e)
	return nil
}

// expireLocked forgets what did not come in time.
func (t *table) expireLocked(now time.Time) {
	for len(t.waiting) > 0 && (t.waiting[0].transport != 0 || !now.Before(t.waiting[0].expires)) {
		if t.waiting[0].transport == 0 {
			t.removeLocked(t.waiting[0])
		}
		t.waiting[0] = nil
		t.waiting = t.waiting[1:]
	}
}

func (t *table) addLocked(e *entry, now time.Time) error {
	if t.closed {
		return errShutdown
	}
	t.expireLocked(now)
	if err := t.places.Take(e.traced); err != nil {
		return err
	}
	t.entries[e.token] = e
	return nil
}

func (t *table) removeLocked(e *entry) {
	if t.entries[e.token] == e {
		t.places.Give(e.traced)
		delete(t.entries, e.token)
	}
}

// claim returns the connection for the first request of its transport. An
// empty token is a client that skipped negotiation, which is as skipped says. x is nil
// for WebSockets.
func (t *table) claim(token string, skipped entry, transport negotiate.Transport, x *exchange, now time.Time, make func(*entry) *clientconn.Conn) (*entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[token]
	switch {
	case token == "":
		e = &skipped
		e.id, e.token = clientconn.NewID(), clientconn.NewID()
		if err := t.addLocked(e, now); err != nil {
			return nil, err
		}
	case t.closed:
		return nil, errShutdown
	case e == nil || e.hub != skipped.hub:
		return nil, errUnknown
	case e.transport != 0 && e.transport != transport:
		return nil, errTransport
	case e.transport != 0:
		return nil, errBusy
	case !now.Before(e.expires):
		t.removeLocked(e)
		return nil, errUnknown
	}
	e.transport, e.exchange, e.conn = transport, x, make(e)
	if x != nil {
		x.open(e)
	}
	if e.opened != nil {
		close(e.opened)
	}
	return e, nil
}

// open returns the connection that a token names, if its transport is open and
// made of many requests.
func (t *table) open(token, hub string) *exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[token]; e != nil && e.hub == hub {
		return e.exchange
	}
	return nil
}

// resumable returns a connection that may go on over another socket, if it is open.
func (t *table) resumable(token, hub string) (*entry, *clientconn.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[token]; e != nil && e.hub == hub && e.resumes && e.conn != nil && !t.closed {
		return e, e.conn
	}
	return nil, nil
}

// transport returns what a connection is carried by. If that is not known yet it is
// 0, and opened is closed when it is; else opened is nil.
func (t *table) transport(token, hub string, now time.Time) (transport negotiate.Transport, opened <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[token]
	if e == nil || e.hub != hub || e.transport == 0 && !now.Before(e.expires) {
		return 0, nil, errUnknown
	}
	if e.transport != 0 {
		return e.transport, nil, nil
	}
	if e.opened == nil {
		e.opened = make(chan struct{})
	}
	return 0, e.opened, nil
}

// closeAfter closes an open connection when its user's authentication ends. Few
// apps want that, so an entry has no room for it.
func (t *table) closeAfter(e *entry, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if conn := e.conn; conn != nil { // else it has ended meanwhile
		t.expiry[e] = time.AfterFunc(d, func() { conn.Close(pairing.AuthenticationExpired, "") })
	}
}

// forget removes a connection that ended.
func (t *table) forget(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if timer := t.expiry[e]; timer != nil {
		timer.Stop()
		delete(t.expiry, e)
	}
	t.removeLocked(e)
	e.conn, e.exchange = nil, nil // e may still be among those that were waited for
}

func (t *table) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(time.Now())
}

// shut refuses new connections and closes the open ones so that their clients
// reconnect elsewhere.
func (t *table) shut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, e := range t.entries {
		if e.conn != nil {
			e.conn.Close(pairing.ServiceShutdown, "")
		}
	}
}

// abort ends the connections that have not closed by themselves.
func (t *table) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if e.conn != nil {
			e.conn.Abort()
		}
	}
}
