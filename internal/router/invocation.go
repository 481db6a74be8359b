package router

import (
	"strings"
	"time"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

const (
	// resultTimeout bounds the wait for what a client answers.
	//
	// Source: azure-signalr specs/ClientInvocation.md.
	resultTimeout = 10 * time.Minute

	// unknownDelay holds back the news that a client is not there: SDKs note a call only
	// when they have sent it, and would miss an answer that is faster.
	unknownDelay = 5 * time.Millisecond

	// maxInvocations bounds the calls of clients that wait in a hub.
	maxInvocations = 100_000
)

// An invocation is a call of a client's method whose result an app server wants. The app
// server that calls need not be the one that has the client.
type invocation struct {
	id       string // made by the caller
	client   string // connection id
	caller   pairing.Server
	serverID string      // of the caller
	timeout  *time.Timer // fails the call
}

// invoke sends a call to a client, and first tells the app server that has it, which will
// read the answer.
//
// Source: azure-signalr specs/ClientInvocation.md.
func (h *Hub) invoke(caller pairing.Server, m *serviceprotocol.ClientInvocation) {
	i := &invocation{id: strings.Clone(m.InvocationID), client: strings.Clone(m.ConnectionID), caller: caller, serverID: strings.Clone(m.CallerServerID)}
	p, fault := h.expect(i)
	if fault != "" {
		time.AfterFunc(unknownDelay, func() { h.failInvocation(i, fault) })
		return
	}
	if p.Server.ServerID() != i.serverID {
		if err := p.Server.Post(&serviceprotocol.ClientInvocation{InvocationID: i.id, ConnectionID: i.client, CallerServerID: i.serverID}); err != nil {
			h.settle(i.id)
			h.failInvocation(i, "The app server of the client is gone.")
			return
		}
		_ = caller.Post(&serviceprotocol.ServiceMapping{InvocationID: i.id, ConnectionID: i.client, InstanceID: h.config.InstanceID}) // else it is gone
	}
	parcel := h.newParcel(m.Payloads)
	defer parcel.done()
	parcel.giveTo(p.Client)
	h.delivered.Add(parcel.count)
	if parcel.count == 0 {
		h.settle(i.id)
		h.failInvocation(i, "The call is not there in the client's hub protocol.")
	}
}

// expect notes a call, or tells why there cannot be one.
func (h *Hub) expect(i *invocation) (p *pairing.Pair, fault string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p = h.pairs.Find(i.client)
	switch {
	case h.config.NoResults:
		return nil, "Clients of ASP.NET SignalR give no results."
	case p == nil:
		return nil, "Connection '" + i.client + "' does not exist."
	case p.Server == h.standIn:
		return nil, "The client has no app server."
	case h.invocations[i.id] != nil:
		return nil, "The invocation id is in use."
	case len(h.invocations) >= maxInvocations:
		return nil, "Too many calls of clients wait for their results."
	}
	if h.invocations == nil {
		h.invocations, h.invoked = map[string]*invocation{}, map[string][]*invocation{}
	}
	i.timeout = time.AfterFunc(resultTimeout, func() {
		if h.settle(i.id) != nil {
			h.failInvocation(i, "The client has not answered within 10 minutes.")
		}
	})
	h.invocations[i.id] = i
	h.invoked[i.client] = append(h.invoked[i.client], i)
	return p, ""
}

// settle forgets a call and returns it, if it waits for its result.
func (h *Hub) settle(id string) *invocation {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.invocations[id]
	if i == nil {
		return nil
	}
	delete(h.invocations, id)
	i.timeout.Stop()
	rest := h.invoked[i.client]
	for n, other := range rest {
		if other == i {
			rest[n] = rest[len(rest)-1]
			rest = rest[:len(rest)-1]
			break
		}
	}
	if h.invoked[i.client] = rest; len(rest) == 0 {
		delete(h.invoked, i.client)
	}
	return i
}

// complete passes on what a client has answered. An empty payload says that the caller
// has had the answer itself.
func (h *Hub) complete(m *serviceprotocol.ClientCompletion) {
	i := h.settle(m.InvocationID)
	if i == nil || len(m.Payload) == 0 {
		return
	}
	h.toCaller(i, &serviceprotocol.ClientCompletion{
		InvocationID: i.id, ConnectionID: i.client, CallerServerID: i.serverID, Protocol: m.Protocol, Payload: m.Payload,
	})
}

// failed passes on that the app server which has the client cannot get an answer.
func (h *Hub) failed(m *serviceprotocol.ErrorCompletion) {
	if i := h.settle(m.InvocationID); i != nil {
		h.failInvocation(i, strings.Clone(m.Error))
	}
}

func (h *Hub) failInvocation(i *invocation, fault string) {
	h.toCaller(i, &serviceprotocol.ErrorCompletion{InvocationID: i.id, ConnectionID: i.client, CallerServerID: i.serverID, Error: fault})
}

// toCaller takes any connection of the app server that called.
func (h *Hub) toCaller(i *invocation, m serviceprotocol.Message) {
	if i.caller.Post(m) == nil {
		return
	}
	h.mu.RLock()
	var others []pairing.Server
	for s := range h.traits {
		if s.ServerID() == i.serverID && s != i.caller {
			others = append(others, s)
		}
	}
	h.mu.RUnlock()
	for _, s := range others {
		if s.Post(m) == nil {
			return
		}
	}
}

// abandonLocked forgets the calls of a client that is gone, or has gone to an app server
// that does not know of them. Their callers are told without the lock.
func (h *Hub) abandonLocked(clientID, fault string) {
	calls := h.invoked[clientID]
	if len(calls) == 0 {
		return
	}
	delete(h.invoked, clientID)
	for _, i := range calls {
		delete(h.invocations, i.id)
		i.timeout.Stop()
	}
	go func() {
		for _, i := range calls {
			h.failInvocation(i, fault)
		}
	}()
}
