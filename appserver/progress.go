package appserver

import "reflect"

// A Progress as the last parameter of a hub method tells the client how far its call has come:
//
//	func (*Jobs) Run(ctx *appserver.Context, job string, percent appserver.Progress[int]) error
//
// Clients of ASP.NET SignalR get what is reported; those of ASP.NET Core SignalR have no such
// thing, and what is reported for them goes nowhere. A Progress may be used by any goroutine.
type Progress[T any] struct{ report func(any) error }

// Report sends a value to the client, and waits only while the service does not keep up. After
// the method has returned it is an error. The zero Progress does nothing.
func (p Progress[T]) Report(value T) error {
	if p.report == nil {
		return nil
	}
	return p.report(value)
}

// progress is any Progress[T].
type progress interface {
	to(report func(any) error) any
}

func (Progress[T]) to(report func(any) error) any { return Progress[T]{report} }

// progressOf tells whether a parameter is a Progress.
func progressOf(typ reflect.Type) (progress, bool) {
	if typ.Kind() != reflect.Struct {
		return nil, false
	}
	p, ok := reflect.Zero(typ).Interface().(progress)
	return p, ok
}
