package aspnet

import (
	"fmt"
	"net"
	"sync"
	"time"

	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// A state of a connection. One that is open has a stream or waits for its client to come back;
// one that has a reason is closed, whatever its state.
type state byte

const (
	negotiated state = iota // and expected to connect
	connecting              // the app server is being told
	open
)

// A Conn is one client connection. Its transport may end and another one take its place, and
// in long polling does so all the time.
type Conn struct {
	id, token, userID string // fixed, as all to the empty line; token is secret
	app               string // in lower case
	h                 *Handler
	hub               *router.Hub // of the application
	pollWait          time.Duration
	detailed, traced  bool

	pair    *pairing.Pair // set by connect, then fixed, as all to the empty line
	hubs    []string      // that the client listens to, in lower case
	listens []router.Listening
	born    time.Time

	mu       sync.Mutex
	state    state   // guarded by mu, as is all below
	stream   *stream // carries what the client gets; nil while there is none
	out      clientconn.Outbox
	polled   polled
	reason   *pairing.Reason // set by the first Close
	farewell []byte          // the last message for the client, until it is sent; nil for none
	words    []byte          // the same for ever
	detail   string
	timer    *time.Timer // closes a connection whose client does not come; nil while it is there
	away     bool        // it is open, and the timer runs
	left     bool        // the app server was told of the end
	ended    bool
}

var _ pairing.Client = (*Conn)(nil)

// ID returns the connection id.
func (c *Conn) ID() string { return c.id }

// UserID returns the id of the user, empty for an anonymous one.
func (c *Conn) UserID() string { return c.userID }

// Protocol returns the name under which payloads for such clients stand.
func (c *Conn) Protocol() string { return aspnetprotocol.Protocol }

// Move does nothing: the client's app server cannot hand it over.
func (c *Conn) Move(pairing.Server) {}

// HandedOver is false: see Move.
func (c *Conn) HandedOver() bool { return false }

// ServerLost is false: see Move.
func (c *Conn) ServerLost(pairing.Server) bool { return false }

func (c *Conn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.openLocked()
}

// lastWords returns what the client is told of the end, if it has come.
func (c *Conn) lastWords() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.words
}

func (c *Conn) openLocked() bool { return c.state == open && c.reason == nil }

// expect closes the connection unless its client comes within d.
func (c *Conn) expect(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expectLocked(d)
}

func (c *Conn) expectLocked(d time.Duration) {
	c.stopTimerLocked()
	if c.reason != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer == timer { // else the client came just in time
			c.closeLocked(pairing.TransportLost, "")
		}
	})
	c.timer = timer
	if c.state == open {
		c.away = true
		c.h.away.Add(1)
	}
}

func (c *Conn) stopTimerLocked() {
	if c.away {
		c.away = false
		c.h.away.Add(-1)
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// receive takes a message of the client, and passes it on as it is. It does not wait.
func (c *Conn) receive(text []byte) error {
	if !c.isOpen() {
		return net.ErrClosed
	}
	if string(text) == aspnetprotocol.Reconnect {
		return nil // is the service's to say
	}
	return c.post(text)
}

// datas are scratch values for post.
var datas = sync.Pool{New: func() any { return new(serviceprotocol.ConnectionData) }}

func (c *Conn) post(text []byte) error {
	data := datas.Get().(*serviceprotocol.ConnectionData)
	data.ConnectionID, data.Payload = c.id, text
	err := c.pair.Server.Post(data)
	data.ConnectionID, data.Payload = "", nil
	datas.Put(data)
	if err != nil {
		c.Close(pairing.ServerConnectionLost, "")
		return fmt.Errorf("client connection %q: %w", c.id, net.ErrClosed)
	}
	return nil
}

// stop ends the connection because its client wants that.
func (c *Conn) stop() {
	c.Close(pairing.ClosedByClient, "")
	c.leave()
}

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
	c.stopTimerLocked()
	text := reason.Text
	if detail != "" {
		text = detail
	}
	if text != "" && (c.detailed || c.h.config.AlwaysErrors) {
		if !c.detailed {
			text = reason.Text
		}
		c.words = aspnetprotocol.AppendError(nil, text)
		c.farewell = c.words
	}
	switch {
	case c.state == connecting: // connect will see it
	case c.stream == nil:
		go c.end() // not with the connection locked
	case reason == pairing.SlowClient:
		c.out.Clear() // nobody reads it
		c.farewell = nil
		c.stream.transport.Abort()
	default:
		c.stream.endLocked()
	}
}

// abort ends the transport at once.
func (c *Conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil {
		c.stream.transport.Abort()
	}
}

// leave tells the app server that the client is gone, once it is.
func (c *Conn) leave() {
	c.mu.Lock()
	leave := c.reason != nil && c.pair != nil && !c.left
	c.left = c.left || leave
	c.mu.Unlock()
	if !leave {
		return
	}
	c.unlisten()
	text := c.reason.Text
	if c.reason == pairing.TransportLost {
		text = "The client did not come back in time."
	}
	c.hub.Disconnect(c.pair, text)
}

func (c *Conn) unlisten() {
	for _, l := range c.listens {
		c.h.config.Router.Unlisten(l)
	}
}

// end forgets a connection that is closed and has no stream.
func (c *Conn) end() {
	c.mu.Lock()
	again := c.ended
	c.ended = true
	c.stopTimerLocked()
	c.out.Clear()
	c.polled.clear()
	c.mu.Unlock()
	if again {
		return
	}
	if !c.born.IsZero() { // else it has never connected
		serverID := ""
		if c.pair != nil {
			c.leave()
			serverID = c.pair.Server.ServerID()
		}
		c.hub.CountClosed(c.reason)
		c.h.config.Log.Info("client connection closed", "hub", c.hub.Name(), "connection_id", c.id,
			"reason", c.reason.Code, "by", string(c.reason.By), "detail", c.detail, "user_id", c.userID, "server_id", serverID,
			"lasted", time.Since(c.born).Truncate(time.Second).String())
	}
	c.h.table.forget(c)
}

// A keeper has the WebSockets of clients that are to be sent something now and then.
type keeper struct {
	interval time.Duration
	slots    [slots]slot
}

// slots are looked through one after the other, so that none is locked for long.
const slots = 16

type slot struct {
	mu      sync.Mutex
	streams map[*stream]struct{} // guarded by mu
}
