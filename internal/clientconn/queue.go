package clientconn

import (
	"context"
	"io"
)

// keepMessages is the length of the longest batch whose slice is used again; an
// idle client shall not pay for the bursts that it has seen.
const keepMessages = 256

// A queue holds the messages that wait for a client. It is guarded by the
// connection that owns it; its bound is the connection's business, too.
type queue struct {
	messages [][]byte
	spare    [][]byte      // the batch that the transport returned
	bytes    int           // of messages, and of the batch that the transport is writing
	writing  int           // bytes of that batch
	ended    bool          // nothing is added any more
	wake     chan struct{} // capacity 1: there is something to take, or the end; never closed
}

func newQueue() queue { return queue{wake: make(chan struct{}, 1)} }

func (q *queue) add(message []byte) {
	q.messages = append(q.messages, message)
	q.bytes += len(message)
	q.signal()
}

// end lets the transport finish after what is queued.
func (q *queue) end() {
	q.ended = true
	q.signal()
}

// drop ends the queue and forgets what it holds.
func (q *queue) drop() {
	q.messages, q.spare = nil, nil
	q.end()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns all messages. The batch before counts as written and is reused.
func (q *queue) take() [][]byte {
	batch := q.messages
	clear(q.spare)
	if cap(q.spare) > keepMessages {
		q.spare = nil
	}
	q.messages, q.spare = q.spare[:0], batch
	q.bytes -= q.writing
	q.writing = q.bytes
	return batch
}

// Next waits for messages to the client and returns all that there are: each
// is one or more whole hub messages and must not be changed. They are valid
// until the next call, which tells that they have been written. After the last
// message the error is io.EOF; it is the cause of ctx when that ends first.
func (c *Conn) Next(ctx context.Context) ([][]byte, error) {
	for {
		c.mu.Lock()
		batch, ended := c.out.take(), c.out.ended
		c.mu.Unlock()
		switch {
		case len(batch) > 0:
			return batch, nil
		case ended:
			return nil, io.EOF
		}
		select {
		case <-c.out.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
