// Package eventloop serves many sockets with few goroutines. A loop waits for
// all its sockets at once; an idle socket costs its descriptor and what its
// handler keeps, and no goroutine, buffer or timer.
//
// On Linux a loop is an epoll instance that is itself waited for through the
// runtime's poller, so that a waiting loop holds no thread. Other systems have
// no loops: Start returns ErrUnsupported, and callers use a goroutine for each
// socket instead.
package eventloop

import (
	"errors"
	"time"
)

// ReadBytes is the size of the buffer that the sockets of a loop share for
// reading.
const ReadBytes = 64 << 10

// Errors of this package.
var (
	// ErrUnsupported means that this system has no event loops.
	ErrUnsupported = errors.New("event loops are not supported on this system")
	// ErrAborted is why a socket is gone after Abort.
	ErrAborted = errors.New("socket aborted by this side")
)

// A Handler is what a socket is for. All its methods are called by the loop of
// its socket, one after the other, and must not wait: they hold up all other
// sockets of the loop.
type Handler interface {
	// Readable is asked before bytes are read. A handler that answers no has
	// paused the socket.
	Readable() bool
	// Receive takes bytes that the peer sent. They are valid until it returns
	// and may be changed.
	Receive(b []byte)
	// Flush is called when the socket was woken, and when it can take bytes
	// again that it refused.
	Flush()
	// Tick is called about every second while the socket is watched.
	Tick(now time.Time)
	// Gone tells that the socket is closed: err is io.EOF if the peer closed
	// it, ErrAborted after Abort, nil after Close. It is the last call.
	Gone(err error)
}
