package serverconn

import (
	"net/http"
	"strconv"

	"switchboard/serviceprotocol"
)

// resume has a server connection go on that has lost its WebSocket, or is about to notice that.
// Its clients notice nothing. like has what identifies it, text the number of bytes that have
// come to the app server.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request, like *Conn, text string) {
	received, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		http.Error(w, serviceprotocol.HeaderResume+" must be a number, or \"new\".", http.StatusBadRequest)
		return
	}
	c := h.find(like)
	if c == nil {
		http.Error(w, "There is no such server connection any more.", http.StatusNotFound)
		return
	}
	epoch, ours, err := c.resumable.Suspend()
	if err != nil {
		http.Error(w, "The server connection has ended.", http.StatusNotFound)
		return
	}
	w.Header().Set(serviceprotocol.HeaderResume, strconv.FormatInt(ours, 10))
	ws := accept(w, r)
	if ws == nil {
		return
	}
	if err := c.resumable.Attach(epoch, ws, received); err != nil {
		c.log.Warn("server connection not resumed", "error", err)
		return
	}
	h.resumed.Add(1)
	c.log.Info("server connection resumed")
}

// find returns the connection that can be resumed and has the same id, hub and app server.
func (h *Handler) find(like *Conn) *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		if c.resumable != nil && c.id == like.id && c.hub == like.hub && c.serverID == like.serverID {
			return c
		}
	}
	return nil
}

// Resumed returns how often a server connection went on over another WebSocket.
func (h *Handler) Resumed() int64 { return h.resumed.Load() }
