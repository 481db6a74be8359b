package router

import (
	"maps"
	"slices"
	"sync/atomic"

	"switchboard/internal/pairing"
)

// Stats are the figures of a hub.
type Stats struct {
	Hub               string
	Clients           int // paired client connections
	Listeners         int // of ASP.NET SignalR: clients of the application that listen to this hub
	Users             int
	Groups            int
	Servers           []string     // ids of app server instances, sorted
	ServerConnections int          // of all types
	OnDemand          int          // server connections that the service asked for
	ServersAsked      int64        // times that an app server was asked for a connection, since the start
	ClientsOpened     int64        // since the start, as are all below
	ClientsResumed    int64        // went on over another socket: stateful reconnect
	ClientsMoved      int64        // went over to another server connection
	ClientsClosed     []CloseCount // for every reason, in the order of pairing.Reasons
	ServerMessages    int64        // messages from app servers
	Delivered         int64        // messages queued for clients
	UnknownMessages   int64        // messages whose type we do not know
	UnopenedPayloads  int64        // of ASP.NET SignalR: payloads that cannot be read
}

// A CloseCount tells how many client connections ended for a reason.
type CloseCount struct {
	Reason, Category string // pairing.Reason.Code and Category
	Count            int64
}

// Stats may be called at any time.
func (h *Hub) Stats() Stats {
	h.mu.RLock()
	defer h.mu.RUnlock()
	connections := 0
	for _, app := range h.apps {
		connections += app.connections
	}
	return Stats{
		Hub:               h.name,
		Clients:           h.pairs.Len() - h.listeners,
		Listeners:         h.listeners,
		Users:             h.users.Count(),
		Groups:            h.groups.Count(),
		Servers:           slices.Sorted(maps.Keys(h.apps)),
		ServerConnections: connections,
		OnDemand:          len(h.onDemand),
		ServersAsked:      h.asks.Load(),
		ClientsOpened:     h.connected.Load(),
		ClientsResumed:    h.resumed.Load(),
		ClientsMoved:      h.moved.Load(),
		ClientsClosed:     h.closed.list(),
		ServerMessages:    h.messages.Load(),
		Delivered:         h.delivered.Load(),
		UnknownMessages:   h.unknown.Load(),
		UnopenedPayloads:  h.unopened.Load(),
	}
}

// CountClosed counts a client connection of the hub that has ended, paired or not.
func (h *Hub) CountClosed(reason *pairing.Reason) { h.closed[reason].Add(1) }

// closeCounts has a counter for every reason.
type closeCounts map[*pairing.Reason]*atomic.Int64

func newCloseCounts() closeCounts {
	counts := closeCounts{}
	for _, reason := range pairing.Reasons {
		counts[reason] = new(atomic.Int64)
	}
	return counts
}

func (c closeCounts) list() []CloseCount {
	list := make([]CloseCount, len(pairing.Reasons))
	for i, reason := range pairing.Reasons {
		list[i] = CloseCount{reason.Code, reason.Category, c[reason].Load()}
	}
	return list
}
