// Package gostream tells which Go values are streams, for the two sides that send
// what one brings item by item: hubs to clients, and clients to hubs.
package gostream

import (
	"context"
	"iter"
	"reflect"
)

var errorType = reflect.TypeFor[error]()

// A Kind is a type of stream.
type Kind int

// The kinds.
const (
	None     Kind = iota
	Channel       // <-chan T
	Sequence      // iter.Seq[T]
	Fallible      // iter.Seq2[T, error]
)

// Of returns the kind of stream that a value of the type is to who takes its items,
// and what those are.
func Of(typ reflect.Type) (Kind, reflect.Type) {
	switch {
	case typ.Kind() == reflect.Chan && typ.ChanDir()&reflect.RecvDir != 0:
		return Channel, typ.Elem()
	case typ.CanSeq2() && typ.Kind() == reflect.Func && typ.In(0).In(1) == errorType:
		return Fallible, typ.In(0).In(0)
	case typ.CanSeq() && typ.Kind() == reflect.Func:
		return Sequence, typ.In(0).In(0)
	}
	return None, nil
}

// Items yields what a stream brings, until it ends or ctx is done. An error is the
// last one.
func (k Kind) Items(ctx context.Context, stream reflect.Value) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		switch k {
		case Channel:
			choices := []reflect.SelectCase{
				{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
				{Dir: reflect.SelectRecv, Chan: stream},
			}
			for {
				choice, item, ok := reflect.Select(choices)
				if choice == 0 || !ok || !yield(item.Interface(), nil) {
					return
				}
			}
		case Sequence:
			for item := range stream.Seq() {
				if ctx.Err() != nil || !yield(item.Interface(), nil) {
					return
				}
			}
		case Fallible:
			for item, err := range stream.Seq2() {
				if ctx.Err() != nil {
					return
				}
				if failure, _ := err.Interface().(error); failure != nil {
					yield(nil, failure)
					return
				}
				if !yield(item.Interface(), nil) {
					return
				}
			}
		}
	}
}
