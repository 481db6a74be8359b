// Package floor is the least that a WebSocket server can do on Linux: one thread
// that waits in epoll, takes connections, and sends each frame back, to the one
// who sent it or to everybody. It knows no HTTP beyond the key of the upgrade,
// no TLS, no limits, no timeouts and no slow clients. What a real server costs
// more than this is what its features cost.
//
// It trusts its clients, and is for measuring only.
package floor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Config says what a Server does.
type Config struct {
	Broadcast bool // each frame goes to all clients; otherwise to its sender
	Joined    bool // frames wait until the turn of the loop ends, and go out in one write for each client
}

// A Server has the thread that calls Run for itself, and everything in it
// belongs to that thread.
type Server struct {
	config Config

	listener, epoll int
	wake            int // an eventfd: Stop
	port            int

	clients []client // by descriptor
	open    []int32  // descriptors of those that are upgraded
	buffer  []byte   // what one read brings; frames are turned around in place

	turn    []byte  // joined: frames of this turn
	dirty   []int32 // joined: descriptors of clients with something in queue
	scratch []byte  // joined: what goes out in one write
}

// A client is small, because an idle one has nothing else.
type client struct {
	held     []byte // the beginning of a request or frame whose rest has not come
	unsent   []byte // what the socket did not take
	queue    []span // joined: what waits in this turn
	place    int32  // in Server.open
	upgraded bool
}

// A span is a part of Server.turn.
type span struct{ from, to uint32 }

const (
	backlog    = 4096
	eventBatch = 512
	readBuffer = 256 << 10
)

// Listen opens a port of 127.0.0.1.
func Listen(c Config) (*Server, error) {
	s := &Server{config: c, listener: -1, epoll: -1, wake: -1, buffer: make([]byte, readBuffer)}
	if err := s.listen(); err != nil {
		s.closeAll()
		return nil, fmt.Errorf("open port: %w", err)
	}
	return s, nil
}

func (s *Server) listen() (err error) {
	if s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	// Connections inherit it.
	if err := unix.SetsockoptInt(s.listener, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := unix.Bind(s.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(s.listener, backlog); err != nil {
		return err
	}
	name, err := unix.Getsockname(s.listener)
	if err != nil {
		return err
	}
	s.port = name.(*unix.SockaddrInet4).Port
	return s.openLoop()
}

func (s *Server) openLoop() (err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	return errors.Join(s.watch(unix.EPOLL_CTL_ADD, s.listener, unix.EPOLLIN), s.watch(unix.EPOLL_CTL_ADD, s.wake, unix.EPOLLIN))
}

// Port returns the port that the server listens on.
func (s *Server) Port() int { return s.port }

// Stop has Run return. It may be called from any goroutine, before Run returns.
func (s *Server) Stop() { _, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (s *Server) watch(op, fd int, events uint32) error {
	return unix.EpollCtl(s.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (s *Server) closeAll() {
	for len(s.open) > 0 {
		s.drop(int(s.open[0]))
	}
	for _, fd := range []int{s.listener, s.epoll, s.wake} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
