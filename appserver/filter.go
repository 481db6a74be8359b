package appserver

import (
	"fmt"
	"reflect"
)

// A Filter wraps what clients cause: calls, connecting, disconnecting. Each function may
// be nil. It does its work before and after next, may refuse by returning an error
// without calling next, and calls it once at most. Of several filters the first is the
// outermost. They run at once for different clients, as hub methods do.
//
// Filters run once the caller is known to be allowed and the arguments are decoded.
type Filter struct {
	// Invoke wraps a call. What it returns is the result; it may be another one than
	// next's, of a type that suits the method if that streams. A streaming method
	// returns its stream, whose items are not filtered.
	Invoke func(ctx *Context, call *Call, next func() (any, error)) (any, error)

	// Connect wraps OnConnected, whether the hub has it or not.
	Connect func(ctx *Context, next func() error) error

	// Disconnect wraps OnDisconnected, whether the hub has it or not.
	Disconnect func(ctx *Context, err error, next func())
}

// A Call is what a filter sees of a call.
type Call struct {
	// Hub is the value that was given to MapHub.
	Hub any
	// Method is the name of the method in Go.
	Method string
	// Arguments are those of the client, in order. They may be replaced by others of
	// the same types.
	Arguments []any
}

// invoke calls a method through the filters.
func (h *hub) invoke(ctx *Context, m *method, f *frame) (value any, err error) {
	filters := h.config.Filters
	if len(filters) == 0 {
		return m.call(ctx, f)
	}
	defer m.free(f)
	defer recovered(&err)
	filtered := &Call{Hub: m.hub.Interface(), Method: m.goName, Arguments: m.values(f)}
	next := func() (any, error) {
		if err := m.setValues(f, filtered.Arguments); err != nil {
			return nil, err
		}
		return m.invoke(ctx, f)
	}
	for i := len(filters) - 1; i >= 0; i-- {
		if wrap, inner := filters[i].Invoke, next; wrap != nil {
			next = func() (any, error) { return wrap(ctx, filtered, inner) }
		}
	}
	return next()
}

// values returns the parameters of a call.
func (m *method) values(f *frame) []any {
	places := m.places(f)
	all := make([]any, len(places))
	for i, p := range places {
		all[i] = p.Interface()
	}
	return all
}

func (m *method) setValues(f *frame, values []any) error {
	places := m.places(f)
	if len(values) != len(places) {
		return fmt.Errorf("filter of %s: %d arguments, want %d", m.name, len(values), len(places))
	}
	for i, p := range places {
		v := reflect.ValueOf(values[i])
		switch {
		case !v.IsValid():
			p.SetZero()
		case v.Type().AssignableTo(p.Type()):
			p.Set(v)
		default:
			return fmt.Errorf("filter of %s: argument %d is %v, want %v", m.name, i+1, v.Type(), p.Type())
		}
	}
	return nil
}

// connectHook calls OnConnected through the filters.
func (h *hub) connectHook(ctx *Context) error {
	next := func() error {
		if h.onConnected == nil {
			return nil
		}
		return h.onConnected(ctx)
	}
	for i := len(h.config.Filters) - 1; i >= 0; i-- {
		if f, inner := h.config.Filters[i].Connect, next; f != nil {
			next = func() error { return f(ctx, inner) }
		}
	}
	return next()
}

// disconnectHook calls OnDisconnected through the filters.
func (h *hub) disconnectHook(ctx *Context, err error) {
	next := func() {
		if h.onDisconnected != nil {
			h.onDisconnected(ctx, err)
		}
	}
	for i := len(h.config.Filters) - 1; i >= 0; i-- {
		if f, inner := h.config.Filters[i].Disconnect, next; f != nil {
			next = func() { f(ctx, err, inner) }
		}
	}
	next()
}
