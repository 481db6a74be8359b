package serviceprotocol

import (
	"fmt"
	"math"
	"slices"
	"unsafe"
)

const (
	cutShort   = "cut short"
	outOfRange = "out of range"
)

// A reader takes one message apart. It keeps the first mistake in err, and has
// nothing left from then on: every later read returns a zero value, so that a
// parse method reads straight through and looks at err once. A length that the
// bytes left cannot hold is a mistake before anything is allocated for it.
type reader struct {
	b   []byte // what is left of the body
	n   int    // elements of the message's array, the type among them
	typ Type   // what the errors name
	err *ParseError
}

func (r *reader) fail(field, reason string) {
	if r.err == nil {
		r.err = &ParseError{Type: r.typ, Field: field, Reason: reason}
	}
	r.b = nil
}

// require fails a message of fewer than n elements, the type among them.
func (r *reader) require(n int) {
	if r.n < n {
		r.fail("message", fmt.Sprintf("%d elements, want at least %d", r.n, n))
	}
}

// mark returns the first byte of the next value and leaves it there. At the end
// it fails, and returns a byte that starts no value.
func (r *reader) mark(field string) byte {
	if len(r.b) == 0 {
		r.fail(field, cutShort)
		return 0xc1
	}
	return r.b[0]
}

// take removes n bytes. No caller can grow the result into what follows it.
func (r *reader) take(n int, field string) []byte {
	if uint(n) > uint(len(r.b)) {
		r.fail(field, cutShort)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// wide removes a mark and the big-endian number of width bytes behind it.
func (r *reader) wide(width int, field string) uint64 {
	var v uint64
	b := r.take(1+width, field)
	for i := 1; i < len(b); i++ {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// size is wide for a length, which is never more than the bytes left hold.
func (r *reader) size(width int, field string) int {
	v := r.wide(width, field)
	if v > uint64(len(r.b)) {
		r.fail(field, cutShort)
		return 0
	}
	return int(v)
}

func (r *reader) str(field string) string {
	// The short form first: it is nearly every string there is.
	if len(r.b) > 0 && r.b[0]&0xe0 == fixStr {
		if n := 1 + int(r.b[0]&0x1f); n <= len(r.b) {
			s := r.b[1:n]
			r.b = r.b[n:]
			return unsafe.String(unsafe.SliceData(s), len(s))
		}
	}
	s, ok := r.strBytes(field)
	if !ok {
		r.fail(field, "not a str")
	}
	return unsafe.String(unsafe.SliceData(s), len(s))
}

// strBytes reads a str or nil; ok is false, and nothing read, if it is neither.
func (r *reader) strBytes(field string) (s []byte, ok bool) {
	switch c := r.mark(field); {
	case c == markNil:
		r.b = r.b[1:]
		return nil, true
	case c&0xe0 == fixStr:
		r.b = r.b[1:]
		return r.take(int(c&0x1f), field), true
	case c >= markStr8 && c <= markStr8+2:
		return r.take(r.size(1<<(c-markStr8), field), field), true
	}
	return nil, r.err != nil
}

// bytes reads a bin, a str, as old encoders write it, or nil. Only nil is nil.
func (r *reader) bytes(field string) []byte {
	if c := r.mark(field); c >= markBin8 && c <= markBin8+2 {
		return r.take(r.size(1<<(c-markBin8), field), field)
	}
	data, ok := r.strBytes(field)
	if !ok {
		r.fail(field, "not a bin")
	}
	return data
}

// number reads an integer in any form: its value, or for a negative one its
// two's complement in 64 bits.
func (r *reader) number(field string) (v uint64, negative bool) {
	switch c := r.mark(field); {
	case c < fixMap:
		r.b = r.b[1:]
		return uint64(c), false
	case c >= fixNeg:
		r.b = r.b[1:]
		return uint64(int8(c)), true
	case c >= markUint8 && c <= markUint8+3:
		return r.wide(1<<(c-markUint8), field), false
	case c >= markInt8 && c <= markInt8+3:
		width := 1 << (c - markInt8)
		shift := 64 - 8*width
		i := int64(r.wide(width, field)<<shift) >> shift
		return uint64(i), i < 0
	}
	r.fail(field, "not an int")
	return 0, false
}

// int reads an integer that fits 32 bits with a sign.
func (r *reader) int(field string) int {
	v, negative := r.number(field)
	if negative && int64(v) < math.MinInt32 || !negative && v > math.MaxInt32 {
		r.fail(field, outOfRange)
		return 0
	}
	return int(int64(v))
}

func (r *reader) uint64(field string) uint64 {
	v, negative := r.number(field)
	if negative {
		r.fail(field, outOfRange)
		return 0
	}
	return v
}

func (r *reader) bool(field string) bool {
	c := r.mark(field)
	if c != markFalse && c != markTrue {
		r.fail(field, "not a bool")
		return false
	}
	r.b = r.b[1:]
	return c == markTrue
}

func (r *reader) arrayLen(field string) int {
	return r.count(fixArr, markArr16, 1, field, "not an array")
}

func (r *reader) mapLen(field string) int {
	return r.count(fixMap, markMap16, 2, field, "not a map")
}

// count reads the header of an array or a map, whose entries take at least width
// bytes each: there are never more of them than the bytes left can hold.
func (r *reader) count(fix, mark16 byte, width int, field, otherwise string) int {
	n := 0
	switch c := r.mark(field); {
	case c&0xf0 == fix:
		r.b = r.b[1:]
		n = int(c & 0x0f)
	case c == mark16, c == mark16+1:
		n = r.size(2<<(c-mark16), field)
	default:
		r.fail(field, otherwise)
	}
	if n > len(r.b)/width {
		r.fail(field, cutShort)
		return 0
	}
	return n
}

// strs appends an array of strings to list.
func (r *reader) strs(list []string, field string) []string {
	n := r.arrayLen(field)
	list = slices.Grow(list, min(n, maxReuse))
	for ; n > 0 && r.err == nil; n-- {
		list = append(list, r.str(field))
	}
	return list
}
