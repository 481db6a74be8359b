package client

import (
	"context"
	"fmt"

	"switchboard/hubprotocol"
)

// Invoke calls the method target of the hub and waits for its result: a T, or any if
// there may be several types, or struct{} if it does not matter. Arguments that are
// channels or iterators (<-chan T, iter.Seq[T], iter.Seq2[T, error]) are streams: their
// items are sent while the call runs, and an error of an iterator ends them.
//
// The error is a *HubError if the method failed, one that matches net.ErrClosed if the
// connection was lost or is not there, and ctx's if that is done first. The hub is then
// told that its answer is not wanted, though it may have done all the work.
func Invoke[T any](ctx context.Context, c *Conn, target string, args ...any) (T, error) {
	value := new(T)
	if err := c.invoke(ctx, value, target, args); err != nil {
		var zero T
		return zero, fmt.Errorf("invoke %q: %w", target, err)
	}
	return *value, nil
}

// Send calls the method target of the hub and does not wait for it. That it fails, or
// is not there, is not told.
func (c *Conn) Send(ctx context.Context, target string, args ...any) error {
	s, err := c.connected()
	if err == nil {
		err = s.call(ctx, &hubprotocol.Invocation{Target: target}, false, args)
	}
	if err != nil {
		return fmt.Errorf("send %q: %w", target, err)
	}
	return nil
}

func (c *Conn) invoke(ctx context.Context, into any, target string, args []any) error {
	s, err := c.connected()
	if err != nil {
		return err
	}
	a := &answer{session: s, into: into, done: make(chan error, 1)}
	id, err := s.expect(a)
	if err != nil {
		return err
	}
	defer s.forget(id)
	if err := s.call(ctx, &hubprotocol.Invocation{InvocationID: id, Target: target}, false, args); err != nil {
		return err
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		s.cancel(id)
		return context.Cause(ctx)
	}
}

// call sends a call, of a method that streams or not, and starts the streams among its
// arguments.
func (s *session) call(ctx context.Context, m *hubprotocol.Invocation, streaming bool, args []any) error {
	uploads, err := s.encode(m, args)
	if err != nil {
		return err
	}
	var message hubprotocol.Message = m
	if streaming {
		message = (*hubprotocol.StreamInvocation)(m)
	}
	if err := s.sendMessage(ctx, message); err != nil {
		return err
	}
	for _, u := range uploads {
		s.spawn(u.send)
	}
	return nil
}

// encode sets the arguments of a call, and returns the streams among them.
func (s *session) encode(m *hubprotocol.Invocation, args []any) (uploads []*upload, err error) {
	for i, argument := range args {
		if u := newUpload(s, argument); u != nil {
			u.id = s.newID()
			uploads = append(uploads, u)
			m.StreamIDs = append(m.StreamIDs, u.id)
			continue
		}
		raw, err := s.protocol.AppendValue(nil, argument)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		m.Arguments = append(m.Arguments, raw)
	}
	return uploads, nil
}

// An answer is that to one call.
type answer struct {
	session *session
	into    any        // pointer; set before done is told
	done    chan error // capacity 1, told once
}

func (a *answer) item([]byte) error { return nil } // of a call that streams: the hub made a mistake

func (a *answer) complete(m *hubprotocol.Completion) { a.done <- completion(a.session, m, a.into) }

func (a *answer) fail(err error) { a.done <- err }

// completion returns the error of a completion, or stores its result.
func completion(s *session, m *hubprotocol.Completion, into any) error {
	if m.HasError {
		return &HubError{m.Error}
	}
	if _, unwanted := into.(*struct{}); unwanted || !m.HasResult || into == nil {
		return nil
	}
	if err := s.protocol.ParseValue(m.Result, into); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}
