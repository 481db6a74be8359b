package appserver

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	err := g.request(ctx, group, func(ackID int) serviceprotocol.Message {
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
	err := g.request(ctx, group, func(ackID int) serviceprotocol.Message {
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

// ackTimeout is how long the service may take to confirm.
//
// Source: azure-signalr AckHandler.cs.
const ackTimeout = 10 * time.Second

// request sends what make returns and waits until the service has confirmed it.
func (g HubGroups) request(ctx context.Context, group string, make func(ackID int) serviceprotocol.Message) error {
	if group == "" { // on the wire it would mean every group
		return errors.New("group name is empty")
	}
	id := int(g.hub.app.lastAck.Add(1))
	var answer <-chan serviceprotocol.AckStatus
	var asked *serverConn
	err := g.hub.send(g.via, group, func(s *serverConn) error {
		asked, answer = s, s.acks.expect(id)
		return s.link.Send(ctx, make(id))
	})
	if asked != nil {
		defer asked.acks.forget(id)
	}
	if err != nil {
		return err
	}
	limit := time.NewTimer(ackTimeout)
	defer limit.Stop()
	select {
	case status, ok := <-answer:
		return ackError(status, ok)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-limit.C:
		return ErrTimeout
	}
}

// ackError reads the service's answer. Not found is success: what should be gone
// is gone, and a connection that has just ended is nobody's mistake.
func ackError(status serviceprotocol.AckStatus, ok bool) error {
	switch {
	case !ok:
		return ErrServerConnectionLost
	case status == serviceprotocol.AckOK, status == serviceprotocol.AckNotFound:
		return nil
	case status == serviceprotocol.AckTimeout, status == serviceprotocol.AckInternalServerError:
		return ErrTimeout
	}
	return fmt.Errorf("service answered with status %d", int(status))
}
