package appserver

import "sync/atomic"

// A HubContext reaches the clients of a hub from outside of its calls. It may be
// used by any goroutine, for as long as the app lives.
type HubContext struct {
	hub *hub
}

// Clients returns the ways to address the hub's clients.
func (h *HubContext) Clients() HubClients { return HubClients{hub: h.hub} }

// Groups returns the hub's groups.
func (h *HubContext) Groups() HubGroups { return HubGroups{hub: h.hub} }

// Stats are numbers of one hub.
type Stats struct {
	ServerConnections int // connections to the service that are open
	Clients           int // clients that this app server serves

	// What the service last told of itself, 0 when it did not: its clients and
	// server connections of all hubs and app servers, and how many it can take.
	ServiceClients, ServiceServers, ServiceCapacity int
}

// Stats returns the numbers of this moment.
func (h *HubContext) Stats() Stats {
	s := Stats{
		Clients:         h.hub.clients.len(),
		ServiceClients:  int(h.hub.load.clients.Load()),
		ServiceServers:  int(h.hub.load.servers.Load()),
		ServiceCapacity: int(h.hub.load.capacity.Load()),
	}
	for _, server := range h.hub.connected() {
		if server.writable() {
			s.ServerConnections++
		}
	}
	return s
}

// load is what the service tells of itself in its answers to status pings.
type load struct{ clients, servers, capacity atomic.Int64 }
