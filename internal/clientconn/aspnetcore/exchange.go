package aspnetcore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
	"switchboard/internal/pairing"
	"switchboard/negotiate"
)

const (
	postBytes  = 32 << 10 // of a POST are read at once
	batchBytes = 64 << 10 // of messages go out at once
)

var postBuffers = sync.Pool{New: func() any { return new([postBytes]byte) }}

// An exchange carries a connection by requests: what the client sends comes in
// POSTs, what it gets goes out in the answers to its GETs, which are of one stream
// (Server-Sent Events) or many (long polling).
type exchange struct {
	h         *Handler
	entry     *entry
	conn      *clientconn.Conn
	transport negotiate.Transport
	pollWait  time.Duration // longest time between two polls

	awake   chan struct{} // capacity 1: the connection has something, or is closed
	room    chan struct{} // capacity 1: the app server keeps up again
	posting chan struct{} // capacity 1: full while a POST is read
	gone    chan struct{} // closed by Abort
	aborted sync.Once
	ended   sync.Once

	mu    sync.Mutex
	poll  *poll       // that waits or writes; guarded by mu, as is all below
	polls int         // how many there were
	idle  *time.Timer // runs between two polls
	over  bool        // there is nothing to wait for any more
}

func newExchange(h *Handler, transport negotiate.Transport) *exchange {
	return &exchange{
		h: h, transport: transport,
		awake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		posting: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// open tells which connection this is. It may end at once by its own timer.
func (x *exchange) open(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.entry, x.conn = e, e.conn
}

// Wake tells that the connection has something.
func (x *exchange) Wake() { signal(x.awake) }

// Resume tells that the app server keeps up again.
func (x *exchange) Resume() { signal(x.room) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Abort ends the connection, whether a request of it is open or not.
func (x *exchange) Abort() {
	x.aborted.Do(func() {
		close(x.gone)
		go x.finish() // it must not be called with the connection locked
	})
}

// finish ends the connection; its requests have ended, or are about to.
func (x *exchange) finish() {
	x.ended.Do(func() {
		x.mu.Lock()
		x.over = true
		x.stopIdleLocked()
		x.mu.Unlock()
		x.conn.Finish(pairing.TransportLost, func() { // unless it was closed for another reason before
			x.h.table.forget(x.entry)
			x.h.open.Done()
		})
	})
}

// further answers the requests that follow the first GET. They need no access
// token, which may have expired: the connection token is a secret as well.
func (x *exchange) further(w http.ResponseWriter, r *http.Request) {
	switch polling := x.transport == negotiate.LongPolling; {
	case r.Method == http.MethodPost:
		x.receive(w, r)
	case r.Method == http.MethodDelete && polling:
		x.delete(w)
	case r.Method == http.MethodDelete:
		requests.Refuse(w, http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
	case transportOf(r) != x.transport:
		requests.Refuse(w, http.StatusBadRequest, errTransport.Error())
	case polling:
		x.answerPoll(w, r)
	default:
		w.WriteHeader(http.StatusConflict)
	}
}

// receive takes the body of a POST: hub messages, or a part of one. It answers
// when all of it is on its way to the app server, which is how that one slows
// down its clients.
func (x *exchange) receive(w http.ResponseWriter, r *http.Request) {
	select {
	case x.posting <- struct{}{}:
		defer func() { <-x.posting }()
	case <-x.gone:
		x.h.refuseConnection(w, errUnknown)
		return
	case <-r.Context().Done():
		return
	}
	buffer := postBuffers.Get().(*[postBytes]byte)
	defer postBuffers.Put(buffer)
	control := http.NewResponseController(w)
	defer control.SetReadDeadline(time.Time{})
	for {
		if err := x.awaitRoom(r.Context()); err != nil {
			x.h.refuseConnection(w, errUnknown)
			return
		}
		_ = control.SetReadDeadline(time.Now().Add(x.conn.Limits().SendTimeout))
		n, err := r.Body.Read(buffer[:])
		closing := n > 0 && x.conn.Receive(buffer[:n]) != nil
		switch {
		case closing || errors.Is(err, io.EOF): // the client is told why by its GET
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusOK)
			return
		case err != nil:
			requests.Refuse(w, http.StatusBadRequest, "The body could not be read to its end.")
			return
		}
	}
}

// awaitRoom waits while the app server does not keep up.
func (x *exchange) awaitRoom(ctx context.Context) error {
	for x.conn.Congested(x) {
		select {
		case <-x.room:
		case <-x.gone:
			return errUnknown
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
