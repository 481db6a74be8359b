package client

import (
	"context"
	"sync"
)

// outboxBytes bounds what waits to be sent; beyond it calls wait.
const outboxBytes = 64 << 10

// An outbox has what waits to be sent, in order. One goroutine sends all of it at once.
type outbox struct {
	wake chan struct{} // capacity 1: there is something

	mu        sync.Mutex
	transport transport     // guarded by mu, as is all below
	waiting   []byte        // whole messages
	sending   bool          // some are being sent
	changed   chan struct{} // closed when something was sent; nil unless somebody waits
}

func newOutbox(t transport) *outbox {
	return &outbox{wake: make(chan struct{}, 1), transport: t}
}

// push adds messages, however much waits. before is called in the same order as messages
// are sent.
func (o *outbox) push(b []byte, before func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pushLocked(b, before)
}

func (o *outbox) pushLocked(b []byte, before func()) {
	if before != nil {
		before()
	}
	o.waiting = append(o.waiting, b...)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// add waits until little waits, and adds messages.
func (o *outbox) add(ctx, life context.Context, b []byte, before func()) error {
	return o.when(ctx, life, func() bool { return len(o.waiting) < outboxBytes }, func() { o.pushLocked(b, before) })
}

// flush waits until everything is sent.
func (o *outbox) flush(ctx, life context.Context) error {
	return o.when(ctx, life, func() bool { return len(o.waiting) == 0 && !o.sending }, func() {})
}

// when calls do as soon as condition holds; both with the outbox locked.
func (o *outbox) when(ctx, life context.Context, condition func() bool, do func()) error {
	for {
		o.mu.Lock()
		if life.Err() != nil || ctx.Err() != nil {
			o.mu.Unlock()
			break
		}
		if condition() {
			do()
			o.mu.Unlock()
			return nil
		}
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		case <-life.Done():
		}
	}
	if life.Err() != nil {
		return ErrNotConnected
	}
	return context.Cause(ctx)
}

// take returns what is to be sent, over which transport. It is not used again: an HTTP
// client may look at a body for longer than its request lasts.
func (o *outbox) take() ([]byte, transport) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.waiting
	o.waiting, o.sending = nil, len(b) > 0
	if !o.sending && o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return b, o.transport
}

// replaceLocked has another transport send b first; what waits is among it, or is not needed.
func (o *outbox) replaceLocked(t transport, b []byte) {
	o.transport, o.waiting = t, nil
	o.pushLocked(b, nil)
}

func (o *outbox) current() transport {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.transport
}
