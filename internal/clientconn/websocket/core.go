package websocket

import (
	"errors"
	"slices"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/wsframe"
)

const (
	batchBytes  = 64 << 10 // taken from the queue at once
	joinedBytes = 16 << 10 // small messages are joined into WebSocket messages of about this size
	keepBytes   = 256 << 10
	maxPongs    = 4 << 10 // unsent answers to pings; more are dropped, as RFC 6455 5.5.3 allows
)

// A core is what both engines do alike: it follows the frames of the client and
// makes frames of what waits for it.
type core struct {
	conn   Conn
	frames wsframe.Reader

	deflate   *deflate // nil unless compression was agreed on
	control   []byte   // control frames to send: pongs, and the close; nil for none
	closeCode uint16   // of our close frame; 0: normal
	deaf      bool     // the client broke the protocol; its frames are no longer read
	heardBye  bool     // the client's close frame has come
	saidBye   bool     // our close frame is among what was composed
}

// Data passes bytes on, whatever the type of the frame: only the handshake
// decides the encoding. What a closing connection still gets is dropped.
func (c *core) Data(p []byte, text, _, fin bool) error {
	if c.frames.Compressed() {
		return c.inflate(p, text, fin)
	}
	return breach(c.conn.Receive(p, text, fin))
}

// breach returns err if it is one of the WebSocket protocol. Any other one means that the
// connection closes, which it tells by Wake.
func breach(err error) error {
	if breach, ok := errors.AsType[*wsframe.ProtocolError](err); ok {
		return breach
	}
	return nil
}

// Control answers pings and takes the client's goodbye.
func (c *core) Control(op wsframe.Opcode, p []byte) error {
	switch op {
	case wsframe.OpPing:
		if len(c.control) < maxPongs {
			c.control = wsframe.AppendFrame(c.control, wsframe.OpPong, p)
		}
	case wsframe.OpClose:
		c.heardBye = true
		if code, _ := wsframe.ParseClose(p); code != wsframe.CloseNoStatus {
			c.closeCode = uint16(code) // it is sent back
		}
		c.conn.Close(pairing.ClosedByClient, "")
	}
	return nil
}

// feed takes bytes that the client sent. What a client sends that broke the
// protocol is not read, but once it has our close frame, it is taken for an
// answer: closing at once could lose that frame on the way.
func (c *core) feed(b []byte) {
	if c.deaf {
		c.heardBye = c.saidBye
		return
	}
	err := c.frames.Feed(b, c)
	if breach, ok := errors.AsType[*wsframe.ProtocolError](err); ok {
		c.deaf, c.closeCode = true, uint16(breach.Code)
		c.conn.Close(pairing.BadMessage, breach.Reason)
	}
}

// A scratch is the memory in which frames are made.
type scratch struct {
	frames   []byte
	messages []*pairing.Shared

	opened []byte // what TLS has decrypted for a loop; nil before the first time
	sealed sealed // what TLS and a loop have for each other
}

// compose returns the frames that are to be sent now, nil for none. They are
// valid until s is used again.
func (c *core) compose(s *scratch) []byte {
	if cap(s.frames) > keepBytes {
		s.frames = nil // one large message shall not stay for ever
	}
	out := c.conn.Take(s.messages[:0], batchBytes)
	s.messages = out.Messages
	b := append(s.frames[:0], c.control...)
	c.control = nil
	b = c.appendMessages(b, out)
	if out.Ended && !c.saidBye {
		c.saidBye = true
		b = wsframe.AppendClose(b, max(int(c.closeCode), wsframe.CloseNormal), "")
	}
	for i, message := range out.Messages {
		message.Release()
		out.Messages[i] = nil
	}
	s.frames = b
	return b
}

// appendMessages makes frames. A hub message never crosses the boundary of a
// WebSocket message; several small ones share one.
func (c *core) appendMessages(b []byte, out clientconn.Out) []byte {
	op := wsframe.OpText
	if out.Binary {
		op = wsframe.OpBinary
	}
	for messages := out.Messages; len(messages) > 0; {
		if all, ok := c.appendCompressed(b, op, messages[0]); ok {
			b, messages = all, messages[1:]
			continue
		}
		n, size := 1, len(messages[0].Bytes())
		for out.Joinable && n < len(messages) && size+len(messages[n].Bytes()) <= joinedBytes && !c.compresses(messages[n]) {
			size += len(messages[n].Bytes())
			n++
		}
		b = slices.Grow(b, wsframe.HeaderLen(size)+size)
		b = wsframe.AppendHeader(b, op, true, size)
		for _, message := range messages[:n] {
			b = append(b, message.Bytes()...)
		}
		messages = messages[n:]
	}
	return b
}

// over tells whether both sides have said goodbye.
func (c *core) over() bool { return c.saidBye && c.heardBye }
