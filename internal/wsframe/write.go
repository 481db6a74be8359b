package wsframe

import "encoding/binary"

// maxHeader is the length of the longest header of a server's frame.
const maxHeader = 10

// HeaderLen returns the length of the header that AppendHeader makes for a
// payload of n bytes.
func HeaderLen(n int) int {
	switch {
	case n <= maxLength:
		return 2
	case n <= max16:
		return 4
	}
	return maxHeader
}

// AppendHeader appends the header of a server's frame with n bytes of payload,
// which the caller sends after it. Fin says that the frame ends its message.
func AppendHeader(b []byte, op Opcode, fin bool, n int) []byte {
	head := byte(op)
	if fin {
		head |= finBit
	}
	return appendHeader(b, head, 0, n)
}

func appendHeader(b []byte, head, mask byte, n int) []byte {
	switch {
	case n <= maxLength:
		return append(b, head, mask|byte(n))
	case n <= max16:
		return append(b, head, mask|length16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, head, mask|length64), uint64(n))
}

// AppendFrame appends a whole message, or a control frame, of a server.
func AppendFrame(b []byte, op Opcode, payload []byte) []byte {
	return append(appendHeader(b, finBit|byte(op), 0, len(payload)), payload...)
}

// AppendMasked appends a whole message, or a control frame, of a client. The RFC
// wants a key that cannot be foreseen; a load generator may take any.
func AppendMasked(b []byte, op Opcode, payload []byte, key [4]byte) []byte {
	b = appendHeader(b, finBit|byte(op), maskBit, len(payload))
	b = append(b, key[:]...)
	start := len(b)
	b = append(b, payload...)
	Mask(b[start:], key, 0)
	return b
}

// AppendClose appends a close frame of a server; see [AppendCloseBody]. A client
// gives that body to [AppendMasked].
func AppendClose(b []byte, code int, reason string) []byte {
	n := 0
	if code != 0 && code != CloseNoStatus {
		n = 2 + cutReason(reason)
	}
	return AppendCloseBody(appendHeader(b, finBit|byte(OpClose), 0, n), code, reason)
}
