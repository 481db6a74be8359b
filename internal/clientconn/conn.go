// Package clientconn is a client connection, whatever carries it. A Conn reads
// the SignalR handshake once to learn the hub protocol, has itself paired with
// a server connection, passes bytes both ways, and holds the bounded queue of
// what waits for the client. Transports (WebSockets, Server-Sent Events, long
// polling) sit above it: they push received bytes in with Receive and pull
// outgoing messages with Next.
package clientconn

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Limits of a client connection. The zero value means the defaults.
type Limits struct {
	// HandshakeTimeout is how long a client may take to send its SignalR
	// handshake request. Default 15 s; the claim asrs.s.cht overrides it.
	HandshakeTimeout time.Duration
	// HandshakeBytes bounds the handshake request. Default 32 KiB.
	HandshakeBytes int
	// MessageBytes bounds one hub message from a client. Default none: the
	// service passes a message on in pieces and never holds it whole, and the
	// hub has a limit of its own.
	MessageBytes int
	// QueueBytes bounds what waits for a client that does not read; above it
	// the client is closed with SlowClient. A single message may be larger.
	// Default 4 MiB.
	QueueBytes int
	// PartialBytes bounds a hub message that an app server sends in pieces, of
	// which the last has not come yet. Default 64 MiB.
	PartialBytes int
	// SendTimeout closes a client whose transport takes no bytes for so long. Default 10 s.
	SendTimeout time.Duration
	// CloseTimeout bounds the flush and the closing handshake of the transport. Default 5 s.
	CloseTimeout time.Duration
}

// WithDefaults returns l with the default for everything that is not set.
func (l Limits) WithDefaults() Limits {
	setDefault(&l.HandshakeTimeout, 15*time.Second)
	setDefault(&l.HandshakeBytes, 32<<10)
	setDefault(&l.QueueBytes, 4<<20)
	setDefault(&l.PartialBytes, 64<<20)
	setDefault(&l.SendTimeout, 10*time.Second)
	setDefault(&l.CloseTimeout, 5*time.Second)
	return l
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// An Origin is what the request that opened the connection told.
type Origin struct {
	ID             string // connection id
	UserID         string // empty for an anonymous user
	Claims         []serviceprotocol.Claim
	Headers        serviceprotocol.Headers
	QueryString    string // with its question mark, or empty
	DetailedErrors bool   // the app lets clients see details
}

// A Conn is one client connection. Receive and Next are each called by one
// goroutine of the transport at a time; the methods of pairing.Client may be
// called from any.
type Conn struct {
	origin Origin // fixed, as all to the empty line
	hub    *router.Hub
	limits Limits
	log    *slog.Logger
	ctx    context.Context // ends with the connection; handed to the transport
	cancel context.CancelFunc

	request []byte                         // the handshake request as far as it came; owned by Receive, as all to the empty line
	data    serviceprotocol.ConnectionData // reused for every message
	meter   meter

	protocol string              // set before the connection is paired, then fixed
	framing  hubprotocol.Framing // of protocol

	leaving sync.WaitGroup // the app server is being told of the end

	mu        sync.Mutex
	pair      *pairing.Pair // guarded by mu, as is all below; set by Receive, which may read it unlocked
	out       queue
	answered  bool // the handshake response was queued
	held      [][]byte
	heldBytes int
	partial   []byte // the beginning of a hub message from the app server
	closeSent bool   // the app server's last message was its Close
	reason    *pairing.Reason
	detail    string
	timer     *time.Timer // handshake timeout, later the limit of closing; one per connection
}

var _ pairing.Client = (*Conn)(nil)

// New returns a client connection of hub whose transport is open. The
// transport must call Finish in the end.
func New(hub *router.Hub, o Origin, l Limits, log *slog.Logger) *Conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{
		origin: o, hub: hub, limits: l.WithDefaults(),
		log: log.With("hub", hub.Name(), "connection_id", o.ID),
		ctx: ctx, cancel: cancel,
		out: newQueue(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(c.limits.HandshakeTimeout, c.handshakeExpired)
	return c
}

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

// ID returns the connection id.
func (c *Conn) ID() string { return c.origin.ID }

// UserID returns the id of the user, empty for an anonymous one.
func (c *Conn) UserID() string { return c.origin.UserID }

// Protocol returns the name of the hub protocol.
func (c *Conn) Protocol() string { return c.protocol }

// Binary tells whether the transport shall carry messages as binary. It is
// known when Next returns the first message.
func (c *Conn) Binary() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.protocol != "" && c.framing != hubprotocol.FramingRecordSeparator
}

// Joinable tells whether several messages may travel as one.
func (c *Conn) Joinable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framing != hubprotocol.FramingNone
}

