package clientconn

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// settled is how long the calls of a client have been followed before it is moved away
// from an app server that does not tell when they are done: those that began earlier
// have ended by then, or are lost.
const settled = time.Second

// A mover is what a connection needs to go over to another server connection, and how far
// it is in that. The client does not notice: its bytes are held between two hub messages,
// the new app server gets its OpenConnection and handshake again, and swallows the
// answer to that.
//
// SDKs drop what their hub still sends once the client is taken from them. So a client is
// moved when none of its calls runs, up to a bound; and an app server that says so is given
// the time to end the calls.
//
// Source: azure-signalr ServiceConnection.cs, specs/ServiceProtocol.md.
type mover struct {
	open    []byte        // OpenConnection as it was sent; fixed, as is version
	version int           // of the client's hub protocol
	traits  router.Traits // of the server connection; set when the connection is paired or arrives

	cut     meter               // where a message ends, if lengths tell; guarded by the connection, as is all below
	middle  bool                // what was sent last ends within a message
	input   []byte              // the beginning of a message, while calls are followed
	calls   map[string]struct{} // invocation ids that wait for their completion
	follows bool                // calls are followed
	wanted  time.Time           // since when the connection shall go over; zero while it need not
	timer   *time.Timer         // tries again, nil unless wanted
	leaving bool                // it is on its way, and what the client sends is held
	cutOff  bool                // the server connection takes nothing more, and what the client sends is held
	passed  bool                // the former app server's bytes are late ones
	held    []byte
	waiting []pairing.Resumer
	done    chan struct{} // closed when the former app server has nothing more to say; made when leaving
	told    bool          // done is closed
	late    []byte        // the beginning of a message from the former app server
}

func newMover(open *serviceprotocol.OpenConnection, version int, framing hubprotocol.Framing) *mover {
	return &mover{open: open.Append(nil), version: version, cut: meter{framing: framing, limit: math.MaxInt - 1}}
}

// joinLocked notes what the server connection can do that the connection has now.
func (m *mover) joinLocked(traits router.Traits) {
	m.traits, m.follows = traits, traits.MovesLost
}

// Move has the connection go over to another server connection at the next quiet moment, unless it
// has left the one that it shall leave.
func (c *Conn) Move(from pairing.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mover
	if m == nil || c.reason != nil || m.leaving || !m.wanted.IsZero() || c.pair != nil && c.pair.Server != from {
		return
	}
	m.follows, m.wanted = true, time.Now()
	wait := settled
	if m.traits.HandsOver {
		wait = 0
	}
	m.timer = time.AfterFunc(wait, func() { c.tryToMove(wait) })
}

// tryToMove is called when wait is over, and again when patience is at its end.
func (c *Conn) tryToMove(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.mover; m.timer != nil {
		m.timer = nil
		if c.startMoveLocked(); !m.leaving && c.reason == nil && !m.wanted.IsZero() {
			again := max(c.env.Limits.MoveTimeout-time.Since(m.wanted), 100*time.Millisecond)
			m.timer = time.AfterFunc(again, func() { c.tryToMove(wait) })
		}
	}
}

// startMoveLocked lets the connection go if it shall and this is the moment.
func (c *Conn) startMoveLocked() {
	m := c.mover
	if m == nil || m.wanted.IsZero() || m.leaving || c.reason != nil || !c.answered || c.pair == nil || m.middle {
		return
	}
	waited := time.Since(m.wanted)
	quiet := len(m.calls) == 0 && len(c.partial) == 0 && (waited >= settled || m.traits.HandsOver)
	if quiet || waited >= c.env.Limits.MoveTimeout {
		c.leaveServerLocked()
		go c.moveOver(false)
	}
}

func (c *Conn) leaveServerLocked() {
	m := c.mover
	m.leaving, m.done, m.told = true, make(chan struct{}), false
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// ServerLost tells whether the connection goes over to another server connection, now
// that this one is lost, or has done so. If not it has to be closed.
func (c *Conn) ServerLost(from pairing.Server) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mover
	if m == nil || c.reason != nil {
		return false
	}
	if m.leaving {
		m.tell()
		return true
	}
	if c.pair != nil && c.pair.Server != from {
		return true // it has left before
	}
	if !m.traits.MovesLost || m.middle || !c.answered || c.pair == nil {
		return false
	}
	c.leaveServerLocked()
	m.tell()
	c.partial = nil // of a message that has no end
	go c.moveOver(true)
	return true
}

// HandedOver tells the connection that its former app server has nothing more to say. It
// returns false if the connection is not about to leave that.
func (c *Conn) HandedOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mover == nil || !c.mover.leaving {
		return false
	}
	c.mover.tell()
	return true
}

func (m *mover) tell() {
	if !m.told {
		m.told = true
		close(m.done)
	}
}

