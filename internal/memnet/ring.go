package memnet

import "math/bits"

// smallestRing is what a direction costs once a byte went through it. Most
// connections carry little, so the ring grows to bufferSize only under load.
const smallestRing = 1 << 10

// A ring is a queue of bytes in at most bufferSize bytes of memory. The zero
// value is empty and holds none.
type ring struct {
	buf   []byte // its length is 0 or a power of two
	start int    // index of the first byte
	len   int    // bytes queued
}

// write queues as much of b as fits and returns how much that was.
func (r *ring) write(b []byte) int {
	b = b[:min(len(b), bufferSize-r.len)]
	if r.len+len(b) > len(r.buf) {
		r.grow(r.len + len(b))
	}
	end := (r.start + r.len) & (len(r.buf) - 1)
	copy(r.buf, b[copy(r.buf[min(end, len(r.buf)):], b):])
	r.len += len(b)
	return len(b)
}

// read moves queued bytes to b and returns how many.
func (r *ring) read(b []byte) int {
	b = b[:min(len(b), r.len)]
	copy(b[copy(b, r.buf[r.start:]):], r.buf)
	r.len -= len(b)
	r.start = (r.start + len(b)) & (len(r.buf) - 1)
	if r.len == 0 {
		r.start = 0
	}
	return len(b)
}

// grow makes room for size bytes in all.
func (r *ring) grow(size int) {
	next := ring{buf: make([]byte, max(smallestRing, 1<<bits.Len(uint(size-1))))}
	next.len = copy(next.buf, r.buf[r.start:min(r.start+r.len, len(r.buf))])
	next.len += copy(next.buf[next.len:], r.buf[:r.len-next.len])
	*r = next
}
