package main

import (
	"log/slog"
	"strings"
	"unicode/utf8"

	"switchboard/appserver"
)

// Chat is the hub. Browsers call its exported methods; it calls theirs:
//
//	message(message)             to everybody, to a room or to one person
//	people(people)               who is here now, each time that changes
//	entered(room, name)          somebody entered a room of mine
//	exited(room, name)           somebody left it
//
// What a *appserver.HubError says is shown to the person who called.
type Chat struct {
	log    *slog.Logger
	people people
}

// A message is what browsers get. Without To and Room it is for everybody.
type message struct {
	From string `json:"from"`
	To   string `json:"to,omitempty"`
	Room string `json:"room,omitempty"`
	Text string `json:"text"`
}

// OnConnected tells everybody, and the newcomer too, who is here.
func (c *Chat) OnConnected(ctx *appserver.Context) error {
	err := ctx.Clients().All().Send(ctx, "people", c.people.enter(ctx.UserID()))
	if err != nil {
		c.people.leave(ctx.UserID()) // OnDisconnected is not called now
	}
	return err
}

// OnDisconnected tells those who are left. The service has taken the browser
// out of its rooms already.
func (c *Chat) OnDisconnected(ctx *appserver.Context, _ error) {
	if err := ctx.Clients().All().Send(ctx, "people", c.people.leave(ctx.UserID())); err != nil {
		c.log.Warn("nobody was told that a person left", "error", err)
	}
}

// Say sends a text to everybody.
func (c *Chat) Say(ctx *appserver.Context, text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	return ctx.Clients().All().Send(ctx, "message", message{From: ctx.UserID(), Text: text})
}

// SayInRoom sends a text to the members of a room that the caller is in.
func (c *Chat) SayInRoom(ctx *appserver.Context, room, text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	if _, in := ctx.Items().Load(roomKey(room)); !in {
		return appserver.Errorf("You are not in the room %s.", room)
	}
	return ctx.Clients().Group(room).Send(ctx, "message", message{From: ctx.UserID(), Room: room, Text: text})
}

// Whisper sends a text to one person, on every tab of that person, and to the
// tabs of the caller.
func (c *Chat) Whisper(ctx *appserver.Context, to, text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	if to == ctx.UserID() {
		return appserver.Errorf("You are talking to yourself.")
	}
	if !c.people.here(to) {
		return appserver.Errorf("%s is not here.", to)
	}
	return ctx.Clients().Users(to, ctx.UserID()).Send(ctx, "message", message{From: ctx.UserID(), To: to, Text: text})
}

// Join makes the caller a member of a room, which exists while it has members. A
// browser that has reconnected is a new connection and joins again.
func (c *Chat) Join(ctx *appserver.Context, room string) error {
	if problem := nameProblem(room); problem != "" {
		return appserver.Errorf("The name of a room %s.", problem)
	}
	if err := ctx.Groups().Join(ctx, room); err != nil {
		return err
	}
	ctx.Items().Store(roomKey(room), true)
	return ctx.Clients().OthersInGroup(room).Send(ctx, "entered", room, ctx.UserID())
}

// Leave ends a membership.
func (c *Chat) Leave(ctx *appserver.Context, room string) error {
	if _, in := ctx.Items().LoadAndDelete(roomKey(room)); !in {
		return nil
	}
	if err := ctx.Groups().Leave(ctx, room); err != nil {
		return err
	}
	return ctx.Clients().Group(room).Send(ctx, "exited", room, ctx.UserID())
}

// A roomKey is the key of a room in the items of a connection that is in it.
type roomKey string

func checkText(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return appserver.Errorf("The message is empty.")
	case utf8.RuneCountInString(text) > 2000:
		return appserver.Errorf("A message has at most 2000 characters.")
	}
	return nil
}
