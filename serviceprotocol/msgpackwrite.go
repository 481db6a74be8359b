package serviceprotocol

import (
	"encoding/binary"
	"math"
)

// The part of MessagePack that the service protocol needs, always in the
// shortest form. Source: msgpack spec.md.

const (
	markNil   = 0xc0
	markFalse = 0xc2
	markTrue  = 0xc3
	markBin8  = 0xc4 // 8, 16 and 32 bits of length follow one another
	markUint8 = 0xcc // 8, 16, 32 and 64 bits
	markInt8  = 0xd0 // 8, 16, 32 and 64 bits
	markInt32 = 0xd2
	markStr8  = 0xd9 // 8, 16 and 32 bits
	markArr16 = 0xdc // 16 and 32 bits
	markMap16 = 0xde // 16 and 32 bits
	fixMap    = 0x80 // with the number of pairs, up to 15
	fixArr    = 0x90 // with the number of elements, up to 15
	fixStr    = 0xa0 // with the number of bytes, up to 31
	fixNeg    = 0xe0 // -32 to -1 stand for themselves, as 0 to 127 do
)

func appendArray(b []byte, n int) []byte {
	if n <= 15 {
		return append(b, fixArr|byte(n))
	}
	return append16or32(b, markArr16, n)
}

func appendMap(b []byte, n int) []byte {
	if n <= 15 {
		return append(b, fixMap|byte(n))
	}
	return append16or32(b, markMap16, n)
}

func append16or32(b []byte, mark byte, n int) []byte {
	if n <= math.MaxUint16 {
		return binary.BigEndian.AppendUint16(append(b, mark), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, mark+1), uint32(n))
}

func appendStr(b []byte, s string) []byte {
	if len(s) <= 31 {
		return append(append(b, fixStr|byte(len(s))), s...)
	}
	return append(appendLength(b, markStr8, len(s)), s...)
}

// appendStrOrNil writes "" as nil.
func appendStrOrNil(b []byte, s string) []byte {
	if s == "" {
		return append(b, markNil)
	}
	return appendStr(b, s)
}

func appendBin(b, data []byte) []byte {
	return append(appendLength(b, markBin8, len(data)), data...)
}

// appendLength writes a length after mark or, if it is longer than 8 bits, after
// one of the two marks that follow it.
func appendLength(b []byte, mark byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(b, mark, byte(n))
	}
	return append16or32(b, mark+1, n)
}

func appendInt(b []byte, v int) []byte {
	switch {
	case v >= 0:
		return appendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, markInt8, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, markInt8+1), uint16(v))
	case v >= math.MinInt32:
		return appendInt32(b, v)
	}
	return binary.BigEndian.AppendUint64(append(b, markInt8+3), uint64(v))
}

// appendInt32 writes 32 bits, however small v is.
func appendInt32(b []byte, v int) []byte {
	return binary.BigEndian.AppendUint32(append(b, markInt32), uint32(v))
}

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v <= math.MaxInt8:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, markUint8, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, markUint8+1), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, markUint8+2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, markUint8+3), v)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, markTrue)
	}
	return append(b, markFalse)
}

func appendStrs(b []byte, list []string) []byte {
	b = appendArray(b, len(list))
	for _, s := range list {
		b = appendStr(b, s)
	}
	return b
}
