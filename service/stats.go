package service

import (
	"slices"
	"strings"

	"switchboard/internal/router"
	"switchboard/internal/serverconn"
)

// Stats are the figures of a service.
type Stats struct {
	ClientConnections        int // open and negotiated
	ServerConnections        int
	ServerConnectionsClosed  map[string]int64       // since the start, by reason
	ServerConnectionsResumed int64                  // times that one went on over another WebSocket, since the start
	ServerQueues             map[string]ServerQueue // what waits for app servers, by hub
	RefusedClients           map[string]int64       // requests at /client whose token was refused, by reason
	RefusedServers           map[string]int64       // the same at /server
	DeflatedFrom             int64                  // bytes of messages that clients got compressed, before that
	DeflatedTo               int64                  // the same bytes after it
	Hubs                     []HubStats             // by name
}

// A ServerQueue is what waits for the app servers of a hub.
type ServerQueue = serverconn.Queue

// HubStats are the figures of one hub.
type HubStats = router.Stats

// Stats may be called at any time.
func (s *Service) Stats() Stats {
	stats := Stats{
		ClientConnections:        s.clients.Connections(),
		ServerConnections:        s.servers.Connections(),
		ServerConnectionsClosed:  s.servers.Closed(),
		ServerConnectionsResumed: s.servers.Resumed(),
		ServerQueues:             s.servers.Queues(),
		RefusedClients:           s.clients.Refused(),
		RefusedServers:           s.servers.Refused(),
	}
	stats.DeflatedFrom, stats.DeflatedTo = s.webSockets.Deflated()
	for _, h := range s.router.Hubs() {
		stats.Hubs = append(stats.Hubs, h.Stats())
	}
	slices.SortFunc(stats.Hubs, func(a, b HubStats) int { return strings.Compare(a.Hub, b.Hub) })
	return stats
}
