package loadgen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// secure is TLS over a socket. Its handshake has a goroutine that blocks in
// poll, since crypto/tls cannot be left and entered again in it. Then the loop
// takes over: a read that would block answers os.ErrDeadlineExceeded, after
// which crypto/tls can go on, and a write is never refused.
type secure struct {
	socket  *socket
	fd      int
	conn    *tls.Conn
	done    bool   // the handshake is over, and everything belongs to the loop
	waiting []byte // what is to be written then; belongs to the loop
	owner   owner
}

// startSecure begins the handshake on a socket that connects.
func (s *socket) startSecure(config *tls.Config, o owner) {
	t := &secure{socket: s, fd: s.fd, owner: o}
	t.conn = tls.Client(t, config)
	s.tls = t
	l := s.loop
	l.handshakes.Go(func() {
		err := t.conn.Handshake()
		if !l.post(func() { t.finish(err) }) {
			_ = unix.Close(t.fd)
		}
	})
}

// finish gives the socket to the loop, unless it was closed meanwhile.
func (t *secure) finish(err error) {
	s := t.socket
	if s.tls != t {
		_ = unix.Close(t.fd)
		return
	}
	t.done = true
	if err == nil {
		s.slot, err = s.loop.add(t.fd, t.owner)
		s.watched = err == nil
	}
	if err == nil {
		err = t.write(t.waiting)
		t.waiting = nil
	}
	if err != nil {
		t.owner.failed(fmt.Errorf("TLS: %w", err))
	}
}

func (t *secure) write(b []byte) error {
	if !t.done {
		t.waiting = append(t.waiting, b...)
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	_, err := t.conn.Write(b)
	return err
}

// read reads what is there. It is 0, nil if there is nothing now.
func (t *secure) read(b []byte) (int, error) {
	n, err := t.conn.Read(b)
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return 0, err
}

// Read is what crypto/tls reads from.
func (t *secure) Read(b []byte) (int, error) {
	if t.done {
		n, err := t.socket.readRaw(b)
		if n == 0 && err == nil {
			err = os.ErrDeadlineExceeded
		}
		return n, err
	}
	for {
		n, err := unix.Read(t.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, errors.New("server ended the connection")
		case !errors.Is(err, unix.EAGAIN):
			return 0, err
		}
		if err := t.poll(unix.POLLIN); err != nil {
			return 0, err
		}
	}
}

// Write is what crypto/tls writes to.
func (t *secure) Write(b []byte) (int, error) {
	if t.done {
		return len(b), t.socket.writeRaw(b)
	}
	for n := 0; n < len(b); {
		k, err := unix.SendmsgN(t.fd, b[n:], nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			n += k
		case !errors.Is(err, unix.EAGAIN):
			return n, err
		default:
			if err := t.poll(unix.POLLOUT); err != nil {
				return n, err
			}
		}
	}
	return len(b), nil
}

// poll waits for the socket, in the goroutine of the handshake.
func (t *secure) poll(events int16) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: events}}, int(patience.Milliseconds()))
		switch {
		case n > 0:
			return nil
		case err == nil:
			return errSlow
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

// Close and the rest are for crypto/tls, which has no need of them here.
func (t *secure) Close() error                     { return nil }
func (t *secure) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *secure) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t *secure) SetDeadline(time.Time) error      { return nil }
func (t *secure) SetReadDeadline(time.Time) error  { return nil }
func (t *secure) SetWriteDeadline(time.Time) error { return nil }
