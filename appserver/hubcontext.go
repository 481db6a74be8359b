package appserver

import "slices"

// A HubContext reaches the clients of a hub from outside of its calls. It may be
// used by any goroutine, for as long as the app lives.
type HubContext struct {
	hub *hub
}

// Clients returns the ways to address the hub's clients.
func (h *HubContext) Clients() HubClients { return HubClients{hub: h.hub} }

// Groups returns the hub's groups.
func (h *HubContext) Groups() HubGroups { return HubGroups{hub: h.hub} }

// Stats are numbers of one hub, at one service or at all together.
type Stats struct {
	ServerConnections int // connections to the service that are open
	Clients           int // clients that this app server serves

	// What the service last told of itself, 0 when it did not: its clients and
	// server connections of all hubs and app servers, and how many it can take.
	ServiceClients, ServiceServers, ServiceCapacity int
}

// Stats returns the numbers of this moment, those of all endpoints together. Clients of ASP.NET SignalR
// count for each hub that is for them, whether they listen to it or not.
func (h *HubContext) Stats() Stats {
	var sum Stats
	for _, e := range h.hub.allEndpoints() {
		s := e.Stats()
		sum.ServerConnections += s.ServerConnections
		sum.Clients += s.Clients
		sum.ServiceClients += s.ServiceClients
		sum.ServiceServers += s.ServiceServers
		sum.ServiceCapacity += s.ServiceCapacity
	}
	return sum
}

// Endpoints returns the services that the hub is connected to, or wants to be. A hub for clients of
// ASP.NET SignalR is connected to each in two more ways, for what it sends to all of those and, together with
// the other such hubs, for the clients.
func (h *HubContext) Endpoints() []*HubEndpoint { return slices.Clone(h.hub.allEndpoints()) }

func (h *hub) allEndpoints() []*HubEndpoint {
	if h.sends == nil {
		return h.endpoints()
	}
	return slices.Concat(h.endpoints(), h.sends.endpoints(), h.application.endpoints())
}
