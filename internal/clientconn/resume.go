package clientconn

import (
	"errors"
	"fmt"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/internal/resume"
)

// Why a connection takes no other socket.
var (
	ErrGone = errors.New("connection has ended")
	ErrOpen = errors.New("connection has its socket")
)

// ackDelay is the time from a message of the client to its acknowledgement, which
// may be of more that came meanwhile.
//
// Source: dotnet/aspnetcore MessageBuffer.cs, AckRate.
const ackDelay = time.Second

// A resumable is what a connection needs to go on over another socket when it loses
// the one that it has: stateful reconnect. The service is the client's peer in that:
// it numbers what goes to the client, whichever app server sent it and to however
// many, and app servers do not notice when a socket is lost.
//
// Source: dotnet/aspnetcore docs/specs/HubProtocol.md, "Stateful Reconnect".
type resumable struct {
	input []byte // the beginning of a message from the client; owned by Receive

	sent     resume.Sent[*pairing.Shared] // guarded by the connection, as is all below
	received resume.Received
	acked    int64         // the latest number that the client was told
	ack      *time.Timer   // will acknowledge; nil while there is nothing new
	detached bool          // there is no socket
	free     chan struct{} // closed when there is none; nil unless somebody waits for that
	ended    func()        // to be called when the connection has ended; set while detached
	final    bool          // the client has said goodbye
}

// resumableLocked tells whether the connection outlives its socket.
func (c *Conn) resumableLocked() bool {
	return c.resume != nil && c.answered && c.reason == nil && !c.closeSent && !c.resume.final
}

// Lost ends the transport, which has failed, and with it the connection unless that
// can go on over another one.
func (c *Conn) Lost(reason *pairing.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumableLocked() {
		c.transport.Abort()
		return
	}
	c.closeLocked(reason, "")
}

// detach keeps a connection whose socket is lost, for a while.
func (c *Conn) detach(ended func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.resumableLocked() {
		return false
	}
	r := c.resume
	r.detached, r.ended = true, ended
	c.out.Clear()
	c.awake = false
	c.transport = limbo{c}
	c.timer = time.AfterFunc(c.env.Limits.ResumeTimeout, func() { c.Close(pairing.TransportLost, "") })
	if r.free != nil {
		close(r.free)
		r.free = nil
	}
	return true
}

// limbo is the transport of a connection that has none.
type limbo struct{ c *Conn }

func (l limbo) Wake()  { go l.c.endDetached() } // it must not be called with the connection locked
func (l limbo) Abort() { go l.c.endDetached() }

// endDetached ends a connection that was closed while it had no socket.
func (c *Conn) endDetached() {
	c.mu.Lock()
	ended := c.resume.ended
	if c.reason == nil || ended == nil {
		c.mu.Unlock()
		return
	}
	c.resume.ended = nil
	c.mu.Unlock()
	c.end(ended)
}

// Attach has t carry the connection from now on, in place of a socket that is lost.
// If there is one which is not known to be lost, that is ended first. What the client
// has not acknowledged is sent again. The error is ErrGone, or ErrOpen when the
// connection cannot be resumed or its socket does not end in time; a transport that
// was attached has to call Finish as the one before.
func (c *Conn) Attach(t Transport) error {
	if err := c.awaitDetached(); err != nil {
		return err
	}
	c.attachLocked(t)
	pair := c.pair
	c.mu.Unlock()
	c.hub.Resumed(pair) // without the lock, since the hub holds its own when it sends to a client
	c.env.Log.Debug("client connection resumed", "hub", c.hub.Name(), "connection_id", c.id)
	return nil
}

func (c *Conn) attachLocked(t Transport) {
	r := c.resume
	r.detached, r.ended, r.input = false, nil, nil
	c.stopTimerLocked()
	c.transport = t
	c.out.Add(pairing.NewShared(c.numbered(&hubprotocol.Sequence{SequenceID: r.sent.First()})))
	for message := range r.sent.All {
		message.Retain()
		c.out.Add(message)
	}
	c.acknowledgeSoonLocked()
	c.wakeLocked()
}

// awaitDetached returns with the connection locked, unless there is an error.
func (c *Conn) awaitDetached() error {
	timeout := time.NewTimer(c.env.Limits.CloseTimeout)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		switch {
		case c.reason != nil:
			c.mu.Unlock()
			return ErrGone
		case c.resume != nil && c.resume.detached:
			return nil
		case !c.resumableLocked():
			c.mu.Unlock()
			return ErrOpen
		}
		if c.resume.free == nil {
			c.resume.free = make(chan struct{})
		}
		free := c.resume.free
		c.transport.Abort()
		c.mu.Unlock()
		select {
		case <-free:
		case <-timeout.C:
			return ErrOpen
		}
	}
}

// numbered encodes an Ack or a Sequence, which can always be written.
func (c *Conn) numbered(m hubprotocol.Message) []byte {
	b, _ := protocolOf(c.framing).Append(nil, m)
	return b
}

