package clientconn

import (
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
)

// Close ends the connection after what is queued; only the first call counts.
func (c *Conn) Close(reason *pairing.Reason, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(reason, detail)
}

// Abort ends the connection at once, if it has been closed; else it may be resumed.
func (c *Conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transport.Abort()
}

// Closing tells whether the connection has been closed, by either side.
func (c *Conn) Closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason != nil
}

func (c *Conn) closeLocked(reason *pairing.Reason, detail string) {
	if c.reason != nil {
		return
	}
	c.reason, c.detail = reason, detail
	c.held.clear()
	c.held, c.partial = nil, nil
	c.stopTimerLocked()
	if c.mover != nil && c.mover.leaving {
		c.mover.tell() // it goes nowhere
	}
	if reason == pairing.SlowClient || reason == pairing.TransportLost {
		c.out.Clear() // nobody reads it
		c.transport.Abort()
		return
	}
	if farewell := c.farewellLocked(); farewell != nil {
		c.out.Add(pairing.NewShared(farewell))
	}
	c.timer = time.AfterFunc(c.env.Limits.CloseTimeout, c.transport.Abort)
	c.awake = true
	c.transport.Wake()
}

// Leave tells the app server that the client is gone, once it is. The transport
// calls it when it is woken and does not call Take, because it cannot send: the
// app server shall know at once, however long the client takes to say goodbye.
func (c *Conn) Leave() {
	c.mu.Lock()
	pair := c.pair
	leave := c.reason != nil && pair != nil && !c.left && (c.mover == nil || !c.mover.leaving)
	c.left = c.left || leave
	c.mu.Unlock()
	if leave { // without the lock, since the hub holds its own when it closes a client
		c.hub.Disconnect(pair, c.reason.Text)
	}
}

// farewellLocked returns the last message for the client: a Close, or the
// refusal of its handshake if that was not answered yet.
func (c *Conn) farewellLocked() []byte {
	text := c.reason.Text
	switch {
	case c.reason == pairing.BinaryOverText:
		text = c.detail
	case text != "" && c.detailed && c.detail != "":
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

// Finish is called by the transport when it has ended; it may be called once. A
// connection that nobody closed ended for reason, unless it waits for its client to
// come back. ended is called when the connection has ended, now or later.
func (c *Conn) Finish(reason *pairing.Reason, ended func()) {
	if c.detach(ended) {
		return
	}
	c.Close(reason, "")
	c.end(ended)
}

func (c *Conn) end(ended func()) {
	c.mu.Lock()
	c.stopTimerLocked()
	c.out.Clear()
	if c.resume != nil {
		c.resume.forgetLocked()
	}
	if c.mover != nil && c.mover.timer != nil {
		c.mover.timer.Stop()
		c.mover.timer = nil
	}
	reason, detail, serverID := c.reason, c.detail, ""
	if c.pair != nil {
		serverID = c.pair.Server.ServerID()
	}
	c.mu.Unlock()
	c.Leave()
	c.hub.CountClosed(reason)
	c.env.Log.Info("client connection closed", "hub", c.hub.Name(), "connection_id", c.id,
		"reason", reason.Code, "by", string(reason.By), "detail", detail, "user_id", c.userID, "server_id", serverID,
		"lasted", (time.Duration(clock()-c.born) * time.Second).String())
	ended()
}
