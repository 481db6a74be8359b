package appserver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// A client is one client connection, carried by a server connection. Most
// clients are idle, so it holds no goroutine, no timer and no buffer unless
// there is something to do:
//
// The server connection's reader puts what the client sent into inbox and makes
// sure that some goroutine is in work. That goroutine reads, that is, it cuts
// messages off unread. When it meets a call it stops reading and runs the call
// itself; if more comes in the meantime, another goroutine reads on. One that
// meets a call which may not run yet parks, and the call that returns next takes
// over.
type client struct {
	peer
	context Context // for the hub; fixed, as are all to the empty line
	cancel  context.CancelCauseFunc
	hub     *hub

	encoding atomic.Pointer[encoding] // nil until the handshake
	heard    atomic.Int64             // when bytes last came, in Unix nanoseconds
	pinged   atomic.Int64             // when a ping was last sent; 0 until the handshake is answered
	pings    atomic.Bool              // the client has sent a ping, so it shall not fall silent
	pending  atomic.Int64             // bytes in inbox and unread
	discard  atomic.Bool              // nothing is read any more

	partial *buffer // the beginning of a message that the service sends in parts; owned by the server connection's reader
	unread  *buffer // what is read at present; owned by the goroutine that reads, else guarded by mu

	mu        sync.Mutex                    // guards what follows
	inbox     *buffer                       // has come and is not in unread; nil when empty
	reading   bool                          // some goroutine reads
	parked    bool                          // reading waits for a call to return
	calls     int                           // calls that run in turn
	slots     int                           // calls that hold others up
	beside    int                           // calls with streams, which hold up nothing
	cancels   map[string]context.CancelFunc // of calls that can be cancelled, by invocation id; nil until there is one
	uploads   map[string]*upload            // by stream id; nil until there is one
	results   map[string]*result            // that this client shall give, by invocation id; nil until there is one
	forOthers map[string]struct{}           // invocation ids of calls by other app servers; nil until there is one
	shaken    bool                          // the handshake was accepted
	moving    *migration                    // nil unless it comes from another app server, or goes to one
	connected bool                          // OnConnected was good, so OnDisconnected is due
	ended     bool                          // end was called
	left      bool                          // the last messages were sent
	finished  bool                          // OnDisconnected was called, or need not be
	cause     error                         // for OnDisconnected
}

func newClient(h *hub, server *serverConn, m *serviceprotocol.OpenConnection) *client {
	c := &client{hub: h}
	m = c.introduce(server, m)
	if from := m.Headers.Get(serviceprotocol.HeaderMigrateFrom); from != "" {
		c.moving = &migration{from: from}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	c.context, c.cancel = Context{Context: ctx, peer: &c.peer, hub: h, client: c}, cancel
	return c
}

// newContext returns a context of the client with the life of ctx.
func (c *client) newContext(ctx context.Context) *Context {
	return &Context{Context: ctx, peer: &c.peer, hub: c.hub, client: c}
}

// receiveData takes what the service sends for the client. A part of a message waits
// for the others, since a client that loses its socket sends it anew.
//
// Source: azure-signalr ServiceConnection.cs, OnConnectionDataMessageAsync.
func (c *client) receiveData(m *serviceprotocol.ConnectionData) {
	if !m.Partial && c.partial == nil {
		c.receive(m.Payload)
		return
	}
	if c.partial == nil {
		c.partial = new(buffer)
	}
	c.partial.append(m.Payload)
	if m.Partial && len(c.partial.bytes) <= c.hub.config.MaximumPendingBytesPerClient {
		return
	}
	whole := c.partial
	c.partial = nil
	c.receive(whole.bytes)
}

// receive takes bytes that the client sent. It copies them and never waits.
func (c *client) receive(p []byte) {
	c.heard.Store(time.Now().UnixNano())
	if c.pending.Add(int64(len(p))) > int64(c.hub.config.MaximumPendingBytesPerClient) {
		c.end(failed(c, errTooMuchPending))
		return
	}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if c.inbox == nil {
		c.inbox = buffers.Get().(*buffer)
	}
	c.inbox.bytes = append(c.inbox.bytes, p...)
	start := !c.reading && !c.parked
	if start {
		c.reading = true
		c.hub.app.busy.add()
	}
	c.mu.Unlock()
	if start {
		c.hub.app.workers.start(c)
	}
}

// work reads and runs calls until there is nothing left for this goroutine.
func (c *client) work() {
	defer c.hub.app.busy.done()
	for {
		k, ok := c.read()
		if !ok {
			return
		}
		if !c.readOn(c.runInTurn(k)) {
			return
		}
	}
}

// refill moves inbox to unread. If it is empty, this goroutine no longer reads.
func (c *client) refill() bool {
	c.mu.Lock()
	if c.inbox != nil && !c.discard.Load() {
		if c.unread == nil {
			c.unread = c.inbox
		} else {
			c.unread.append(c.inbox.unread())
			c.inbox.free()
		}
		c.inbox = nil
		c.mu.Unlock()
		return true
	}
	if c.ended {
		c.dropLocked()
		c.abandonLocked()
	}
	c.reading = false
	last := c.lastLocked()
	c.mu.Unlock()
	if last {
		c.finish()
	}
	return false
}

func (c *client) dropLocked() {
	for _, b := range [...]*buffer{c.unread, c.inbox} {
		if b != nil {
			b.free()
		}
	}
	c.unread, c.inbox = nil, nil
}

// abandonLocked ends what waits for the client: it will send nothing more.
func (c *client) abandonLocked() {
	for _, u := range c.uploads {
		u.end(errUploadCut)
	}
	for _, r := range c.results {
		r.done <- goneError(fmt.Sprintf("Connection '%s' disconnected.", c.id))
	}
	c.uploads, c.results = nil, nil
}

// takeSlot lets a call run, or parks this goroutine's reading.
func (c *client) takeSlot() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slots < c.hub.config.MaximumParallelInvocationsPerClient {
		c.calls++
		c.slots++
		return true
	}
	c.reading, c.parked = false, true
	return false
}

