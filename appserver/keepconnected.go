package appserver

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"switchboard/serviceprotocol"
)

// keepConnected holds one of the hub's server connections, and opens a new one
// whenever it ends, until ctx is done.
func (h *hub) keepConnected(ctx context.Context) {
	line := &place{backoff: &h.backoff, seen: -1}
	for {
		var s *serverConn
		err := line.connect(ctx, func() (err error) {
			if s, err = h.dial(ctx, serviceprotocol.ConnectionDefault, ""); err != nil && ctx.Err() == nil {
				h.log.Warn("server connection not opened", "error", err)
			}
			return err
		})
		if err != nil {
			return
		}
		opened := time.Now()
		h.log.Info("server connection opened")
		err = s.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		h.log.Warn("server connection ended", "error", err)
		line.seen = h.backoff.successes.Load()
		if time.Since(opened) < shortLife {
			h.backoff.failures.CompareAndSwap(0, 1) // it opens and breaks: that shall not go round and round
		}
	}
}

// connected returns the open server connections. The slice must not be changed.
func (h *hub) connected() []*serverConn { return *h.servers.Load() }

func (h *hub) attach(s *serverConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	servers := append(slices.Clone(h.connected()), s)
	h.servers.Store(&servers)
	h.once.Do(func() { close(h.connectedOnce) })
}

func (h *hub) detach(s *serverConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	servers := slices.DeleteFunc(slices.Clone(h.connected()), func(other *serverConn) bool { return other == s })
	h.servers.Store(&servers)
}

// shortLife is how long a server connection must have worked for the next
// attempt to be made at once.
const shortLife = time.Second

// maxDelay is the longest wait between two attempts.
const maxDelay = 60 * time.Second

// A backoff spares a service that is down: of all the server connections that
// want to be opened again, one tries at a time, and the others wait to see
// whether it gets through.
//
// Source: azure-signalr BackOffPolicy.cs.
type backoff struct {
	token     chan struct{} // held by the one that tries; capacity 1, never closed
	successes atomic.Int64
	failures  atomic.Int64 // of those that held the token, since the latest success
}

func (b *backoff) init() { b.token = make(chan struct{}, 1) }

// delay is the wait before the next attempt: none at first, then 1, 2, 4 s and so
// on, and up to a second more so that app servers do not all come at once.
func (b *backoff) delay() time.Duration {
	n := b.failures.Load()
	if n == 0 {
		return 0
	}
	return min(time.Second<<min(n-1, 6), maxDelay) + rand.N(time.Second)
}

// A place is that of one server connection in the line.
type place struct {
	backoff *backoff
	seen    int64 // successes that it knows of; -1 at the start, when all may try
}

// connect calls dial until it succeeds. The error is that of ctx.
func (p *place) connect(ctx context.Context, dial func() error) error {
	if p.seen < 0 && p.join(dial) {
		return nil
	}
	for ctx.Err() == nil {
		select {
		case p.backoff.token <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.seen != p.backoff.successes.Load() { // another one got through meanwhile
			<-p.backoff.token
			if p.join(dial) {
				return nil
			}
			continue
		}
		ok := p.pause(ctx) && p.probe(dial)
		<-p.backoff.token
		if ok {
			return nil
		}
	}
	return ctx.Err()
}

// join tries without waiting for others.
func (p *place) join(dial func() error) bool {
	p.seen = p.backoff.successes.Load()
	if dial() != nil {
		return false
	}
	p.succeed()
	return true
}

// probe tries for all.
func (p *place) probe(dial func() error) bool {
	if dial() != nil {
		p.backoff.failures.Add(1)
		return false
	}
	p.succeed()
	return true
}

func (p *place) succeed() {
	p.backoff.failures.Store(0)
	p.seen = p.backoff.successes.Add(1)
}

func (p *place) pause(ctx context.Context) bool {
	timer := time.NewTimer(p.backoff.delay())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
