package clientconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Receive takes bytes from the client; they may be changed once it returns.
// Until the handshake is complete they are collected, then they go to the app
// server as they are. It waits while the app server does not keep up. After an
// error, which matches net.ErrClosed, the connection is closing and takes no
// more bytes.
func (c *Conn) Receive(p []byte) error {
	if c.closing() { // else the app server would get bytes for a client that it has forgotten
		return net.ErrClosed
	}
	if c.pair == nil {
		return c.receiveHandshake(p)
	}
	return c.forward(p)
}

func (c *Conn) closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason != nil
}

func (c *Conn) receiveHandshake(p []byte) error {
	c.request = append(c.request, p...)
	request, rest, err := hubprotocol.ParseHandshakeRequest(c.request)
	switch {
	case len(c.request)-len(rest) > c.limits.HandshakeBytes:
		return c.fail(pairing.HandshakeError, fmt.Sprintf("The handshake request is longer than the limit of %d bytes.", c.limits.HandshakeBytes))
	case errors.Is(err, hubprotocol.ErrIncomplete):
		return nil
	case err != nil:
		return c.fail(pairing.HandshakeError, err.Error())
	}
	all := c.request
	c.request = nil
	if err := c.connect(request); err != nil {
		return err
	}
	handshake := all[:len(all)-len(rest)]
	if err := c.send(handshake); err != nil {
		return err
	}
	return c.forward(rest)
}

// connect pairs the connection with a server connection, which now learns of it.
func (c *Conn) connect(request hubprotocol.HandshakeRequest) error {
	c.mu.Lock()
	if c.reason != nil {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.timer.Reset(c.limits.HandshakeTimeout) // now the app server's turn
	c.protocol = strings.Clone(request.Protocol)
	c.framing = hubprotocol.FramingOf(c.protocol)
	c.mu.Unlock()

	c.meter = meter{framing: c.framing, limit: c.limits.MessageBytes}
	c.data.ConnectionID = c.origin.ID
	pair, err := c.hub.Connect(c.ctx, c, &serviceprotocol.OpenConnection{
		ConnectionID: c.origin.ID,
		Claims:       c.origin.Claims,
		Headers:      c.origin.Headers,
		QueryString:  c.origin.QueryString,
		Protocol:     c.protocol,
	})
	switch {
	case errors.Is(err, router.ErrNoServer):
		return c.fail(pairing.NoServer, "")
	case err != nil:
		return c.fail(pairing.ServerConnectionLost, "")
	}
	return c.paired(pair)
}

func (c *Conn) paired(pair *pairing.Pair) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pair = pair
	if c.reason != nil { // closed meanwhile
		c.leaveLocked()
		return net.ErrClosed
	}
	return nil
}

// forward passes hub protocol bytes on.
func (c *Conn) forward(p []byte) error {
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

func (c *Conn) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	c.data.Payload = p
	err := c.pair.Server.Send(c.ctx, &c.data)
	c.data.Payload = nil
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return net.ErrClosed
	default:
		return c.fail(pairing.ServerConnectionLost, "")
	}
}

func (c *Conn) fail(reason *pairing.Reason, detail string) error {
	c.Close(reason, detail)
	return fmt.Errorf("client connection %q: %s: %w", c.origin.ID, reason, net.ErrClosed)
}
