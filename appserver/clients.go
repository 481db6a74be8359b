package appserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"switchboard/serviceprotocol"
)

// HubClients addresses clients of a hub, wherever they are connected. A connection,
// user or group that does not exist is no error: nobody gets the message.
type HubClients struct {
	hub  *hub
	via  *serverConn // the caller's server connection, nil outside of calls
	call *Context    // nil outside of calls
}

// All addresses every client of the hub.
func (c HubClients) All() ClientProxy { return c.to(toAll, "") }

// AllExcept addresses every client but those with the connection ids.
func (c HubClients) AllExcept(connectionIDs ...string) ClientProxy {
	return c.to(toAll, "", connectionIDs...)
}

// Client addresses one connection.
func (c HubClients) Client(connectionID string) ClientProxy { return c.to(toConnection, connectionID) }

// Clients addresses several connections.
func (c HubClients) Clients(connectionIDs ...string) ClientProxy {
	return c.to(toConnections, "", connectionIDs...)
}

// Group addresses the members of a group.
func (c HubClients) Group(name string) ClientProxy { return c.to(toGroup, name) }

// GroupExcept addresses the members of a group but those with the connection ids.
func (c HubClients) GroupExcept(name string, connectionIDs ...string) ClientProxy {
	return c.to(toGroup, name, connectionIDs...)
}

// Groups addresses the members of several groups. Who is in two of them gets
// the message twice.
func (c HubClients) Groups(names ...string) ClientProxy { return c.to(toGroups, "", names...) }

// User addresses every connection of a user. User ids are compared exactly.
func (c HubClients) User(id string) ClientProxy { return c.to(toUser, id) }

// Users addresses every connection of several users.
func (c HubClients) Users(ids ...string) ClientProxy { return c.to(toUsers, "", ids...) }

func (c HubClients) to(kind audience, name string, list ...string) ClientProxy {
	return ClientProxy{hub: c.hub, via: c.via, call: c.call, kind: kind, name: name, list: list}
}

// CallerClients addresses clients from within a call: besides everybody else,
// the client that called.
type CallerClients struct {
	HubClients
	caller string
}

// Caller addresses the client that called. What is sent to it before the call
// returns arrives before the call's result.
func (c CallerClients) Caller() ClientProxy { return c.Client(c.caller) }

// Others addresses every client but the caller.
func (c CallerClients) Others() ClientProxy { return c.except(c.All()) }

// OthersInGroup addresses the members of a group but the caller.
func (c CallerClients) OthersInGroup(name string) ClientProxy { return c.except(c.Group(name)) }

func (c CallerClients) except(p ClientProxy) ClientProxy {
	p.except = c.caller
	return p
}

// An audience is a kind of address, and with it a kind of service message.
type audience int

const (
	toAll         audience = iota // but the connections in list
	toConnection                  // name
	toConnections                 // list
	toGroup                       // name, but the connections in list
	toGroups                      // list
	toUser                        // name
	toUsers                       // list
)

// A ClientProxy sends to the clients that it stands for.
type ClientProxy struct {
	hub    *hub
	via    *serverConn
	call   *Context
	kind   audience
	name   string
	list   []string
	except string // one more connection to leave out
}

// Send calls the method target of the clients, which is what they registered with
// connection.on. The arguments are encoded once for each protocol, whatever the
// number of clients.
//
// Send returns when the message is on its way to the service, and waits only
// while the server connection is congested, until ctx is done. Without a server
// connection it is ErrNotConnected. Whether clients got the message is not told.
//
// Messages from one call of the hub arrive in order, and so do messages to one
// audience that are sent outside of calls. Messages from the calls of different
// clients may overtake each other: they take different server connections.
func (p ClientProxy) Send(ctx context.Context, target string, args ...any) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("send %q: %w", target, err)
	}
	if p.nobody() {
		return nil
	}
	to := p.reaches()
	var faults []error
	if to&AspNetCore != 0 {
		faults = append(faults, p.send(ctx, "", target, args))
	}
	if to&AspNet != 0 {
		faults = append(faults, p.sendAspNet(ctx, target, args))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("send %q: %w", target, err)
	}
	return nil
}

// send sends a call, whose id asks for an answer.
func (p *ClientProxy) send(ctx context.Context, id, target string, args []any) error {
	o := newOutgoing()
	defer o.free()
	encodings, via := p.route()
	if err := o.encodeInvocation(encodings, id, target, args); err != nil {
		return err
	}
	message := p.message(o)
	to, err := p.targets()
	if err != nil {
		return err
	}
	return p.hub.send(ctx, to, via, p.name, func(ctx context.Context, s *serverConn) error { return s.link.Send(ctx, message) })
}

//lint:ignore ST1005 the text is ASP.NET Core's
var errEmptyGroup = errors.New("Cannot send to an empty group name.")

func (p *ClientProxy) check() error {
	if p.kind == toGroup && p.name == "" {
		return errEmptyGroup
	}
	if p.kind == toGroups {
		for _, name := range p.list {
			if name == "" {
				return errEmptyGroup
			}
		}
	}
	return nil
}

func (p *ClientProxy) nobody() bool {
	switch p.kind {
	case toConnections, toGroups, toUsers:
		return len(p.list) == 0
	}
	return false
}

// route chooses the encodings and the server connection. A client of this app
// server needs one encoding only. Within a call all goes over the connection of
// the caller, so that it arrives in order, whomever it is for; outside of calls
// such a client is sent to over its own.
func (p *ClientProxy) route() ([]*encoding, *serverConn) {
	if p.kind != toConnection {
		return p.hub.encodings, p.via
	}
	c := p.hub.clients.get(p.name)
	if c == nil {
		return p.hub.encodings, p.via
	}
	encodings := p.hub.encodings
	if e := c.encoding.Load(); e != nil {
		encodings = e.alone
	}
	return encodings, cmp.Or(p.via, c.server)
}

// message returns the service message, in the space of o.
func (p *ClientProxy) message(o *outgoing) serviceprotocol.Message {
	o.ids = append(o.ids[:0], p.list...)
	if p.except != "" {
		o.ids = append(o.ids, p.except)
	}
	switch p.kind {
	case toConnection:
		o.ids = append(o.ids, p.name)
		fallthrough
	case toConnections:
		o.multi = serviceprotocol.MultiConnectionData{ConnectionIDs: o.ids, Payloads: o.payloads}
		return &o.multi
	case toGroup:
		o.group = serviceprotocol.GroupBroadcastData{Group: p.name, ExcludedConnectionIDs: o.ids, Payloads: o.payloads}
		return &o.group
	case toGroups:
		o.manyGroups = serviceprotocol.MultiGroupBroadcastData{Groups: o.ids, Payloads: o.payloads}
		return &o.manyGroups
	case toUser:
		o.user = serviceprotocol.UserData{UserID: p.name, Payloads: o.payloads}
		return &o.user
	case toUsers:
		o.users = serviceprotocol.MultiUserData{UserIDs: o.ids, Payloads: o.payloads}
		return &o.users
	}
	o.broadcast = serviceprotocol.BroadcastData{ExcludedConnectionIDs: o.ids, Payloads: o.payloads}
	return &o.broadcast
}
