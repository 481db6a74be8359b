package websocket

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"switchboard/internal/pairing"
)

const (
	// readBytes is borrowed while bytes are there to be read.
	readBytes = 16 << 10
	// partBytes are written at once. It is what a TLS record holds: larger parts
	// would save no system call there.
	partBytes = 16 << 10
)

var (
	readBuffers = sync.Pool{New: func() any { return new([readBytes]byte) }}
	scratches   = sync.Pool{New: func() any { return new(scratch) }}
)

// threaded is a connection that a goroutine reads. Another one writes, while
// there is something to write.
type threaded struct {
	c    core
	conn net.Conn
	room chan struct{} // capacity 1: the app server keeps up again
	gone chan struct{} // closed by Abort
	send func()        // the writer

	mu      sync.Mutex
	begun   bool // start was called; guarded by mu, as is all below
	writing bool // a goroutine writes
	again   bool // and shall look once more
	aborted bool
	writers sync.WaitGroup

	frames sync.Mutex // guards c, which reader and writer share
}

func newThreaded() *threaded {
	t := &threaded{room: make(chan struct{}, 1), gone: make(chan struct{})}
	t.send = t.write // once: a method value takes memory
	return t
}

func (t *threaded) core() *core { return &t.c }

// start reads until the connection ends.
func (t *threaded) start(conn net.Conn, early []byte) error {
	if !t.begin(conn) {
		return net.ErrClosed
	}
	t.Wake() // for what was queued before
	t.receive(append([]byte(nil), early...))
	for read := t.reader(); t.awaitRoom() && read() == nil && !t.over(); {
	}
	t.c.conn.Lost(pairing.TransportLost)
	t.writers.Wait()
	t.close()
	t.c.conn.Finish(pairing.TransportLost)
	return nil
}

// begin takes the connection over. It is false when it was aborted before.
func (t *threaded) begin(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn, t.begun = conn, true
	if !t.aborted { // else Abort would be undone
		_ = conn.SetDeadline(time.Time{})
	}
	return !t.aborted
}

// close closes the connection. TLS says goodbye and waits seconds for room for
// that, but not on a connection that was aborted.
func (t *threaded) close() {
	if conn, ok := t.conn.(*tls.Conn); ok && t.isAborted() {
		_ = conn.NetConn().Close()
		return
	}
	_ = t.conn.Close()
}

// reader returns what waits for bytes and takes them. It holds no buffer while it
// waits, where the connection allows that.
func (t *threaded) reader() func() error {
	if raw, ok := rawConn(t.conn); ok {
		return t.rawReader(raw)
	}
	return t.read
}

func (t *threaded) read() error {
	buffer := readBuffers.Get().(*[readBytes]byte)
	defer readBuffers.Put(buffer)
	n, err := t.conn.Read(buffer[:])
	t.receive(buffer[:n])
	return err
}

func rawConn(conn net.Conn) (syscall.RawConn, bool) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, false
	}
	raw, err := tcp.SyscallConn()
	return raw, err == nil
}

func (t *threaded) receive(b []byte) {
	if len(b) == 0 {
		return
	}
	t.frames.Lock()
	t.c.feed(b)
	control := t.c.control != nil
	t.frames.Unlock()
	if control || t.c.conn.Closing() {
		t.Wake()
	}
}

// awaitRoom waits while the app server does not keep up; a closing connection
// has nothing for it any more. It is false when the connection is aborted.
func (t *threaded) awaitRoom() bool {
	for !t.c.conn.Closing() && t.c.conn.Congested(t) {
		select {
		case <-t.room:
		case <-t.gone:
			return false
		}
	}
	return true
}

// Resume is called when the app server keeps up again.
func (t *threaded) Resume() {
	select {
	case t.room <- struct{}{}:
	default:
	}
}

// Wake starts the writer, or has it look once more.
func (t *threaded) Wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.aborted || !t.begun:
	case t.writing:
		t.again = true
		t.writers.Go(t.c.conn.Leave) // if it closes: the writer may be stuck
	default:
		t.writing = true
		t.writers.Add(1)
		go t.send()
	}
}

// write sends until there is nothing more.
func (t *threaded) write() {
	defer t.writers.Done()
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	for more := true; more; more = t.lookAgain() {
		if err := t.flush(s); err != nil {
			reason := pairing.TransportLost
			if errors.Is(err, os.ErrDeadlineExceeded) && !t.isAborted() {
				reason = pairing.SlowClient
			}
			t.c.conn.Lost(reason)
			t.Abort()
			return
		}
	}
}

func (t *threaded) flush(s *scratch) error {
	for b := t.compose(s); len(b) > 0; b = t.compose(s) {
		if err := t.transmit(b); err != nil {
			return err
		}
	}
	if t.c.conn.Closing() {
		t.Resume() // the client's goodbye is to be read
	}
	if t.over() {
		_ = t.conn.SetReadDeadline(time.Unix(1, 0)) // the reader has nothing to wait for
	}
	return nil
}

// transmit writes b, in parts: a client that takes a part in time is not slow,
// however long all takes. What it took of a part does not count, because a TLS
// connection cannot go on after a timeout. Nor does what it took while the kernel
// (Linux) waits for a third of its buffer to be free before it tells of room.
func (t *threaded) transmit(b []byte) error {
	for part := range slices.Chunk(b, partBytes) {
		_ = t.conn.SetWriteDeadline(time.Now().Add(t.c.conn.Limits().SendTimeout))
		if t.isAborted() { // its deadline was overwritten
			return net.ErrClosed
		}
		if _, err := t.conn.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (t *threaded) compose(s *scratch) []byte {
	t.frames.Lock()
	defer t.frames.Unlock()
	return t.c.compose(s)
}

func (t *threaded) over() bool {
	t.frames.Lock()
	defer t.frames.Unlock()
	return t.c.over()
}

func (t *threaded) lookAgain() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writing = t.again && !t.aborted
	t.again = false
	return t.writing
}

func (t *threaded) isAborted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.aborted
}

// Abort ends the connection at once.
func (t *threaded) Abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.aborted {
		return
	}
	t.aborted = true
	close(t.gone)
	if t.conn != nil {
		_ = t.conn.SetDeadline(time.Unix(1, 0)) // ends reading and writing, and does not wait as Close may
	}
}
