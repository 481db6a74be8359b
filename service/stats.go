package service

import (
	"cmp"
	"slices"

	"switchboard/internal/router"
	"switchboard/internal/serverconn"
)

// Stats are the figures of a service.
type Stats struct {
	ClientConnections        int // open and negotiated
	ClientsAway              int // of ASP.NET SignalR: open and without a transport, between two of them or two polls
	ServerConnections        int
	ServerConnectionsClosed  map[string]int64            // since the start, by reason
	ServerConnectionsResumed int64                       // times that one went on over another WebSocket, since the start
	Refused                  map[string]map[string]int64 // requests whose token was refused, by first segment of the path and reason
	DeflatedFrom             int64                       // bytes of messages that clients got compressed, before that
	DeflatedTo               int64                       // the same bytes after it
	Hubs                     []HubStats                  // by generation and name
}

// A ServerQueue is what waits for the app servers of a hub.
type ServerQueue = serverconn.Queue

// HubStats are the figures of one hub.
type HubStats struct {
	router.Stats
	Generation string // aspnetcore or aspnet
	Queue      ServerQueue
}

// Stats may be called at any time.
func (s *Service) Stats() Stats {
	stats := Stats{
		ClientConnections:       s.clientConnections(),
		ClientsAway:             s.aspClients.Away(),
		ServerConnectionsClosed: map[string]int64{},
		Refused: map[string]map[string]int64{
			"client": s.clients.Refused(), "server": s.core.servers.Refused(),
			"aspnetclient": s.aspClients.Refused(), "aspnetserver": s.aspNet.servers.Refused(),
		},
	}
	stats.DeflatedFrom, stats.DeflatedTo = s.webSockets.Deflated()
	for _, g := range []generation{s.core, s.aspNet} {
		stats.ServerConnections += g.servers.Connections()
		stats.ServerConnectionsResumed += g.servers.Resumed()
		for reason, n := range g.servers.Closed() {
			stats.ServerConnectionsClosed[reason] += n
		}
		queues := g.servers.Queues()
		for _, h := range g.router.Hubs() {
			stats.Hubs = append(stats.Hubs, HubStats{h.Stats(), g.name, queues[h.Name()]})
		}
	}
	slices.SortFunc(stats.Hubs, func(a, b HubStats) int {
		return cmp.Or(cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Hub, b.Hub))
	})
	return stats
}
