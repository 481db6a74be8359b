package wsframe

import (
	"math/bits"
)

// A Handler takes what a [Reader] finds. The slices are parts of what was fed (or
// of a buffer of the Reader) and hold until the method returns.
type Handler interface {
	// Data takes a piece of a text or binary message, unmasked, at least one for
	// each frame. Pieces come in order, cut as the peer and the network cut them;
	// p is empty only for a frame without payload. Only the first piece of a
	// message has first set, only the last one fin. Text is UTF-8 up to the end
	// of p, which may end within a character unless fin is set.
	Data(p []byte, text, first, fin bool) error

	// Control takes a ping, a pong or a close with its whole payload, at most 125
	// bytes, between any two pieces. The payload of a close is as [ParseClose]
	// reads it, and was checked. After a close the Reader drops all that follows.
	Control(op Opcode, p []byte) error
}

// Options say where the bytes of a [Reader] come from.
type Options byte

const (
	FromServer  Options = 1 << iota // the peer is a server: its frames are not masked
	TrustText                       // text is not checked
	MayCompress                     // messages may be compressed, as was agreed on

	compressed // state, not an option: the message that is being read is compressed
)

// A Reader is the state of one direction of one WebSocket connection. The zero
// Reader reads what a client sends. Nothing is allocated, but for a control frame
// whose payload is cut, and until its rest has come.
//
// It is not for concurrent use.
type Reader struct {
	held    *held   // the part of a control frame that has come; nil if there is none
	left    uint64  // bytes of the payload that are to come; in a header: the length as far as read
	key     uint32  // little endian, turned so that its first byte is for the next of the payload
	head    byte    // first byte of the frame
	at      place   // what the next byte is
	message message // what the next data frame belongs to

	Options Options // fixed before the first Feed
}

// held is a control frame of which a part has come.
type held struct {
	n uint8
	b [maxLength]byte
}

// A place is the meaning of the next byte. Those of the header count the bytes of
// the longest one. A shorter one leaps over the places that it has no byte for.
type place uint8

const (
	atHead   place = 0
	atLength place = 1
	at64     place = 2  // the first of 8 bytes of length
	at16     place = 8  // the first of 2, or the seventh of 8
	atKey    place = 10 // the first of 4
	atFresh  place = 14 // payload, of which nothing has come
	atRest   place = 15 // payload, of which a part has come
	atEnd    place = 16 // nothing that counts
)

// Compressed reports whether the message is compressed of which a piece is given to
// [Handler.Data]: its bytes are as they came, and its text is not checked. A peer may
// compress what it likes once that was agreed on; see [MayCompress].
//
// Source: RFC 7692 section 6.
func (r *Reader) Compressed() bool { return r.Options&compressed != 0 }

// Feed reads all of b and gives what it finds to h. Payload is unmasked in place,
// so that b is changed. A [*ProtocolError] says what to close the connection with,
// and is found with the first byte that tells; any other error is the one that h
// returned. After either, and after a close frame, everything that is still to
// come is dropped, the rest of b included.
func (r *Reader) Feed(b []byte, h Handler) error {
	for len(b) > 0 && r.at != atEnd {
		if r.at < atFresh {
			n, wrong := r.header(b)
			if wrong != nil {
				return r.end(wrong)
			}
			b = b[n:]
			if r.at < atFresh {
				return nil
			}
		}
		n, err := r.payload(b, h)
		if err != nil {
			return r.end(err)
		}
		b = b[n:]
	}
	return nil
}

func (r *Reader) end(err error) error {
	r.at, r.held = atEnd, nil
	return err
}

// payload reads what b has of the frame's payload, and tells how many bytes.
func (r *Reader) payload(b []byte, h Handler) (int, error) {
	n := len(b)
	if uint64(n) > r.left {
		n = int(r.left)
	}
	r.left -= uint64(n)
	switch {
	case n == 0 && r.left > 0:
		return 0, nil
	case r.head&byte(OpClose) != 0:
		return n, r.control(b[:n:n], h)
	}
	return n, r.data(b[:n:n], h)
}

func (r *Reader) data(p []byte, h Handler) error {
	text := r.message >= textStart
	if text && r.Options&(TrustText|compressed) == 0 {
		high := xorText(p, r.key) & highBits
		if high != 0 || r.message != textStart {
			r.message = r.message.scan(p)
		}
	} else {
		xor(p, r.key)
	}
	first := r.at == atFresh && Opcode(r.head&opBits) != OpContinuation
	fin := r.left == 0 && r.head&finBit != 0
	if r.message == textBroken || fin && r.message > textStart {
		return errText
	}
	r.next(len(p))
	if fin {
		r.message = noMessage
	}
	return h.Data(p, text, first, fin)
}

// next moves on after n bytes of payload.
func (r *Reader) next(n int) {
	if r.left == 0 {
		r.at = atHead
		return
	}
	r.at = atRest
	r.key = bits.RotateLeft32(r.key, -8*(n&3))
}

func (r *Reader) control(p []byte, h Handler) error {
	xor(p, r.key)
	r.next(len(p))
	if r.left > 0 || r.held != nil {
		if r.held == nil {
			r.held = new(held)
		}
		r.held.n += uint8(copy(r.held.b[r.held.n:], p))
		if r.left > 0 {
			return nil
		}
		p = r.held.b[:r.held.n:r.held.n]
		r.held = nil
	}
	op := Opcode(r.head & opBits)
	if op == OpClose {
		if wrong := checkClose(p); wrong != nil {
			return wrong
		}
		r.at = atEnd
	}
	return h.Control(op, p)
}
