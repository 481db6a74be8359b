// Package serverconn serves app servers at /server/ and, those of ASP.NET SignalR, at
// /aspnetserver/: a WebSocket that carries
// the messages of many client connections. It authenticates the app server,
// makes the handshake, answers the pings and hands everything else to the hub.
package serverconn

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/bearer"
	"switchboard/internal/mux"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Config of a Handler.
type Config struct {
	Path   string                   // that tokens are for: /server or /aspnetserver
	Keys   func() *accesstoken.Keys // the access keys at present
	Router *router.Router
	// Clients returns the number of client connections of this endpoint, all hubs together.
	Clients func() int
	// Capacity is the number of client connections that the endpoint can
	// carry; app servers use it to choose among endpoints. 0 is unknown.
	Capacity int
	// InstanceID is the id of this service instance, which app servers are asked to
	// open further connections to.
	InstanceID string
	// CrowdedBytes is how much may wait for an app server before it is asked for
	// another connection. 0 is any amount.
	CrowdedBytes int
	// Carries tells whether the server connections of a hub carry clients, or send only. nil:
	// they carry.
	Carries func(hub string) bool
	// SendersOnly refuses server connections that carry clients, as serverless mode does.
	SendersOnly bool
	// HandshakeTimeout bounds the wait for the handshake request. Default 15 s.
	HandshakeTimeout time.Duration
	// ResumeTimeout is how long a server connection that can be resumed may be without a
	// WebSocket. Less than a millisecond: none can be.
	ResumeTimeout time.Duration
	Mux           mux.Options
	Log           *slog.Logger
}

// A Handler serves one path.
type Handler struct {
	refusals bearer.Refusals
	config   Config
	count    atomic.Int64             // server connections at present
	resumed  atomic.Int64             // times that one went on over another WebSocket
	ends     map[Reason]*atomic.Int64 // those that ended; the map is fixed

	ctx    context.Context // ends when connections shall close in good order
	retire context.CancelFunc
	uncut  context.Context // ends when connections shall end at once
	cut    context.CancelFunc
	mu     sync.Mutex
	closed bool               // guarded by mu, so that none is added once Shutdown waits
	conns  map[*Conn]struct{} // whose handshake is done; guarded by mu
	open   sync.WaitGroup
}

// New returns a handler; Shutdown ends its connections.
func New(c Config) *Handler {
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = 15 * time.Second
	}
	h := &Handler{config: c, ends: map[Reason]*atomic.Int64{}, conns: map[*Conn]struct{}{}}
	for _, reason := range Reasons {
		h.ends[reason] = new(atomic.Int64)
	}
	h.uncut, h.cut = context.WithCancel(context.Background())
	h.ctx, h.retire = context.WithCancel(h.uncut)
	return h
}

// Refused returns how many requests were refused for their token, by reason.
func (h *Handler) Refused() map[string]int64 { return h.refusals.Counts() }

// Closed returns how many connections ended, by reason.
func (h *Handler) Closed() map[string]int64 {
	counts := map[string]int64{}
	for reason, n := range h.ends {
		counts[string(reason)] = n.Load()
	}
	return counts
}

// Connections returns the number of server connections.
func (h *Handler) Connections() int { return int(h.count.Load()) }

// A Queue is what waits for the app servers of a hub.
type Queue struct {
	Bytes     int
	Congested int // server connections for which so much waits that their clients are not read
}

// Queues returns the queues of all hubs that have a server connection.
func (h *Handler) Queues() map[string]Queue {
	h.mu.Lock()
	defer h.mu.Unlock()
	queues := map[string]Queue{}
	for c := range h.conns {
		stats, queue := c.mux.Stats(), queues[c.hub.Name()]
		queue.Bytes += stats.Queued
		if stats.Full {
			queue.Congested++
		}
		queues[c.hub.Name()] = queue
	}
	return queues
}

// track notes a connection whose handshake is done, and returns what forgets it.
func (h *Handler) track(c *Conn) (forget func()) {
	h.count.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = struct{}{}
	return func() {
		h.count.Add(-1)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.conns, c)
	}
}

// Shutdown tells app servers that the instance goes, so that none waits for it any
// more, sends what is queued, closes all server connections in good order
// and waits until they have ended; when ctx is done first, it cuts them and
// returns the cause.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	for c := range h.conns {
		_ = c.Post(&serviceprotocol.Ping{Messages: []string{serviceprotocol.PingOffline, h.config.InstanceID}}) // else it has ended
	}
	h.mu.Unlock()
	h.retire()
	defer context.AfterFunc(ctx, h.cut)()
	h.open.Wait()
	if h.uncut.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// begin counts a connection in, unless the service stops.
func (h *Handler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.open.Add(1)
	}
	return !h.closed
}

