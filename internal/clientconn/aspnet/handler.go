// Package aspnet serves the clients of ASP.NET SignalR at /aspnetclient: negotiation, the
// transports and the state machine of their connections, which outlive a transport. It speaks
// package aspnetprotocol to clients, and has them paired by the router.
package aspnet

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/bearer"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/router"
)

// Config of a Handler.
type Config struct {
	Keys       func() *accesstoken.Keys // the access keys at present
	Router     *router.Router           // of ASP.NET SignalR, by aspnetprotocol.ServiceHub
	InstanceID string                   // told to app servers in Asrs-Instance-Id
	Path       string                   // the absolute path under which clients reach the handler
	Limits     clientconn.Limits        // with defaults filled in
	WebSockets *websocket.Server
	Places     *clientconn.Places
	Timeouts   Timeouts // none may be 0
	// AlwaysErrors tells clients why they are disconnected even if their app does not let them
	// see details. Clients from 2.4 then end at once; without it they try to reconnect first.
	AlwaysErrors bool
	Log          *slog.Logger
}

// Timeouts of the connections. Clients are told some of them and act accordingly.
type Timeouts struct {
	Connect   time.Duration // from negotiate to connect
	Transport time.Duration // what clients wait for a transport before they try the next one
	KeepAlive time.Duration // between two messages to a client
	// Disconnect is how long a client tries to reconnect. It is given some seconds more.
	Disconnect time.Duration
	Poll       time.Duration // the longest poll
	// PollWait is the longest time between two polls; the client's token may tell another.
	PollWait time.Duration
}

// reconnectGrace is what a client that reconnects has on top of Timeouts.Disconnect.
//
// Source: SignalR Core/Transports/TransportHeartBeat.cs.
const reconnectGrace = 5 * time.Second

// maxWaiting bounds what waits for a client that is not there, or that polls. With a transport
// that stays the bound is Limits.QueueBytes.
//
// Source: azure-signalr docs/run-asp-net.md.
const maxWaiting = 1 << 20

// A Handler serves /aspnetclient/ and all below it.
type Handler struct {
	refusals bearer.Refusals
	config   Config
	limits   clientconn.Limits
	table    table
	keeper   keeper
	open     sync.WaitGroup // connections, negotiated ones included
	away     atomic.Int64   // connections that are open and have no transport
}

// New returns a handler. Run must run while it serves; Shutdown ends its connections.
func New(c Config) *Handler {
	h := &Handler{config: c, limits: c.Limits}
	h.limits.InflatedBytes = min(c.Limits.InflatedBytes, c.Limits.MessageBytes)
	h.table.conns = map[string]*Conn{}
	h.keeper.interval = c.Timeouts.KeepAlive
	return h
}

// Run keeps clients alive until ctx is done.
func (h *Handler) Run(ctx context.Context) { h.keeper.run(ctx) }

// Away returns how many connections are open and have no transport: their clients are about to
// reconnect or to poll again, or are gone without a word.
func (h *Handler) Away() int { return int(h.away.Load()) }

// Refused returns how many requests were refused for their token, by reason.
func (h *Handler) Refused() map[string]int64 { return h.refusals.Counts() }

// Shutdown closes all connections and waits until they have ended or ctx is done. New ones are
// refused.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.table.shut()
	return clientconn.AwaitEnds(ctx, &h.open, h.table.abort)
}

// A request is one of a client, with its token.
type request struct {
	*http.Request
	query url.Values
	token *accesstoken.Token
	app   string // the application, in lower case
}

// ServeHTTP routes by the last segment of the path, in any case, as the self-hosted library
// does. Methods are not told apart: clients differ.
//
// Source: SignalR Core/PersistentConnection.cs.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requests.AllowOrigin(w, r)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet, http.MethodPost:
	case http.MethodOptions:
		requests.AnswerPreflight(w, r)
		return
	default:
		requests.Refuse(w, http.StatusMethodNotAllowed, "Use GET or POST.")
		return
	}
	action := h.action(path.Base(r.URL.Path))
	if action == nil {
		requests.Refuse(w, http.StatusNotFound, "There is negotiate, connect, start, reconnect, poll, send, abort and ping.")
		return
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is left out; some clients leave empty pairs
	if q := (&request{Request: r, query: query}); h.admit(w, q) {
		action(w, q)
	}
}

func (h *Handler) action(name string) func(http.ResponseWriter, *request) {
	switch strings.ToLower(name) {
	case "negotiate":
		return h.negotiate
	case "connect":
		return h.connect
	case "start":
		return h.start
	case "reconnect":
		return h.reconnect
	case "poll":
		return h.poll
	case "send":
		return h.send
	case "abort":
		return h.abort
	case "ping":
		return h.ping
	}
	return nil
}

// admit checks the token. Otherwise it writes the answer and returns false.
func (h *Handler) admit(w http.ResponseWriter, r *request) bool {
	if r.query.Has("callback") {
		requests.Refuse(w, http.StatusBadRequest, "JSONP is no longer supported.")
		return false
	}
	token, err := h.config.Keys().Check(bearer.FromHeaderOrQuery(r.Request, r.query), time.Now(), accesstoken.Audience{Path: "/aspnetclient"})
	if err != nil {
		h.config.Log.Info("client refused", "path", "/aspnetclient", "remote", r.RemoteAddr, "error", err)
		h.refuseToken(w, r, err)
		return false
	}
	application, _ := token.Claim(accesstoken.ClaimApplication)
	r.token, r.app = token, strings.ToLower(application)
	if !accesstoken.ValidHubName(r.app) {
		requests.Refuse(w, http.StatusBadRequest, "The access token must name the application in claim "+accesstoken.ClaimApplication+": a letter, then up to 127 letters, digits or _`,.[].")
		return false
	}
	return true
}

// refuseToken answers a request whose token is not valid, or not any more: one that reconnects is told
// that there is no point in it.
func (h *Handler) refuseToken(w http.ResponseWriter, r *request, err error) {
	reconnects := strings.EqualFold(path.Base(r.URL.Path), "reconnect")
	if !h.config.AlwaysErrors || !reconnects {
		h.refusals.Refuse(w, err)
		return
	}
	h.refusals.Count(err)
	if transport := transportOf(w, r); transport != "" {
		h.sayEnded(w, r, transport)
	}
}

// find returns the connection that a request names by its token, if its state is not Gone. Else it
// writes the answer and returns nil.
func (h *Handler) find(w http.ResponseWriter, r *request) *Conn {
	connectionToken := r.query.Get("connectionToken")
	if connectionToken == "" {
		requests.Refuse(w, http.StatusBadRequest, "Protocol error: Missing connection token.")
		return nil
	}
	c := h.table.find(connectionToken)
	switch {
	case c == nil:
		requests.Refuse(w, http.StatusNotFound, "No connection with that token.")
		return nil
	case c.app != r.app || c.userID != r.token.UserID():
		requests.Refuse(w, http.StatusForbidden, "Unrecognized user identity.  The user identity cannot change during an active SignalR connection.")
		return nil
	}
	return c
}
