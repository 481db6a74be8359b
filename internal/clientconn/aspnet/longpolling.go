package aspnet

import (
	"net/http"
	"strconv"
	"time"

	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn/requests"
	"switchboard/internal/pairing"
)

// maxPollBytes bounds the messages of an answer, unless one is larger.
const maxPollBytes = 1 << 20

// polled is what long polling keeps: the last answer, until the client tells by its cursor that it
// has come.
type polled struct {
	cursor uint64 // of the last answer
	kept   []*pairing.Shared
}

func (p *polled) clear() {
	for _, message := range p.kept {
		message.Release()
	}
	p.kept = nil
}

// confirm takes the cursor that a client sends. It forgets the last answer unless the cursor is one from
// before: then the answer was lost on its way, and is sent again.
func (p *polled) confirm(cursor string) (again bool) {
	n, err := strconv.ParseUint(cursor, 10, 64)
	if again = err == nil && n < p.cursor && len(p.kept) > 0; !again {
		p.clear()
	}
	return again
}

// answerConnect answers at once: that is how the client learns that the connection is open.
func (h *Handler) answerConnect(w http.ResponseWriter, r *request, c *Conn) {
	s := &stream{c: c, transport: newCarrier(), polls: true}
	if !c.attach(s, false, false) {
		h.refuseConnect(w, r, c, longPolling, errClosed, true)
		return
	}
	defer s.Finish(pairing.TransportLost)
	s.confirm("") // the client begins anew
	writeJSON(w, firstEnvelope)
}

// poll answers when there is something for the client, or after a time.
func (h *Handler) poll(w http.ResponseWriter, r *request) {
	if words := h.table.lastWords(r.query.Get("connectionToken")); words != nil {
		writeJSON(w, words)
		return
	}
	c := h.find(w, r)
	switch {
	case c == nil:
	case !c.isOpen():
		requests.Refuse(w, http.StatusNotFound, notConnected)
	default:
		h.answerPoll(w, r, c)
	}
}

// answerPoll is also for a client that reconnects.
//
// Source: SignalR Core/Transports/LongPollingTransport.cs.
func (h *Handler) answerPoll(w http.ResponseWriter, r *request, c *Conn) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	cursor := r.query.Get("messageId")
	if cursor == "" {
		cursor = form.Get("messageId")
	}
	t := newCarrier()
	s := &stream{c: c, transport: t, polls: true}
	if !c.attach(s, false, false) {
		requests.Refuse(w, http.StatusNotFound, notConnected)
		return
	}
	defer s.Finish(pairing.TransportLost)
	again := s.confirm(cursor)
	jsonHeader(w)
	w.Header().Set("X-Accel-Buffering", "no")
	out := writer{w, http.NewResponseController(w), h.limits.SendTimeout}
	defer out.done()
	timeout, keepAlive := time.NewTimer(h.config.Timeouts.Poll), time.NewTicker(h.config.Timeouts.KeepAlive)
	defer timeout.Stop()
	defer keepAlive.Stop()
	if out.control.Flush() != nil { // the headers
		return
	}
	for {
		if answer := s.takeAnswer(again, false); answer != nil {
			_ = out.write(answer) // what does not come is asked for again
			return
		}
		select {
		case <-t.awake:
		case <-keepAlive.C:
			if out.write([]byte(" ")) != nil {
				return
			}
		case <-timeout.C:
			_ = out.write(s.takeAnswer(false, true))
			return
		case <-t.gone:
			_ = out.write(s.takeAnswer(false, true))
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (s *stream) confirm(cursor string) (again bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.polled.confirm(cursor)
}

// takeAnswer returns the answer to a poll, or nil if there is nothing to say, unless it must say
// something. again has the last answer repeated, with what has come since.
func (s *stream) takeAnswer(again, must bool) []byte {
	defer s.c.leave() // if it is closed
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.polled
	ended := c.stream != s || s.ended
	s.awake = false
	if !ended && (again || !c.out.Empty()) {
		size := 0
		for _, message := range p.kept {
			size += len(message.Bytes())
		}
		if size < maxPollBytes {
			p.kept = c.out.Take(p.kept, maxPollBytes-size)
		}
		p.cursor++
		return p.answer()
	}
	if c.farewell != nil && !ended {
		answer := c.farewell
		c.farewell = nil
		return answer
	}
	if must || ended || c.reason != nil {
		return aspnetprotocol.Envelope{Cursor: p.text()}.Append(nil)
	}
	return nil
}

// text returns the cursor of the last answer.
func (p *polled) text() string { return strconv.FormatUint(p.cursor, 10) }

// answer puts all that is kept into one envelope.
func (p *polled) answer() []byte {
	b := aspnetprotocol.Envelope{Cursor: p.text()}.AppendBegin(nil)
	for i, message := range p.kept {
		if i > 0 {
			b = append(b, ',')
		}
		messages, _ := messagesOf(message.Bytes())
		b = append(b, messages...)
	}
	return aspnetprotocol.AppendEnd(b)
}
