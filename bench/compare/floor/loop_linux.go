package floor

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Run serves until Stop.
func (s *Server) Run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer s.closeAll()
	events := make([]unix.EpollEvent, eventBatch)
	for {
		n, err := s.wait(events)
		if err != nil {
			return fmt.Errorf("wait for events: %w", err)
		}
		for _, e := range events[:n] {
			switch int(e.Fd) {
			case s.listener:
				s.accept()
			case s.wake:
				return nil
			default:
				s.ready(int(e.Fd), e.Events)
			}
		}
		s.flush()
	}
}

// wait returns how many events there are. It is the only system call that can
// block, and so the only one that the scheduler of Go has to know of.
func (s *Server) wait(events []unix.EpollEvent) (int, error) {
	n, err := unix.EpollWait(s.epoll, events, -1)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}

func (s *Server) accept() {
	for {
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(s.listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != 0 {
			return // there are no more, or no more descriptors
		}
		for int(fd) >= len(s.clients) {
			s.clients = append(s.clients, client{})
		}
		if s.watch(unix.EPOLL_CTL_ADD, int(fd), unix.EPOLLIN) != nil {
			_ = unix.Close(int(fd))
		}
	}
}

// ready takes what a socket has, in one read: what is left is told again. An
// event may be for a socket that was closed just now; there is nothing to read
// from the next one in its place then.
func (s *Server) ready(fd int, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		s.resume(fd)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&s.buffer[0])), uintptr(len(s.buffer)), 0, 0, 0)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return
	case errno != 0 || n == 0:
		s.drop(fd)
		return
	}
	c := &s.clients[fd]
	b := s.buffer[:n]
	if len(c.held) > 0 {
		c.held = append(c.held, b...)
		b = c.held
	}
	rest, ok := s.handle(fd, c, b)
	switch {
	case !ok:
		s.drop(fd)
	case len(rest) == 0:
		c.held = nil
	default:
		c.held = append(c.held[:0], rest...) // rest may lie in held
	}
}

// drop closes a connection and forgets it.
func (s *Server) drop(fd int) {
	c := &s.clients[fd]
	if c.upgraded {
		last := s.open[len(s.open)-1]
		s.open[c.place] = last
		s.clients[last].place = c.place
		s.open = s.open[:len(s.open)-1]
	}
	*c = client{}
	_ = unix.Close(fd)
}

// write writes b, now or later. A socket that has failed is told of by epoll.
func (s *Server) write(fd int, b []byte) {
	c := &s.clients[fd]
	if len(c.unsent) > 0 {
		c.unsent = append(c.unsent, b...)
		return
	}
	if n := send(fd, b); n < len(b) {
		c.unsent = append(c.unsent, b[n:]...)
		_ = s.watch(unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

// resume goes on with what the socket did not take.
func (s *Server) resume(fd int) {
	c := &s.clients[fd]
	n := send(fd, c.unsent)
	if c.unsent = c.unsent[:copy(c.unsent, c.unsent[n:])]; len(c.unsent) == 0 {
		c.unsent = nil
		_ = s.watch(unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN)
	}
}

// send returns how much the socket took.
func send(fd int, b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
