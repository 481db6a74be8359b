package service

import (
	"slices"
	"strings"

	"switchboard/internal/router"
)

// Stats are the figures of a service.
type Stats struct {
	ClientConnections       int // open and negotiated
	ServerConnections       int
	ServerConnectionsClosed map[string]int64 // since the start, by reason
	RefusedClients          map[string]int64 // requests at /client whose token was refused, by reason
	RefusedServers          map[string]int64 // the same at /server
	DeflatedFrom            int64            // bytes of messages that clients got compressed, before that
	DeflatedTo              int64            // the same bytes after it
	Hubs                    []HubStats       // by name
}

// HubStats are the figures of one hub.
type HubStats = router.Stats

// Stats may be called at any time.
func (s *Service) Stats() Stats {
	stats := Stats{
		ClientConnections:       s.clients.Connections(),
		ServerConnections:       s.servers.Connections(),
		ServerConnectionsClosed: s.servers.Closed(),
		RefusedClients:          s.clients.Refused(),
		RefusedServers:          s.servers.Refused(),
	}
	stats.DeflatedFrom, stats.DeflatedTo = s.webSockets.Deflated()
	for _, h := range s.router.Hubs() {
		stats.Hubs = append(stats.Hubs, h.Stats())
	}
	slices.SortFunc(stats.Hubs, func(a, b HubStats) int { return strings.Compare(a.Hub, b.Hub) })
	return stats
}
