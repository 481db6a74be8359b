package appserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// A MessageRouter chooses the services that a message goes to. all are those of the hub,
// connected or not; the slice must not be changed. What is chosen and not connected is left
// out, as long as another one is connected. To choose none is an error of the send. A
// client that this app server serves is always sent to where it is.
//
// Lists are sent to all that are chosen for one of their elements. [AllEndpoints] can be
// embedded to choose for some kinds of messages only.
//
// Source: azure-signalr IMessageRouter.cs.
type MessageRouter interface {
	ForBroadcast(all []*HubEndpoint) []*HubEndpoint
	ForUser(userID string, all []*HubEndpoint) []*HubEndpoint
	ForGroup(group string, all []*HubEndpoint) []*HubEndpoint
	ForConnection(connectionID string, all []*HubEndpoint) []*HubEndpoint
}

// AllEndpoints is the MessageRouter that sends everything everywhere.
type AllEndpoints struct{}

// ForBroadcast returns all.
func (AllEndpoints) ForBroadcast(all []*HubEndpoint) []*HubEndpoint { return all }

// ForUser returns all.
func (AllEndpoints) ForUser(_ string, all []*HubEndpoint) []*HubEndpoint { return all }

// ForGroup returns all.
func (AllEndpoints) ForGroup(_ string, all []*HubEndpoint) []*HubEndpoint { return all }

// ForConnection returns all.
func (AllEndpoints) ForConnection(_ string, all []*HubEndpoint) []*HubEndpoint { return all }

// A NegotiateRouter chooses the service that the client of a negotiate request is sent to.
// all are those of the hub that clients may be sent to, connected or not; the slice must not
// be changed. An error refuses the client: an *HTTPError with its status, any other with
// 500, as nil does.
//
// Source: azure-signalr IEndpointRouter.cs.
type NegotiateRouter interface {
	ForNegotiate(r *http.Request, all []*HubEndpoint) (*HubEndpoint, error)
}

// ByCapacity is the default NegotiateRouter; see Config.NegotiateRouter. A router of
// the app's own may call it with the endpoints that it thinks fit.
//
// Source: azure-signalr DefaultEndpointRouter.cs.
type ByCapacity struct{}

// ForNegotiate returns an endpoint that is connected.
func (ByCapacity) ForNegotiate(_ *http.Request, all []*HubEndpoint) (*HubEndpoint, error) {
	for _, kind := range []EndpointType{Primary, Secondary} {
		if e := weigh(all, kind); e != nil {
			return e, nil
		}
	}
	return nil, &HTTPError{Status: http.StatusInternalServerError, Text: "Azure SignalR Service is not connected yet, please try again later."}
}

// weigh chooses among the connected endpoints of a type by chance, in proportion to what
// they have free, or each alike if one does not tell.
func weigh(all []*HubEndpoint, kind EndpointType) *HubEndpoint {
	var fit []*HubEndpoint
	var weights []int
	sum, known := 0, true
	for _, e := range all {
		if e.endpoint.kind != kind || !e.Online() {
			continue
		}
		capacity := e.load.capacity.Load()
		known = known && capacity > 0
		weight := 1
		if known {
			weight = max(1, int(1000*float64(capacity-e.load.clients.Load()-e.load.servers.Load())/float64(capacity)))
		}
		fit, weights, sum = append(fit, e), append(weights, weight), sum+weight
	}
	switch {
	case len(fit) == 0:
		return nil
	case !known:
		return fit[rand.N(len(fit))]
	}
	at := rand.N(sum)
	for i, weight := range weights {
		if at -= weight; at < 0 {
			return fit[i]
		}
	}
	return nil // cannot be
}

