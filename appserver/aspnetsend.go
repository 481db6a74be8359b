package appserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"switchboard/aspnetprotocol"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// errNoResults is for calls of clients that want a result.
var errNoResults = errors.New("clients of ASP.NET SignalR give no results")

// reaches tells which generations the audience of p may have clients of. A connection that this
// app server has is of one.
func (p *ClientProxy) reaches() Generation {
	all := p.hub.config.Generations
	if p.kind != toConnection || all != AspNetCore|AspNet {
		return all
	}
	switch {
	case p.hub.clients.get(p.name) != nil:
		return AspNetCore
	case p.hub.application.find(p.name) != nil:
		return AspNet
	}
	return all
}

// sendAspNet sends a call to clients of ASP.NET SignalR.
//
// Source: azure-signalr AspNet/HubHost/SignalRMessageParser.cs.
func (p *ClientProxy) sendAspNet(ctx context.Context, target string, args []any) error {
	call := aspnetprotocol.Call{Hub: p.hub.config.Name, Method: target}
	for i, arg := range args {
		text, err := hubprotocol.JSON.AppendValue(nil, arg)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		call.Arguments = append(call.Arguments, json.RawMessage(text))
	}
	if p.call != nil && p.call.aspNet != nil && p.kind == toConnection && p.name == p.call.peer.id {
		call.State = p.call.aspNet.state.changes()
	}
	text := aspnetprotocol.Envelope{Cursor: sdkCursor}.Append(nil, call.Append(nil))
	frame := aspnetprotocol.AppendWrapped(nil, text)
	payloads := serviceprotocol.Payloads{{Protocol: aspnetprotocol.Protocol, Data: frame}}
	excluded := p.list
	if p.except != "" {
		excluded = append(excluded[:len(excluded):len(excluded)], p.except)
	}
	switch p.kind {
	case toAll:
		return p.over(ctx, p.hub.sends, "", &serviceprotocol.BroadcastData{ExcludedConnectionIDs: excluded, Payloads: payloads})
	case toGroup:
		return p.over(ctx, &p.hub.application.line, p.name, &serviceprotocol.GroupBroadcastData{
			Group: p.hub.aspNetGroup(p.name), ExcludedConnectionIDs: excluded, Payloads: payloads,
		})
	case toConnection:
		return p.over(ctx, &p.hub.application.line, p.name, &serviceprotocol.ConnectionData{ConnectionID: p.name, Payload: frame})
	case toUser:
		return p.over(ctx, p.hub.sends, p.name, &serviceprotocol.UserData{UserID: p.name, Payloads: payloads})
	}
	var faults []error
	for _, name := range p.list { // the service knows messages to one of each only
		one := ClientProxy{hub: p.hub, via: p.via, call: p.call, kind: toConnection, name: name}
		var m serviceprotocol.Message = &serviceprotocol.ConnectionData{ConnectionID: name, Payload: frame}
		line := &p.hub.application.line
		switch p.kind {
		case toGroups:
			one.kind, m = toGroup, &serviceprotocol.GroupBroadcastData{Group: p.hub.aspNetGroup(name), Payloads: payloads}
		case toUsers:
			one.kind, line, m = toUser, p.hub.sends, &serviceprotocol.UserData{UserID: name, Payloads: payloads}
		}
		faults = append(faults, one.over(ctx, line, name, m))
	}
	return errors.Join(faults...)
}

// aspNetGroup returns the name of a group of the hub at the service.
func (h *hub) aspNetGroup(name string) string { return aspnetprotocol.GroupName(h.config.Name, name) }

// over sends a message over a server connection of a line: over the one of the client, if it has one there,
// and in a call over the same one each time, so that messages stay in order.
func (p *ClientProxy) over(ctx context.Context, l *line, key string, m serviceprotocol.Message) error {
	to, err := p.aspNetTargets(l)
	if err != nil {
		return err
	}
	via := p.via
	if p.call != nil {
		key = p.call.peer.id
	} else if c := p.hub.application.find(p.name); c != nil && p.kind == toConnection {
		via = c.server
	}
	return l.send(ctx, to, via, key, func(ctx context.Context, s *serverConn) error { return s.link.Send(ctx, m) })
}

// aspNetTargets returns the services that a message goes to over a line.
func (p *ClientProxy) aspNetTargets(l *line) ([]*HubEndpoint, error) {
	if p.kind == toConnection {
		if c := p.hub.application.find(p.name); c != nil {
			return c.server.at.alone, nil
		}
	}
	return p.routed(l)
}

// requestAspNet has the service change a membership of a client of ASP.NET SignalR.
func (g HubGroups) requestAspNet(ctx context.Context, c *confirmation, connectionID, group string, make func(ackID int, group string) serviceprotocol.Message) error {
	app := g.hub.application
	p := ClientProxy{hub: g.hub, kind: toGroup, name: group}
	to, via := app.endpoints(), g.via
	if client := app.find(connectionID); client != nil {
		to, via = client.server.at.alone, cmp.Or(via, client.server)
	} else if g.hub.app.config.MessageRouter != nil {
		var err error
		if to, err = p.aspNetTargets(&app.line); err != nil {
			return err
		}
	}
	m := make(c.id, g.hub.aspNetGroup(group))
	return app.send(ctx, to, via, group, func(ctx context.Context, s *serverConn) error { return c.ask(ctx, s, m) })
}