// ServeHTTP upgrades the request and serves the connection until it ends.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	hub := strings.ToLower(query.Get("hub"))
	if len(query["hub"]) != 1 || !accesstoken.ValidHubName(hub) {
		http.Error(w, "The query must have one value of 'hub' that is a valid hub name.", http.StatusBadRequest)
		return
	}
	token, err := h.config.Keys().Check(bearer.FromHeader(r), time.Now(), accesstoken.Audience{Path: h.config.Path, Hub: hub})
	if err != nil {
		h.config.Log.Warn("server connection refused", "hub", hub, "remote", r.RemoteAddr, "error", err)
		h.refusals.Refuse(w, err)
		return
	}
	if !h.begin() {
		http.Error(w, "The service is shutting down.", http.StatusServiceUnavailable)
		return
	}
	defer h.open.Done()
	c := &Conn{id: query.Get("cid"), serverID: serverID(r, token), handler: h, hub: h.config.Router.Hub(hub),
		handover: r.Header.Get(serviceprotocol.HeaderHandOver) != ""}
	resumable := false
	switch text := r.Header.Get(serviceprotocol.HeaderResume); text {
	case "":
	case serviceprotocol.ResumeNew:
		if resumable = h.config.ResumeTimeout >= time.Millisecond; resumable {
			w.Header().Set(serviceprotocol.HeaderResume, "0")
		}
	default:
		h.resume(w, r, c, text)
		return
	}
	ws := accept(w, r)
	if ws == nil {
		return
	}
	c.stream = mux.WebSocket(ws)
	if resumable {
		c.resumable = mux.NewResumable(ws, h.config.ResumeTimeout, nil)
		c.stream = c.resumable
	}
	defer func() { _ = c.stream.Abort() }()
	h.serve(c)
}

// accept returns nil when it has refused the request.
func accept(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // not a browser; the token decides
	if err != nil {
		return nil
	}
	return ws
}

// serverID names the app server instance. SDKs before 1.11 send it in the token only.
func serverID(r *http.Request, token *accesstoken.Token) string {
	if id := r.Header.Get("X-ASRS-Server-Id"); id != "" {
		return id
	}
	return token.UserID()
}

func (h *Handler) serve(c *Conn) {
	log := h.config.Log.With("hub", c.hub.Name(), "server_connection_id", c.id, "server_id", c.serverID)
	c.log = log
	options := h.config.Mux
	options.Malformed, options.Ping = c.malformed, c.keepAlive
	c.mux = mux.New(c.stream, options)
	defer context.AfterFunc(h.uncut, func() { _ = c.stream.Abort() })()

	ctx, cancel := context.WithTimeout(h.ctx, h.config.HandshakeTimeout)
	err := c.accept(ctx)
	cancel()
	if err != nil {
		log.Warn("server connection handshake failed", "error", err)
		return
	}
	defer h.track(c)()
	open, giveUp := context.WithCancelCause(h.ctx)
	defer giveUp(nil)
	c.giveUp = giveUp
	c.ended(c.mux.Serve(open, c.handle))
}

// ended closes the clients of a connection that ended, and counts it.
func (c *Conn) ended(err error) {
	lost, reason := c.hub.RemoveServer(c), reasonOf(err)
	c.handler.ends[reason].Add(1)
	level := slog.LevelWarn
	if reason == ClosedByAppServer || reason == ServiceShutdown || reason == NotNeeded {
		level = slog.LevelInfo
	}
	c.log.Log(context.Background(), level, "server connection closed", "reason", string(reason), "error", err, "clients", lost)
}

// accept makes the handshake. The hub knows the connection before the app
// server reads the answer: from then on a client may come. What the hub sends
// until Serve runs waits in the queue, behind the answer.
func (c *Conn) accept(ctx context.Context) error {
	added := false
	_, err := c.mux.Accept(ctx, c.id, func(request *serviceprotocol.HandshakeRequest) string {
		if reason := c.refusal(request); reason != "" {
			return reason
		}
		added = true
		carries := c.handler.config.Carries
		c.carries = request.ConnectionType != serviceprotocol.ConnectionWeak && (carries == nil || carries(c.hub.Name()))
		c.hub.AddServer(c, router.Traits{
			CarriesClients: c.carries,
			OnDemand:       request.ConnectionType == serviceprotocol.ConnectionOnDemand,
			Moves:          c.carries && request.MigrationLevel >= serviceprotocol.MigrationShutdownOnly,
			MovesLost:      c.carries && request.MigrationLevel >= serviceprotocol.MigrationAny,
			HandsOver:      c.handover,
			Resumes:        request.AllowStatefulReconnects != nil && *request.AllowStatefulReconnects,
		})
		c.log.Info("server connection open", "type", int(request.ConnectionType))
		return ""
	})
	if err != nil && added {
		c.hub.RemoveServer(c)
	}
	return err
}

// refusal returns why a server connection is not wanted, or "".
func (c *Conn) refusal(request *serviceprotocol.HandshakeRequest) string {
	switch request.ConnectionType {
	case serviceprotocol.ConnectionDefault, serviceprotocol.ConnectionOnDemand:
		if c.handler.config.SendersOnly {
			return "This service runs in serverless mode and takes no hub servers; change the mode (mode: default) or connect with the Management SDK."
		}
		if request.ConnectionType == serviceprotocol.ConnectionOnDemand && !c.hub.Expected(c.serverID) {
			return "The service has not asked for this server connection, or has enough by now."
		}
		return ""
	case serviceprotocol.ConnectionWeak:
		return ""
	default:
		return "The connection type is not known: 0 (default), 1 (on demand) and 2 (weak) are."
	}
}