// negotiateEndpoint returns where a client goes.
func (l *line) negotiateEndpoint(r *http.Request) (*HubEndpoint, error) {
	all := l.endpoints()
	var open []*HubEndpoint
	for _, e := range all {
		if e.negotiable.Load() {
			open = append(open, e)
		}
	}
	e, err := l.app.config.NegotiateRouter.ForNegotiate(r, open)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, &HTTPError{Status: http.StatusInternalServerError, Text: "Unable to get the negotiate endpoint"}
	case e.line != l:
		return nil, fmt.Errorf("the NegotiateRouter has chosen an endpoint of hub %q", e.line.name)
	}
	return e, nil
}

// ErrNoEndpoint means that Config.MessageRouter has chosen no service for a message.
var ErrNoEndpoint = errors.New("the MessageRouter has chosen no endpoint")

// targets returns the services that a message for p goes to.
func (p *ClientProxy) targets() ([]*HubEndpoint, error) {
	all, router := p.hub.endpoints(), p.hub.app.config.MessageRouter
	if len(all) == 1 && router == nil {
		return all, nil
	}
	if p.kind == toConnection {
		if c := p.hub.clients.get(p.name); c != nil {
			return c.server.at.alone, nil
		}
	}
	return p.routed(&p.hub.line)
}

// routed returns the services that Config.MessageRouter chooses for a message over a line, or all.
func (p *ClientProxy) routed(l *line) ([]*HubEndpoint, error) {
	all, router := l.endpoints(), l.app.config.MessageRouter
	if router == nil {
		return all, nil
	}
	t := targets{line: l}
	switch p.kind {
	case toAll:
		t.add(router.ForBroadcast(all))
	case toConnection:
		t.add(router.ForConnection(p.name, all))
	case toGroup:
		t.add(router.ForGroup(p.name, all))
	case toUser:
		t.add(router.ForUser(p.name, all))
	}
	for _, name := range p.list {
		switch p.kind {
		case toConnections:
			t.add(router.ForConnection(name, all))
		case toGroups:
			t.add(router.ForGroup(name, all))
		case toUsers:
			t.add(router.ForUser(name, all))
		}
	}
	return t.list, t.check()
}

// targets returns the services that shall add or remove a member.
func (g HubGroups) targets(connectionID, group string) ([]*HubEndpoint, error) {
	if c := g.hub.clients.get(connectionID); c != nil {
		return c.server.at.alone, nil
	}
	p := ClientProxy{hub: g.hub, kind: toGroup, name: group}
	return p.targets()
}

// targets collects what a MessageRouter chooses.
type targets struct {
	line  *line
	list  []*HubEndpoint
	fault error
}

func (t *targets) add(chosen []*HubEndpoint) {
next:
	for _, e := range chosen {
		if e == nil || e.line != t.line {
			t.fault = errors.New("the MessageRouter has chosen an endpoint of another hub")
			return
		}
		for _, other := range t.list {
			if other == e {
				continue next
			}
		}
		t.list = append(t.list, e)
	}
}

func (t *targets) check() error {
	if t.fault == nil && len(t.list) == 0 {
		return ErrNoEndpoint
	}
	return t.fault
}

// send has a message sent to services. It fails if none takes it. One whose connections
// are congested holds up the sender and not the others.
func (l *line) send(ctx context.Context, to []*HubEndpoint, via *serverConn, key string, send sender) error {
	if len(to) == 1 {
		return to[0].send(ctx, via, key, send)
	}
	var congested []*HubEndpoint
	fault, sent := ErrNotConnected, false
	note := func(err error) {
		switch {
		case err == nil:
			sent = true
		case !errors.Is(err, ErrNotConnected):
			fault = err
		}
	}
	for _, e := range to {
		err := e.send(done, via, key, send)
		if errors.Is(err, context.Canceled) {
			congested = append(congested, e)
			continue
		}
		note(err)
	}
	for _, e := range congested {
		note(e.send(ctx, via, key, send))
	}
	if sent && errors.Is(fault, ErrNotConnected) {
		return nil
	}
	return fault
}

// parseCount reads a number in a ping.
func parseCount(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
