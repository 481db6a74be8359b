package aspnet

import (
	"net/http"
	"sync"
	"time"

	"switchboard/aspnetprotocol"
	"switchboard/internal/pairing"
)

// batchBytes of messages go out at once.
const batchBytes = 64 << 10

// A carrier is the transport of a stream that one request is answered with.
type carrier struct {
	awake   chan struct{} // capacity 1: there is something to send
	gone    chan struct{} // closed by Abort
	aborted sync.Once
}

func newCarrier() *carrier {
	return &carrier{awake: make(chan struct{}, 1), gone: make(chan struct{})}
}

// Wake tells that there is something to send.
func (t *carrier) Wake() {
	select {
	case t.awake <- struct{}{}:
	default:
	}
}

// Abort ends the stream at once.
func (t *carrier) Abort() { t.aborted.Do(func() { close(t.gone) }) }

// stream answers a request with events until the stream ends.
//
// Source: SignalR Core/Transports/ServerSentEventsTransport.cs.
func (h *Handler) stream(w http.ResponseWriter, r *request, c *Conn, first bool) {
	t := newCarrier()
	s := &stream{c: c, transport: t, events: true}
	if !c.attach(s, first, false) {
		h.refuseConnect(w, r, c, serverSentEvents, errClosed, first)
		return
	}
	defer s.Finish(pairing.TransportLost)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	noCache(header)
	header.Set("X-Accel-Buffering", "no") // else nginx keeps events back
	out := writer{w, http.NewResponseController(w), h.limits.SendTimeout}
	defer out.done()
	if out.write([]byte("data: initialized\n\n")) != nil {
		return
	}
	keepAlive := time.NewTicker(h.config.Timeouts.KeepAlive)
	defer keepAlive.Stop()
	for {
		wrote, more, err := out.flush(s)
		if err != nil || !more {
			return
		}
		if wrote {
			keepAlive.Reset(h.config.Timeouts.KeepAlive)
		}
		select {
		case <-t.awake:
		case <-keepAlive.C:
			if out.write([]byte("data: "+aspnetprotocol.KeepAlive+"\n\n")) != nil {
				return
			}
		case <-t.gone:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// A writer writes parts of an answer, each within a time.
type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (w writer) write(b []byte) error {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	if _, err := w.w.Write(b); err != nil {
		return err
	}
	return w.control.Flush()
}

// done leaves the connection as it was before.
func (w writer) done() { _ = w.control.SetWriteDeadline(time.Time{}) }

// flush sends what waits as events. It is false when the stream has ended.
func (w writer) flush(s *stream) (wrote, more bool, err error) {
	for {
		out := s.Take(nil, batchBytes)
		if len(out.Messages) > 0 {
			wrote = true
			if err := w.write(appendEvents(nil, out.Messages)); err != nil {
				return wrote, false, err
			}
		}
		if out.Ended {
			return wrote, false, nil
		}
		if len(out.Messages) == 0 {
			return wrote, true, nil
		}
	}
}

// appendEvents makes an event of each message, and releases it. Line ends are blanks in JSON.
func appendEvents(b []byte, messages []*pairing.Shared) []byte {
	for _, message := range messages {
		b = append(b, "data: "...)
		begin := len(b)
		b = append(b, message.Bytes()...)
		message.Release()
		for i, char := range b[begin:] {
			if char == '\n' || char == '\r' {
				b[begin+i] = ' '
			}
		}
		b = append(b, "\n\n"...)
	}
	return b
}
