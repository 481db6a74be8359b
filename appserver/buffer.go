package appserver

import "sync"

// A buffer holds bytes that a client has sent; start is how many were handled.
type buffer struct {
	bytes []byte
	start int
}

func (b *buffer) unread() []byte { return b.bytes[b.start:] }

// append adds p and makes room by leaving out what was handled.
func (b *buffer) append(p []byte) {
	if b.start > 0 {
		b.bytes = b.bytes[:copy(b.bytes, b.unread())]
		b.start = 0
	}
	b.bytes = append(b.bytes, p...)
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// keepBuffer is the largest buffer that is kept for reuse.
const keepBuffer = 64 << 10

func (b *buffer) free() {
	if cap(b.bytes) > keepBuffer {
		return
	}
	b.bytes, b.start = b.bytes[:0], 0
	buffers.Put(b)
}