// Abort ends the connection at once.
func (c *Conn) Abort() { c.cancel() }

// Context ends when the transport must end at once.
func (c *Conn) Context() context.Context { return c.ctx }

// Limits returns the limits with defaults filled in.
func (c *Conn) Limits() Limits { return c.limits }

// Close ends the connection after what is queued; only the first call counts.
func (c *Conn) Close(reason *pairing.Reason, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(reason, detail)
}

func (c *Conn) closeLocked(reason *pairing.Reason, detail string) {
	if c.reason != nil {
		return
	}
	c.reason, c.detail = reason, detail
	c.held, c.partial = nil, nil
	c.timer.Stop()
	if c.pair != nil {
		c.leaveLocked()
	}
	if reason == pairing.SlowClient || reason == pairing.TransportLost {
		c.out.drop() // nobody reads it
		c.cancel()
		return
	}
	if farewell := c.farewellLocked(); farewell != nil {
		c.out.add(farewell)
	}
	c.out.end()
	c.timer = time.AfterFunc(c.limits.CloseTimeout, c.cancel)
}

// leaveLocked tells the app server that the client is gone. That is done now
// and not when the transport has ended, since a client may take its time to
// say goodbye; and aside, since an app server may be slow to take it.
func (c *Conn) leaveLocked() {
	pair, text := c.pair, c.reason.Text
	c.leaving.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c.hub.Disconnect(ctx, pair, text)
	})
}

// farewellLocked returns the last message for the client: a Close, or the
// refusal of its handshake if that was not answered yet.
func (c *Conn) farewellLocked() []byte {
	text := c.reason.Text
	if text != "" && c.origin.DetailedErrors && c.detail != "" {
		text += " " + c.detail
	}
	switch {
	case c.closeSent || c.reason == pairing.ClosedByClient:
		return nil
	case !c.answered:
		if text == "" {
			text = "Connection closed by the application server." // an empty error would mean success
		}
		return hubprotocol.HandshakeResponse{Error: text}.Append(nil)
	default:
		return closeMessage(c.framing, &hubprotocol.Close{Error: text, AllowReconnect: c.reason.AllowReconnect})
	}
}

// closeMessage returns a Close in the protocols of this framing; a hub
// protocol that we do not know ends without one.
func closeMessage(f hubprotocol.Framing, m *hubprotocol.Close) []byte {
	var message []byte
	switch f {
	case hubprotocol.FramingRecordSeparator:
		message, _ = hubprotocol.JSON.Append(nil, m) // a Close can always be written
	case hubprotocol.FramingLengthPrefix:
		message, _ = hubprotocol.MessagePack.Append(nil, m)
	}
	return message
}

// Finish is called by the transport when it has ended; it may be called once.
// A connection that nobody closed ended for reason.
func (c *Conn) Finish(reason *pairing.Reason) {
	c.Close(reason, "")
	c.cancel()
	c.mu.Lock()
	c.timer.Stop()
	c.out.drop()
	reason, detail := c.reason, c.detail
	c.mu.Unlock()
	c.leaving.Wait()
	c.hub.CountClosed(reason)
	c.log.Info("client connection closed", "reason", reason.Code, "detail", detail, "user_id", c.origin.UserID)
}
