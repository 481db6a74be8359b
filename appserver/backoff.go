package appserver

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

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