func protocolOf(f hubprotocol.Framing) hubprotocol.Protocol {
	if f == hubprotocol.FramingLengthPrefix {
		return hubprotocol.MessagePack
	}
	return hubprotocol.JSON
}

// keepLocked queues hub messages for the client, and keeps those that have a number
// until it has acknowledged them. It takes over one use of message.
func (c *Conn) keepLocked(message *pairing.Shared) {
	all := message.Bytes()
	for b := all; len(b) > 0; {
		n, err := c.framing.Next(b)
		if n == 0 || err != nil {
			n = len(b) // cannot be: the messages are whole
		}
		part := message
		if n == len(all) {
			part.Retain()
		} else {
			part = pairing.NewShared(b[:n])
		}
		c.keepOneLocked(part, c.framing.TypeOf(b[:n]))
		b = b[n:]
	}
	message.Release()
}

func (c *Conn) keepOneLocked(message *pairing.Shared, t hubprotocol.Type) {
	r := c.resume
	size := len(message.Bytes())
	switch {
	case t == hubprotocol.TypeAck || t == hubprotocol.TypeSequence:
		message.Release() // the app server's numbers are not those of the client
		return
	case resume.Counts(t) && r.sent.Len() > 0 && r.sent.Bytes()+size > c.env.Limits.QueueBytes:
		c.closeLocked(pairing.SlowClient, "")
	case resume.Counts(t) && c.reason == nil:
		message.Retain()
		r.sent.Add(message, size)
	}
	if r.detached {
		message.Release()
		return
	}
	c.queueLocked(message)
}

// receiveNumbered takes bytes from the client. The app server gets whole messages,
// each once.
func (c *Conn) receiveNumbered(p []byte) error {
	r := c.resume
	b := p
	if len(r.input) > 0 {
		r.input = append(r.input, p...)
		b = r.input
	}
	news, rest, fault := c.sortOut(b)
	if err := c.send(news); err != nil {
		return err
	}
	if fault != nil {
		return c.fail(pairing.BadMessage, fault.Error())
	}
	limit := c.env.Limits.MessageBytes
	if limit <= 0 {
		limit = c.env.Limits.QueueBytes
	}
	if len(rest) > limit {
		return c.fail(pairing.MessageTooLarge, fmt.Sprintf("the limit for one message is %d bytes", limit))
	}
	if len(rest) == 0 {
		r.input = nil
	} else {
		r.input = append(r.input[:0], rest...)
	}
	return nil
}

// sortOut counts the whole messages at the start of b and returns those that are for
// the app server, which lie in b, and the bytes behind them.
func (c *Conn) sortOut(b []byte) (news, rest []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, rest := 0, b
	for err == nil && len(rest) > 0 {
		n, fault := c.framing.Next(rest)
		if n == 0 || fault != nil {
			err = fault
			break
		}
		message := rest[:n]
		rest = rest[n:]
		var pass bool
		if pass, err = c.countLocked(message); pass {
			kept += copy(b[kept:], message)
		}
	}
	return b[:kept], rest, err
}

// countLocked tells whether a message is for the app server.
func (c *Conn) countLocked(message []byte) (bool, error) {
	switch t := c.framing.TypeOf(message); {
	case resume.Counts(t):
		if !c.resume.received.Take() {
			return false, nil
		}
		c.acknowledgeSoonLocked()
	case t == hubprotocol.TypeAck, t == hubprotocol.TypeSequence:
		return false, c.obeyLocked(message)
	case t == hubprotocol.TypeClose:
		c.resume.final = true
	}
	return true, nil
}

// obeyLocked takes an Ack or a Sequence.
func (c *Conn) obeyLocked(message []byte) error {
	m, err := protocolOf(c.framing).Parse(message)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *hubprotocol.Ack:
		return c.resume.sent.Ack(m.SequenceID, (*pairing.Shared).Release)
	case *hubprotocol.Sequence:
		return c.resume.received.Sequence(m.SequenceID)
	}
	return nil
}

func (c *Conn) acknowledgeSoonLocked() {
	r := c.resume
	if r.ack == nil && r.received.Highest() > r.acked {
		r.ack = time.AfterFunc(ackDelay, c.acknowledge)
	}
}

func (c *Conn) acknowledge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.resume
	r.ack = nil
	if c.reason != nil || r.detached {
		return // Attach sees to it
	}
	r.acked = r.received.Highest()
	c.queueLocked(pairing.NewShared(c.numbered(&hubprotocol.Ack{SequenceID: r.acked})))
}

// forgetLocked lets go of what is kept; the connection has ended.
func (r *resumable) forgetLocked() {
	r.sent.Drop((*pairing.Shared).Release)
	if r.ack != nil {
		r.ack.Stop()
		r.ack = nil
	}
}
