package serviceprotocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A frame is a length and a body. The length is a varint: seven bits to a byte,
// the lowest first, the top bit set in all but the last; at most five bytes and
// at most 2147483647. Frames follow one another in the stream of binary
// WebSocket messages, whose own boundaries mean nothing.
//
// Source: azure-signalr BinaryMessageFormatter.cs, BinaryMessageParser.cs.

const (
	maxFrame  = math.MaxInt32
	maxPrefix = 5
)

// ErrPrefix means that the bytes do not start with the length of a frame. The
// stream cannot be read on from there.
var ErrPrefix = errors.New("frame length is over 5 bytes or over 2147483647")

// A FrameSizeError is a frame that announces more than the reader's limit.
type FrameSizeError struct {
	Size, Limit int // bytes of the body
}

func (e *FrameSizeError) Error() string {
	return fmt.Sprintf("frame of %d bytes is over the limit of %d", e.Size, e.Limit)
}

// AppendFrame appends m's length and body, and returns the longer slice. It
// allocates only where b has no room for the frame and a byte or two more.
func AppendFrame(b []byte, m Message) []byte {
	// The length is known once the body is written. A guess at how many bytes it
	// takes keeps large payloads from being moved for it afterwards.
	start := len(b)
	guess := uvarintLen(roughSize(m))
	b = append(b, make([]byte, guess)...)
	b = m.Append(b)
	size := len(b) - start - guess
	if n := uvarintLen(size); n != guess {
		b = append(b, make([]byte, max(0, n-guess))...)
		copy(b[start+n:], b[start+guess:start+guess+size])
		b = b[:start+n+size]
	}
	binary.PutUvarint(b[start:], uint64(size))
	return b
}

// SplitFrame takes the first frame off b: its body and what follows it, both
// parts of b. An incomplete frame is a nil body and b itself, and needs more
// bytes. A body over limit bytes is a [*FrameSizeError] as soon as its length has
// arrived; 0 means the protocol's own limit, 2147483647. [ErrPrefix] is the only
// other error.
func SplitFrame(b []byte, limit int) (body, rest []byte, err error) {
	if limit <= 0 || limit > maxFrame {
		limit = maxFrame
	}
	size, n := binary.Uvarint(b[:min(len(b), maxPrefix)])
	switch {
	case n == 0 && len(b) < maxPrefix:
		return nil, b, nil
	case n == 0 || size > maxFrame:
		return nil, b, ErrPrefix
	case size > uint64(limit):
		return nil, b, &FrameSizeError{Size: int(size), Limit: limit}
	case size > uint64(len(b)-n):
		return nil, b, nil
	}
	end := n + int(size)
	return b[n:end:end], b[end:], nil
}

func uvarintLen(n int) int {
	size := 1
	for ; n > 0x7f; n >>= 7 {
		size++
	}
	return size
}

// roughSize guesses the size of m's body from its payload, if it carries one.
func roughSize(m Message) int {
	switch m := m.(type) {
	case *ConnectionData:
		return 12 + len(m.ConnectionID) + len(m.Payload)
	case *MultiConnectionData:
		return 8 + stringsSize(m.ConnectionIDs) + m.Payloads.size()
	case *UserData:
		return 8 + len(m.UserID) + m.Payloads.size()
	case *BroadcastData:
		return 8 + stringsSize(m.ExcludedConnectionIDs) + m.Payloads.size()
	case *GroupBroadcastData:
		return 8 + len(m.Group) + stringsSize(m.ExcludedConnectionIDs) + m.Payloads.size()
	}
	return 0
}

func stringsSize(list []string) int {
	n := 0
	for _, s := range list {
		n += 1 + len(s)
	}
	return n
}
