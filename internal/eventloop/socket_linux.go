package eventloop

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Socket is a stream socket that a loop serves. It is a part of what its
// handler keeps for a connection, which is why its zero value is one that has
// not been added yet. Wake and Abort may be called from any goroutine; all
// other methods only by the handler, from within its own.
type Socket struct {
	loop    *Loop
	handler Handler
	early   []byte // what was read before the loop had it
	fd      int32
	posted  atomic.Bool // it is in the loop's mail
	ready   atomic.Bool // Add has set the descriptor
	aborted atomic.Bool
	added   bool // owned by the loop, as is all below
	closed  bool
	paused  bool // nothing is read
	waiting bool // the peer takes no bytes
}

// Init says which loop and handler s is for, before anybody can wake it.
func (s *Socket) Init(loop *Loop, h Handler) { s.loop, s.handler = loop, h }

// Add has the loop serve a connection. The descriptor is taken out of conn,
// which is closed by it: nothing of it is left. early is what was read already.
// After an error, which matches net.ErrClosed when the loops have stopped, Gone
// is not called.
func (s *Socket) Add(conn net.Conn, early []byte) error {
	fd, err := s.loop.system.Take(conn)
	if err != nil {
		return err
	}
	s.early, s.fd = early, int32(fd)
	s.ready.Store(true)
	if !s.loop.post(s, false) { // whether it is in the mail or not: a Wake that has just failed might say so
		return errors.Join(net.ErrClosed, s.loop.system.Close(fd))
	}
	return nil
}

// Detachable tells whether loops of the real System can serve conn.
func Detachable(conn net.Conn) bool {
	_, ok := conn.(*net.TCPConn)
	return ok
}

// Wake has the loop call Flush soon. It does not wait.
func (s *Socket) Wake() {
	if s.posted.CompareAndSwap(false, true) {
		s.loop.post(s, false)
	}
}

// Abort has the loop close the socket soon. It does not wait.
func (s *Socket) Abort() {
	s.aborted.Store(true)
	s.Wake()
}

// Loop returns the loop that serves s.
func (s *Socket) Loop() *Loop { return s.loop }

// serveMail does what s was posted for.
func (s *Socket) serveMail() {
	s.posted.Store(false) // what comes from now on is posted anew
	switch {
	case s.closed || !s.ready.Load(): // Add posts it again
	case s.aborted.Load():
		s.end(ErrAborted)
	case !s.added:
		s.add()
	default:
		s.handler.Flush()
	}
}

func (s *Socket) add() {
	l := s.loop
	for int(s.fd) >= len(l.sockets) {
		l.sockets = append(l.sockets, make([]*Socket, 1+len(l.sockets))...)
	}
	s.added = true
	l.sockets[s.fd] = s
	l.open++
	if err := l.control(unix.EPOLL_CTL_ADD, int(s.fd), unix.EPOLLIN); err != nil {
		s.end(err)
		return
	}
	if early := s.early; early != nil {
		s.early = nil
		s.handler.Receive(early)
	}
	if !s.closed {
		s.handler.Flush()
	}
}

// read hands over what the peer sent, as far as it fits into one buffer.
func (s *Socket) read() {
	n, err := s.loop.system.Receive(int(s.fd), s.loop.buffer)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		s.end(os.NewSyscallError("read", err))
	case n == 0:
		s.end(io.EOF)
	default:
		s.handler.Receive(s.loop.buffer[:n])
	}
}

// Write gives bytes to the peer and returns how many it took. If not all, Flush
// is called when it takes more.
func (s *Socket) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := s.loop.system.Send(int(s.fd), b[n:])
		if m > 0 {
			n += m
		}
		switch err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			s.wait(true)
			return n, nil
		default:
			return n, os.NewSyscallError("write", err)
		}
	}
	s.wait(false)
	return n, nil
}

func (s *Socket) wait(waiting bool) {
	if s.waiting != waiting {
		s.waiting = waiting
		s.change()
	}
}

// Pause keeps the loop from reading, or lets it read again.
func (s *Socket) Pause(paused bool) {
	if s.paused != paused {
		s.paused = paused
		s.change()
	}
}

func (s *Socket) change() {
	if s.closed {
		return
	}
	var events uint32
	if !s.paused {
		events |= unix.EPOLLIN
	}
	if s.waiting {
		events |= unix.EPOLLOUT
	}
	if err := s.loop.control(unix.EPOLL_CTL_MOD, int(s.fd), events); err != nil {
		s.Abort()
	}
}

// Watch has Tick called about every second, or no longer.
func (s *Socket) Watch(watched bool) {
	if watched && !s.closed {
		s.loop.watched[s] = struct{}{}
	} else {
		delete(s.loop.watched, s)
	}
}

// Close closes the socket; the handler's Gone is called with nil.
func (s *Socket) Close() { s.end(nil) }

func (s *Socket) end(err error) {
	if s.closed {
		return
	}
	s.closed = true
	s.Watch(false)
	if s.added {
		s.loop.sockets[s.fd] = nil
		s.loop.open--
	}
	_ = s.loop.system.Close(int(s.fd)) // takes it out of the epoll instance, too
	s.handler.Gone(err)
}
