package aspnet

import (
	"bytes"

	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

// streamCursor is the cursor of all envelopes, save those of long polling: it has to be there, and
// a text that is the same for all clients can be shared by them. It is also what app servers write.
const streamCursor = "0"

var (
	envelopeBegin = aspnetprotocol.Envelope{Cursor: streamCursor}.AppendBegin(nil)
	envelopeEnd   = aspnetprotocol.AppendEnd(nil)
	firstEnvelope = aspnetprotocol.Envelope{Cursor: streamCursor, Initialized: true}.Append(nil)
)

// OpenPayload returns what clients get of a payload that an app server sends to many: one envelope
// with all messages, or nil if there are none. It is router.Config.Open.
func OpenPayload(payload []byte) ([]byte, error) {
	var all []byte
	several := false
	err := eachText(payload, func(text []byte, t aspnetprotocol.Text) {
		if all == nil {
			if t.Bare {
				text = nil
			}
			all = envelope(text, t.Messages)
			return
		}
		if !several {
			all, several = bytes.Clone(all), true
		}
		all = append(append(all[:len(all)-len(envelopeEnd)], ','), t.Messages...)
		all = append(all, envelopeEnd...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachText calls take with each text in a payload that has messages.
func eachText(payload []byte, take func(text []byte, t aspnetprotocol.Text)) error {
	return aspnetprotocol.Unwrap(payload, func(text []byte) error {
		t, err := aspnetprotocol.ParseText(text)
		if err == nil && len(t.Messages) > 0 {
			take(text, t)
		}
		return err
	})
}

// envelope returns the messages in an envelope, which is text if that is one as we make it.
func envelope(text, messages []byte) []byte {
	if len(text) == len(envelopeBegin)+len(messages)+len(envelopeEnd) && bytes.HasPrefix(text, envelopeBegin) {
		return text
	}
	return aspnetprotocol.Envelope{Cursor: streamCursor}.Append(nil, messages)
}

// messagesOf returns what is in an envelope. A result that has none is a message itself.
func messagesOf(text []byte) (messages []byte, bare bool) {
	messages, ok := bytes.CutPrefix(text, envelopeBegin)
	if !ok {
		return text, true
	}
	return messages[:len(messages)-len(envelopeEnd)], false
}

// Deliver queues what an app server sends to this client alone.
func (c *Conn) Deliver(payload []byte) {
	err := eachText(payload, func(text []byte, t aspnetprotocol.Text) {
		if t.Bare {
			c.queue(pairing.NewShared(t.Messages))
		} else {
			c.queue(pairing.NewShared(envelope(text, t.Messages)))
		}
	})
	if err != nil {
		c.hub.Unopened(err)
	}
}

// Late queues what came over another server connection than the client's own: any of the
// application may send to it.
func (c *Conn) Late(payload []byte) { c.Deliver(payload) }

// Multicast queues an envelope that other clients may share.
func (c *Conn) Multicast(message *pairing.Shared) {
	message.Retain()
	c.queue(message)
}

// queue takes over one use of message.
func (c *Conn) queue(message *pairing.Shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(message.Bytes())
	if c.reason == nil && size > 0 && !c.out.Empty() && c.out.Bytes()+size > c.boundLocked() {
		c.closeLocked(pairing.SlowClient, "")
	}
	if c.reason != nil || size == 0 {
		message.Release()
		return
	}
	c.out.Add(message)
	if c.stream != nil {
		c.stream.wakeLocked()
	}
}

// boundLocked returns how much may wait.
func (c *Conn) boundLocked() int {
	if c.stream != nil && !c.stream.polls {
		return c.h.limits.QueueBytes
	}
	return min(maxWaiting, c.h.limits.QueueBytes)
}

// dropResultsLocked forgets the results that wait. A WebSocket client counts its calls anew when it
// has reconnected, and would take one for that of another call.
//
// Source: jquery.signalR.js, clearInvocationCallbacks.
func (c *Conn) dropResultsLocked() {
	var kept clientconn.Outbox
	for _, message := range c.out.Take(nil, c.out.Bytes()) {
		if _, bare := messagesOf(message.Bytes()); bare {
			message.Release()
		} else {
			kept.Add(message)
		}
	}
	c.out = kept
}
