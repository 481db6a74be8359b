// Package router is the heart of the service: it knows, for each hub, the
// client connections, their groups and users, and the server connections, and
// delivers every message to its audience. It sits between the edges that
// clients and app servers connect to; it knows neither HTTP nor WebSockets.
package router

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/internal/balancer"
	"switchboard/internal/groups"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// ErrNoServer means that no app server is connected to the hub.
var ErrNoServer = errors.New("no server connection for hub")

// Config of a Router.
type Config struct {
	Log *slog.Logger
	// StandIn makes what serves the clients of a hub that find no server
	// connection. It may be nil.
	StandIn func(*Hub) pairing.Server
	// InstanceID names this instance to app servers.
	InstanceID string
	// ClientsPerConnection is how many clients a server connection should have at
	// most: with more on average, an app server is asked for another one. 0 asks for none.
	ClientsPerConnection int
	// MoveLost has all clients that lose their server connection go over to another one.
	MoveLost bool
	// Open returns what clients get of a payload that is for many of them: a part of it, or
	// something new. nil: the payload itself.
	Open func(payload []byte) ([]byte, error)
	// Joins tells whether a client can have messages of a group at all; if not, joining it does
	// nothing. nil: it always can.
	Joins func(c pairing.Client, group string) bool
	// NoResults says that clients do not answer.
	NoResults bool
}

// A Router has the hubs of a node.
type Router struct {
	config Config
	mu     sync.Mutex
	hubs   map[string]*Hub // guarded by mu; hubs stay, their names come from holders of a key
}

// New returns a router without hubs.
func New(c Config) *Router { return &Router{config: c, hubs: map[string]*Hub{}} }

// Hub returns the hub with this name, in lower case and with the application's
// prefix if there is one. It is made at its first use.
func (r *Router) Hub(name string) *Hub {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hubLocked(name)
	h.stays = true
	return h
}

func (r *Router) hubLocked(name string) *Hub {
	h := r.hubs[name]
	if h == nil {
		h = &Hub{name: name, config: &r.config, log: r.config.Log.With("hub", name), apps: map[string]*appServer{}, traits: map[pairing.Server]Traits{}, closed: newCloseCounts()}
		if r.config.StandIn != nil {
			h.standIn = r.config.StandIn(h)
		}
		r.hubs[name] = h
	}
	return h
}

// Listen makes a client reachable by what is sent to a hub, while another hub has it: with ASP.NET
// SignalR a client belongs to an application and listens to some of its hubs. Unlisten ends that. The
// name comes from the client: a hub that no app server has been connected to goes with its last listener.
func (r *Router) Listen(name string, c pairing.Client) (Listening, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hubLocked(name)
	p, err := h.listen(c)
	return Listening{h, p}, err
}

// Unlisten undoes what Listen did.
func (r *Router) Unlisten(l Listening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := l.hub.unlisten(l.pair); left == 0 && !l.hub.stays {
		delete(r.hubs, l.hub.name)
	}
}

// A Listening is a client that listens to a hub.
type Listening struct {
	hub  *Hub
	pair *pairing.Pair
}

// Hubs returns all hubs, in no order.
func (r *Router) Hubs() []*Hub {
	r.mu.Lock()
	defer r.mu.Unlock()
	hubs := make([]*Hub, 0, len(r.hubs))
	for _, h := range r.hubs {
		hubs = append(hubs, h)
	}
	return hubs
}

