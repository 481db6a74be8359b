package websocket

import (
	"bytes"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"switchboard/internal/eventloop"
	"switchboard/internal/pairing"
)

// looped is a connection whose socket an event loop serves. An idle one holds
// no buffer, timer or goroutine.
type looped struct {
	eventloop.Socket
	c         core
	tls       *tls.Conn   // nil for plain TCP, and when the connection is gone
	unsent    []byte      // made and refused by the socket; ciphertext if there is TLS
	blocked   int64       // since when, in Unix nanoseconds; 0 while the socket takes bytes
	congested atomic.Bool // Resume will be called
}

var _ eventloop.Handler = (*looped)(nil)

func newLooped(loop *eventloop.Loop) *looped {
	l := &looped{}
	l.Init(loop, l)
	return l
}

func (l *looped) core() *core { return &l.c }

func (l *looped) start(conn net.Conn, early []byte) error {
	tcp, secure, err := below(conn)
	if err != nil {
		return err
	}
	if early = bytes.Clone(early); secure != nil && early == nil {
		early = []byte{} // what TLS has read already is to be asked for
	}
	l.tls = secure
	return l.Add(tcp, early)
}

// Readable tells whether the app server keeps up. If not, nothing is read until
// it does; Resume then wakes the socket.
func (l *looped) Readable() bool { return l.checkRoom() }

// Receive takes what the client sent.
func (l *looped) Receive(b []byte) {
	if l.tls != nil {
		l.receiveSealed(b)
		return
	}
	l.receive(b)
}

func (l *looped) receive(b []byte) {
	l.c.feed(b)
	if l.c.control != nil || l.c.over() {
		l.Flush()
	}
}

// checkRoom stops reading while the app server does not keep up, and tells
// whether it does. A closing connection has nothing for it any more.
func (l *looped) checkRoom() bool {
	if !l.congested.Load() {
		l.congested.Store(true) // before Resume can be called
		if !l.c.conn.Congested(l) {
			l.congested.Store(false)
		}
	}
	stuck := l.congested.Load() && !l.c.conn.Closing()
	l.Pause(stuck)
	return !stuck
}

// Resume is called when the app server keeps up again.
func (l *looped) Resume() {
	l.congested.Store(false)
	l.Wake()
}

// Flush sends what waits, as far as the socket takes it.
func (l *looped) Flush() {
	l.checkRoom()
	if len(l.unsent) > 0 && !l.transmit(l.unsent) {
		return
	}
	s := scratchOf(l.Loop())
	for {
		b := l.c.compose(s)
		if len(b) == 0 {
			break
		}
		if !l.send(b) {
			return
		}
	}
	if l.c.over() {
		l.hangUp()
	}
}

// send sends frames, and tells whether all of them are gone.
func (l *looped) send(b []byte) bool {
	if l.tls != nil {
		return l.seal(b)
	}
	return l.transmit(b)
}

// transmit writes b, which is unsent unless that is empty, and tells whether all
// of it is gone.
func (l *looped) transmit(b []byte) bool {
	n, err := l.Write(b)
	if err != nil {
		l.Abort()
		return false
	}
	if n < len(b) {
		l.c.conn.Leave() // if it closes: the client may take long to hear of it
		if b = b[n:]; len(l.unsent) == 0 {
			b = append([]byte(nil), b...)
		}
		l.unsent = b
		if n > 0 || l.blocked == 0 {
			l.blocked = time.Now().UnixNano()
			l.Watch(true)
		}
		return false
	}
	if l.unsent = nil; l.blocked != 0 {
		l.blocked = 0
		l.Watch(false)
	}
	return true
}

// Tick closes a client that takes no bytes for too long. It tries once more
// before: the kernel tells of room when a third of its buffer is free, and that
// may be more than the client takes in time.
func (l *looped) Tick(now time.Time) {
	if l.late(now) {
		l.Flush()
	}
	if l.late(now) {
		l.c.conn.Lost(pairing.SlowClient)
	}
}

func (l *looped) late(now time.Time) bool {
	return l.blocked != 0 && now.Sub(time.Unix(0, l.blocked)) > l.c.conn.Limits().SendTimeout
}

// hangUp closes the socket. TLS says goodbye if the socket takes it at once.
func (l *looped) hangUp() {
	if l.tls != nil && len(l.unsent) == 0 {
		_ = l.tls.CloseWrite()
		l.sendSealed(scratchOf(l.Loop()))
	}
	l.Close()
}

// Gone ends the connection.
func (l *looped) Gone(error) {
	l.unsent, l.tls = nil, nil
	l.c.conn.Finish(pairing.TransportLost) // unless it was closed for another reason before
}

// scratchOf returns the scratch memory of a loop.
func scratchOf(loop *eventloop.Loop) *scratch {
	s, ok := loop.Scratch.Any.(*scratch)
	if !ok {
		s = new(scratch)
		loop.Scratch.Any = s
	}
	return s
}
