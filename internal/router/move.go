package router

import (
	"switchboard/accesstoken"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// Drain says goodbye to a server connection: it gets no new clients, and those that it has
// go over to other app servers, now or when there are any.
func (h *Hub) Drain(s pairing.Server) {
	h.mu.Lock()
	h.servers.Retire(s)
	if h.draining == nil {
		h.draining = map[pairing.Server]bool{}
	}
	h.draining[s] = true
	leaving := h.leavingLocked()
	h.mu.Unlock()
	move(leaving)
}

// leavingLocked returns the pairs of all server connections that drain.
func (h *Hub) leavingLocked() (pairs []*pairing.Pair) {
	for s := range h.draining {
		for p := range h.pairs.Of(s) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// move is called without the lock of a hub. Some clients may have gone over meanwhile.
func move(pairs []*pairing.Pair) {
	for _, p := range pairs {
		p.Client.Move(p.Server)
	}
}

// Drains tells whether a server connection has said goodbye.
func (h *Hub) Drains(s pairing.Server) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.draining[s]
}

// Moves tells whether it is possible at all that a client goes over to another server
// connection.
func (h *Hub) Moves(open *serviceprotocol.OpenConnection) bool {
	for _, c := range open.Claims {
		if c.Type == accesstoken.ClaimSticky && c.Value == accesstoken.StickyRequired {
			return false
		}
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.config.MoveLost || h.movers > 0
}

// TraitsOf returns what a server connection can do.
func (h *Hub) TraitsOf(s pairing.Server) Traits {
	h.mu.RLock()
	defer h.mu.RUnlock()
	t := h.traits[s]
	t.MovesLost = t.MovesLost || h.config.MoveLost && t.CarriesClients
	return t
}

// BeginMove picks the server connection that the client of p goes over to. The app server
// that has it is told, unless the client has lost its server connection. The traits are
// those of the latter.
func (h *Hub) BeginMove(p *pairing.Pair, traits Traits, lost bool) (pairing.Server, error) {
	from := p.Server.ServerID()
	h.mu.Lock()
	// An app server that does not know yet that it has lost a client could not take it
	// again, unless it says that it can.
	to, ok := h.servers.Pick(func(s pairing.Server) bool { return s.ServerID() != from || lost && traits.HandsOver })
	h.mu.Unlock()
	if !ok {
		return nil, ErrNoServer
	}
	if lost {
		return to, nil
	}
	headers := serviceprotocol.Headers{{Name: serviceprotocol.HeaderMigrateTo, Values: []string{to.ServerID()}}}
	if traits.HandsOver {
		headers = append(headers, serviceprotocol.Header{Name: serviceprotocol.HeaderHandOver, Values: []string{"true"}})
	}
	_ = p.Server.Post(&serviceprotocol.CloseConnection{ConnectionID: p.Client.ID(), Headers: headers}) // else it is lost, and the client goes on
	return to, nil
}

// GiveUpMove ends a move whose client is gone, or has nowhere to go and will be closed.
func (h *Hub) GiveUpMove(p *pairing.Pair, to pairing.Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to != nil {
		h.servers.Release(to)
	}
	h.forgetLocked(p)
}

// EndMove pairs the client of p with the server connection that BeginMove has picked, or
// with another one when that is gone, and announces it there.
func (h *Hub) EndMove(p *pairing.Pair, to pairing.Server, open *serviceprotocol.OpenConnection) (*pairing.Pair, error) {
	for {
		moved, err := h.rebind(p, to)
		if err != nil {
			return nil, err
		}
		if err = to.Post(open); err == nil {
			h.moved.Add(1)
			return moved, nil
		}
		h.mu.Lock()
		next, ok := h.servers.Pick(func(s pairing.Server) bool { return s != to && s.ServerID() != p.Server.ServerID() })
		h.mu.Unlock()
		if !ok {
			h.forget(moved)
			return nil, ErrNoServer
		}
		p, to = moved, next
	}
}

func (h *Hub) rebind(p *pairing.Pair, to pairing.Server) (*pairing.Pair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	moved, err := h.pairs.Rebind(p, to)
	if err != nil {
		h.servers.Release(to)
		return nil, err
	}
	h.abandonLocked(p.Client.ID(), "Connection '"+p.Client.ID()+"' went over to another app server.")
	h.servers.Release(p.Server)
	return moved, nil
}
