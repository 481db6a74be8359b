package hubprotocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	errTruncated = errors.New("value ends too early")
	errReserved  = errors.New("byte 0xc1 starts no value")
	errTooDeep   = fmt.Errorf("MessagePack is deeper than %d levels", maxDepth)
)

// A kind is a family of MessagePack types.
type kind int

const (
	kindNil kind = iota
	kindBool
	kindUint
	kindInt
	kindFloat
	kindStr
	kindBin
	kindExt
	kindArray
	kindMap
)

// A token is the start of one value. Announced sizes have been compared with the
// bytes that are there, so that they can be trusted.
type token struct {
	kind  kind
	head  int    // bytes before the content: type, length, extension type
	size  int    // bytes of content; 0 for arrays and maps, whose content is values
	count int    // values inside an array or map, a pair being two
	bits  uint64 // a bool, an int (sign extended) or uint
}

// readToken reads the start of the value in front of b.
//
// Source: msgpack/spec.md, "Formats".
func readToken(b []byte) (token, error) {
	if len(b) == 0 {
		return token{}, errTruncated
	}
	t, err := announced(b)
	switch {
	case err != nil:
		return token{}, err
	case t.size > len(b)-t.head, t.count > len(b)-t.head: // a value is a byte at least
		return token{}, errTruncated
	}
	return t, nil
}

// announced reads a token without a look at what follows its head.
func announced(b []byte) (token, error) {
	switch c := b[0]; {
	case c < 0x80:
		return token{kind: kindUint, head: 1, bits: uint64(c)}, nil
	case c < 0x90:
		return token{kind: kindMap, head: 1, count: int(c&0x0f) * 2}, nil
	case c < 0xa0:
		return token{kind: kindArray, head: 1, count: int(c & 0x0f)}, nil
	case c < 0xc0:
		return token{kind: kindStr, head: 1, size: int(c & 0x1f)}, nil
	case c >= 0xe0:
		return token{kind: kindInt, head: 1, bits: uint64(int64(int8(c)))}, nil
	case c >= 0xca && c <= 0xd3:
		return numberToken(b)
	case c >= 0xd4 && c <= 0xd8:
		return token{kind: kindExt, head: 2, size: 1 << (c - 0xd4)}, nil
	case c >= 0xc4:
		return sizedToken(b)
	case c >= 0xc2:
		return token{kind: kindBool, head: 1, bits: uint64(c & 1)}, nil
	case c == 0xc0:
		return token{kind: kindNil, head: 1}, nil
	}
	return token{}, errReserved
}

// numberToken reads 0xca to 0xd3: floats, then unsigned and signed integers of
// 1, 2, 4 and 8 bytes.
func numberToken(b []byte) (token, error) {
	c := b[0]
	if c <= 0xcb {
		return token{kind: kindFloat, head: 1, size: 4 << (c - 0xca)}, nil
	}
	width := 1 << (c & 3)
	n, ok := bigEndian(b[1:], width)
	if !ok {
		return token{}, errTruncated
	}
	if c <= 0xcf {
		return token{kind: kindUint, head: 1 + width, bits: n}, nil
	}
	shift := 64 - 8*width
	return token{kind: kindInt, head: 1 + width, bits: uint64(int64(n<<shift) >> shift)}, nil
}

// sizedFrom is the first of the types in sized.
const sizedFrom = 0xc4

// sized lists the types whose length stands in 1, 2 or 4 bytes behind them.
var sized = [...]struct {
	kind  kind
	width int
}{
	0xc4 - sizedFrom: {kindBin, 1},
	0xc5 - sizedFrom: {kindBin, 2},
	0xc6 - sizedFrom: {kindBin, 4},
	0xc7 - sizedFrom: {kindExt, 1},
	0xc8 - sizedFrom: {kindExt, 2},
	0xc9 - sizedFrom: {kindExt, 4},
	0xd9 - sizedFrom: {kindStr, 1},
	0xda - sizedFrom: {kindStr, 2},
	0xdb - sizedFrom: {kindStr, 4},
	0xdc - sizedFrom: {kindArray, 2},
	0xdd - sizedFrom: {kindArray, 4},
	0xde - sizedFrom: {kindMap, 2},
	0xdf - sizedFrom: {kindMap, 4},
}

func sizedToken(b []byte) (token, error) {
	s := sized[b[0]-sizedFrom]
	n, ok := bigEndian(b[1:], s.width)
	if !ok || n > uint64(len(b)) {
		return token{}, errTruncated
	}
	t := token{kind: s.kind, head: 1 + s.width}
	switch s.kind {
	case kindArray:
		t.count = int(n)
	case kindMap:
		t.count = int(n) * 2
	case kindExt:
		t.head++
		t.size = int(n)
	default:
		t.size = int(n)
	}
	return t, nil
}

// bigEndian reads an unsigned integer of 1, 2, 4 or 8 bytes.
func bigEndian(b []byte, width int) (uint64, bool) {
	if len(b) < width {
		return 0, false
	}
	switch width {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	}
	return binary.BigEndian.Uint64(b), true
}

// skipValue returns the length of the value in front of b, having checked all of
// it. depth is the number of arrays and maps around the value.
func skipValue(b []byte, depth int) (n int, err error) {
	t, err := readToken(b)
	if err != nil {
		return 0, err
	}
	n = t.head + t.size
	if t.kind != kindArray && t.kind != kindMap {
		return n, nil
	}
	if depth == maxDepth {
		return 0, errTooDeep
	}
	for range t.count {
		size, err := skipValue(b[n:], depth+1)
		if err != nil {
			return 0, err
		}
		n += size
	}
	return n, nil
}
