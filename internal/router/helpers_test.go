package router_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

var errGone = errors.New("server connection ended")

// A server is a server connection that keeps what is sent to the app server.
type server struct {
	id, serverID string
	broken       bool

	mu   sync.Mutex
	sent []serviceprotocol.Message
}

var _ pairing.Server = (*server)(nil)

func (s *server) ID() string       { return s.id }
func (s *server) ServerID() string { return s.serverID }

func (s *server) Send(ctx context.Context, m serviceprotocol.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errGone
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	clone, err := serviceprotocol.Parse(m.Append(nil)) // m may change after Send
	s.sent = append(s.sent, clone)
	return err
}

func (s *server) Post(m serviceprotocol.Message) error { return s.Send(context.Background(), m) }
func (s *server) Congested(pairing.Resumer) bool       { return false }

// take returns and forgets what was sent.
func (s *server) take() []serviceprotocol.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// A client is a client connection that keeps what it is given.
type client struct {
	id, user, protocol string
	leaving            bool // its server connection
	onLost             func()
	moves              atomic.Int64

	mu        sync.Mutex
	delivered []string
	shared    []*pairing.Shared // kept, so that their bytes stay
	reason    *pairing.Reason
	detail    string
}

var _ pairing.Client = (*client)(nil)

func (c *client) ID() string       { return c.id }
func (c *client) UserID() string   { return c.user }
func (c *client) Protocol() string { return c.protocol }

func (c *client) Deliver(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delivered = append(c.delivered, string(payload))
}

func (c *client) Late(payload []byte) { c.Deliver(payload) }

func (c *client) Move(pairing.Server) { c.moves.Add(1) }
func (c *client) HandedOver() bool    { return c.leaving }
func (c *client) ServerLost(pairing.Server) bool {
	if c.onLost != nil {
		c.onLost()
	}
	return c.leaving
}

func (c *client) Multicast(message *pairing.Shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	message.Retain()
	c.shared = append(c.shared, message)
}

func (c *client) Close(reason *pairing.Reason, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == nil {
		c.reason, c.detail = reason, detail
	}
}

// take returns and forgets what the client was given.
func (c *client) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.delivered
	for _, message := range c.shared {
		all = append(all, string(message.Bytes()))
		message.Release()
	}
	c.delivered, c.shared = nil, nil
	return all
}

// closed tells why the client was closed: "code" or "code: detail", or "".
func (c *client) closed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.reason == nil:
		return ""
	case c.detail == "":
		return c.reason.Code
	}
	return c.reason.Code + ": " + c.detail
}

// A hub with its server connections and clients.
type hub struct {
	*router.Hub
	t       testing.TB
	clients map[string]*client
	pairs   map[string]*pairing.Pair
}

func newHub(t testing.TB) *hub {
	h := router.New(router.Config{Log: slog.New(slog.DiscardHandler), InstanceID: "here"}).Hub("chat")
	return &hub{Hub: h, t: t, clients: map[string]*client{}, pairs: map[string]*pairing.Pair{}}
}

// server adds a server connection of its own app server that carries clients.
func (h *hub) server(id string) *server {
	s := &server{id: id, serverID: "app of " + id}
	h.AddServer(s, router.Traits{CarriesClients: true})
	return s
}

// connect opens a client connection. Its announcement to the app server is the
// business of other tests and forgotten.
func (h *hub) connect(id, user, protocol string) *client {
	h.t.Helper()
	c := &client{id: id, user: user, protocol: protocol}
	p, err := h.Connect(c, &serviceprotocol.OpenConnection{ConnectionID: id})
	if err != nil {
		h.t.Fatal(err)
	}
	h.clients[id], h.pairs[id] = c, p
	if s, ok := p.Server.(*server); ok {
		s.take()
	}
	return c
}

// send carries out messages of an app server, as they come off the wire.
func (h *hub) send(s pairing.Server, messages ...serviceprotocol.Message) {
	h.t.Helper()
	var p serviceprotocol.Parser
	for _, m := range messages {
		body := m.Append(nil)
		parsed, err := p.Parse(body)
		if err != nil {
			h.t.Fatal(err)
		}
		if err := h.FromServer(context.Background(), s, parsed); err != nil {
			h.t.Fatal(err)
		}
		clear(body) // the receive buffer is used again
	}
}

// receivers returns who was given something, once for each time, sorted.
func (h *hub) receivers() []string {
	var ids []string
	for id, c := range h.clients {
		for range c.take() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// ack returns the status of the one ack that s was sent, for this request.
func (h *hub) ack(s *server, id int) serviceprotocol.AckStatus {
	h.t.Helper()
	sent := s.take()
	if len(sent) != 1 {
		h.t.Fatalf("sent %s, want one ack", describe(sent))
	}
	ack, ok := sent[0].(*serviceprotocol.Ack)
	if !ok || ack.AckID != id {
		h.t.Fatalf("sent %s, want the ack for %d", describe(sent), id)
	}
	return ack.Status
}

func describe(messages []serviceprotocol.Message) string {
	text := ""
	for _, m := range messages {
		text += fmt.Sprintf("%v%+v ", m.Type(), m)
	}
	return text
}

func text(payload string) serviceprotocol.Payloads {
	return serviceprotocol.Payloads{{Protocol: "json", Data: []byte(payload)}}
}
