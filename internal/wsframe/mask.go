package wsframe

import (
	"encoding/binary"
	"math/bits"
)

// Mask masks b in place, or unmasks it, which is the same. Pos is the position of
// b in the payload of its frame.
//
// Source: RFC 6455 section 5.3.
func Mask(b []byte, key [4]byte, pos int) {
	xor(b, bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(pos&3)))
}

// xor masks b with a key in little endian.
func xor(b []byte, key uint32) {
	k := uint64(key)<<32 | uint64(key)
	for len(b) >= 64 {
		p := (*[64]byte)(b)
		xor8(p[0:8], k)
		xor8(p[8:16], k)
		xor8(p[16:24], k)
		xor8(p[24:32], k)
		xor8(p[32:40], k)
		xor8(p[40:48], k)
		xor8(p[48:56], k)
		xor8(p[56:64], k)
		b = b[64:]
	}
	for len(b) >= 8 {
		xor8(b, k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(k >> (8 * i))
	}
}

// xorText masks b as xor does. It returns the bits that are set in any byte after
// that, spread over the eight bytes of the result: whether b is plain ASCII is
// known without looking at it twice.
func xorText(b []byte, key uint32) (set uint64) {
	k := uint64(key)<<32 | uint64(key)
	for len(b) >= 32 {
		p := (*[32]byte)(b)
		set |= xor8(p[0:8], k) | xor8(p[8:16], k) | xor8(p[16:24], k) | xor8(p[24:32], k)
		b = b[32:]
	}
	for len(b) >= 8 {
		set |= xor8(b, k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(k >> (8 * i))
		set |= uint64(b[i])
	}
	return set
}

// xor8 masks the first eight bytes of b and returns them.
func xor8(b []byte, k uint64) uint64 {
	v := binary.LittleEndian.Uint64(b) ^ k
	binary.LittleEndian.PutUint64(b, v)
	return v
}
