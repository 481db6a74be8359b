package appserver

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// An ending is the way in which a client connection ends.
type ending struct {
	err    error  // for OnDisconnected; nil for a normal end
	drain  bool   // what the client sent before is still handled
	silent bool   // the service knows, or is gone
	last   []byte // hub message for the client, nil for none
	reason string // for the service, which may show it to the client
	early  bool   // holds only until the handshake

	handOver bool // another app server has the client; calls end as usual, and are answered
}

// Reasons of this side to close a client, each with the name that ASP.NET Core
// gives it where it has one.
var (
	errClientSilent = &exception{"OperationCanceledException",
		"Client hasn't sent a message/ping within the configured ClientTimeoutInterval."}
	errTooMuchPending = &exception{"InvalidDataException",
		"The client sends faster than its messages are handled."}
	errInstanceGone = errors.New("service instance went offline")
)

// closedByService: the client's transport has ended, or the service closed it.
func closedByService(m *serviceprotocol.CloseConnection) ending {
	e := ending{silent: true, drain: true}
	if m.Error != "" {
		e.err = errors.New("client connection closed: " + m.Error)
	}
	return e
}

// closedByClient: the client has said that it goes.
func closedByClient(m *hubprotocol.Close) ending {
	if m.Error != "" {
		return ending{err: &HubError{Message: m.Error}}
	}
	return ending{}
}

// aborted: the hub does not want the client any more.
func aborted(c *client) ending { return ending{last: c.closeMessage("", false)} }

// failed: the client broke a rule, and may start over.
func failed(c *client, err error) ending {
	e := c.closedWith(err, true)
	e.err = err
	return e
}

// connectFailed: OnConnected did not want the client.
func connectFailed(c *client, err error) ending { return c.closedWith(err, false) }

func (c *client) closedWith(err error, reconnect bool) ending {
	text := clientText("Connection closed with an error.", err, c.hub.config.EnableDetailedErrors)
	return ending{last: c.closeMessage(text, reconnect), reason: text}
}

// refused: the handshake was not good.
func refused(text string) ending {
	return ending{last: hubprotocol.HandshakeResponse{Error: text}.Append(nil), reason: text, early: true}
}

// shutDown: this app server ends; another will do.
func shutDown(c *client) ending { return ending{last: c.closeMessage("", true)} }

// lost: the way to the client is gone.
func lost(err error) ending { return ending{err: err, silent: true} }

// replaced: the service has given the connection id to another client.
func replaced() ending { return lost(errors.New("connection id was used again")) }

// closeMessage returns a Close, or nil while no protocol is agreed.
func (c *client) closeMessage(text string, reconnect bool) []byte {
	e := c.encoding.Load()
	if e == nil {
		return nil
	}
	b, err := e.Append(nil, &hubprotocol.Close{Error: text, AllowReconnect: reconnect})
	if err != nil {
		return nil
	}
	return b
}

// end ends the client's connection. Only the first call has an effect. It never
// waits.
func (c *client) end(e ending) {
	c.mu.Lock()
	if c.ended || e.early && c.shaken {
		c.mu.Unlock()
		return
	}
	c.ended, c.cause = true, e.err
	c.discard.Store(!e.drain)
	if !e.drain || !c.reading && !c.parked {
		c.abandonLocked() // else who reads does it, behind what the client sent before
	}
	c.hub.app.busy.add()
	c.mu.Unlock()

	c.hub.clients.remove(c)
	c.hub.app.clients.done()
	level, text := slog.LevelDebug, "client ended"
	if c.traced {
		level, text = slog.LevelInfo, "diagnostic client ended"
	}
	c.hub.log.Log(context.Background(), level, text, "connection_id", c.id, "reason", e.reason, "error", e.err)
	switch {
	case e.handOver: // when all is done
	case e.err != nil:
		c.cancel(e.err)
	default:
		c.cancel(net.ErrClosed)
	}
	go c.leave(e)
}

// leave sends the last messages. Then, or when all else has returned,
// OnDisconnected is due.
func (c *client) leave(e ending) {
	defer c.hub.app.busy.done()
	if !e.silent {
		c.sayGoodbye(e)
	}
	c.server.clients.Add(-1)
	c.mu.Lock()
	c.left = true
	last := c.lastLocked()
	c.mu.Unlock()
	if last {
		c.finish()
	}
}

func (c *client) sayGoodbye(e ending) {
	life := c.hub.app.life
	kind := serviceprotocol.DataClose
	if e.early {
		kind = serviceprotocol.DataHandshake
	}
	if e.early && c.migration().from != "" {
		e.last = nil // it has had its answer
	}
	if e.last != nil && c.write(life, nil, kind, e.last) != nil {
		return
	}
	_ = c.server.link.Send(life, &serviceprotocol.CloseConnection{ConnectionID: c.id, Error: e.reason})
}

// lastLocked tells whether the connection has ended and nothing works for it any
// more. It does so once.
func (c *client) lastLocked() bool {
	if !c.left || c.reading || c.calls > 0 || c.beside > 0 || c.finished {
		return false
	}
	c.finished = true
	return true
}

// finish tells the hub, if it knows the client.
func (c *client) finish() {
	if c.migration().to != "" {
		defer c.handedOver()
	}
	if !c.connected {
		return
	}
	if err := c.callOnDisconnected(); err != nil {
		c.logFailure("OnDisconnected", err)
	}
}

func (c *client) callOnDisconnected() (err error) {
	defer recovered(&err)
	c.hub.disconnectHook(c.newContext(c.hub.app.life), c.cause)
	return nil
}
