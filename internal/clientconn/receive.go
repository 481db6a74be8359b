package clientconn

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Receive takes bytes from the client. It may change them, and they may be changed
// once it returns.
// Until the handshake is complete they are collected, then they go to the app
// server as they are. It does not wait: a transport asks Congested before it
// reads. After an error, which matches net.ErrClosed, the connection is closing
// and takes no more bytes.
func (c *Conn) Receive(p []byte) error {
	if c.Closing() { // else the app server would get bytes for a client that it has forgotten
		return net.ErrClosed
	}
	if c.opening != nil {
		return c.receiveHandshake(p)
	}
	return c.forward(p)
}

// Congested tells whether the app server does not keep up. If so, r is resumed
// when it does, and until then the transport should read nothing.
func (c *Conn) Congested(r pairing.Resumer) bool {
	switch {
	case c.opening != nil || !c.paired:
		return false
	case c.mover != nil:
		return c.mover.congested(c, r)
	default:
		return c.pair.Server.Congested(r)
	}
}

func (c *Conn) receiveHandshake(p []byte) error {
	o := c.opening
	o.request = append(o.request, p...)
	request, rest, err := hubprotocol.ParseHandshakeRequest(o.request)
	switch limit := c.env.Limits.HandshakeBytes; {
	case len(o.request)-len(rest) > limit:
		return c.fail(pairing.HandshakeError, fmt.Sprintf("The handshake request is longer than the limit of %d bytes.", limit))
	case errors.Is(err, hubprotocol.ErrIncomplete):
		return nil
	case err != nil:
		return c.fail(pairing.HandshakeError, err.Error())
	}
	c.opening = nil
	if err := c.connect(&o.origin, request); err != nil {
		return err
	}
	if err := postData(c.pair.Server, c.id, o.request[:len(o.request)-len(rest)]); err != nil {
		return c.fail(pairing.ServerConnectionLost, "")
	}
	return c.forward(rest)
}

// connect pairs the connection with a server connection, which now learns of it.
func (c *Conn) connect(o *Origin, request hubprotocol.HandshakeRequest) error {
	c.mu.Lock()
	if c.reason != nil {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.timer.Reset(o.Handshake) // now the app server's turn
	c.protocol = protocolName(request.Protocol)
	c.framing = hubprotocol.FramingOf(c.protocol)
	if o.Resumable && request.Version >= 2 && c.framing != hubprotocol.FramingNone {
		c.resume = new(resumable)
	}
	c.mu.Unlock()

	if o.TextOnly && c.framing != hubprotocol.FramingRecordSeparator {
		return c.fail(pairing.BinaryOverText, "Cannot use the '"+c.protocol+"' protocol on the current transport. The transport does not support 'Binary' transfer format.")
	}
	if limit := c.env.Limits.MessageBytes; limit > 0 && c.resume == nil {
		c.meter = &meter{framing: c.framing, limit: limit}
	}
	open := &serviceprotocol.OpenConnection{
		ConnectionID: o.ID,
		Claims:       o.Claims,
		Headers:      o.Headers,
		QueryString:  o.QueryString,
		Protocol:     c.protocol,
	}
	if c.framing != hubprotocol.FramingNone && c.hub.Moves(open) {
		c.mover = newMover(open, request.Version, c.framing)
	}
	pair, err := c.hub.Connect(c, open)
	switch {
	case errors.Is(err, router.ErrServerAway):
		return c.fail(pairing.NoServer, "The app server that this client has to stay with is not connected.")
	case errors.Is(err, router.ErrNoServer):
		return c.fail(pairing.NoServer, "")
	case err != nil:
		return c.fail(pairing.ServerConnectionLost, "")
	}
	return c.pairWith(pair)
}

// protocolName spares the usual names a copy each.
func protocolName(name string) string {
	for _, known := range []string{"json", "messagepack"} {
		if name == known {
			return known
		}
	}
	return strings.Clone(name)
}

func (c *Conn) pairWith(pair *pairing.Pair) error {
	var traits router.Traits
	if c.mover != nil {
		traits = c.hub.TraitsOf(pair.Server)
	}
	c.mu.Lock()
	c.pair, c.paired = pair, true
	if c.mover != nil {
		c.mover.joinLocked(traits)
	}
	closed := c.reason != nil // meanwhile
	c.mu.Unlock()
	if closed {
		c.Leave()
		return net.ErrClosed
	}
	return nil
}

// forward passes hub protocol bytes on.
func (c *Conn) forward(p []byte) error {
	if c.resume != nil {
		return c.receiveNumbered(p)
	}
	if c.meter == nil {
		return c.send(p)
	}
	if whole, err := c.meter.count(p); err != nil {
		if err := c.send(p[:whole]); err != nil { // a bad message does not take others with it
			return err
		}
		reason := pairing.BadMessage
		if errors.Is(err, errMessageTooLarge) {
			reason = pairing.MessageTooLarge
		}
		return c.fail(reason, err.Error())
	}
	return c.send(p)
}

// datas are scratch values for send: a message must not be allocated for each
// piece of bytes, nor a place for one in every connection.
var datas = sync.Pool{New: func() any { return new(serviceprotocol.ConnectionData) }}

func (c *Conn) send(p []byte) error {
	switch {
	case len(p) == 0:
		return nil
	case c.mover != nil:
		return c.pass(p)
	}
	if err := postData(c.pair.Server, c.id, p); err != nil {
		return c.fail(pairing.ServerConnectionLost, "")
	}
	return nil
}

func postData(s pairing.Server, id string, p []byte) error {
	data := datas.Get().(*serviceprotocol.ConnectionData)
	data.ConnectionID, data.Payload = id, p
	err := s.Post(data)
	data.ConnectionID, data.Payload = "", nil
	datas.Put(data)
	return err
}

func (c *Conn) fail(reason *pairing.Reason, detail string) error {
	c.Close(reason, detail)
	return fmt.Errorf("client connection %q: %s: %w", c.id, reason, net.ErrClosed)
}