// moveOver takes the connection, which is leaving, to another server connection.
func (c *Conn) moveOver(lost bool) {
	m := c.mover
	c.mu.Lock()
	former, traits := c.pair, m.traits
	c.mu.Unlock()
	to, err := c.hub.BeginMove(former, traits, lost)
	if err != nil {
		c.stay(former, lost)
		return
	}
	if traits.HandsOver && !lost {
		timeout := time.NewTimer(c.env.Limits.MoveTimeout)
		select {
		case <-m.done:
		case <-timeout.C:
		}
		timeout.Stop()
	}
	open, handshake := m.again(c.protocol, former.Server.ServerID())
	c.mu.Lock()
	closed := c.reason != nil
	m.late, c.partial, m.passed = c.partial, nil, true
	c.mu.Unlock()
	if closed {
		c.hub.GiveUpMove(former, to)
		c.gone()
		return
	}
	pair, err := c.hub.EndMove(former, to, open)
	if err != nil {
		c.Close(pairing.ServerConnectionLost, "")
		c.gone()
		return
	}
	c.arrive(pair, handshake)
}

// again returns what announces the client to its new app server.
func (m *mover) again(protocol, from string) (*serviceprotocol.OpenConnection, []byte) {
	open := new(serviceprotocol.OpenConnection)
	if parsed, err := serviceprotocol.Parse(m.open); err == nil { // it was encoded by ourselves
		open = parsed.(*serviceprotocol.OpenConnection)
	}
	open.Headers = append(open.Headers, serviceprotocol.Header{Name: serviceprotocol.HeaderMigrateFrom, Values: []string{from}})
	return open, hubprotocol.HandshakeRequest{Protocol: protocol, Version: m.version}.Append(nil)
}

// arrive goes on with the new server connection.
func (c *Conn) arrive(pair *pairing.Pair, handshake []byte) {
	traits := c.hub.TraitsOf(pair.Server) // without the lock, since the hub holds its own when it sends to a client
	c.mu.Lock()
	m := c.mover
	for id := range m.calls {
		c.failCallLocked(id)
	}
	m.calls, m.wanted = nil, time.Time{}
	m.joinLocked(traits)
	c.pair = pair
	err := c.postLocked(handshake)
	held := append(m.input, m.held...)
	m.input, m.held, m.leaving, m.cutOff, m.passed = nil, nil, false, false, false
	if err == nil && len(held) > 0 {
		err = c.passLocked(held)
	}
	waiting := m.waiting
	m.waiting = nil
	c.mu.Unlock()
	if err != nil {
		c.Close(pairing.ServerConnectionLost, "")
	}
	c.Leave() // if it was closed meanwhile
	for _, r := range waiting {
		r.Resume()
	}
	if c.hub.Drains(pair.Server) { // since a moment ago, when the connection could not be told
		c.Move(pair.Server)
	}
	c.env.Log.Debug("client connection moved", "hub", c.hub.Name(), "connection_id", c.id, "server_id", pair.Server.ServerID())
}

// failCallLocked answers a call that nobody else will answer.
func (c *Conn) failCallLocked(id string) {
	m := &hubprotocol.Completion{InvocationID: id, HasError: true, Error: "The app server went away while the call ran; it may have been carried out or not."}
	if b, err := protocolOf(c.framing).Append(nil, m); err == nil && c.reason == nil {
		c.enqueueLocked(pairing.NewShared(b))
	}
}

// stay goes on as before, since there is nowhere to go.
func (c *Conn) stay(pair *pairing.Pair, lost bool) {
	if lost {
		c.hub.GiveUpMove(pair, nil)
		c.Close(pairing.ServerConnectionLost, "")
		c.gone()
		return
	}
	c.mu.Lock()
	m := c.mover
	held, waiting := m.held, m.waiting
	m.held, m.waiting, m.leaving, m.wanted = nil, nil, false, time.Time{} // the hub asks again when another one comes
	var err error
	if len(held) > 0 {
		err = c.passLocked(held)
	}
	ended := m.told
	c.mu.Unlock()
	if err != nil || ended { // the server connection was lost meanwhile
		c.hub.GiveUpMove(pair, nil)
		c.Close(pairing.ServerConnectionLost, "")
	}
	c.Leave()
	for _, r := range waiting {
		r.Resume()
	}
}

// gone ends a move whose client is gone. No app server has to be told.
func (c *Conn) gone() {
	c.mu.Lock()
	waiting := c.mover.waiting
	c.mover.leaving, c.mover.held, c.mover.waiting = false, nil, nil
	c.left = true
	c.mu.Unlock()
	for _, r := range waiting {
		r.Resume()
	}
}

// congested tells whether the client shall wait: it is on its way, or its app server
// does not keep up.
func (m *mover) congested(c *Conn, r pairing.Resumer) bool {
	c.mu.Lock()
	if m.leaving || m.cutOff {
		m.waiting = append(m.waiting, r)
		c.mu.Unlock()
		return true
	}
	server := c.pair.Server
	c.mu.Unlock()
	return server.Congested(r)
}

