// Package resume numbers hub messages, so that a connection can lose its socket
// and go on over another one: stateful reconnect.
//
// Each side numbers what it sends, from 1, without writing the number: [Sent]
// keeps it until the other side acknowledges it, and [Received] drops what comes
// twice. Only messages that [Counts] takes part; handshake, Ping, Close, Ack and
// Sequence have no number.
//
// On the data path it stands at both ends of a client's socket: in the service and
// in the client. It is pure: no I/O, no goroutines, no clock, no lock.
//
// Source: dotnet/aspnetcore docs/specs/HubProtocol.md, "Stateful Reconnect";
// MessageBuffer.cs; npm @microsoft/signalr MessageBuffer.ts.
package resume

import (
	"errors"
	"fmt"

	"switchboard/hubprotocol"
)

// Counts tells whether messages of a type have a number.
func Counts(t hubprotocol.Type) bool {
	return t >= hubprotocol.TypeInvocation && t <= hubprotocol.TypeCancelInvocation
}

// Sent holds the messages that the other side has not acknowledged. The zero value
// is empty and ready. It has no bound: its owner looks at Bytes.
type Sent[T any] struct {
	items []kept[T]
	acked int64 // number of the message before items[0]
	bytes int
}

type kept[T any] struct {
	value T
	size  int
}

// Add keeps the next message, of size bytes.
func (s *Sent[T]) Add(value T, size int) {
	s.items = append(s.items, kept[T]{value, size})
	s.bytes += size
}

// Ack forgets the messages up to number n, giving each to drop, which may be nil.
// A number that was acknowledged before does nothing; one of a message that was
// never sent is an error.
func (s *Sent[T]) Ack(n int64, drop func(T)) error {
	count := n - s.acked
	switch {
	case count <= 0:
		return nil
	case count > int64(len(s.items)):
		return fmt.Errorf("message %d is acknowledged, but the last one sent is %d", n, s.acked+int64(len(s.items)))
	}
	for _, item := range s.items[:count] {
		s.bytes -= item.size
		if drop != nil {
			drop(item.value)
		}
	}
	rest := copy(s.items, s.items[count:])
	clear(s.items[rest:])
	s.items = s.items[:rest]
	if rest == 0 && cap(s.items) > keepItems {
		s.items = nil
	}
	s.acked = n
	return nil
}

// keepItems is the largest room that is kept for the next messages.
const keepItems = 64

// Bytes is the size of all messages that are kept.
func (s *Sent[T]) Bytes() int { return s.bytes }

// Len is their number.
func (s *Sent[T]) Len() int { return len(s.items) }

// First is the number for the Sequence message of a new socket: that of the oldest
// message that is kept, which will follow, or of the next one to be sent.
func (s *Sent[T]) First() int64 { return s.acked + 1 }

// All yields the messages that are kept, the oldest first.
func (s *Sent[T]) All(yield func(T) bool) {
	for _, item := range s.items {
		if !yield(item.value) {
			return
		}
	}
}

// Drop forgets all messages, since the connection has ended.
func (s *Sent[T]) Drop(drop func(T)) {
	_ = s.Ack(s.acked+int64(len(s.items)), drop)
}

// ErrGap means that messages were lost: the connection cannot go on.
//
//lint:ignore ST1005 the text is ASP.NET Core's
var ErrGap = errors.New("Sequence ID greater than amount of messages we've received.")

// ErrSequence means that the number of a Sequence message is below 1.
var ErrSequence = errors.New("sequence id is not positive")

// Received counts what comes from the other side. The zero value is ready.
type Received struct {
	next    int64 // number of the latest message, processed or dropped
	highest int64 // number of the latest message that was processed
}

// Take counts a message and tells whether it is to be processed. One that was
// processed before a reconnect is not.
func (r *Received) Take() bool {
	r.next++
	if r.next <= r.highest {
		return false
	}
	r.highest = r.next
	return true
}

// Sequence is told the number of the message that will come next, at the start of a
// new socket. The error is ErrGap when messages are missing.
func (r *Received) Sequence(n int64) error {
	switch {
	case n < 1:
		return ErrSequence
	case n > r.highest+1:
		return ErrGap
	}
	r.next = n - 1
	return nil
}

// Highest is the number to acknowledge; 0 when there is nothing yet.
func (r *Received) Highest() int64 { return r.highest }
