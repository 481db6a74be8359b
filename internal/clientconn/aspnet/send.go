package aspnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"switchboard/internal/clientconn/requests"
)

// send takes a message of a client whose transport goes one way only.
func (h *Handler) send(w http.ResponseWriter, r *request) {
	c := h.find(w, r)
	if c == nil {
		return
	}
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	data := form.Get("data")
	if data == "" {
		data = r.query.Get("data")
	}
	switch limit := h.limits.MessageBytes; {
	case data == "":
		requests.Refuse(w, http.StatusBadRequest, "Protocol error: Missing data.")
	case len(data) > limit:
		refuseSize(w, limit)
	case !c.isOpen() || c.awaitRoom(r.Context()) != nil || c.receive([]byte(data)) != nil:
		requests.Refuse(w, http.StatusNotFound, notConnected)
	default:
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusOK) // results come over the stream
	}
}

// form reads the body as a form whatever its Content-Type, which the .NET client leaves out. If it
// cannot, it writes the answer and returns false.
func (h *Handler) form(w http.ResponseWriter, r *request) (form url.Values, ok bool) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.limits.SendTimeout))
	defer control.SetReadDeadline(time.Time{})
	limit := h.limits.MessageBytes
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3*int64(limit)+1024)) // each byte may be escaped
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		refuseSize(w, limit)
		return nil, false
	}
	if err != nil {
		requests.Refuse(w, http.StatusBadRequest, "The body could not be read to its end.")
		return nil, false
	}
	if form, err = url.ParseQuery(string(body)); err != nil {
		requests.Refuse(w, http.StatusBadRequest, "The body is not a form.")
		return nil, false
	}
	return form, true
}

func refuseSize(w http.ResponseWriter, limit int) {
	requests.Refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The message is longer than the limit of %d bytes (aspnet.message-bytes).", limit))
}

// A room tells that the app server keeps up again.
type room chan struct{}

// Resume is called once.
func (r room) Resume() { close(r) }

// awaitRoom waits while the app server does not keep up, which is how it slows down its clients.
func (c *Conn) awaitRoom(ctx context.Context) error {
	for {
		r := make(room)
		if !c.pair.Server.Congested(r) {
			return nil
		}
		select {
		case <-r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
