package loadgen

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// maxUnsent bounds what waits for one socket that takes no more.
const maxUnsent = 1 << 20

// A socket is a connection that never blocks. What the kernel does not take is
// kept and written when it does.
type socket struct {
	loop    *loop
	fd      int
	slot    int32
	open    bool
	watched bool   // it has a slot
	out     []byte // what is to be written still
	tls     *secure
}

// connect starts to connect. What is written before the connection stands waits.
func (s *socket) connect(l *loop, to *endpoint, o owner) error {
	fd, err := unix.Socket(to.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	if err := l.dial(fd, to); err != nil {
		_ = unix.Close(fd)
		return err
	}
	*s = socket{loop: l, fd: fd, open: true}
	if to.secure != nil {
		s.startSecure(to.secure, o)
		return nil
	}
	if s.slot, err = l.add(fd, o); err != nil {
		_ = unix.Close(fd)
		s.open = false
		return err
	}
	s.watched = true
	return nil
}

func (l *loop) dial(fd int, to *endpoint) error {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // only slower without it
	if to.loopback && l.config.Sources > 0 {
		// The port is chosen when it is known where to, so that it need differ per target only.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		l.dialled++
		if err := unix.Bind(fd, source((l.share.First+l.dialled)%l.config.Sources)); err != nil {
			return fmt.Errorf("bind source address: %w", err)
		}
	}
	if err := unix.Connect(fd, to.address); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect to %s: %w", to.host, err)
	}
	return nil
}

// read reads what is there. It is 0, nil if there is nothing now.
func (s *socket) read(b []byte) (int, error) {
	if s.tls != nil {
		return s.tls.read(b)
	}
	return s.readRaw(b)
}

func (s *socket) readRaw(b []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, b)
		switch {
		case n > 0:
			s.loop.seen.BytesIn += uint64(n)
			return n, nil
		case err == nil:
			return 0, io.EOF
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		default:
			return 0, fmt.Errorf("read: %w", err)
		}
	}
}

// write writes b, now or later.
func (s *socket) write(b []byte) error {
	if s.tls != nil {
		return s.tls.write(b)
	}
	return s.writeRaw(b)
}

func (s *socket) writeRaw(b []byte) error {
	if len(s.out) > 0 {
		s.out = append(s.out, b...)
		return nil
	}
	n, err := s.send(b)
	if n < len(b) {
		s.out = append(s.out, b[n:]...)
	}
	return err
}

// send writes what the kernel takes.
func (s *socket) send(b []byte) (n int, err error) {
	for n < len(b) {
		k, err := unix.SendmsgN(s.fd, b[n:], nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			n += k
			s.loop.seen.BytesOut += uint64(k)
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return n, nil
		default:
			return n, fmt.Errorf("write: %w", err)
		}
	}
	return n, nil
}

// flush writes what waits.
func (s *socket) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	n, err := s.send(s.out)
	if s.out = s.out[:copy(s.out, s.out[n:])]; len(s.out) == 0 {
		s.out = nil // an idle client shall not hold a buffer
	}
	return err
}

// full tells whether no more should be written.
func (s *socket) full() bool { return len(s.out) > maxUnsent }

// close closes the socket. Reset spares the kernel the memory of it, which would
// keep the port from being used for a minute.
func (s *socket) close(reset bool) {
	if !s.open {
		return
	}
	if reset {
		_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if s.watched {
		s.loop.remove(s.slot)
	}
	if s.tls != nil && !s.tls.done {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR) // the goroutine of the handshake closes it
	} else {
		_ = unix.Close(s.fd)
	}
	s.open, s.watched, s.out, s.tls = false, false, nil, nil
}