// pass sends bytes of the client on, or holds them while it goes over.
func (c *Conn) pass(p []byte) error {
	c.mu.Lock()
	err := c.passLocked(p)
	c.startMoveLocked()
	c.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errMessageTooLarge):
		return c.fail(pairing.MessageTooLarge, err.Error())
	}
	return c.fail(pairing.ServerConnectionLost, "")
}

func (c *Conn) passLocked(p []byte) error {
	m := c.mover
	if m.leaving || m.cutOff {
		m.held = append(m.held, p...)
		return nil
	}
	if !m.follows || m.middle {
		end := m.boundary(p)
		if !m.follows || end == 0 {
			return c.postLocked(p)
		}
		if err := c.postLocked(p[:end]); err != nil {
			return err
		}
		p, m.middle = p[end:], false
	}
	return c.followLocked(p)
}

// boundary returns where the last whole message in p ends, and notes whether more follows.
func (m *mover) boundary(p []byte) (end int) {
	if m.cut.framing == hubprotocol.FramingRecordSeparator {
		end = bytes.LastIndexByte(p, hubprotocol.RecordSeparator) + 1
		m.middle = end < len(p)
		return end
	}
	end, _ = m.cut.count(p) // a bad length is the app server's to find
	m.middle = m.cut.body > 0 || m.cut.shift > 0
	return end
}

// followLocked sends whole messages on and notes the calls among them.
func (c *Conn) followLocked(p []byte) error {
	m := c.mover
	if len(m.input) > 0 {
		m.input = append(m.input, p...)
		p = m.input
	}
	end := 0
	for end < len(p) {
		n, err := c.framing.Next(p[end:])
		if n == 0 || err != nil {
			break
		}
		end += n
	}
	if err := c.postLocked(p[:end]); err != nil {
		if !m.traits.MovesLost {
			return err
		}
		m.cutOff = true // the hub is about to say so
		m.held, m.input = append(m.held, p...), nil
		return nil
	}
	for b := p[:end]; len(b) > 0; {
		n, _ := c.framing.Next(b)
		m.note(c.framing, b[:n])
		b = b[n:]
	}
	if rest := p[end:]; len(rest) > c.env.Limits.QueueBytes {
		return fmt.Errorf("%w: the limit for one message of a client that may be moved is %d bytes (limits.client-queue-bytes)", errMessageTooLarge, c.env.Limits.QueueBytes)
	} else if len(rest) == 0 {
		m.input = nil
	} else {
		m.input = append(m.input[:0], rest...)
	}
	return nil
}

// note follows the calls of the client: from its invocation to its completion.
func (m *mover) note(framing hubprotocol.Framing, message []byte) {
	t := framing.TypeOf(message)
	if t != hubprotocol.TypeInvocation && t != hubprotocol.TypeStreamInvocation && t != hubprotocol.TypeCompletion {
		return
	}
	parsed, err := parseWhole(framing, message)
	if err != nil {
		return // the hub will say so
	}
	id := ""
	switch message := parsed.(type) {
	case *hubprotocol.Invocation:
		id = message.InvocationID
	case *hubprotocol.StreamInvocation:
		id = message.InvocationID
	}
	if id == "" {
		return
	}
	if m.calls == nil {
		m.calls = map[string]struct{}{}
	}
	m.calls[id] = struct{}{}
}

// answeredLocked notes that a message of the app server ends a call.
func (c *Conn) answeredLocked(message []byte) {
	m := c.mover
	if len(m.calls) == 0 || c.framing.TypeOf(message) != hubprotocol.TypeCompletion {
		return
	}
	if parsed, err := parseWhole(c.framing, message); err == nil {
		if completion, ok := parsed.(*hubprotocol.Completion); ok {
			delete(m.calls, completion.InvocationID)
		}
	}
}

func parseWhole(framing hubprotocol.Framing, message []byte) (hubprotocol.Message, error) {
	p := protocolOf(framing)
	body, _, err := p.Split(message, 0)
	if err != nil {
		return nil, err
	}
	return p.Parse(body)
}

// postLocked sends bytes to the app server.
func (c *Conn) postLocked(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	return postData(c.pair.Server, c.id, p)
}

// Late takes bytes from a server connection that the client has no more, or never had:
// hub messages that are whole go to the client.
func (c *Conn) Late(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == nil && c.answered {
		c.lateLocked(payload)
	}
}

func (c *Conn) lateLocked(payload []byte) {
	all := payload
	if c.mover != nil && len(c.mover.late) > 0 {
		all = append(c.mover.late, payload...)
	}
	whole := 0
	for whole < len(all) {
		n, err := c.framing.Next(all[whole:])
		if n == 0 || err != nil {
			break
		}
		if c.mover != nil {
			c.answeredLocked(all[whole : whole+n])
		}
		whole += n
	}
	if whole > 0 {
		c.enqueueLocked(pairing.NewShared(all[:whole]))
	}
	if c.mover != nil {
		c.mover.late = append([]byte(nil), all[whole:]...)
		if len(c.mover.late) > c.env.Limits.PartialBytes {
			c.mover.late = nil
		}
	}
}
