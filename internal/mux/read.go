package mux

import (
	"errors"

	"switchboard/serviceprotocol"
)

// A receiveBuffer holds bytes from the stream; start to end is not yet handled.
type receiveBuffer struct {
	bytes      []byte
	start, end int
}

// next returns the next message; it is valid until the following call.
// Frames that hold no readable message are reported and skipped.
func (c *Conn) next() (serviceprotocol.Message, error) {
	for {
		body, err := c.nextBody()
		if err != nil {
			return nil, err
		}
		m, err := c.parser.Parse(body)
		if err == nil {
			return m, nil
		}
		if _, ok := errors.AsType[*serviceprotocol.ParseError](err); !ok {
			return nil, err
		}
		c.options.Malformed(err)
	}
}

func (c *Conn) nextBody() ([]byte, error) {
	for {
		unread := c.receive.bytes[c.receive.start:c.receive.end]
		body, rest, err := serviceprotocol.SplitFrame(unread, c.options.MaxMessageBytes)
		if err != nil {
			return nil, err
		}
		if body != nil {
			c.receive.start = c.receive.end - len(rest)
			return body, nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more bytes behind those that are unread. The buffer grows with
// what has arrived, never with what a length prefix promises.
func (c *Conn) fill() error {
	r := &c.receive
	unread := r.end - r.start
	switch {
	case unread == 0 && (r.bytes == nil || len(r.bytes) > readBuffer):
		r.bytes = make([]byte, readBuffer)
	case unread == len(r.bytes):
		grown := make([]byte, 2*len(r.bytes))
		copy(grown, r.bytes)
		r.bytes = grown
	case r.start > 0:
		copy(r.bytes, r.bytes[r.start:r.end])
	}
	r.start, r.end = 0, unread

	c.readingSince.Store(c.clock())
	n, err := c.stream.Read(r.bytes[r.end:])
	c.readingSince.Store(0)
	r.end += n
	c.bytesIn.Add(int64(n))
	if n > 0 {
		return nil
	}
	return err
}
