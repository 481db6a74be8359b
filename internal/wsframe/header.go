package wsframe

import "encoding/binary"

// header reads what b has of a frame's header, and tells how many bytes.
func (r *Reader) header(b []byte) (n int, wrong *ProtocolError) {
	if r.at == atHead && len(b) >= 8 && r.message == noMessage {
		if n = r.common(b); n > 0 {
			return n, nil
		}
	}
	if r.at == atHead {
		if wrong = r.start(b[0]); wrong != nil {
			return 0, wrong
		}
		n = 1
	}
	if r.at == atLength && n < len(b) {
		if wrong = r.length(b[n]); wrong != nil {
			return 0, wrong
		}
		n++
	}
	for ; r.at < atKey && r.at > atLength && n < len(b); n++ {
		if wrong = r.extend(b[n]); wrong != nil {
			return 0, wrong
		}
	}
	return n + r.mask(b[n:]), nil
}

// common reads the header that nearly all frames of clients have: that of a whole
// message of less than 64 KiB. It returns 0, and has done nothing, for any other,
// right or wrong.
func (r *Reader) common(b []byte) (n int) {
	head, c := b[0], b[1]^maskBit
	if head != finBit|byte(OpText) && head != finBit|byte(OpBinary) || r.Options&FromServer != 0 {
		return 0
	}
	switch length := binary.BigEndian.Uint16(b[2:]); {
	case c <= maxLength:
		r.left, r.key, n = uint64(c), binary.LittleEndian.Uint32(b[2:]), 6
	case c == length16 && length > maxLength:
		r.left, r.key, n = uint64(length), binary.LittleEndian.Uint32(b[4:]), 8
	default:
		return 0
	}
	r.head, r.at, r.message = head, atFresh, binaryMessage
	r.Options &^= compressed
	if head == finBit|byte(OpText) {
		r.message = textStart
	}
	return n
}

// start reads the first byte: FIN, three reserved bits, the opcode. The first of them
// marks the first frame of a compressed message.
func (r *Reader) start(c byte) *ProtocolError {
	op := Opcode(c & opBits)
	squeezed := c&byte(Compressed) != 0 && r.Options&MayCompress != 0 && (op == OpText || op == OpBinary)
	switch {
	case c&rsvBits != 0 && (c&rsvBits != byte(Compressed) || !squeezed):
		return errReserved
	case !op.known():
		return errOpcode
	case op.IsControl():
		if c&finBit == 0 {
			return errFragmentedControl
		}
	case op == OpContinuation:
		if r.message == noMessage {
			return errContinuation
		}
	case r.message != noMessage:
		return errInterleaved
	case op == OpText:
		r.message = textStart
	default:
		r.message = binaryMessage
	}
	if !op.IsControl() && op != OpContinuation {
		r.Options &^= compressed
		if squeezed {
			r.Options |= compressed
		}
	}
	r.head, r.at = c, atLength
	return nil
}

// length reads the second byte: whether the frame is masked, and its length or
// how many bytes of length follow.
func (r *Reader) length(c byte) *ProtocolError {
	if masked := c&maskBit != 0; masked == (r.Options&FromServer != 0) {
		if masked {
			return errMasked
		}
		return errUnmasked
	}
	c &^= maskBit
	if c > maxLength && Opcode(r.head&opBits).IsControl() {
		return errLongControl
	}
	switch r.left = 0; c {
	case length16:
		r.at = at16
	case length64:
		r.at = at64
	default:
		r.left = uint64(c)
		r.endLength()
	}
	return nil
}

// extend reads a byte of a length of 2 or 8 bytes.
func (r *Reader) extend(c byte) *ProtocolError {
	if r.at == at64 && c&0x80 != 0 {
		return errNegative
	}
	r.left = r.left<<8 | uint64(c)
	r.at++
	switch {
	case r.at == at16 && r.left == 0: // the first six of eight
		return errNotMinimal
	case r.at == atKey && r.left <= maxLength:
		return errNotMinimal
	case r.at == atKey:
		r.endLength()
	}
	return nil
}

func (r *Reader) endLength() {
	r.key, r.at = 0, atKey
	if r.Options&FromServer != 0 {
		r.at = atFresh
	}
}

// mask reads what b has of the key that the payload is masked with, and tells how
// many bytes.
func (r *Reader) mask(b []byte) (n int) {
	if r.at == atKey && len(b) >= 4 {
		r.key, r.at = binary.LittleEndian.Uint32(b), atFresh
		return 4
	}
	for ; r.at >= atKey && r.at < atFresh && n < len(b); n++ {
		r.key |= uint32(b[n]) << (8 * (r.at - atKey))
		r.at++
	}
	return n
}
