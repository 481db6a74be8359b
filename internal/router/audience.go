package router

import (
	"slices"
	"strings"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// A parcel is one message for many clients: one payload per hub protocol. A
// payload is copied out of the receive buffer when the first client takes it,
// and shared by all that follow.
type parcel struct {
	hub      *Hub
	payloads serviceprotocol.Payloads
	few      [3]*pairing.Shared // copies of the payloads; nil for those that nobody took yet
	many     []*pairing.Shared  // in place of few, when there are more payloads
	count    int64              // clients it was given to
}

func (h *Hub) newParcel(payloads serviceprotocol.Payloads) parcel {
	p := parcel{hub: h, payloads: payloads}
	if len(payloads) > len(p.few) {
		p.many = make([]*pairing.Shared, len(payloads))
	}
	return p
}

func (p *parcel) copyOf(i int) **pairing.Shared {
	if p.many != nil {
		return &p.many[i]
	}
	return &p.few[i]
}

// giveTo queues the payload of the client's protocol. A client whose protocol
// has no payload gets nothing.
func (p *parcel) giveTo(c pairing.Client) {
	protocol := c.Protocol()
	for i := range p.payloads {
		payload := &p.payloads[i]
		if payload.Protocol != protocol && !strings.EqualFold(payload.Protocol, protocol) {
			continue
		}
		shared := p.copyOf(i)
		if *shared == nil {
			*shared = pairing.NewShared(p.hub.open(payload.Data))
		}
		c.Multicast(*shared)
		p.count++
		return
	}
}

// open returns what clients get of a payload, which is nothing if it cannot be read.
func (h *Hub) open(payload []byte) []byte {
	if h.config.Open == nil {
		return payload
	}
	text, err := h.config.Open(payload)
	if err != nil {
		h.Unopened(err)
	}
	return text
}

// Unopened notes that a payload could not be opened. What one client was to get of it is
// opened by that client.
func (h *Hub) Unopened(err error) {
	if h.unopened.Add(1) == 1 {
		h.log.Warn("app server sent a payload that is none; it is skipped, as are further ones", "error", err)
	}
}

// done ends the use of the copies by the parcel.
func (p *parcel) done() {
	for i := range p.payloads {
		if shared := *p.copyOf(i); shared != nil {
			shared.Release()
		}
	}
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
	parcel := h.newParcel(m.Payloads)
	defer parcel.done()
	excluded := newExclusions(m.ExcludedConnectionIDs)
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
	parcel := h.newParcel(m.Payloads)
	defer parcel.done()
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
	parcel := h.newParcel(payloads)
	defer parcel.done()
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
	parcel := h.newParcel(m.Payloads)
	defer parcel.done()
	ids, users := newExclusions(m.ExcludedConnectionIDs), newExclusions(m.ExcludedUserIDs)
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
	parcel := h.newParcel(m.Payloads)
	defer parcel.done()
	for _, group := range m.Groups {
		for c := range h.groups.Members(group) {
			parcel.giveTo(c)
		}
	}
	h.delivered.Add(parcel.count)
}
