package router

import (
	"slices"
	"strings"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// closeByServer ends a client because its app server said so. The app server
// that has the client gets no CloseConnection back: it knows. A server
// connection without clients (Management SDK) may close any client; then the
// app server that has it is told. From one that the client is leaving, or has left, it
// means no more than that nothing follows.
func (h *Hub) closeByServer(s pairing.Server, m *serviceprotocol.CloseConnection) {
	p := h.find(m.ConnectionID)
	if p == nil {
		return // both sides closed it at once
	}
	switch {
	case p.Server == s && p.Client.HandedOver():
		return
	case p.Server == s:
		h.forget(p)
	case h.TraitsOf(s).CarriesClients:
		return
	}
	closeClient(p.Client, m.Error)
}

func closeClient(c pairing.Client, text string) {
	if text == "" {
		c.Close(pairing.ClosedByAppServer, "")
		return
	}
	c.Close(pairing.AppServerError, strings.Clone(text))
}

// closeOne closes a client connection and tells whether it exists.
func (h *Hub) closeOne(connectionID, text string) bool {
	p := h.find(connectionID)
	if p == nil {
		return false
	}
	closeClient(p.Client, text)
	return true
}

func (h *Hub) closeAll(text string, except []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for p := range h.pairs.All {
		closeUnless(except, p.Client, text)
	}
}

func (h *Hub) closeUser(user, text string, except []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.users.Members(user) {
		closeUnless(except, c, text)
	}
}

func (h *Hub) closeGroup(group, text string, except []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.groups.Members(group) {
		closeUnless(except, c, text)
	}
}

func closeUnless(except []string, c pairing.Client, text string) {
	if !slices.Contains(except, c.ID()) {
		closeClient(c, text)
	}
}

// CloseClient ends a client connection for a reason of the service.
func (h *Hub) CloseClient(connectionID string, reason *pairing.Reason, detail string) {
	if p := h.find(connectionID); p != nil {
		p.Client.Close(reason, detail)
	}
}
