// Package clientconn is a client connection, whatever carries it. A Conn reads
// the SignalR handshake once to learn the hub protocol, has itself paired with
// a server connection, passes bytes both ways, and holds the bounded queue of
// what waits for the client. Transports (WebSockets, Server-Sent Events, long
// polling) sit above it: they push received bytes in with Receive and pull
// outgoing messages with Take.
package clientconn

import (
	"log/slog"
	"sync"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Env is what the client connections of a service have in common.
type Env struct {
	Limits Limits // with defaults filled in
	Log    *slog.Logger
}

// An Origin is what the request that opened the connection told.
type Origin struct {
	ID             string // connection id
	UserID         string // empty for an anonymous user
	Claims         []serviceprotocol.Claim
	Headers        serviceprotocol.Headers
	QueryString    string        // with its question mark, or empty
	DetailedErrors bool          // the app lets clients see details
	TextOnly       bool          // the transport cannot carry binary
	Resumable      bool          // the client may ask for stateful reconnect in its handshake
	Handshake      time.Duration // time for the handshake; 0: as in Limits
}

// A Transport carries a Conn. Its methods are called with the connection
// locked: they must neither wait nor call back.
type Transport interface {
	// Wake tells that Take has something, and is not called again until Take has
	// returned nothing. It is also called when the connection is closed.
	Wake()
	// Abort ends the transport at once.
	Abort()
}

// A Conn is one client connection. Receive is called by one goroutine of the
// transport at a time, and so is Take; the methods of pairing.Client may be
// called from any. It is kept small: there are many, and most are idle.
type Conn struct {
	id, userID string // fixed, as all to the empty line
	hub        *router.Hub
	env        *Env

	opening *opening // until the connection is paired; owned by Receive, as is meter
	meter   *meter   // nil without a limit

	protocol string // set before the connection is paired, then fixed, as are framing and resume
	framing  hubprotocol.Framing
	resume   *resumable // nil unless the client asked for it

	mu        sync.Mutex
	transport Transport     // guarded by mu, as is all below
	pair      *pairing.Pair // set by Receive, which may read it unlocked
	out       Outbox
	mover     *mover          // nil unless it may be moved; set before the connection is paired
	held      *held           // what waits for the handshake response; nil when nothing does
	partial   []byte          // the beginning of a hub message from the app server
	reason    *pairing.Reason // set by the first Close
	detail    string
	timer     *time.Timer // handshake timeout, later the limit of closing; nil while neither runs
	answered  bool        // the handshake response was queued
	closeSent bool        // the app server's last message was its Close
	awake     bool        // Wake was called, and Take has not returned nothing since
	left      bool        // the app server was told of the end
	detailed  bool        // fixed
	paired    bool        // with a server connection; owned by Receive
	born      uint32      // clock when the connection was made; fixed
}

// opening is what is needed until the client is paired.
type opening struct {
	origin  Origin
	request []byte // the handshake request as far as it came
}

var _ pairing.Client = (*Conn)(nil)

// New returns a client connection of hub over t, which must call Finish in the
// end.
func New(hub *router.Hub, o Origin, env *Env, t Transport) *Conn {
	if o.Handshake <= 0 {
		o.Handshake = env.Limits.HandshakeTimeout
	}
	c := &Conn{
		id: o.ID, userID: o.UserID, detailed: o.DetailedErrors,
		hub: hub, env: env, transport: t,
		opening: &opening{origin: o}, born: clock(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(o.Handshake, c.handshakeExpired)
	return c
}

// clock is the Unix time in four bytes.
func clock() uint32 { return uint32(time.Now().Unix()) }

// handshakeExpired ends a connection whose client sent no handshake request in
// time, or whose app server then sent no response.
func (c *Conn) handshakeExpired() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.answered:
	case c.protocol == "":
		c.closeLocked(pairing.HandshakeTimeout, "")
	default:
		c.closeLocked(pairing.AppServerSilent, "")
	}
}

func (c *Conn) stopTimerLocked() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// ID returns the connection id.
func (c *Conn) ID() string { return c.id }

// UserID returns the id of the user, empty for an anonymous one.
func (c *Conn) UserID() string { return c.userID }

// Protocol returns the name of the hub protocol.
func (c *Conn) Protocol() string { return c.protocol }

// Limits returns the limits of the service's client connections.
func (c *Conn) Limits() *Limits { return &c.env.Limits }

// Out is what Take returns.
type Out struct {
	Messages []*pairing.Shared // each is whole hub messages; the transport releases them
	Binary   bool              // the transport shall carry them as binary
	Joinable bool              // several may travel as one
	Ended    bool              // nothing follows these
}

// Take hands over what waits for the client: at least one message if there is
// any, and about max bytes. The messages are appended to buffer.
func (c *Conn) Take(buffer []*pairing.Shared, max int) Out {
	out := c.take(buffer, max)
	if out.Ended {
		c.Leave()
	}
	return out
}

func (c *Conn) take(buffer []*pairing.Shared, max int) Out {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Out{
		Messages: c.out.Take(buffer, max),
		Binary:   c.protocol != "" && c.framing != hubprotocol.FramingRecordSeparator,
		Joinable: c.framing != hubprotocol.FramingNone,
		Ended:    c.reason != nil && c.out.Empty(),
	}
	c.awake = len(out.Messages) > len(buffer)
	return out
}

func (c *Conn) wakeLocked() {
	if !c.awake {
		c.awake = true
		c.transport.Wake()
	}
}
