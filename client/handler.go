package client

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"switchboard/hubprotocol"
)

// A handler is a function that the hub calls.
type handler struct {
	function   reflect.Value
	context    bool // it takes one first
	parameters []reflect.Type
	value, err int // position of each result, -1 if it has none
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// On has function called whenever the hub calls target, which matches without regard to
// case. Its parameters get the arguments; it may take a context.Context first, which is
// done when the connection is. What it returns, a value, an error or both, is the answer
// if the hub wants one. Several functions may be registered for a target; only one of
// them may have a result. remove takes the function out again.
//
// Functions are called one after the other, in the order in which the hub called. One
// may call the hub; while it runs, further calls wait.
//
// A function that cannot be called is a panic: it is a mistake in the program.
func (c *Conn) On(target string, function any) (remove func()) {
	h, err := newHandler(function)
	if err != nil {
		panic(fmt.Sprintf("client: handler of %q: %v", target, err))
	}
	key := strings.ToLower(target)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers[key] = append(slices.Clip(c.handlers[key]), h)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.handlers[key] = slices.DeleteFunc(slices.Clone(c.handlers[key]), func(other *handler) bool { return other == h })
	}
}

func newHandler(function any) (*handler, error) {
	h := &handler{function: reflect.ValueOf(function), value: -1, err: -1}
	if h.function.Kind() != reflect.Func || h.function.IsNil() {
		return nil, fmt.Errorf("it is %T, not a function", function)
	}
	t := h.function.Type()
	if t.IsVariadic() {
		return nil, errors.New("it is variadic")
	}
	for i := range t.NumIn() {
		if i == 0 && t.In(i) == contextType {
			h.context = true
			continue
		}
		h.parameters = append(h.parameters, t.In(i))
	}
	last := t.NumOut() - 1
	if last >= 0 && t.Out(last) == errorType {
		h.err = last
		last--
	}
	if last > 0 {
		return nil, errors.New("it has more than a value and an error for results")
	}
	h.value = last
	return h, nil
}

// handle calls the handlers until the session ends.
func (s *session) handle() {
	for {
		select {
		case m := <-s.queue:
			s.answer(m)
		case <-s.life.Done():
			return
		}
	}
}

// answer calls the handlers of a call, and tells the hub what came of it if it wants to
// know.
//
// Source: npm @microsoft/signalr HubConnection.ts, _invokeClientMethod.
func (s *session) answer(m *hubprotocol.Invocation) {
	handlers := s.conn.handlersOf(m.Target)
	if len(handlers) == 0 {
		s.unhandled(m)
	}
	var result any
	var failure error
	results := 0
	for _, h := range handlers {
		value, err := h.call(s, m)
		failure = err
		if err != nil {
			s.config.Logger.Warn("call of the hub failed", "target", m.Target, "error", err)
		} else if h.value >= 0 {
			result = value
			results++
		}
	}
	if m.InvocationID == "" {
		return
	}
	c := &hubprotocol.Completion{InvocationID: m.InvocationID}
	switch {
	case failure != nil:
		c.Error = failure.Error()
	case results == 0:
		c.Error = "Client didn't provide a result."
	case results > 1:
		c.Error = "Client provided multiple results."
	default:
		raw, err := s.protocol.AppendValue(nil, result)
		if err != nil {
			c.Error = err.Error()
		}
		c.Result, c.HasResult = raw, err == nil
	}
	c.HasError = !c.HasResult
	if err := s.sendMessage(s.life, c); err != nil {
		s.config.Logger.Info("call of the hub not answered", "target", m.Target, "error", err)
	}
}

func (s *session) unhandled(m *hubprotocol.Invocation) {
	if s.config.OnUnhandled == nil {
		s.config.Logger.Warn("call of the hub has no handler", "target", m.Target)
		return
	}
	values := make([]Value, len(m.Arguments))
	for i, raw := range m.Arguments {
		values[i] = Value{raw, s.protocol}
	}
	s.config.OnUnhandled(m.Target, values)
}

// call decodes the arguments and calls the function. A panic of it is an error.
func (h *handler) call(s *session, m *hubprotocol.Invocation) (value any, err error) {
	if len(m.Arguments) != len(h.parameters) {
		return nil, fmt.Errorf("the hub sent %d argument(s), the handler takes %d", len(m.Arguments), len(h.parameters))
	}
	var in []reflect.Value
	if h.context {
		in = append(in, reflect.ValueOf(s.life))
	}
	for i, raw := range m.Arguments {
		pointer := reflect.New(h.parameters[i])
		if err := s.protocol.ParseValue(raw, pointer.Interface()); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		in = append(in, pointer.Elem())
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.config.Logger.Error("handler panicked", "target", m.Target, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	out := h.function.Call(in)
	if h.err >= 0 {
		err, _ = out[h.err].Interface().(error)
	}
	if h.value >= 0 {
		value = out[h.value].Interface()
	}
	return value, err
}
