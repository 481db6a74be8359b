// Package aspnetcore serves the clients of ASP.NET Core SignalR at /client:
// negotiation and the transports. It authenticates a client, makes the
// clientconn.Conn and moves bytes between it and the transport.
package aspnetcore

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/bearer"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/router"
	"switchboard/negotiate"
)

// Config of a Handler.
type Config struct {
	Keys       func() *accesstoken.Keys // the access keys at present
	Router     *router.Router
	InstanceID string            // told to app servers in Asrs-Instance-Id
	Limits     clientconn.Limits // with defaults filled in
	WebSockets *websocket.Server
	// ConnectTimeout is the time from negotiate to the transport's first request.
	ConnectTimeout time.Duration
	Places         *clientconn.Places
	// PollWait is the longest time between two polls of a client; its token may
	// tell another.
	PollWait time.Duration
	Log      *slog.Logger
}

// A Handler serves /client/ and /client/negotiate.
type Handler struct {
	refusals bearer.Refusals
	config   Config
	env      *clientconn.Env
	table    *table
	open     sync.WaitGroup // connections whose transport is open
}

// New returns a handler; Shutdown ends its connections.
func New(c Config) *Handler {
	return &Handler{
		config: c,
		env:    &clientconn.Env{Limits: c.Limits, Log: c.Log},
		table:  newTable(c.ConnectTimeout, c.Places),
	}
}

// ServeHTTP routes by path and method.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requests.AllowOrigin(w, r)
	query := r.URL.Query()
	negotiating := strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/negotiate")
	switch {
	case r.Method == http.MethodOptions:
		requests.AnswerPreflight(w, r)
	case negotiating && r.Method == http.MethodPost:
		h.negotiate(w, r, query)
	case !negotiating && (r.Method == http.MethodGet || r.Method == http.MethodPost || r.Method == http.MethodDelete):
		h.serve(w, r, query)
	default:
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// serve answers the requests of a transport.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, query url.Values) {
	id := query.Get("id")
	if x := h.table.open(id, strings.ToLower(query.Get("hub"))); x != nil {
		x.further(w, r)
		return
	}
	if e, conn := h.table.resumable(id, strings.ToLower(query.Get("hub"))); conn != nil && r.Method == http.MethodGet && transportOf(r) == negotiate.WebSockets {
		h.resume(w, r, e, conn)
		return
	}
	token, hub := h.admit(w, r, query)
	switch {
	case hub == nil:
	case r.Method == http.MethodGet:
		h.connect(w, r, id, token, hub)
	default:
		h.before(w, r, id, hub.Name())
	}
}

// Refused returns how many requests were refused for their token, by reason.
func (h *Handler) Refused() map[string]int64 { return h.refusals.Counts() }

// Expire forgets the connections that were negotiated and have not come in time, which
// else is done when the next one is negotiated.
func (h *Handler) Expire() { h.table.expire() }

// Shutdown closes all connections with a reason that lets clients reconnect,
// and waits until they have ended or ctx is done. New ones are refused.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.table.shut()
	return clientconn.AwaitEnds(ctx, &h.open, h.table.abort)
}

// admit finds out which hub the request is for and whether its token allows
// it. Otherwise it writes the answer and returns nil.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, query url.Values) (*accesstoken.Token, *router.Hub) {
	hubs := query["hub"]
	if len(hubs) != 1 {
		requests.Refuse(w, http.StatusBadRequest, "The query must have one value of 'hub'.")
		return nil, nil
	}
	hub := strings.ToLower(hubs[0])
	if !accesstoken.ValidHubName(hub) {
		requests.Refuse(w, http.StatusBadRequest, "The hub name is not valid: a letter, then up to 127 letters, digits or _`,.[].")
		return nil, nil
	}
	token, err := h.config.Keys().Check(bearer.FromHeaderOrQuery(r, query), time.Now(), accesstoken.Audience{Path: "/client", Hub: hub})
	if err != nil {
		h.config.Log.Info("client refused", "hub", hub, "remote", r.RemoteAddr, "error", err)
		h.refusals.Refuse(w, err)
		return nil, nil
	}
	return token, h.config.Router.Hub(hub)
}
