package websocket

import (
	"errors"
	"fmt"

	"switchboard/internal/pairing"
	"switchboard/internal/wsdeflate"
	"switchboard/internal/wsframe"
)

// A deflate is what a connection has on which compression was agreed.
type deflate struct {
	server  *Server
	partial []byte // a compressed message of the client as far as it came; nil between two
}

// compresses tells whether a message is to be compressed, and so cannot share a frame.
func (c *core) compresses(message *pairing.Shared) bool {
	return c.deflate != nil && len(message.Bytes()) >= c.deflate.server.DeflateFrom
}

// appendCompressed appends a frame with the message, if it shall be compressed and that
// makes it smaller. All connections share what it is compressed to.
func (c *core) appendCompressed(b []byte, op wsframe.Opcode, message *pairing.Shared) (all []byte, ok bool) {
	if !c.compresses(message) {
		return b, false
	}
	small := message.Compressed(wsdeflate.Append)
	if len(small) >= len(message.Bytes()) {
		return b, false
	}
	c.deflate.server.deflatedFrom.Add(int64(len(message.Bytes())))
	c.deflate.server.deflatedTo.Add(int64(len(small)))
	b = wsframe.AppendHeader(b, op|wsframe.Compressed, true, len(small))
	return append(b, small...), true
}

// inflate takes a piece of a compressed message, which cannot be read before it is
// whole. What a closing connection still gets is dropped.
func (c *core) inflate(p []byte, text, fin bool) error {
	d, limit := c.deflate, c.conn.Limits().InflatedBytes
	switch {
	case c.conn.Closing():
		d.partial = nil
		return nil
	case len(d.partial)+len(p) > limit:
		return c.tooLarge(limit)
	case !fin:
		d.partial = append(d.partial, p...)
		return nil
	case len(d.partial) > 0:
		p = append(d.partial, p...)
		d.partial = nil
	}
	var check wsframe.Text
	err := wsdeflate.Inflate(p, limit, func(piece []byte) error {
		if text && !check.Check(piece, false) {
			return errText
		}
		return c.conn.Receive(piece, text, false)
	})
	if err == nil && (!text || check.Check(nil, true)) {
		return breach(c.conn.Receive(nil, text, true))
	}
	switch {
	case errors.Is(err, errText), err == nil && text && !check.Check(nil, true):
		return errText
	case errors.Is(err, wsdeflate.ErrTooLarge):
		return c.tooLarge(limit)
	case errors.Is(err, wsdeflate.ErrCorrupt):
		return errCorrupt
	}
	return breach(err)
}

var (
	errText    = &wsframe.ProtocolError{Code: wsframe.CloseInvalidPayload, Reason: "text is not UTF-8"}
	errCorrupt = &wsframe.ProtocolError{Code: wsframe.CloseInvalidPayload, Reason: "compressed message cannot be inflated"}
)

func (c *core) tooLarge(limit int) error {
	c.closeCode = wsframe.CloseTooBig
	c.conn.Close(pairing.MessageTooLarge, fmt.Sprintf(
		"A compressed WebSocket message is longer than the limit of %d bytes (limits.client-inflated-bytes).", limit))
	return nil
}
