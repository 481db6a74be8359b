package router

import (
	"bytes"
	"slices"
	"strings"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// A parcel is one message for many clients: one payload per hub protocol. A
// payload is copied out of the receive buffer when the first client takes it,
// and shared by all that follow.
type parcel struct {
	payloads serviceprotocol.Payloads
	copies   [][]byte
	count    int64 // clients it was given to
}

func newParcel(payloads serviceprotocol.Payloads) *parcel { return &parcel{payloads: payloads} }

// giveTo queues the payload of the client's protocol. A client whose protocol
// has no payload gets nothing.
func (p *parcel) giveTo(c pairing.Client) {
	i := slices.IndexFunc(p.payloads, func(payload serviceprotocol.Payload) bool {
		return strings.EqualFold(payload.Protocol, c.Protocol())
	})
	if i < 0 {
		return
	}
	if p.copies == nil {
		p.copies = make([][]byte, len(p.payloads))
	}
	if p.copies[i] == nil {
		p.copies[i] = bytes.Clone(p.payloads[i].Data)
	}
	c.Multicast(p.copies[i])
	p.count++
}

// exclusions are ids that get nothing. A few are compared one by one; many
// are looked up, since every member of the audience is held against them.
type exclusions struct {
	few  []string
	many map[string]struct{}
}

const fewExclusions = 16

func newExclusions(ids []string) exclusions {
	if len(ids) <= fewExclusions {
		return exclusions{few: ids}
	}
	many := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		many[id] = struct{}{}
	}
	return exclusions{many: many}
}

func (e exclusions) has(id string) bool {
	if e.many == nil {
		return slices.Contains(e.few, id)
	}
	_, ok := e.many[id]
	return ok
}

func (h *Hub) broadcast(m *serviceprotocol.BroadcastData) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	parcel, excluded := newParcel(m.Payloads), newExclusions(m.ExcludedConnectionIDs)
	for p := range h.pairs.All {
		if !excluded.has(p.Client.ID()) {
			parcel.giveTo(p.Client)
		}
	}
	h.delivered.Add(parcel.count)
}

func (h *Hub) toConnections(m *serviceprotocol.MultiConnectionData) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	parcel := newParcel(m.Payloads)
	for _, id := range m.ConnectionIDs {
		if p := h.pairs.Find(id); p != nil {
			parcel.giveTo(p.Client)
		}
	}
	h.delivered.Add(parcel.count)
}

func (h *Hub) toUsers(payloads serviceprotocol.Payloads, users ...string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	parcel := newParcel(payloads)
	for _, user := range users {
		for c := range h.users.Members(user) {
			parcel.giveTo(c)
		}
	}
	h.delivered.Add(parcel.count)
}

func (h *Hub) toGroup(m *serviceprotocol.GroupBroadcastData) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	parcel, ids, users := newParcel(m.Payloads), newExclusions(m.ExcludedConnectionIDs), newExclusions(m.ExcludedUserIDs)
	for c := range h.groups.Members(m.Group) {
		excluded := ids.has(c.ID()) || c.UserID() != "" && users.has(c.UserID())
		if !excluded {
			parcel.giveTo(c)
		}
	}
	h.delivered.Add(parcel.count)
}

// toGroups gives a client that is in several of the groups the message once
// per group, as self-hosted SignalR does.
func (h *Hub) toGroups(m *serviceprotocol.MultiGroupBroadcastData) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	parcel := newParcel(m.Payloads)
	for _, group := range m.Groups {
		for c := range h.groups.Members(group) {
			parcel.giveTo(c)
		}
	}
	h.delivered.Add(parcel.count)
}
