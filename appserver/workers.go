package appserver

import "sync/atomic"

// maxSpareWorkers bounds the workers that wait for work.
const maxSpareWorkers = 64

// workers are the goroutines in which clients work. Some wait for the next client
// when they are done, since their stacks have grown to what hub calls need: to
// grow a new one costs more than a short call.
type workers struct {
	next  chan *client  // unbuffered: only a worker that waits takes one
	spare atomic.Int32  // workers that wait, or are about to
	ended chan struct{} // closed when none shall wait any more
}

func newWorkers() *workers {
	return &workers{next: make(chan *client), ended: make(chan struct{})}
}

// start has c work. It does not wait.
func (w *workers) start(c *client) {
	select {
	case w.next <- c:
	default:
		go w.run(c)
	}
}

func (w *workers) run(c *client) {
	for {
		c.work()
		if c = w.wait(); c == nil {
			return
		}
	}
}

// wait returns the next client, or nil if this worker is to end.
func (w *workers) wait() *client {
	defer w.spare.Add(-1)
	if w.spare.Add(1) > maxSpareWorkers {
		return nil
	}
	select {
	case c := <-w.next:
		return c
	case <-w.ended:
		return nil
	}
}

// end lets the workers go that wait.
func (w *workers) end() { close(w.ended) }
