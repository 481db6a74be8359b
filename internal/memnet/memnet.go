// Package memnet is a network inside one process: a listener, a dialler, and
// connections that are memory.
//
// It links an app server and a service that live in one process, and it takes
// the place of sockets in tests. Whatever waits here waits on a channel or on a
// timer, so a goroutine that is blocked in Read, Write, Accept or Dial counts as
// durably blocked in a testing/synctest bubble. Nothing here starts a goroutine.
//
// What runs over a connection (HTTP, WebSocket, service protocol) is left to
// the packages that use one.
package memnet

import (
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
)

// Addr is the address of an end of a connection, written as "memnet:n" so that
// net.SplitHostPort can read it. 0 is the listener and the end that it
// accepted; dialled ends count up from 1.
type Addr int64

// Network returns "memnet".
func (a Addr) Network() string { return "memnet" }

// String returns the address as host and port.
func (a Addr) String() string { return "memnet:" + strconv.FormatInt(int64(a), 10) }

// A Listener accepts the connections that its own Dial opens. All methods may
// be called at once.
type Listener struct {
	dialled atomic.Int64  // connections opened so far, for their addresses
	queue   chan *conn    // from Dial to Accept, unbuffered; nobody closes it
	closed  chan struct{} // Close closes it
	once    sync.Once     // for closed
}

var _ net.Listener = (*Listener)(nil)

// Listen returns a listener. Inside a synctest bubble it must be called in the
// bubble that uses it.
func Listen() *Listener {
	return &Listener{queue: make(chan *conn), closed: make(chan struct{})}
}

// Accept waits for the next Dial and returns the other end of its connection.
// Once the listener is closed the error matches net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	if l.isClosed() {
		return nil, l.fault("accept", net.ErrClosed)
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, l.fault("accept", net.ErrClosed)
	}
}

// Close ends every waiting and future Accept and Dial. Connections that were
// accepted live on. It may be called more than once.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns the listener's address.
func (l *Listener) Addr() net.Addr { return Addr(0) }

// Dial opens a connection. Unlike a socket's it waits until Accept has taken
// the other end, so that no connection is left over when the listener closes.
// ctx ends the waiting only; a closed listener's error matches net.ErrClosed.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, l.fault("dial", err)
	}
	if l.isClosed() {
		return nil, l.fault("dial", net.ErrClosed)
	}
	client, server := newPair(Addr(l.dialled.Add(1)), Addr(0))
	select {
	case l.queue <- server:
		return client, nil
	case <-l.closed:
		return nil, l.fault("dial", net.ErrClosed)
	case <-ctx.Done():
		return nil, l.fault("dial", ctx.Err())
	}
}

// DialContext is Dial with the signature that http.Transport wants. Every
// network and address leads to the listener.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return l.Dial(ctx)
}

// isClosed is asked first, because a select that finds several cases ready
// would choose any of them.
func (l *Listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

func (l *Listener) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "memnet", Addr: l.Addr(), Err: err}
}