// giveUpSlot lets the next call run beside one that waits for the client.
func (c *client) giveUpSlot() {
	c.mu.Lock()
	c.slots--
	c.parked = false
	start := !c.reading && (c.unread != nil || c.inbox != nil)
	if start {
		c.reading = true
		c.hub.app.busy.add()
	}
	c.mu.Unlock()
	if start {
		c.hub.app.workers.start(c)
	}
}

// stopReading is called by the goroutine that is about to run a call. Another one
// reads what has come already, unless that is a call which has to wait.
func (c *client) stopReading() {
	c.mu.Lock()
	next := c.unread
	if next == nil {
		next = c.inbox
	}
	c.reading = next != nil && (c.slots < c.hub.config.MaximumParallelInvocationsPerClient || !c.isCall(next.unread()))
	another := c.reading
	if another {
		c.hub.app.busy.add()
	}
	c.mu.Unlock()
	if another {
		c.hub.app.workers.start(c)
	}
}

// isCall tells whether a plain call comes first in b.
func (c *client) isCall(b []byte) bool {
	framing := c.encoding.Load().framing
	n, err := framing.Next(b)
	return err == nil && n > 0 && framing.TypeOf(b[:n]) == hubprotocol.TypeInvocation
}

// readOn is called when a call has returned, which may still have its slot. It tells
// whether this goroutine shall read again.
func (c *client) readOn(slot bool) bool {
	c.mu.Lock()
	c.calls--
	if slot {
		c.slots--
	}
	c.parked = false
	if !c.reading && (c.unread != nil || c.inbox != nil) {
		c.reading = true
		c.mu.Unlock()
		return true
	}
	last := c.lastLocked()
	c.mu.Unlock()
	if last {
		c.finish()
	}
	return false
}

// write sends hub messages to this client alone. Its o is where frame lies, or nil.
func (c *client) write(ctx context.Context, o *outgoing, kind serviceprotocol.DataMessageType, frame []byte) error {
	if !c.hub.config.AllowStatefulReconnects {
		kind = serviceprotocol.DataUnknown // older services do not know kinds
	}
	if o == nil {
		o = newOutgoing()
		defer o.free()
	}
	o.data = serviceprotocol.ConnectionData{ConnectionID: c.id, Payload: frame, DataType: kind}
	return c.server.link.Send(ctx, &o.data)
}
