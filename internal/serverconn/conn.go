package serverconn

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"switchboard/internal/mux"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// finMigrate is the goodbye of an app server whose clients shall be moved. Those of the
// others stay until it closes them.
const finMigrate = "fin:1"

// A Conn is one server connection.
type Conn struct {
	id        string // cid of the query
	serverID  string
	handler   *Handler
	hub       *router.Hub
	stream    mux.Stream     // below mux
	resumable *mux.Resumable // the same; nil if it ends with its WebSocket
	mux       *mux.Conn
	log       *slog.Logger
	carries   bool                    // clients
	handover  bool                    // the app server tells when it has let go of a client
	giveUp    context.CancelCauseFunc // ends the connection in good order

	unreadable atomic.Int64 // frames that were skipped
	slow       bool         // the app server did not keep up at the last ping
}

var _ pairing.Server = (*Conn)(nil)

// ID returns the id that the app server gave this connection.
func (c *Conn) ID() string { return c.id }

// ServerID returns the id of the app server instance.
func (c *Conn) ServerID() string { return c.serverID }

// Send queues m for the app server and waits while the queue is full.
func (c *Conn) Send(ctx context.Context, m serviceprotocol.Message) error {
	return c.mux.Send(ctx, m)
}

// Post queues m for the app server, whether there is room or not.
func (c *Conn) Post(m serviceprotocol.Message) error { return c.mux.Post(m) }

// Congested tells whether the app server does not keep up; r is resumed when it does.
func (c *Conn) Congested(r pairing.Resumer) bool { return c.mux.Congested(r) }

// malformed is told of frames that could not be read. The SDKs skip such
// frames and go on, and so do we; the first one is worth a warning.
func (c *Conn) malformed(err error) {
	if c.unreadable.Add(1) == 1 {
		c.log.Warn("app server sent a malformed message; it is skipped, as are further ones", "error", err)
	}
}

// handle takes one message of the app server after the other.
func (c *Conn) handle(ctx context.Context, m serviceprotocol.Message) error {
	switch m := m.(type) {
	case *serviceprotocol.Ping:
		return c.answerPing(ctx, m)
	case *serviceprotocol.HandshakeRequest, *serviceprotocol.HandshakeResponse:
		c.log.Debug("app server sent a second handshake; it is ignored")
		return nil
	}
	return c.hub.FromServer(ctx, c, m)
}

// answerPing answers the pings that ask for something; an ordinary keep-alive
// has done its work by arriving. Unknown keys are ignored.
func (c *Conn) answerPing(ctx context.Context, ping *serviceprotocol.Ping) error {
	if _, ok := ping.Get("echo"); ok {
		return c.Send(ctx, ping)
	}
	if _, ok := ping.Get("status"); ok {
		return c.Send(ctx, c.statusPing())
	}
	if _, ok := ping.Get("servers"); ok {
		return c.Send(ctx, c.serversPing())
	}
	if fin, ok := ping.Get("shutdown"); ok && strings.HasPrefix(fin, "fin:") {
		if fin == finMigrate {
			c.hub.Drain(c)
		} else {
			c.hub.RetireServer(c)
		}
		c.log.Info("server connection retires: it gets no new clients", "shutdown", fin)
		return c.Send(ctx, &serviceprotocol.Ping{Messages: []string{"shutdown", "finack"}})
	}
	return nil
}
