package loadgen

import (
	"errors"
	"time"
)

// patience is how long one client may take for one phase.
const patience = 30 * time.Second

// A phase takes all clients of a loop through something, so many at once.
type phase struct {
	start  func(w *worker, c *client) // begins with one client; calls w.finished
	rate   float64                    // clients per second; 0: as fast as they can
	begun  int64
	next   int // index of the first client that has not begun
	busy   int
	idle   []*worker
	done   chan<- struct{} // closed when all clients are through
	inPump bool
}

// A worker takes one client after the other through a phase.
type worker struct {
	loop   *loop
	phase  *phase
	fetch  fetch
	client *client // nil while idle
	begun  int64   // when it was to begin with client, which latency counts from
	taken  int64   // when it did
}

// phases is the phase that a loop is in; they do not overlap.
type phases struct {
	current *phase
	workers []*worker
}

// begin starts a phase with n workers and returns a channel that is closed when
// it is over.
func (l *loop) begin(n int, rate float64, start func(w *worker, c *client)) <-chan struct{} {
	done := make(chan struct{})
	p := &phase{start: start, rate: rate, begun: l.now, done: done}
	l.phases.current = p
	for len(l.phases.workers) < n {
		w := &worker{loop: l}
		w.fetch.loop = l
		l.phases.workers = append(l.phases.workers, w)
	}
	for _, w := range l.phases.workers[:n] {
		w.phase = p
		p.idle = append(p.idle, w)
	}
	l.pump()
	return done
}

// pump gives clients to idle workers. A start that is over at once comes back
// here, so that it must not go deeper each time.
func (l *loop) pump() {
	p := l.phases.current
	if p == nil || p.inPump {
		return
	}
	p.inPump = true
	for len(p.idle) > 0 && p.next < len(l.clients) && p.due() <= l.now {
		w := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		w.client, w.begun, w.taken = &l.clients[p.next], l.now, l.now
		if p.rate > 0 {
			w.begun = p.due()
		}
		p.next++
		p.busy++
		p.start(w, w.client)
	}
	p.inPump = false
	if p.next == len(l.clients) && p.busy == 0 {
		l.phases.current = nil
		close(p.done)
	}
}

// due returns when the next client is to begin.
func (p *phase) due() int64 {
	if p.rate <= 0 {
		return p.begun
	}
	return p.begun + int64(float64(p.next)/p.rate*1e9)
}

// finished says that the worker is through with its client.
func (w *worker) finished(err error) {
	if w.client == nil {
		return
	}
	if err != nil {
		w.loop.fail(err)
	}
	w.client = nil
	w.phase.busy--
	w.phase.idle = append(w.phase.idle, w)
	w.loop.pump()
}

// nextStart returns when a phase with a rate begins with its next client, else 0.
func (s *phases) nextStart(clients int) int64 {
	if p := s.current; p != nil && p.rate > 0 && p.next < clients && len(p.idle) > 0 {
		return p.due()
	}
	return 0
}

var errSlow = errors.New("no answer within 30 s")

// tick gives up clients that take too long.
func (s *phases) tick(l *loop) {
	if s.current == nil {
		return
	}
	for _, w := range s.workers {
		if w.client == nil || time.Duration(l.now-w.taken) < patience {
			continue
		}
		w.client.giveUp(w, errSlow)
	}
	l.pump()
}

// stop ends the phase: no more clients begin.
func (s *phases) stop(l *loop) {
	if s.current != nil {
		s.current.next = len(l.clients)
		l.pump()
	}
}