// A Hub is the scope of everything: its connections, groups and users are
// apart from those of all other hubs.
type Hub struct {
	name    string
	config  *Config
	log     *slog.Logger
	standIn pairing.Server // serves clients when no server connection does; may be nil
	stays   bool           // it is not only that somebody listens; guarded by the router's mu

	mu          sync.RWMutex
	pairs       pairing.Table               // guarded by mu, as is all below
	listeners   int                         // of the pairs, those of other hubs
	users       groups.Sets[pairing.Client] // by user id
	groups      groups.Sets[pairing.Client] // by group name
	records     groups.Records
	servers     balancer.Pool[pairing.Server]
	demands     int64                     // on-demand connections so far
	invocations map[string]*invocation    // calls of clients that wait for their results; nil until there is one
	invoked     map[string][]*invocation  // the same by connection id
	traits      map[pairing.Server]Traits // of all server connections
	draining    map[pairing.Server]bool   // that have said goodbye and whose clients are moved; nil when none has
	resumers    int                       // server connections that allow stateful reconnect
	movers      int                       // server connections whose clients may be moved
	apps        map[string]*appServer     // by id of the app server instance
	onDemand    map[pairing.Server]int64  // those opened on demand, by when; nil when none was

	closed    closeCounts  // client connections that ended; fixed map of atomics
	asks      atomic.Int64 // for server connections
	moved     atomic.Int64 // client connections that went over to another server connection
	resumed   atomic.Int64 // client connections that went on over another socket
	connected atomic.Int64 // client connections ever opened
	messages  atomic.Int64 // messages from app servers
	delivered atomic.Int64 // messages queued for clients
	unknown   atomic.Int64 // messages of types that we do not know
	unopened  atomic.Int64 // payloads that could not be opened
}

// Name returns the hub's name.
func (h *Hub) Name() string { return h.name }

// Traits are what a server connection said of itself in its handshake.
type Traits struct {
	CarriesClients bool // it gets new clients
	OnDemand       bool // the service asked for it
	Resumes        bool // its hub allows stateful reconnect, and it knows ConnectionReconnect
	Moves          bool // its clients may be moved when it drains
	MovesLost      bool // and also when it is lost
	HandsOver      bool // it tells when it has ended what it does for a client that is moved
}

// AddServer makes a server connection known. One that carries clients gets new
// ones from now on.
func (h *Hub) AddServer(s pairing.Server, traits Traits) {
	move(h.addServer(s, traits))
}

// addServer returns the pairs whose clients wait for a server connection to go to.
func (h *Hub) addServer(s pairing.Server, traits Traits) []*pairing.Pair {
	h.mu.Lock()
	defer h.mu.Unlock()
	app := h.apps[s.ServerID()]
	if app == nil {
		app = new(appServer)
		h.apps[s.ServerID()] = app
	}
	app.connections++
	h.traits[s] = traits
	if traits.Resumes {
		h.resumers++
	}
	if traits.Moves {
		h.movers++
	}
	if traits.CarriesClients {
		h.servers.Add(s)
	}
	if traits.OnDemand {
		if h.onDemand == nil {
			h.onDemand = map[pairing.Server]int64{}
		}
		h.demands++
		h.onDemand[s] = h.demands
	}
	if !traits.CarriesClients {
		return nil
	}
	return h.leavingLocked()
}

// RetireServer keeps new clients away from a server connection.
func (h *Hub) RetireServer(s pairing.Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers.Retire(s)
}

// RemoveServer forgets a server connection that ended, and closes exactly its
// clients, but for those that go over to another one. It returns how many are closed.
func (h *Hub) RemoveServer(s pairing.Server) int {
	h.mu.Lock()
	if app := h.apps[s.ServerID()]; app != nil {
		if app.connections--; app.connections == 0 {
			delete(h.apps, s.ServerID())
		}
	}
	h.servers.Remove(s)
	traits := h.traits[s]
	if traits.Resumes {
		h.resumers--
	}
	if traits.Moves {
		h.movers--
	}
	delete(h.onDemand, s)
	delete(h.draining, s)
	var lost []*pairing.Pair
	for p := range h.pairs.Of(s) {
		lost = append(lost, p)
	}
	h.mu.Unlock()
	lost = slices.DeleteFunc(lost, func(p *pairing.Pair) bool { return p.Client.ServerLost(s) })
	h.mu.Lock()
	lost = slices.DeleteFunc(lost, func(p *pairing.Pair) bool { return !h.forgetLocked(p) }) // who has gone meanwhile
	delete(h.traits, s)
	h.mu.Unlock()
	for _, p := range lost {
		p.Client.Close(pairing.ServerConnectionLost, "")
	}
	return len(lost)
}

