// Package mux carries the messages of many client connections over one server
// connection. It is the link between service and app server and is used by
// both ends: frames in, frames out, joined writes, keep-alive and the bound on
// what waits to be sent. What a message means is left to its callers.
package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/serviceprotocol"
)

// A Stream is the byte stream below a Conn. On the wire it is a WebSocket:
// each Write becomes one binary message, and Read returns the bytes of the
// messages in order, whose boundaries mean nothing.
type Stream interface {
	io.Reader
	io.Writer
	// Close ends the stream in good order; it may wait for the peer for some seconds.
	Close() error
	// Abort ends the stream at once and unblocks Read and Write.
	Abort() error
}

// Options of a Conn. The zero value is what both ends use in production.
type Options struct {
	// MaxMessageBytes bounds one received message. Default 64 MiB. A larger
	// one ends the connection with a serviceprotocol.FrameSizeError.
	MaxMessageBytes int
	// QueueBytes bounds what waits to be sent; Send waits above it. Default 1 MiB.
	// One message may pass the bound, however large it is.
	QueueBytes int
	// PingInterval is the time between two keep-alive pings. Default 5 s, as
	// the hosted service does; SDKs give up after 30 s of silence.
	PingInterval time.Duration
	// IdleTimeout ends a connection whose peer is silent for so long. Default 30 s.
	IdleTimeout time.Duration
	// StallTimeout ends a connection whose peer takes no bytes for so long. Default 30 s.
	StallTimeout time.Duration
	// Ping makes the keep-alive message, each time that it is due. An empty one is not
	// sent while others wait to be, since they tell as well that this end lives. Default:
	// the empty ping.
	Ping func() *serviceprotocol.Ping
	// Malformed is told of each received frame whose content could not be
	// read. The frame is skipped, as the SDKs do. It may be nil.
	Malformed func(error)
}

const (
	readBuffer  = 32 << 10
	writePiece  = 128 << 10
	closeWait   = 5 * time.Second
	keepPending = 64 << 10 // write buffers up to this size are kept in quiet times, too
)

// Errors that end a connection, besides those of the stream.
var (
	ErrIdle    = errors.New("peer sent nothing within the idle timeout")
	ErrStalled = errors.New("peer took no bytes within the stall timeout")
)

// A Conn is one end of a server connection. Send may be called from any
// goroutine, also before Serve runs; Serve is called once.
type Conn struct {
	stream  Stream // fixed, as are options and made
	options Options
	made    time.Time

	receive receiveBuffer // owned by the reader, as is parser
	parser  serviceprotocol.Parser

	mu      sync.Mutex
	pending []byte        // frames to send; guarded by mu
	waiting []Resumer     // wait for room; guarded by mu
	ended   bool          // nothing is taken any more; guarded by mu
	wake    chan struct{} // capacity 1, tells the writer that pending has bytes; never closed

	lastLimit *time.Timer // set by watch when this side closes in good order, read by Serve after it

	readingSince atomic.Int64 // clock when the present Read began; 0 while a message is handled
	writingSince atomic.Int64 // clock when the present Write began; 0 while none runs
	bytesIn      atomic.Int64
	bytesOut     atomic.Int64
}

// New returns the end of a server connection over stream, which it owns.
func New(stream Stream, o Options) *Conn {
	o.setDefaults()
	return &Conn{stream: stream, options: o, made: time.Now(), wake: make(chan struct{}, 1)}
}

func (o *Options) setDefaults() {
	setDefault(&o.MaxMessageBytes, 64<<20)
	setDefault(&o.QueueBytes, 1<<20)
	setDefault(&o.PingInterval, 5*time.Second)
	setDefault(&o.IdleTimeout, 30*time.Second)
	setDefault(&o.StallTimeout, 30*time.Second)
	if o.Ping == nil {
		o.Ping = func() *serviceprotocol.Ping { return &serviceprotocol.Ping{} }
	}
	if o.Malformed == nil {
		o.Malformed = func(error) {}
	}
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Stats tells what a connection has carried.
type Stats struct {
	BytesIn, BytesOut int64
	Queued            int  // bytes that wait to be sent
	Full              bool // so many that senders wait
}

// Stats may be called at any time.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), Queued: len(c.pending), Full: c.fullLocked()}
}

// A Resumer waits for room in the queue. Resume must not wait.
type Resumer interface{ Resume() }

// Send queues m for the peer; m may be changed once it returns. It waits while
// the queue is full, which is how a slow peer holds up its senders. After the
// end of the connection the error matches net.ErrClosed.
func (c *Conn) Send(ctx context.Context, m serviceprotocol.Message) error {
	for {
		queued, err := c.queue(m)
		if queued {
			return err
		}
		room := make(waiter)
		if !c.Congested(room) {
			continue
		}
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("send %v: %w", m.Type(), context.Cause(ctx))
		}
	}
}

// A waiter is a channel that Resume closes.
type waiter chan struct{}

func (w waiter) Resume() { close(w) }

// Post queues m at once, whether there is room or not; m may be changed once it
// returns. After the end of the connection the error matches net.ErrClosed.
func (c *Conn) Post(m serviceprotocol.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queueLocked(m)
}

// Congested tells whether the queue is full. If so, r is resumed once, when
// there is room again or the connection has ended.
func (c *Conn) Congested(r Resumer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fullLocked() {
		return false
	}
	c.waiting = append(c.waiting, r)
	return true
}

// queue appends m unless the queue is full.
func (c *Conn) queue(m serviceprotocol.Message) (queued bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fullLocked() {
		return false, nil
	}
	return true, c.queueLocked(m)
}

func (c *Conn) fullLocked() bool { return !c.ended && len(c.pending) >= c.options.QueueBytes }

func (c *Conn) queueLocked(m serviceprotocol.Message) error {
	if c.ended {
		return fmt.Errorf("send %v: %w", m.Type(), net.ErrClosed)
	}
	c.pending = serviceprotocol.AppendFrame(c.pending, m)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// take hands all that is queued to the writer, which gives back a spare buffer.
func (c *Conn) take(spare []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.pending
	if cap(spare) > keepPending && len(batch) > 0 && len(batch) < keepPending/16 {
		spare = nil // the burst is over
	}
	c.pending = spare[:0]
	c.resumeLocked()
	return batch
}

// end refuses further messages, lets those who wait for room go, and returns
// what was queued and not sent.
func (c *Conn) end() (unsent []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	unsent, c.pending = c.pending, nil
	c.resumeLocked()
	return unsent
}

func (c *Conn) resumeLocked() {
	for i, r := range c.waiting {
		r.Resume()
		c.waiting[i] = nil
	}
	c.waiting = c.waiting[:0]
}
