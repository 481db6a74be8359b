package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bufferSize is the bound of unread bytes in each direction: Write waits at it.
const bufferSize = 64 << 10

// A half is one direction of a connection.
//
// A caller takes its turn, and keeps it while it waits. Whoever waits for the
// turn behind it needs no deadline and no close of its own: what would end its
// waiting also ends the call that has the turn, for both belong to the same end.
type half struct {
	reading, writing chan struct{} // turns, one place each; full while a call is at work
	arrived, drained chan struct{} // one place each: something changed for the reader, for the writer

	mu                      sync.Mutex // held to look and to copy, never to wait
	unread                  ring
	readBy, writeBy         time.Time
	readClosed, writeClosed bool
}

func newHalf() *half {
	return &half{
		reading: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		arrived: make(chan struct{}, 1), drained: make(chan struct{}, 1),
	}
}

func (h *half) read(b []byte) (int, error) {
	h.reading <- struct{}{}
	defer func() { <-h.reading }()
	for {
		n, deadline, err := h.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		wait(h.arrived, deadline)
	}
}

// take reads what there is, without waiting. The deadline is for the waiting.
func (h *half) take(b []byte) (n int, deadline time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.readClosed:
		return 0, h.readBy, net.ErrClosed
	case passed(h.readBy):
		return 0, h.readBy, os.ErrDeadlineExceeded
	case h.unread.len == 0 && h.writeClosed:
		return 0, h.readBy, io.EOF
	}
	if n = h.unread.read(b); n > 0 {
		signal(h.drained)
	}
	return n, h.readBy, nil
}

func (h *half) write(b []byte) (written int, err error) {
	h.writing <- struct{}{}
	defer func() { <-h.writing }()
	for {
		n, deadline, err := h.put(b[written:])
		written += n
		if written == len(b) || err != nil {
			return written, err
		}
		wait(h.drained, deadline)
	}
}

// put writes what there is room for, without waiting.
func (h *half) put(b []byte) (n int, deadline time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.writeClosed:
		return 0, h.writeBy, net.ErrClosed
	case passed(h.writeBy):
		return 0, h.writeBy, os.ErrDeadlineExceeded
	case h.readClosed:
		return 0, h.writeBy, io.ErrClosedPipe
	}
	if n = h.unread.write(b); n > 0 {
		signal(h.arrived)
	}
	return n, h.writeBy, nil
}

func (h *half) closeRead() {
	h.change(func() { h.readClosed, h.unread = true, ring{} })
}

func (h *half) closeWrite() {
	h.change(func() { h.writeClosed = true })
}

func (h *half) setReadDeadline(t time.Time) {
	h.change(func() { h.readBy = t })
}

func (h *half) setWriteDeadline(t time.Time) {
	h.change(func() { h.writeBy = t })
}

// change runs f and makes a reader and a writer that wait look again.
func (h *half) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	signal(h.arrived)
	signal(h.drained)
}

// signal leaves word for whoever waits on changed, now or next.
func signal(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// wait returns at a signal or at the deadline; the caller looks which it was.
func wait(changed <-chan struct{}, deadline time.Time) {
	if deadline.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}
