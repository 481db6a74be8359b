package clientconn_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"switchboard/hubprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	jsonRequest = `{"protocol":"json","version":1}` + "\x1e"
	packRequest = `{"protocol":"messagepack","version":1}` + "\x1e"
	rawRequest  = `{"protocol":"telepathy","version":1}` + "\x1e"
	accepted    = "{}\x1e"
	ping        = `{"type":6}` + "\x1e"
)

// packed returns a hub message in MessagePack.
func packed(m hubprotocol.Message) string {
	b, err := hubprotocol.MessagePack.Append(nil, m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// An app is the server connection of the app server. It keeps what it is sent.
type app struct {
	id string // server id; default: app

	mu      sync.Mutex
	broken  bool
	full    bool // Congested
	waiting []pairing.Resumer
	sent    []serviceprotocol.Message
}

var _ pairing.Server = (*app)(nil)

func (a *app) ID() string       { return "cid" }
func (a *app) ServerID() string { return cmp.Or(a.id, "app") }

func (a *app) Send(_ context.Context, m serviceprotocol.Message) error { return a.Post(m) }

func (a *app) Post(m serviceprotocol.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken {
		return errors.New("server connection ended")
	}
	clone, err := serviceprotocol.Parse(m.Append(nil))
	a.sent = append(a.sent, clone)
	return err
}

func (a *app) Congested(r pairing.Resumer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full {
		a.waiting = append(a.waiting, r)
	}
	return a.full
}

func (a *app) set(broken, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken, a.full = broken, full
}

// take returns and forgets what was sent, as text: "open protocol" for an
// OpenConnection, the payload of a ConnectionData, "closed error" for a
// CloseConnection.
func (a *app) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, m := range a.sent {
		switch m := m.(type) {
		case *serviceprotocol.OpenConnection:
			text := "open " + m.Protocol
			if from := m.Headers.Get("Asrs-Migrate-From"); from != "" {
				text += " from " + from
			}
			all = append(all, text)
		case *serviceprotocol.ConnectionData:
			all = append(all, string(m.Payload))
		case *serviceprotocol.CloseConnection:
			text := "closed " + m.Error
			if to := m.Headers.Get("Asrs-Migrate-To"); to != "" {
				text += "to " + to
			}
			all = append(all, text)
		default:
			all = append(all, m.Type().String())
		}
	}
	a.sent = nil
	return all
}

// A link is a client connection between its transport, which the test plays,
// and its app server.
type link struct {
	*clientconn.Conn
	t   testing.TB
	hub *router.Hub
	app *app
	*transport
}

// A transport is what the test plays. It counts what the connection tells it.
type transport struct {
	wakes   chan struct{} // capacity 1: woken
	aborted chan struct{} // closed by Abort
	once    sync.Once
}

func newTransport() *transport {
	return &transport{wakes: make(chan struct{}, 1), aborted: make(chan struct{})}
}

func (t *transport) Wake() {
	select {
	case t.wakes <- struct{}{}:
	default:
	}
}

func (t *transport) Abort() { t.once.Do(func() { close(t.aborted) }) }

func (t *transport) isAborted() bool {
	select {
	case <-t.aborted:
		return true
	default:
		return false
	}
}

// open returns a new client connection of a hub that has an app server. It
// ends with the test.
func open(t testing.TB, l clientconn.Limits, change ...func(*clientconn.Origin)) *link {
	t.Helper()
	hub := router.New(router.Config{Log: slog.New(slog.DiscardHandler)}).Hub("chat")
	a := &app{}
	hub.AddServer(a, router.Traits{CarriesClients: true})
	return openOn(t, hub, a, l, change...)
}

func openOn(t testing.TB, hub *router.Hub, a *app, l clientconn.Limits, change ...func(*clientconn.Origin)) *link {
	origin := clientconn.Origin{ID: "c"}
	for _, f := range change {
		f(&origin)
	}
	transport := newTransport()
	c := clientconn.New(hub, origin, env(l), transport)
	t.Cleanup(func() { c.Finish(pairing.TransportLost, func() {}) })
	return &link{Conn: c, t: t, hub: hub, app: a, transport: transport}
}

func env(l clientconn.Limits) *clientconn.Env {
	return &clientconn.Env{Limits: l.WithDefaults(), Log: slog.New(slog.DiscardHandler)}
}

// Abort is that of the transport.
func (c *link) Abort() { c.transport.Abort() }

// Multicast queues a message as the router does.
func (c *link) Multicast(message []byte) {
	shared := pairing.NewShared(message)
	defer shared.Release()
	c.Conn.Multicast(shared)
}

// opened returns a client connection whose handshake is complete.
func opened(t testing.TB, request string, l clientconn.Limits, change ...func(*clientconn.Origin)) *link {
	t.Helper()
	c := open(t, l, change...)
	c.receive(request)
	c.Deliver([]byte(accepted))
	if got := c.next(); got != accepted {
		t.Fatalf("the client got %q, want %q", got, accepted)
	}
	c.app.take()
	return c
}

func detailed(o *clientconn.Origin) { o.DetailedErrors = true }

// receive takes pieces from the client, each in a buffer that is used again.
func (c *link) receive(pieces ...string) {
	c.t.Helper()
	for _, piece := range pieces {
		buffer := []byte(piece)
		if err := c.Receive(buffer); err != nil {
			c.t.Fatalf("Receive(%q): %v", piece, err)
		}
		clear(buffer)
	}
}

// deliver takes pieces from the app server, each in a buffer that is used again.
func (c *link) deliver(pieces ...string) {
	for _, piece := range pieces {
		buffer := []byte(piece)
		c.Deliver(buffer)
		clear(buffer)
	}
}

// next returns all that waits for the client, with "EOF" behind the last message.
func (c *link) next() string {
	c.t.Helper()
	all, end := c.messages()
	if end {
		all = append(all, "EOF")
	}
	return strings.Join(all, "")
}

func (c *link) messages() (all []string, end bool) {
	c.t.Helper()
	for {
		out := c.Take(nil, 1)
		for _, message := range out.Messages {
			all = append(all, string(message.Bytes()))
			message.Release()
		}
		if len(out.Messages) == 0 {
			return all, out.Ended
		}
	}
}
