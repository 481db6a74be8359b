// Package hubapp is the app server of a benchmark: a hub that passes on what its
// clients send, to whom they say.
package hubapp

import (
	"net/http"

	"switchboard/appserver"
	"switchboard/internal/loadgen"
)

// Path is where the hub is.
const Path = "/bench"

// Identify takes the user from the query, so that a benchmark can choose it.
func Identify(r *http.Request) (appserver.Identity, error) {
	return appserver.Identity{UserID: r.URL.Query().Get(loadgen.UserParameter)}, nil
}

// A Hub has the methods that the scenarios call.
type Hub struct{}

// Echo sends the payload back to the caller.
func (*Hub) Echo(ctx *appserver.Context, payload string) error {
	return ctx.Clients().Caller().Send(ctx, loadgen.TargetReceive, payload)
}

// Broadcast sends the payload to all clients.
func (*Hub) Broadcast(ctx *appserver.Context, payload string) error {
	return ctx.Clients().All().Send(ctx, loadgen.TargetReceive, payload)
}

// SendToGroup sends the payload to the members of a group.
func (*Hub) SendToGroup(ctx *appserver.Context, group string, payload string) error {
	return ctx.Clients().Group(group).Send(ctx, loadgen.TargetReceive, payload)
}

// SendToConnection sends the payload to one client.
func (*Hub) SendToConnection(ctx *appserver.Context, id string, payload string) error {
	return ctx.Clients().Client(id).Send(ctx, loadgen.TargetReceive, payload)
}

// SendToUser sends the payload to the connections of a user.
func (*Hub) SendToUser(ctx *appserver.Context, id string, payload string) error {
	return ctx.Clients().User(id).Send(ctx, loadgen.TargetReceive, payload)
}

// Join adds the caller to a group.
func (*Hub) Join(ctx *appserver.Context, group string) error {
	return ctx.Groups().Join(ctx, group)
}
