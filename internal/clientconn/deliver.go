package clientconn

import (
	"bytes"
	"fmt"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
)

// Deliver queues bytes that the app server sends to this client alone. What
// the client's transport gets are whole hub messages, even where the app
// server cuts them.
func (c *Conn) Deliver(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return
	}
	if c.mover != nil && c.mover.passed {
		c.lateLocked(payload)
		return
	}
	if !c.answered {
		payload = c.answerLocked(payload)
	}
	if !c.answered || c.reason != nil {
		return
	}
	if err := c.enqueueWholeLocked(payload); err != nil {
		c.closeLocked(pairing.BadAppServerData, err.Error())
	}
	c.startMoveLocked()
}

// answerLocked takes the handshake response off what the app server sends
// first, which is JSON in every hub protocol, and lets go what was held back
// until then. It returns the bytes behind the response.
func (c *Conn) answerLocked(payload []byte) (rest []byte) {
	end := bytes.IndexByte(payload, hubprotocol.RecordSeparator)
	if end < 0 {
		if c.partial = append(c.partial, payload...); len(c.partial) > c.env.Limits.PartialBytes {
			c.closeLocked(pairing.BadAppServerData, "The app server's handshake response has no end.")
		}
		return nil
	}
	response := append(c.partial, payload[:end+1]...)
	c.partial = nil
	c.answered = true
	c.stopTimerLocked()
	held := c.held
	c.held = nil // one of them may close the connection, which lets go what is held
	c.queueLocked(pairing.NewShared(response))
	if answer, _, err := hubprotocol.ParseHandshakeResponse(response); err == nil && answer.Error == "" {
		held.each(c.enqueueLocked)
	} else {
		c.closeSent = true // the refusal was the last word
		held.clear()
	}
	return payload[end+1:]
}

// enqueueWholeLocked queues a copy of all whole hub messages of what came before
// and payload, and keeps the rest. An error is about what follows them.
func (c *Conn) enqueueWholeLocked(payload []byte) error {
	all := payload
	if len(c.partial) > 0 {
		all = append(c.partial, payload...)
	}
	whole, err := c.measureLocked(all, len(c.partial))
	rest := all[whole:]
	if len(rest) > c.env.Limits.PartialBytes && err == nil {
		err = fmt.Errorf("a hub message from the app server is longer than the limit of %d bytes", c.env.Limits.PartialBytes)
	}
	if whole == 0 && len(c.partial) > 0 {
		c.partial = all
		return err
	}
	if whole > 0 {
		c.enqueueLocked(pairing.NewShared(all[:whole]))
	}
	c.partial = append([]byte(nil), rest...)
	return err
}

// measureLocked returns how long all whole hub messages in b are together. The
// first known bytes of b hold none, and are not searched again: a large message
// in small pieces would take long otherwise.
func (c *Conn) measureLocked(b []byte, known int) (whole int, err error) {
	if c.framing == hubprotocol.FramingRecordSeparator && bytes.IndexByte(b[known:], hubprotocol.RecordSeparator) < 0 {
		return 0, nil
	}
	for whole < len(b) {
		n, err := c.framing.Next(b[whole:])
		if n == 0 || err != nil {
			return whole, err
		}
		c.closeSent = c.framing.IsClose(b[whole : whole+n])
		if c.mover != nil {
			c.answeredLocked(b[whole : whole+n])
		}
		whole += n
	}
	return whole, nil
}

// Multicast queues whole hub messages that other clients may share. Until the
// handshake response has passed, they wait: the app server may send to a
// client before the response, which takes another path in the SDK, is out.
func (c *Conn) Multicast(message *pairing.Shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil || len(message.Bytes()) == 0 {
		return
	}
	if c.answered {
		message.Retain()
		c.enqueueLocked(message)
		return
	}
	if c.held == nil {
		c.held = new(held)
	}
	if c.held.bytes > 0 && c.held.bytes+len(message.Bytes()) > c.env.Limits.QueueBytes {
		c.closeLocked(pairing.SlowClient, "")
		return
	}
	message.Retain()
	c.held.add(message)
}

// held are the messages that wait for the handshake response.
type held struct {
	messages []*pairing.Shared
	bytes    int
}

func (h *held) add(message *pairing.Shared) {
	h.messages = append(h.messages, message)
	h.bytes += len(message.Bytes())
}

// each hands over every message.
func (h *held) each(take func(*pairing.Shared)) {
	if h != nil {
		for _, message := range h.messages {
			take(message)
		}
	}
}

func (h *held) clear() { h.each((*pairing.Shared).Release) }

// enqueueLocked takes over one use of message, which is whole hub messages.
func (c *Conn) enqueueLocked(message *pairing.Shared) {
	if c.resume != nil && c.reason == nil {
		c.keepLocked(message)
		return
	}
	c.queueLocked(message)
}

func (c *Conn) queueLocked(message *pairing.Shared) {
	size := len(message.Bytes())
	full := c.out.Bytes() > 0 && c.out.Bytes()+size > c.env.Limits.QueueBytes
	if full {
		c.closeLocked(pairing.SlowClient, "")
	}
	if c.reason != nil || size == 0 {
		message.Release()
		return
	}
	c.out.Add(message)
	c.wakeLocked()
}
