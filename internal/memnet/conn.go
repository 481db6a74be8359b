package memnet

import (
	"net"
	"time"
)

// A conn is one end of a connection. All methods may be called at once; of
// several Reads, and of several Writes, one works at a time.
type conn struct {
	in, out       *half
	local, remote Addr
}

var _ net.Conn = (*conn)(nil)

// newPair returns the two ends of a new connection.
func newPair(a, b Addr) (*conn, *conn) {
	ab, ba := newHalf(), newHalf()
	return &conn{in: ba, out: ab, local: a, remote: b}, &conn{in: ab, out: ba, local: b, remote: a}
}

// Read waits for at least one byte. After the peer's Close it returns what is
// still buffered, then io.EOF; after Close of this end an error that matches
// net.ErrClosed; after the read deadline os.ErrDeadlineExceeded, even when
// bytes are buffered.
func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write copies b and waits while the peer has bufferSize bytes unread. After
// the peer's Close it returns io.ErrClosedPipe; after Close of this end an
// error that matches net.ErrClosed; after the write deadline
// os.ErrDeadlineExceeded with the number of bytes that were still taken.
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close ends every waiting and future Read and Write of this end, and drops
// what the peer sent and this end has not read. What this end sent stays
// readable. It may be called more than once.
func (c *conn) Close() error {
	c.in.closeRead()
	c.out.closeWrite()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines. Like the two others it counts for calls that
// are already waiting; the zero time means none; and it may be set again after
// it has passed.
func (c *conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}
