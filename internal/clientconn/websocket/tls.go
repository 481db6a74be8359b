package websocket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"switchboard/internal/eventloop"
	"switchboard/internal/pairing"
)

// maxAnswers bounds what TLS itself has to say (answers to key updates) to a
// client that does not read. None of it may be dropped, so the client is closed.
const maxAnswers = 4 << 10

// Listener returns a listener to put below TLS. crypto/tls does not give its keys
// away, so a loop can serve a TLS connection only from below.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || !eventloop.Detachable(conn) {
		return conn, err
	}
	return &line{Conn: conn}, nil
}

// A line is a TCP connection below TLS. At first it passes everything through.
// Once a loop serves the socket, it is where TLS and the loop meet: TLS reads
// from it what the loop has read, and leaves in it what the loop shall write.
type line struct {
	net.Conn         // nil once the loop has it
	sealed   *sealed // of the loop; nil before
	answers  int     // bytes that TLS itself had to say, and that wait
}

// sealed is ciphertext on its way. There is none between two calls of the loop,
// so that all connections of a loop share it.
type sealed struct {
	in  []byte // read by the loop, to be read by TLS
	out []byte // written by TLS, to be written by the loop
}

// lineAddr is the address of a line, which tells a request that it came over one.
type lineAddr struct{ net.Addr }

// LocalAddr returns a lineAddr.
func (l *line) LocalAddr() net.Addr { return lineAddr{l.Conn.LocalAddr()} }

// NetConn returns the TCP connection, nil once a loop has it.
func (l *line) NetConn() net.Conn { return l.Conn }

// Read answers os.ErrDeadlineExceeded at the end of what is there: TLS takes that
// error for a temporary one, and goes on where it was when it is asked again.
func (l *line) Read(b []byte) (int, error) {
	if l.sealed == nil {
		return l.Conn.Read(b)
	}
	if len(l.sealed.in) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, l.sealed.in)
	l.sealed.in = l.sealed.in[n:]
	return n, nil
}

// Write takes everything: an error would end the connection for TLS, even a
// temporary one.
func (l *line) Write(b []byte) (int, error) {
	if l.sealed == nil {
		return l.Conn.Write(b)
	}
	l.sealed.out = append(l.sealed.out, b...)
	return len(b), nil
}

// SetWriteDeadline is called by TLS when it says goodbye, which does not wait here.
func (l *line) SetWriteDeadline(t time.Time) error {
	if l.sealed == nil {
		return l.Conn.SetWriteDeadline(t)
	}
	return nil
}

// below returns the TCP connection for a loop to serve, and the TLS on top of it,
// if there is any.
func below(conn net.Conn) (tcp net.Conn, secure *tls.Conn, err error) {
	if c, ok := conn.(*tls.Conn); ok {
		l, ok := c.NetConn().(*line)
		if !ok {
			return nil, nil, errors.New("no event loop can serve TLS without a Listener below it")
		}
		return l.Conn, c, nil
	}
	if l, ok := conn.(*line); ok {
		conn = l.Conn
	}
	return conn, nil, nil
}

// receiveSealed takes what the client sent over TLS. TLS keeps the part of a
// record until the rest of it has come. The first call has in plain what came
// with the upgrade request instead; TLS may hold more that came with it.
func (l *looped) receiveSealed(b []byte) {
	s := scratchOf(l.Loop())
	if line := l.tls.NetConn().(*line); line.sealed == nil {
		line.Conn, line.sealed = nil, &s.sealed
		l.receive(b)
		b = nil
	}
	if s.opened == nil {
		s.opened = make([]byte, eventloop.ReadBytes)
	}
	s.sealed.in = b
	var err error
	for err == nil && l.tls != nil {
		var n int
		n, err = io.ReadFull(l.tls, s.opened) // all records at once: they may be small
		l.receive(s.opened[:n])
	}
	s.sealed.in = nil
	if l.tls == nil {
		return // closed meanwhile
	}
	l.sendSealed(s)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		l.hangUp()
	}
}

// seal encrypts b and sends it, and tells whether all of it is gone.
func (l *looped) seal(b []byte) bool {
	s := scratchOf(l.Loop())
	s.sealed.out = slices.Grow(s.sealed.out, len(b)+len(b)/16+64) // records and their headers
	if _, err := l.tls.Write(b); err != nil {
		l.Abort()
		return false
	}
	return l.sendSealed(s)
}

// sendSealed sends what TLS has written, and tells whether all of it is gone.
func (l *looped) sendSealed(s *scratch) bool {
	b, line := s.sealed.out, l.tls.NetConn().(*line)
	s.sealed.out = b[:0]
	if cap(b) > keepBytes {
		s.sealed.out = nil
	}
	switch {
	case len(b) == 0:
		return true
	case len(l.unsent) == 0:
		line.answers = 0
		return l.transmit(b)
	}
	l.unsent = append(l.unsent, b...)
	if line.answers += len(b); line.answers > maxAnswers {
		l.c.conn.Close(pairing.SlowClient, "")
		l.Abort()
	}
	return false
}
