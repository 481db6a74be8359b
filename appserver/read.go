package appserver

import (
	"errors"
	"fmt"
	"time"

	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// An outcome of step.
type outcome int

const (
	handled outcome = iota // go on
	starved                // no whole message is there
	parked                 // a call has to wait; this goroutine no longer reads
	started                // a call has its slot and is to be run
)

// maxHandshakeVersion is the highest version that may be asked for; it brings
// stateful reconnect, without which it is like version 1.
const maxHandshakeVersion = 2

// read handles messages until it meets a call to run. Without one this goroutine
// no longer reads.
func (c *client) read() (call, bool) {
	for {
		k, outcome := c.step()
		switch outcome {
		case started:
			c.stopReading()
			return k, true
		case parked:
			return call{}, false
		case starved:
			if !c.refill() {
				return call{}, false
			}
		}
	}
}

// step handles the next message of unread.
func (c *client) step() (call, outcome) {
	if c.unread == nil || c.discard.Load() {
		return call{}, starved
	}
	e := c.encoding.Load()
	if e == nil {
		return call{}, c.shakeHands()
	}
	message, _, err := e.Split(c.unread.unread(), c.hub.config.receiveLimit())
	if err != nil {
		c.end(failed(c, splitError(err)))
		return call{}, starved
	}
	if message == nil {
		return call{}, starved
	}
	m, err := e.Parse(message)
	if err != nil {
		c.end(failed(c, &exception{"InvalidDataException", err.Error()}))
		return call{}, starved
	}
	return c.handle(e, m, len(message))
}

// handle does what m asks for and takes its n bytes off unread.
func (c *client) handle(e *encoding, m hubprotocol.Message, n int) (k call, result outcome) {
	switch m := m.(type) {
	case *hubprotocol.Invocation:
		if len(m.StreamIDs) > 0 {
			c.startBeside(c.bind(e, m, false))
			break
		}
		if !c.takeSlot() {
			return call{}, parked
		}
		k, result = c.bind(e, m, false), started
	case *hubprotocol.StreamInvocation:
		c.startBeside(c.bind(e, (*hubprotocol.Invocation)(m), true))
	case *hubprotocol.StreamItem:
		c.handleItem(e, m)
	case *hubprotocol.Completion:
		c.handleCompletion(e, m)
	case *hubprotocol.CancelInvocation:
		c.cancelCall(m.InvocationID)
	case *hubprotocol.Ping:
		c.pings.Store(true)
	case *hubprotocol.Close:
		c.end(closedByClient(m))
	default:
		// What newer clients may send.
	}
	c.consume(n)
	return k, result
}

// consume takes n bytes off unread.
func (c *client) consume(n int) {
	c.pending.Add(int64(-n))
	c.unread.start += n
	if c.unread.start == len(c.unread.bytes) {
		c.unread.free()
		c.unread = nil
	}
}

func splitError(err error) error {
	if size, ok := errors.AsType[*hubprotocol.MessageSizeError](err); ok {
		return &exception{"InvalidDataException", fmt.Sprintf(
			"The maximum message size of %dB was exceeded. The message size can be configured in AddHubOptions.", size.Limit)}
	}
	return &exception{"InvalidDataException", err.Error()}
}

// shakeHands answers the client's first message.
//
// Source of the texts: dotnet/aspnetcore HubConnectionContext.cs, HandshakeAsync.
func (c *client) shakeHands() outcome {
	before := c.unread.unread()
	request, rest, err := hubprotocol.ParseHandshakeRequest(before)
	limit := c.hub.config.receiveLimit()
	size := len(before) - len(rest)
	switch incomplete := errors.Is(err, hubprotocol.ErrIncomplete); {
	case limit > 0 && size > limit:
		c.end(refused("Handshake was canceled."))
		return starved
	case incomplete:
		return starved
	case err != nil:
		c.end(refused(clientText("An unexpected error occurred during connection handshake.",
			&exception{"InvalidDataException", err.Error()}, c.hub.config.EnableDetailedErrors)))
		return starved
	}
	c.consume(size)
	e := c.hub.encoding(request.Protocol)
	switch {
	case e == nil:
		c.end(refused(fmt.Sprintf("The protocol '%s' is not supported.", request.Protocol)))
	case request.Version > maxHandshakeVersion:
		c.end(refused(fmt.Sprintf("The server does not support version %d of the '%s' protocol.", request.Version, request.Protocol)))
	default:
		c.connect(e)
	}
	return handled
}

// connect accepts the client: it gets its answer, then the hub is told.
func (c *client) connect(e *encoding) {
	c.mu.Lock()
	c.shaken = !c.ended
	accepted := c.shaken
	c.mu.Unlock()
	if !accepted {
		return
	}
	c.encoding.Store(e)
	if c.migration().from == "" { // else it has had its answer
		if err := c.write(&c.context, nil, serviceprotocol.DataHandshake, hubprotocol.HandshakeResponse{}.Append(nil)); err != nil {
			return // the server connection ends, and this client with it
		}
	}
	c.pinged.Store(time.Now().UnixNano())
	if err := c.callOnConnected(); err != nil {
		c.logFailure("OnConnected", err)
		c.end(connectFailed(c, err))
		return
	}
	c.mu.Lock()
	c.connected = true
	c.mu.Unlock()
}

func (c *client) callOnConnected() (err error) {
	defer recovered(&err)
	return c.hub.connectHook(&c.context)
}
