package appserver

import (
	"context"
	"errors"
	"fmt"

	"switchboard/serviceprotocol"
)

// HubGroups are named sets of connections. A group exists while it has members;
// names are compared exactly. A connection that ends leaves its groups, and a
// client that reconnects has to be added again.
type HubGroups struct {
	hub *hub
	via *serverConn // the caller's server connection, nil outside of calls
}

// Add makes a connection a member. It returns when the service has confirmed, so
// that what is sent to the group afterwards reaches the member. An unknown
// connection is no error. It is ErrTimeout after 10 s.
func (g HubGroups) Add(ctx context.Context, connectionID, group string) error {
	err := g.request(ctx, connectionID, group, func(ackID int, group string) serviceprotocol.Message {
		return &serviceprotocol.JoinGroupWithAck{ConnectionID: connectionID, Group: group, AckID: ackID}
	})
	if err != nil {
		return fmt.Errorf("add connection %q to group %q: %w", connectionID, group, err)
	}
	return nil
}

// Remove ends a membership. It waits as Add does, and it is no error if there
// was none.
func (g HubGroups) Remove(ctx context.Context, connectionID, group string) error {
	err := g.request(ctx, connectionID, group, func(ackID int, group string) serviceprotocol.Message {
		return &serviceprotocol.LeaveGroupWithAck{ConnectionID: connectionID, Group: group, AckID: ackID}
	})
	if err != nil {
		return fmt.Errorf("remove connection %q from group %q: %w", connectionID, group, err)
	}
	return nil
}

// CallerGroups are the groups from within a call.
type CallerGroups struct {
	HubGroups
	caller string
}

// Join adds the client that called.
func (g CallerGroups) Join(ctx context.Context, group string) error {
	return g.Add(ctx, g.caller, group)
}

// Leave removes the client that called.
func (g CallerGroups) Leave(ctx context.Context, group string) error {
	return g.Remove(ctx, g.caller, group)
}

// request sends what make returns and waits until the service has confirmed it.
func (g HubGroups) request(ctx context.Context, connectionID, group string, make func(ackID int, group string) serviceprotocol.Message) error {
	if group == "" { // on the wire it would mean every group
		return errors.New("group name is empty")
	}
	p := ClientProxy{hub: g.hub, kind: toConnection, name: connectionID}
	generations := p.reaches()
	c := newConfirmation(int(g.hub.app.lastAck.Add(1)))
	if generations&AspNetCore != 0 {
		to, err := g.targets(connectionID, group)
		if err != nil {
			return err
		}
		m := make(c.id, group)
		err = g.hub.send(ctx, to, g.via, group, func(ctx context.Context, s *serverConn) error { return c.ask(ctx, s, m) })
		if err != nil {
			return err
		}
	}
	if generations&AspNet != 0 {
		if err := g.requestAspNet(ctx, c, connectionID, group, make); err != nil {
			return err
		}
	}
	return c.wait(ctx)
}
