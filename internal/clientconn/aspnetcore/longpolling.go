package aspnetcore

import (
	"net/http"
	"strconv"
	"time"

	"switchboard/internal/pairing"
)

// pollTimeout is how long a poll waits for something. Clients repeat a poll after
// 100 s by themselves, so it has to be less.
//
// Source: dotnet/aspnetcore LongPollingOptions.cs.
const pollTimeout = 90 * time.Second

// maxPollBytes bounds the body of an answer, unless one message is larger.
const maxPollBytes = 1 << 20

// A poll is a GET that waits.
type poll struct {
	replaced chan struct{} // closed when a newer one has come
	done     chan struct{} // closed when it has ended
}

func (p *poll) isReplaced() bool {
	select {
	case <-p.replaced:
		return true
	default:
		return false
	}
}

// answerFirstPoll answers at once: the client then knows that it may send.
func (x *exchange) answerFirstPoll(w http.ResponseWriter) {
	answerPoll(w, http.StatusOK, "application/octet-stream")
	x.mu.Lock()
	defer x.mu.Unlock()
	x.startIdleLocked()
}

// answerPoll answers a poll when there is something, or after a time.
//
// Source: dotnet/aspnetcore LongPollingServerTransport.cs, HttpConnectionDispatcher.cs.
func (x *exchange) answerPoll(w http.ResponseWriter, r *http.Request) {
	p := x.beginPoll()
	defer x.endPoll(p)
	timeout := time.NewTimer(pollTimeout)
	defer timeout.Stop()
	for {
		if p.isReplaced() {
			answerPoll(w, http.StatusNoContent, "text/plain")
			return
		}
		out := x.conn.Take(nil, maxPollBytes)
		switch {
		case len(out.Messages) > 0:
			x.writePoll(w, out.Messages)
			return
		case out.Ended:
			answerPoll(w, http.StatusNoContent, "text/plain")
			x.finish()
			return
		}
		select {
		case <-x.awake:
		case <-p.replaced:
		case <-x.gone:
			answerPoll(w, http.StatusNoContent, "text/plain")
			return
		case <-timeout.C:
			answerPoll(w, http.StatusOK, "text/plain")
			return
		case <-r.Context().Done():
			return
		}
	}
}

// answerPoll answers without a body.
func answerPoll(w http.ResponseWriter, status int, contentType string) {
	pollHeader(w, contentType)
	if status == http.StatusOK {
		w.Header().Set("Content-Length", "0")
	}
	w.WriteHeader(status)
}

func pollHeader(w http.ResponseWriter, contentType string) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "no-cache, no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

// writePoll answers with messages, which are lost when the client is.
func (x *exchange) writePoll(w http.ResponseWriter, messages []*pairing.Shared) {
	size := 0
	for _, message := range messages {
		size += len(message.Bytes())
	}
	pollHeader(w, "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(x.conn.Limits().SendTimeout))
	defer control.SetWriteDeadline(time.Time{})
	defer release(messages)
	for _, message := range messages {
		if _, err := w.Write(message.Bytes()); err != nil {
			x.lost(err)
			return
		}
	}
	if err := control.Flush(); err != nil {
		x.lost(err)
	}
}

// beginPoll returns when the poll that came before has ended, which it does now:
// the newest one is that which the client waits for.
func (x *exchange) beginPoll() *poll {
	p := &poll{replaced: make(chan struct{}), done: make(chan struct{})}
	x.mu.Lock()
	older := x.poll
	x.poll = p
	x.polls++
	x.stopIdleLocked()
	x.mu.Unlock()
	if older != nil {
		close(older.replaced)
		<-older.done
	}
	return p
}

func (x *exchange) endPoll(p *poll) {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(p.done)
	if x.poll == p {
		x.poll = nil
		x.startIdleLocked()
	}
}

// delete ends the connection. Its poll, if there is one, ends with it; some clients
// wait for that.
func (x *exchange) delete(w http.ResponseWriter) {
	x.conn.Close(pairing.ClosedByClient, "")
	x.mu.Lock()
	waits := x.poll != nil
	x.mu.Unlock()
	if !waits { // else it ends with the poll
		x.Abort()
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusAccepted)
}

// startIdleLocked gives the client time for the next poll.
func (x *exchange) startIdleLocked() {
	if !x.over {
		polls := x.polls
		x.idle = time.AfterFunc(x.pollWait, func() { x.expire(polls) })
	}
}

func (x *exchange) stopIdleLocked() {
	if x.idle != nil {
		x.idle.Stop()
		x.idle = nil
	}
}

// expire ends a connection whose client does not poll any more.
func (x *exchange) expire(polls int) {
	x.mu.Lock()
	late := x.polls == polls
	x.mu.Unlock()
	if late {
		x.conn.Close(pairing.TransportLost, "")
	}
}
