package clientconn

import (
	"sync"

	"switchboard/internal/pairing"
)

// An Outbox holds what waits for a client. Most clients have nothing waiting,
// so that an empty Outbox holds no memory. It is guarded by the connection
// that owns it; its bound is the connection's business, too.
type Outbox struct {
	first, last *page
	bytes       int
}

// A page is a part of the queue. Pages are pooled: a steady flow of messages
// allocates nothing.
type page struct {
	next       *page
	begin, end int8
	messages   [13]*pairing.Shared
}

var pages = sync.Pool{New: func() any { return new(page) }}

// Bytes returns how many bytes wait.
func (o *Outbox) Bytes() int { return o.bytes }

// Empty tells whether nothing waits.
func (o *Outbox) Empty() bool { return o.first == nil }

// Add takes over one use of message.
func (o *Outbox) Add(message *pairing.Shared) {
	if o.last == nil || int(o.last.end) == len(o.last.messages) {
		p := pages.Get().(*page)
		if o.last == nil {
			o.first = p
		} else {
			o.last.next = p
		}
		o.last = p
	}
	o.last.messages[o.last.end] = message
	o.last.end++
	o.bytes += len(message.Bytes())
}

// Take hands over the uses of the first messages: at least one, if there is
// any, and then as many as have max bytes together.
func (o *Outbox) Take(to []*pairing.Shared, max int) []*pairing.Shared {
	for n := 0; o.first != nil; {
		p := o.first
		message := p.messages[p.begin]
		size := len(message.Bytes())
		if n > 0 && n+size > max {
			break
		}
		n += size
		o.bytes -= size
		to = append(to, message)
		p.messages[p.begin] = nil
		if p.begin++; p.begin == p.end {
			o.dropPage()
		}
	}
	return to
}

func (o *Outbox) dropPage() {
	p := o.first
	if o.first = p.next; o.first == nil {
		o.last = nil
	}
	*p = page{}
	pages.Put(p)
}

// Clear forgets all messages.
func (o *Outbox) Clear() {
	for o.first != nil {
		for _, message := range o.first.messages[o.first.begin:o.first.end] {
			message.Release()
		}
		o.dropPage()
	}
	o.bytes = 0
}
