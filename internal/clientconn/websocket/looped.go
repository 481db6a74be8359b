package websocket

import (
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
	unsent    []byte      // made and refused by the socket
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
	return l.Add(conn, append([]byte(nil), early...))
}

// Readable tells whether the app server keeps up. If not, nothing is read until
// it does; Resume then wakes the socket.
func (l *looped) Readable() bool { return l.checkRoom() }

// Receive takes what the client sent.
func (l *looped) Receive(b []byte) {
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
	if len(l.unsent) > 0 && !l.send(l.unsent) {
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
		l.Close()
	}
}

// send writes b, which is unsent unless that is empty, and tells whether all of
// it is gone.
func (l *looped) send(b []byte) bool {
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
		l.c.conn.Close(pairing.SlowClient, "")
	}
}

func (l *looped) late(now time.Time) bool {
	return l.blocked != 0 && now.Sub(time.Unix(0, l.blocked)) > l.c.conn.Limits().SendTimeout
}

// Gone ends the connection.
func (l *looped) Gone(error) {
	l.unsent = nil
	l.c.finish(pairing.TransportLost) // unless it was closed for another reason before
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
