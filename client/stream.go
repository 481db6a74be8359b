package client

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"switchboard/hubprotocol"
)

// Stream calls the streaming method target of the hub when it is ranged over, and yields
// its items. An error, as [Invoke] has it, is yielded last. To break off, or the end of
// ctx, cancels the stream at the hub. Items that are not taken wait, up to
// Config.StreamBuffer of them. Arguments may be streams as those of Invoke. Ranging over
// it twice calls the method twice.
func Stream[T any](ctx context.Context, c *Conn, target string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		failed := func(err error) {
			var zero T
			yield(zero, fmt.Errorf("stream %q: %w", target, err))
		}
		s, err := c.connected()
		if err != nil {
			failed(err)
			return
		}
		f := &flow{limit: c.config.StreamBuffer, news: make(chan struct{}, 1)}
		id, err := s.expect(f)
		if err != nil {
			failed(err)
			return
		}
		if err := s.call(ctx, &hubprotocol.Invocation{InvocationID: id, Target: target}, true, args); err != nil {
			s.forget(id)
			failed(err)
			return
		}
		for {
			raw, err, over := f.next(ctx)
			if err == nil && !over {
				var value T
				if err = s.protocol.ParseValue(raw, &value); err == nil {
					if !yield(value, nil) {
						s.stopStream(id)
						return
					}
					continue
				}
			}
			if err != nil {
				s.stopStream(id)
				failed(err)
			}
			return
		}
	}
}

// stopStream cancels a stream, unless the hub has ended it.
func (s *session) stopStream(id string) {
	if s.receiver(id, true) != nil {
		s.cancel(id)
	}
}

// A flow is a stream from the hub.
type flow struct {
	limit int
	news  chan struct{} // capacity 1: something has changed

	mu    sync.Mutex
	items [][]byte // guarded by mu, as is all below
	over  bool
	err   error
}

func (f *flow) item(raw []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items) >= f.limit {
		return ErrSlowConsumer
	}
	f.items = append(f.items, append([]byte(nil), raw...))
	f.tell()
	return nil
}

func (f *flow) complete(m *hubprotocol.Completion) {
	var err error
	if m.HasError {
		err = &HubError{m.Error}
	}
	f.fail(err)
}

func (f *flow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.err = true, err
	f.tell()
}

func (f *flow) tell() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// next waits for an item, or for the end.
func (f *flow) next(ctx context.Context) (raw []byte, err error, over bool) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx), true
		}
		f.mu.Lock()
		if len(f.items) > 0 {
			raw, f.items = f.items[0], f.items[1:]
			f.mu.Unlock()
			return raw, nil, false
		}
		over, err = f.over, f.err
		f.mu.Unlock()
		if over {
			return nil, err, true
		}
		select {
		case <-f.news:
		case <-ctx.Done():
		}
	}
}
