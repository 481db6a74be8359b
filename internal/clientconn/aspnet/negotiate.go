package aspnet

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
)

// noServer is what clients are told when there is no app server.
const noServer = "Unable to find any app server for the client to route to. Please check if the app server is connected to the SignalR service."

// negotiate answers with a new connection. A connection token of an earlier one, which clients that
// start again send, is ignored.
func (h *Handler) negotiate(w http.ResponseWriter, r *request) {
	hub := h.config.Router.Hub(aspnetprotocol.ServiceHub(r.app, r.app))
	if !hub.Serves() {
		requests.Refuse(w, http.StatusServiceUnavailable, noServer)
		return
	}
	detailed, _ := r.token.Claim(accesstoken.ClaimDetailedErrors)
	c := &Conn{
		h: h, hub: hub, app: r.app,
		id: clientconn.NewID(), token: clientconn.NewID(), userID: strings.Clone(r.token.UserID()), // outlives the token
		detailed: strings.EqualFold(detailed, "true"), traced: requests.Diagnostic(r.token),
		pollWait: requests.PollWait(r.token, h.config.Timeouts.PollWait),
	}
	if err := h.table.add(c); err != nil {
		h.refuse(w, err)
		return
	}
	c.expect(h.config.Timeouts.Connect)
	t := h.config.Timeouts
	writeJSON(w, aspnetprotocol.Negotiation{
		URL:                     h.config.Path,
		ConnectionToken:         c.token,
		ConnectionID:            c.id,
		KeepAliveTimeout:        2 * t.KeepAlive.Seconds(),
		DisconnectTimeout:       t.Disconnect.Seconds(),
		ConnectionTimeout:       t.Poll.Seconds(),
		TransportConnectTimeout: t.Transport.Seconds(),
		TryWebSockets:           true,
		ProtocolVersion:         aspnetprotocol.ProtocolVersion(r.query.Get("clientProtocol")),
	}.Append(nil))
}

// start is the client's word that it has got the first message. App servers are told of a
// client when it connects, so that there is nothing to do. One that has ended meanwhile with an error
// is started all the same: clients look at the error after that.
func (h *Handler) start(w http.ResponseWriter, r *request) {
	if h.table.lastWords(r.query.Get("connectionToken")) != nil {
		writeJSON(w, []byte(started))
		return
	}
	c := h.find(w, r)
	switch {
	case c == nil:
	case !c.isOpen():
		requests.Refuse(w, http.StatusNotFound, notConnected)
	default:
		writeJSON(w, []byte(started))
	}
}

const started = `{ "Response": "started" }`

const notConnected = "The connection is not open; connect first."

// ping names no connection: it asks whether the token is valid still.
func (h *Handler) ping(w http.ResponseWriter, _ *request) {
	writeJSON(w, []byte(`{ "Response": "pong" }`))
}

// abort ends a connection for good. One that is not known any more has been ended already.
func (h *Handler) abort(w http.ResponseWriter, r *request) {
	if c := h.table.find(r.query.Get("connectionToken")); c != nil {
		if c = h.find(w, r); c == nil {
			return
		}
		c.stop()
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
}

func writeJSON(w http.ResponseWriter, body []byte) {
	jsonHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func jsonHeader(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=UTF-8")
	noCache(header)
}

func noCache(header http.Header) {
	header.Set("Cache-Control", "no-cache, no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

// refuse answers a request for a connection that cannot be had.
func (h *Handler) refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, clientconn.ErrNoPlace) {
		requests.Refuse(w, http.StatusTooManyRequests, err.Error())
		return
	}
	w.Header().Set("Retry-After", "1")
	requests.Refuse(w, http.StatusServiceUnavailable, "Service reloading, please reconnect.")
}
