package aspnet

import (
	"bytes"
	"context"
	"time"

	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/pairing"
	"switchboard/internal/wsframe"
)

// A stream carries what a client gets, for a while: a WebSocket, an event stream, or one poll. When
// it has ended, or another one has taken its place, the connection lives on.
type stream struct {
	c         *Conn
	transport clientconn.Transport
	polls     bool // it is a poll
	events    bool // it is an event stream

	message []byte // the beginning of a WebSocket message; owned by Receive

	first bool // the client is to be told that the connection is open; guarded by c.mu, as is all below
	ended bool // the client or we have ended the stream, but not the connection
	awake bool // Wake was called, and Take has not returned nothing since
	quiet bool // the client is to be sent something, if it is only that the service is there
	timer *time.Timer
	sent  time.Time // when there was something to send
}

var _ websocket.Conn = (*stream)(nil)

// attach has the connection carried by s, and ends the stream that did so before. It is false
// when the connection is not open any more.
func (c *Conn) attach(s *stream, first, dropResults bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.openLocked() {
		return false
	}
	if c.stream != nil {
		c.stream.transport.Abort()
	}
	if dropResults {
		c.dropResultsLocked()
	}
	c.stopTimerLocked()
	c.stream = s
	s.first, s.sent = first, time.Now()
	if first || !c.out.Empty() {
		s.wakeLocked()
	}
	return true
}

func (s *stream) wakeLocked() {
	if !s.awake {
		s.awake = true
		s.transport.Wake()
	}
}

// endLocked ends the stream after what is queued.
func (s *stream) endLocked() {
	if s.timer == nil {
		s.timer = time.AfterFunc(s.c.h.limits.CloseTimeout, s.transport.Abort)
	}
	s.awake = true
	s.transport.Wake()
}

// Receive takes a piece of a WebSocket message.
func (s *stream) Receive(p []byte, text, fin bool) error {
	if !text {
		return &wsframe.ProtocolError{Code: wsframe.CloseUnsupported, Reason: "messages must be text"}
	}
	if len(s.message)+len(p) > s.c.h.limits.MessageBytes {
		s.message = nil
		return &wsframe.ProtocolError{Code: wsframe.CloseTooBig, Reason: "message is too large"}
	}
	if !fin {
		s.message = append(s.message, p...)
		return nil
	}
	if len(s.message) > 0 {
		p = append(s.message, p...)
		s.message = nil
	}
	if s.Closing() || len(bytes.TrimSpace(p)) == 0 {
		return nil
	}
	return s.c.receive(p)
}

// Congested tells whether the app server does not keep up.
func (s *stream) Congested(r pairing.Resumer) bool {
	return s.c.pair != nil && s.c.pair.Server.Congested(r)
}

// Take hands over what waits for the client, one JSON text in each message.
func (s *stream) Take(buffer []*pairing.Shared, max int) clientconn.Out {
	out := s.take(buffer, max)
	if out.Ended {
		s.Leave()
	}
	return out
}

func (s *stream) take(buffer []*pairing.Shared, max int) clientconn.Out {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != s {
		return clientconn.Out{Ended: true}
	}
	messages := buffer
	if s.first {
		s.first = false
		messages = append(messages, pairing.NewShared(firstEnvelope))
	}
	queued := len(messages)
	messages = c.out.Take(messages, max)
	if s.events {
		wrapResults(messages[queued:])
	}
	if s.quiet && len(messages) == len(buffer) {
		messages = append(messages, pairing.NewShared([]byte(aspnetprotocol.KeepAlive)))
	}
	s.quiet = false
	if c.farewell != nil && c.out.Empty() {
		messages = append(messages, pairing.NewShared(c.farewell))
		c.farewell = nil
	}
	if s.awake = len(messages) > len(buffer); s.awake {
		s.sent = time.Now()
	}
	return clientconn.Out{Messages: messages, Ended: s.ended || c.reason != nil && c.out.Empty()}
}

// wrapResults puts results into envelopes: JavaScript clients up to 2.3 take them without over
// WebSockets only.
func wrapResults(messages []*pairing.Shared) {
	for i, message := range messages {
		if text, bare := messagesOf(message.Bytes()); bare {
			messages[i] = pairing.NewShared(envelope(nil, text))
			message.Release()
		}
	}
}

// Close ends the stream, not the connection: its client may come back.
func (s *stream) Close(*pairing.Reason, string) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.ended {
		s.ended = true
		s.endLocked()
	}
}

// Closing tells whether the stream is about to end.
func (s *stream) Closing() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.ended || s.c.stream != s || s.c.reason != nil
}

// Leave is called when the stream is woken and cannot send.
func (s *stream) Leave() { s.c.leave() }

// Lost ends a stream that has failed.
func (s *stream) Lost(*pairing.Reason) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.ended = true
	s.transport.Abort()
}

// Finish is called once, when the stream has ended. The client has some time to come back,
// unless the connection has been closed.
func (s *stream) Finish(*pairing.Reason) {
	c := s.c
	c.h.keeper.forget(s)
	c.mu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	current, closed := c.stream == s, c.reason != nil
	if current {
		c.stream = nil
		c.expectLocked(c.returnTime(s))
	}
	c.mu.Unlock()
	if current && closed {
		c.end()
	}
}

// returnTime is how long the connection waits for its client when a stream has ended.
func (c *Conn) returnTime(s *stream) time.Duration {
	if s.polls {
		return c.pollWait
	}
	return c.h.config.Timeouts.Disconnect + reconnectGrace
}

// Limits returns the limits of such connections.
func (s *stream) Limits() *clientconn.Limits { return &s.c.h.limits }

// add has the client of s sent something when nothing else is to be sent.
func (k *keeper) add(s *stream) {
	slot := k.slotOf(s)
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.streams == nil {
		slot.streams = map[*stream]struct{}{}
	}
	slot.streams[s] = struct{}{}
}

func (k *keeper) forget(s *stream) {
	slot := k.slotOf(s)
	slot.mu.Lock()
	defer slot.mu.Unlock()
	delete(slot.streams, s)
}

func (k *keeper) slotOf(s *stream) *slot { return &k.slots[s.c.id[0]%slots] }

// run looks at each stream four times in an interval.
func (k *keeper) run(ctx context.Context) {
	ticker := time.NewTicker(max(k.interval/(4*slots), time.Millisecond))
	defer ticker.Stop()
	for i := 0; ; i = (i + 1) % slots {
		select {
		case now := <-ticker.C:
			k.slots[i].keepAlive(now.Add(-k.interval * 3 / 4))
		case <-ctx.Done():
			return
		}
	}
}

// keepAlive has a word for all that were last sent something before then.
func (l *slot) keepAlive(then time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.streams {
		s.keepAlive(then)
	}
}

func (s *stream) keepAlive(then time.Time) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream == s && !s.awake && c.reason == nil && s.sent.Before(then) {
		s.quiet = true
		s.wakeLocked()
	}
}
