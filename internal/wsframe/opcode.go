// Package wsframe reads and writes WebSocket frames, and the HTTP exchange that
// comes before them.
//
// It is the wire of client connections: the event loop pushes the bytes of a
// socket into a [Reader] as they come and gets payload back, in place and
// without a copy; what it writes is made by the Append functions. The package
// holds no socket, no buffer for messages, no timer and no limit: joining the
// pieces of a message, bounding it, inflating it, answering pings and closing are
// left to the caller. There are no subprotocols, as SignalR has none.
//
// Source: RFC 6455, "The WebSocket Protocol".
package wsframe

// An Opcode says what a frame carries.
//
// Source: RFC 6455 section 5.2.
type Opcode byte

const (
	OpContinuation Opcode = 0 // goes on with the message before it
	OpText         Opcode = 1
	OpBinary       Opcode = 2
	OpClose        Opcode = 8
	OpPing         Opcode = 9
	OpPong         Opcode = 10

	// Compressed marks the first frame of a compressed message: OpText|Compressed.
	//
	// Source: RFC 7692 section 6.
	Compressed Opcode = 0x40
)

// IsControl reports whether frames of op stand between the frames of a message.
func (op Opcode) IsControl() bool { return op&8 != 0 }

// known reports whether the RFC gives op a meaning.
func (op Opcode) known() bool { return 0b111_0000_0111>>op&1 != 0 }

// Bits of a frame's first two bytes.
const (
	finBit    = 0x80 // byte 0: last frame of its message
	rsvBits   = 0x70 // byte 0: zero, unless an extension was agreed on
	opBits    = 0x0f // byte 0
	maskBit   = 0x80 // byte 1: the payload is masked, and the key follows the length
	length16  = 126  // byte 1: the length follows in 2 bytes
	length64  = 127  // byte 1: the length follows in 8 bytes
	max16     = 0xffff
	maxLength = 125 // of a control frame's payload, and of a length within byte 1
)
