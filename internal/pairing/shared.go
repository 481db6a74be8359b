package pairing

import (
	"sync"
	"sync/atomic"
)

// keepBytes is the largest buffer that is kept for reuse.
const keepBytes = 64 << 10

var sharedPool = sync.Pool{New: func() any { return new(Shared) }}

// A Shared is bytes on their way to one client or many. They are written once
// and then only read. The last one to release it gives it back.
type Shared struct {
	refs  atomic.Int32
	bytes []byte

	mu         sync.Mutex
	compressed []byte // empty until somebody asks for it; guarded by mu until then
}

// NewShared returns a copy of b, which the caller must release.
func NewShared(b []byte) *Shared {
	s := sharedPool.Get().(*Shared)
	s.bytes, s.compressed = append(s.bytes[:0], b...), s.compressed[:0]
	s.refs.Store(1)
	return s
}

// Bytes returns the bytes; they must not be changed, nor used after Release.
func (s *Shared) Bytes() []byte { return s.bytes }

// Compressed returns what compress makes of the bytes when it appends to its first
// argument: it is called for the first who asks, and others get the same. It holds as
// long as Bytes does.
func (s *Shared) Compressed(compress func(to, from []byte) []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.compressed) == 0 {
		s.compressed = compress(s.compressed, s.bytes)
	}
	return s.compressed
}

// Retain keeps s for one more user.
func (s *Shared) Retain() { s.refs.Add(1) }

// Release ends one use.
func (s *Shared) Release() {
	switch n := s.refs.Add(-1); {
	case n > 0:
	case n < 0:
		panic("pairing: bytes released more often than retained")
	case cap(s.bytes) <= keepBytes && cap(s.compressed) <= keepBytes:
		sharedPool.Put(s)
	}
}
