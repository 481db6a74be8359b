package router

import (
	"time"

	"switchboard/internal/pairing"
)

// A Demand is what a hub wants of an app server's connections.
type Demand int

const (
	Enough Demand = iota // as many as there are
	More                 // another one
	Less                 // not this one: it gets no new clients, and may go when it has none
)

// quiet is how long an app server must have had connections enough before one that
// was opened on demand is given up.
const quiet = time.Minute

// An appServer is what a hub knows of one app server instance.
type appServer struct {
	connections int       // of all types
	asked       bool      // for a connection, which has not come yet
	crowded     time.Time // when its connections were too few, the last time
}

// Demand tells what is wanted of the app server of s. It is asked for every server
// connection at intervals; crowded says that more waits on s than should. Only one
// connection of an app server, and each crowded one, is answered More, and only one that
// was opened on demand Less.
func (h *Hub) Demand(s pairing.Server, crowded bool) Demand {
	limit := h.config.ClientsPerConnection
	if limit <= 0 || !h.lacks(s, limit) && !crowded {
		return h.spare(s, limit)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	app, first := h.apps[s.ServerID()], h.servers.First(ofAppServer(s))
	if app == nil {
		return Enough
	}
	app.crowded = time.Now()
	if first != s && !crowded || h.servers.Wake(ofAppServer(s)) {
		return Enough
	}
	app.asked = true
	h.asks.Add(1)
	return More
}

func ofAppServer(s pairing.Server) func(pairing.Server) bool {
	return func(other pairing.Server) bool { return other.ServerID() == s.ServerID() }
}

// lacks tells whether the connections of the app server have too many clients.
func (h *Hub) lacks(s pairing.Server, limit int) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	connections, clients := h.servers.Load(ofAppServer(s))
	return connections > 0 && clients > limit*connections
}

// spare rests s if it was opened on demand and the others are enough by far.
func (h *Hub) spare(s pairing.Server, limit int) Demand {
	h.mu.Lock()
	defer h.mu.Unlock()
	app := h.apps[s.ServerID()]
	if app == nil || h.onDemand[s] == 0 || limit <= 0 || time.Since(app.crowded) < quiet {
		return Enough
	}
	for other, number := range h.onDemand { // the latest goes first
		if number > h.onDemand[s] && other.ServerID() == s.ServerID() {
			return Enough
		}
	}
	if connections, clients := h.servers.Load(ofAppServer(s)); !h.servers.Rests(s) && clients >= limit/2*(connections-1) {
		return Enough
	}
	h.servers.Rest(s)
	return Less
}

// Expected tells whether the app server was asked for a connection, and notes that
// it has come.
func (h *Hub) Expected(serverID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	app := h.apps[serverID]
	if app == nil || !app.asked {
		return false
	}
	app.asked = false
	return true
}

// RetireIdle retires s if it has no clients, and tells whether it had none.
func (h *Hub) RetireIdle(s pairing.Server) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	idle := h.servers.Clients(s) == 0
	if idle {
		h.servers.Retire(s)
	}
	return idle
}

// ClientsOf returns how many clients a server connection has.
func (h *Hub) ClientsOf(s pairing.Server) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.servers.Clients(s)
}
