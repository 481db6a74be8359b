package floor

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
)

// handle takes requests and frames as they come, and returns what is not whole.
// It is false when the connection is to end.
func (s *Server) handle(fd int, c *client, b []byte) (rest []byte, ok bool) {
	if !c.upgraded {
		n, key := request(b)
		if n == 0 {
			return b, true
		}
		if key == nil {
			return nil, false
		}
		s.upgrade(fd, c, key)
		b = b[n:]
	}
	for {
		f, n := turnAround(b)
		if n == 0 {
			return b, true
		}
		if f[0]&0x0f == opClose {
			send(fd, f)
			return nil, false
		}
		s.deliver(fd, f)
		b = b[n:]
	}
}

// request finds the end of the request and the key in it, nil if there is none.
func request(b []byte) (n int, key []byte) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	const name = "ocket-Key: " // of Sec-WebSocket-Key, as browsers and as Go write it
	at := bytes.Index(b[:end], []byte(name))
	if at < 0 || at+len(name)+keySize > end {
		return end + 4, nil
	}
	return end + 4, b[at+len(name):][:keySize]
}

const (
	keySize = 24 // 16 bytes in base64
	guid    = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	answer  = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)

// upgrade answers with what proves that the key was read: RFC 6455, 4.2.2.
func (s *Server) upgrade(fd int, c *client, key []byte) {
	var text [keySize + len(guid)]byte
	copy(text[copy(text[:], key):], guid)
	sum := sha1.Sum(text[:])
	var room [160]byte
	b := append(room[:0], answer...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	s.write(fd, append(b, "\r\n\r\n"...))
	c.upgraded, c.place = true, int32(len(s.open))
	s.open = append(s.open, int32(fd))
}

const opClose = 8

// turnAround makes a client's frame at the beginning of b one of the server, in
// its place: without key, and so with a header that is 4 bytes shorter. n is how
// many bytes the client's took, 0 while it is not whole.
//
// Source: RFC 6455, section 5.2.
func turnAround(b []byte) (f []byte, n int) {
	if len(b) < 2 {
		return nil, 0
	}
	at, size := 2, int(b[1]&0x7f)
	switch {
	case size == 126 && len(b) >= 4:
		at, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		at, size = 10, int(binary.BigEndian.Uint64(b[2:]))
	case size >= 126:
		return nil, 0
	}
	n = at + 4 + size
	if n < 0 || len(b) < n { // no client of ours sends more than fits an int
		return nil, 0
	}
	key := binary.LittleEndian.Uint32(b[at:])
	unmask(b[at+4:n], key)
	copy(b[4:4+at], b[:at])
	b[5] &= 0x7f
	return b[4:n], n
}

func unmask(b []byte, key uint32) {
	for wide := uint64(key)<<32 | uint64(key); len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i % 4)))
	}
}

// deliver sends a frame to whom it is for. It lies in the buffer that is read
// into.
func (s *Server) deliver(from int, f []byte) {
	if s.config.Joined {
		s.enqueue(from, f)
		return
	}
	if !s.config.Broadcast {
		s.write(from, f)
		return
	}
	for _, fd := range s.open {
		s.write(int(fd), f)
	}
}

// enqueue has a frame wait for the end of the turn.
func (s *Server) enqueue(from int, f []byte) {
	at := uint32(len(s.turn))
	s.turn = append(s.turn, f...)
	waits := span{at, at + uint32(len(f))}
	if !s.config.Broadcast {
		s.enqueueFor(int32(from), waits)
		return
	}
	for _, fd := range s.open {
		s.enqueueFor(fd, waits)
	}
}

func (s *Server) enqueueFor(fd int32, waits span) {
	c := &s.clients[fd]
	if len(c.queue) == 0 {
		s.dirty = append(s.dirty, fd)
	}
	c.queue = append(c.queue, waits)
}

// flush ends a turn: each client gets what waits for it in one write.
func (s *Server) flush() {
	for _, fd := range s.dirty {
		c := &s.clients[fd]
		switch len(c.queue) {
		case 0: // it has left meanwhile
		case 1:
			s.write(int(fd), s.turn[c.queue[0].from:c.queue[0].to])
		default:
			s.scratch = s.scratch[:0]
			for _, w := range c.queue {
				s.scratch = append(s.scratch, s.turn[w.from:w.to]...)
			}
			s.write(int(fd), s.scratch)
		}
		c.queue = c.queue[:0]
	}
	s.dirty, s.turn = s.dirty[:0], s.turn[:0]
}
