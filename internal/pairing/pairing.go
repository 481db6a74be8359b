// Package pairing ties client connections to server connections. A client
// connection is paired with one server connection when it arrives and stays
// with it until either goes. The package names the two ends as interfaces, so
// that neither knows what carries the other, and keeps the table of pairs of a
// hub and the reasons for which a pair ends.
package pairing

import (
	"context"
	"errors"

	"switchboard/serviceprotocol"
)

// A Server is where a client's bytes go: a server connection. Messages may be
// changed once a method that takes them has returned.
type Server interface {
	// ID is the id of this server connection (cid).
	ID() string
	// ServerID is the id of the app server instance that opened it.
	ServerID() string
	// Send queues a message and waits while the app server does not keep up.
	Send(ctx context.Context, m serviceprotocol.Message) error
	// Post queues a message at once, whether there is room or not. Who posts
	// what clients send asks Congested first.
	Post(m serviceprotocol.Message) error
	// Congested tells whether the app server does not keep up. If so, r is
	// resumed once, when there is room again or the connection has ended.
	Congested(r Resumer) bool
}

// A Resumer waits for room. Resume is called from any goroutine and must not wait.
type Resumer interface{ Resume() }

// A Client is where an app server's bytes go: a client connection. Its methods
// do not wait and may be called from any goroutine.
type Client interface {
	// ID is the connection id that app servers know.
	ID() string
	// UserID is the id of the user; empty for an anonymous one.
	UserID() string
	// Protocol is the name of the hub protocol, known since the handshake.
	Protocol() string
	// Deliver queues bytes meant for this client alone; they are copied.
	Deliver(payload []byte)
	// Multicast queues whole hub messages that other clients may get too. The
	// client retains p for as long as it needs it. Before the handshake is
	// answered they wait.
	Multicast(p *Shared)
	// Late queues what came over a server connection that is not the client's: whole hub
	// messages, of the app server that had the client before.
	Late(payload []byte)
	// Move has the client go over to another server connection when it can, if it is with this
	// one still.
	Move(from Server)
	// HandedOver tells the client that the app server which it is leaving has no more to
	// say. It is false when the client is not leaving.
	HandedOver() bool
	// ServerLost tells the client that this server connection has ended, and returns whether
	// it goes over to another one, or has done so; else it has to be closed.
	ServerLost(from Server) bool
	// Close ends the client after what is queued. Only the first call counts.
	// The detail is for the client's eyes where its app allows details.
	Close(reason *Reason, detail string)
}

// A Pair is one client connection and its server connection.
type Pair struct {
	Client Client
	Server Server // nil when another hub knows it
}

// Errors of Bind and Rebind.
var (
	ErrDuplicate = errors.New("a client connection with this id is open")
	ErrUnbound   = errors.New("the client connection has ended")
)

// A Table has the pairs of a hub. The zero value is ready to use; it is
// guarded by the hub that owns it.
type Table struct {
	clients map[string]*Pair
	servers map[Server]map[*Pair]struct{}
}

// Bind pairs c with s, which is nil for a client whose server connection another table has.
func (t *Table) Bind(c Client, s Server) (*Pair, error) {
	if t.clients == nil {
		t.clients, t.servers = map[string]*Pair{}, map[Server]map[*Pair]struct{}{}
	}
	if t.clients[c.ID()] != nil {
		return nil, ErrDuplicate
	}
	p := &Pair{Client: c, Server: s}
	t.clients[c.ID()] = p
	if s == nil {
		return p, nil
	}
	if t.servers[s] == nil {
		t.servers[s] = map[*Pair]struct{}{}
	}
	t.servers[s][p] = struct{}{}
	return p, nil
}

// Rebind pairs the client of p with another server connection.
func (t *Table) Rebind(p *Pair, s Server) (*Pair, error) {
	if !t.Unbind(p) {
		return nil, ErrUnbound
	}
	return t.Bind(p.Client, s)
}

// Unbind forgets p and tells whether it was in the table.
func (t *Table) Unbind(p *Pair) bool {
	if t.clients[p.Client.ID()] != p {
		return false
	}
	delete(t.clients, p.Client.ID())
	if of := t.servers[p.Server]; of != nil {
		if delete(of, p); len(of) == 0 {
			delete(t.servers, p.Server)
		}
	}
	return true
}

// Find returns the pair of the client with this id, or nil.
func (t *Table) Find(connectionID string) *Pair { return t.clients[connectionID] }

// Len returns the number of pairs.
func (t *Table) Len() int { return len(t.clients) }

// All yields every pair, in no order.
func (t *Table) All(yield func(*Pair) bool) {
	for _, p := range t.clients {
		if !yield(p) {
			return
		}
	}
}

// Of yields the pairs that s serves, in no order.
func (t *Table) Of(s Server) func(yield func(*Pair) bool) {
	return func(yield func(*Pair) bool) {
		for p := range t.servers[s] {
			if !yield(p) {
				return
			}
		}
	}
}
