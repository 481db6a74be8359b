package router

import (
	"fmt"

	"switchboard/accesstoken"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// ErrServerAway means that the one app server that may have the client is not
// connected. It matches ErrNoServer.
var ErrServerAway = fmt.Errorf("%w: the app server that the client has to stay with is not connected", ErrNoServer)

// A wish is the app server that a client shall have, by the claims of its token.
//
// Source: azure-signalr ServerStickyMode.cs.
type wish struct {
	serverID string // that answered its negotiate request; empty when any will do
	required bool   // no other one will do
}

func wishOf(claims []serviceprotocol.Claim) (w wish) {
	for _, c := range claims {
		switch c.Type {
		case accesstoken.ClaimServerName:
			w.serverID = c.Value
		case accesstoken.ClaimSticky:
			w.required = c.Value == accesstoken.StickyRequired
		}
	}
	return w
}

// Serves tells whether there is somebody to take a client.
func (h *Hub) Serves() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.standIn != nil || h.servers.Any()
}

// pickLocked returns the server connection for a client: the one with the fewest
// clients, of the app server that it wishes for if there is one.
func (h *Hub) pickLocked(w wish) (pairing.Server, error) {
	if w.serverID != "" {
		s, ok := h.servers.Pick(func(s pairing.Server) bool { return s.ServerID() == w.serverID })
		switch {
		case ok:
			return s, nil
		case w.required:
			return nil, ErrServerAway
		}
	}
	s, ok := h.servers.Pick(nil)
	switch {
	case ok:
		return s, nil
	case h.standIn != nil:
		return h.standIn, nil
	default:
		return nil, ErrNoServer
	}
}