// Connect pairs a client with a server connection and announces it there. From
// then on it is reachable by all that is sent to the hub.
func (h *Hub) Connect(c pairing.Client, open *serviceprotocol.OpenConnection) (*pairing.Pair, error) {
	p, err := h.bind(c, wishOf(open.Claims))
	if err != nil {
		return nil, fmt.Errorf("open client connection %q on hub %q: %w", c.ID(), h.name, err)
	}
	if err := p.Server.Post(open); err != nil {
		h.forget(p)
		return nil, fmt.Errorf("open client connection %q on hub %q: %w", c.ID(), h.name, err)
	}
	h.connected.Add(1)
	return p, nil
}

func (h *Hub) bind(c pairing.Client, w wish) (*pairing.Pair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.pickLocked(w)
	if err != nil {
		return nil, err
	}
	p, err := h.pairs.Bind(c, s)
	if err != nil {
		h.servers.Release(s)
		return nil, err
	}
	h.addUserLocked(c)
	return p, nil
}

func (h *Hub) addUserLocked(c pairing.Client) {
	user := c.UserID()
	if user == "" {
		return
	}
	h.users.Add(user, c)
	for _, group := range h.records.Groups(user, time.Now()) {
		h.joinLocked(c, group)
	}
}

// listen makes a client reachable that another hub has.
func (h *Hub) listen(c pairing.Client) (*pairing.Pair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, err := h.pairs.Bind(c, nil)
	if err != nil {
		return nil, fmt.Errorf("client connection %q listens to hub %q: %w", c.ID(), h.name, err)
	}
	h.listeners++
	h.addUserLocked(c)
	return p, nil
}

// unlisten returns how many are left.
func (h *Hub) unlisten(p *pairing.Pair) (left int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.forgetLocked(p) {
		h.listeners--
	}
	return h.listeners
}

// AllowsResume tells whether clients may use stateful reconnect: when an app server
// of the hub allows it, or there is none to ask in the mode of the service.
func (h *Hub) AllowsResume() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.resumers > 0 || h.standIn != nil && len(h.apps) == 0
}

// Resumed tells the app server of a client that goes on over another socket, if it
// wants to know.
func (h *Hub) Resumed(p *pairing.Pair) {
	h.resumed.Add(1)
	h.mu.RLock()
	wanted := h.traits[p.Server].Resumes
	h.mu.RUnlock()
	if wanted {
		_ = p.Server.Post(&serviceprotocol.ConnectionReconnect{ConnectionID: p.Client.ID()}) // else it is gone, and closes the client
	}
}

// Disconnect forgets a client connection that ended and tells its app server,
// unless that one closed it.
func (h *Hub) Disconnect(p *pairing.Pair, errorText string) {
	if !h.forget(p) {
		return
	}
	m := &serviceprotocol.CloseConnection{ConnectionID: p.Client.ID(), Error: errorText}
	if err := p.Server.Post(m); err != nil {
		h.log.Debug("app server not told of a closed client", "connection_id", p.Client.ID(), "error", err)
	}
}

func (h *Hub) forget(p *pairing.Pair) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.forgetLocked(p)
}

func (h *Hub) forgetLocked(p *pairing.Pair) bool {
	if !h.pairs.Unbind(p) {
		return false
	}
	h.abandonLocked(p.Client.ID(), "Connection '"+p.Client.ID()+"' is disconnected.")
	h.servers.Release(p.Server)
	h.users.RemoveMember(p.Client)
	h.groups.RemoveMember(p.Client)
	return true
}

// find returns the pair of an open client connection, or nil.
func (h *Hub) find(connectionID string) *pairing.Pair {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.pairs.Find(connectionID)
}
