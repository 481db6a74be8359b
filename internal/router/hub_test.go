package router_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A sink is a server connection or a client that keeps nothing.
type sink struct{ id string }

func (s *sink) ID() string                                          { return s.id }
func (s *sink) ServerID() string                                    { return "" }
func (s *sink) UserID() string                                      { return "ann" }
func (s *sink) Protocol() string                                    { return "json" }
func (s *sink) Send(context.Context, serviceprotocol.Message) error { return nil }
func (s *sink) Post(serviceprotocol.Message) error                  { return nil }
func (s *sink) Congested(pairing.Resumer) bool                      { return false }
func (s *sink) Deliver([]byte)                                      {}
func (s *sink) Late([]byte)                                         {}
func (s *sink) Move(pairing.Server)                                 {}
func (s *sink) HandedOver() bool                                    { return false }
func (s *sink) ServerLost(pairing.Server) bool                      { return false }
func (s *sink) Multicast(*pairing.Shared)                           {}
func (s *sink) Close(*pairing.Reason, string)                       {}

func TestHubsAreMadeOnce(t *testing.T) {
	r := router.New(router.Config{Log: slog.New(slog.DiscardHandler)})
	chat := r.Hub("chat")
	if r.Hub("chat") != chat || r.Hub("other") == chat || chat.Name() != "chat" {
		t.Error("a name does not lead to one hub")
	}
	if got := len(r.Hubs()); got != 2 {
		t.Errorf("%d hubs, want 2", got)
	}
}

func TestConnectAnnouncesTheClient(t *testing.T) {
	h := newHub(t)
	s := h.server("s")
	open := &serviceprotocol.OpenConnection{ConnectionID: "c", Protocol: "json", QueryString: "?a=b", Claims: []serviceprotocol.Claim{{Type: "t", Value: "v"}}}
	p, err := h.Connect(&client{id: "c"}, open)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(s.take()), describe([]serviceprotocol.Message{open}); got != want {
		t.Errorf("the app server was sent %s, want %s", got, want)
	}
	if p.Server != pairing.Server(s) || p.Client.ID() != "c" {
		t.Errorf("pair %+v, want c with s", p)
	}
	if got := h.Stats(); got.Clients != 1 || got.ClientsOpened != 1 {
		t.Errorf("Stats() = %+v, want one client", got)
	}
}

func TestConnectFails(t *testing.T) {
	tests := []struct {
		name string
		hub  func(h *hub)
		want error
	}{
		{"no server connection", func(*hub) {}, router.ErrNoServer},
		{"only one that carries no clients", func(h *hub) { h.AddServer(&server{id: "weak"}, router.Traits{}) }, router.ErrNoServer},
		{"only a retired one", func(h *hub) { h.RetireServer(h.server("s")) }, router.ErrNoServer},
		{"only one that ended", func(h *hub) { h.RemoveServer(h.server("s")) }, router.ErrNoServer},
		{"it ends in that moment", func(h *hub) { h.server("s").broken = true }, errGone},
		{"the id is in use", func(h *hub) { h.server("s"); h.connect("c", "", "json") }, pairing.ErrDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHub(t)
			tt.hub(h)
			before := h.Stats()
			p, err := h.Connect(&client{id: "c", user: "ann"}, &serviceprotocol.OpenConnection{ConnectionID: "c"})
			if p != nil || !errors.Is(err, tt.want) {
				t.Errorf("Connect = %v, %v; want nil, %v", p, err, tt.want)
			}
			if after := h.Stats(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("Stats() = %+v, want %+v as before", after, before)
			}
		})
	}
}

func TestClientsSpreadOverServerConnections(t *testing.T) {
	h := newHub(t)
	servers := []*server{h.server("s1"), h.server("s2"), h.server("s3")}
	h.RetireServer(servers[2])
	for i := range 10 {
		h.connect(fmt.Sprint(i), "", "json")
	}
	clients := map[pairing.Server]int{}
	for _, p := range h.pairs {
		clients[p.Server]++
	}
	for i, want := range []int{5, 5, 0} {
		if got := clients[servers[i]]; got != want {
			t.Errorf("%s has %d clients, want %d", servers[i].id, got, want)
		}
	}
}

func TestStandInServesWhoFindsNoServerConnection(t *testing.T) {
	standIn := &server{id: "stand-in"}
	h := &hub{Hub: router.New(router.Config{Log: slog.New(slog.DiscardHandler), StandIn: func(*router.Hub) pairing.Server { return standIn }}).Hub("chat"), t: t,
		clients: map[string]*client{}, pairs: map[string]*pairing.Pair{}}
	h.connect("a", "", "json")
	s := h.server("s")
	h.connect("b", "", "json")
	if h.pairs["a"].Server != pairing.Server(standIn) || h.pairs["b"].Server != pairing.Server(s) {
		t.Error("the stand-in does not serve just the client that found no server connection")
	}
	h.RemoveServer(s)
	if got := h.clients["a"].closed() + h.clients["b"].closed(); got != "server_connection_lost" {
		t.Errorf("closed %q, want only the client of the server connection that ended", got)
	}
	h.Disconnect(h.pairs["a"], "gone")
	if got := standIn.take(); len(got) != 1 || got[0].Type() != serviceprotocol.TypeCloseConnection {
		t.Errorf("the stand-in was sent %s, want CloseConnection", describe(got))
	}
}

func TestDisconnectTellsTheAppServerOnce(t *testing.T) {
	h := newHub(t)
	s, other := h.server("s"), h.server("other")
	h.connect("a", "", "json")
	h.connect("b", "", "json")
	paired := h.pairs["a"].Server.(*server)
	h.Disconnect(h.pairs["a"], "it left")
	h.Disconnect(h.pairs["a"], "it left")
	want := describe([]serviceprotocol.Message{&serviceprotocol.CloseConnection{ConnectionID: "a", Error: "it left"}})
	if got := describe(paired.take()); got != want {
		t.Errorf("the app server was sent %s, want %s", got, want)
	}
	if got := describe(append(s.take(), other.take()...)); got != "" {
		t.Errorf("another server connection was sent %s", got)
	}
	for _, id := range []string{"c", "d", "e"} { // the balancer knows that it is gone, and how often
		h.connect(id, "", "json")
	}
	if h.pairs["c"].Server != pairing.Server(paired) || h.pairs["d"].Server == h.pairs["e"].Server {
		t.Error("the clients that follow do not even out the one that left")
	}
}

func TestLostServerConnectionClosesExactlyItsClients(t *testing.T) {
	h := newHub(t)
	lost, stays := h.server("lost"), h.server("stays")
	for i := range 10 {
		h.connect(fmt.Sprint(i), "ann", "json")
	}
	if got := h.RemoveServer(lost); got != 5 {
		t.Errorf("RemoveServer = %d, want 5", got)
	}
	var open []string
	for id, c := range h.clients {
		want := ""
		if h.pairs[id].Server == pairing.Server(lost) {
			want = "server_connection_lost"
		} else {
			open = append(open, id)
		}
		if got := c.closed(); got != want {
			t.Errorf("client %s: closed %q, want %q", id, got, want)
		}
		h.Disconnect(h.pairs[id], "") // as its transport does when it has ended
	}
	if got := lost.take(); len(got) != 0 {
		t.Errorf("the lost server connection was sent %s", describe(got))
	}
	if got := len(stays.take()); got != len(open) || got != 5 {
		t.Errorf("%d clients were left to the other server connection, want 5", got)
	}
}

func TestServersAreCounted(t *testing.T) {
	h := newHub(t)
	a1, a2, b := &server{id: "1", serverID: "a"}, &server{id: "2", serverID: "a"}, &server{id: "3", serverID: "b"}
	for _, s := range []*server{b, a1, a2} {
		h.AddServer(s, router.Traits{CarriesClients: s != b})
	}
	check := func(conns int, ids ...string) {
		t.Helper()
		if got := h.Stats(); got.ServerConnections != conns || !slices.Equal(got.Servers, ids) {
			t.Errorf("Stats() = %+v, want %d server connections of %v", got, conns, ids)
		}
	}
	check(3, "a", "b")
	h.RemoveServer(a1)
	check(2, "a", "b")
	h.RemoveServer(a2)
	check(1, "b")
	h.RemoveServer(b)
	check(0)
}

// The hub is used by all connections at once: the race detector looks on, and
// in the end nothing is left over.
func TestHubIsUsedByManyAtOnce(t *testing.T) {
	h := newHub(t)
	h.server("stays")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 200 {
				c := &client{id: fmt.Sprint(i, "-", n), user: fmt.Sprint("user ", n%3), protocol: "json"}
				p, err := h.Connect(c, &serviceprotocol.OpenConnection{ConnectionID: c.id})
				if err != nil {
					t.Errorf("Connect: %v", err)
					continue
				}
				h.Disconnect(p, "")
			}
		})
		all.Go(func() {
			s := &server{id: fmt.Sprint(i), serverID: fmt.Sprint(i)}
			for n := range 100 {
				h.AddServer(s, router.Traits{CarriesClients: true})
				h.Hub.FromServer(t.Context(), s, &serviceprotocol.UserJoinGroup{UserID: fmt.Sprint("user ", n%3), Group: "g"})
				h.Hub.FromServer(t.Context(), s, &serviceprotocol.BroadcastData{Payloads: text("m")})
				h.Hub.FromServer(t.Context(), s, &serviceprotocol.CloseUserConnectionsWithAck{UserID: "user 1", AckID: n})
				h.RemoveServer(s)
			}
		})
	}
	all.Wait()
	if got := h.Stats(); got.Clients != 0 || got.Users != 0 || got.Groups != 0 || got.ServerConnections != 1 {
		t.Errorf("Stats() = %+v, want one server connection and nothing else", got)
	}
}

func TestClosedClientsAreCountedByReason(t *testing.T) {
	h := newHub(t)
	for _, reason := range pairing.Reasons {
		h.CountClosed(reason)
	}
	h.CountClosed(pairing.SlowClient)
	counts := h.Stats().ClientsClosed
	for i, reason := range pairing.Reasons {
		want := router.CloseCount{Reason: reason.Code, Category: reason.Category, Count: 1}
		if reason == pairing.SlowClient {
			want.Count = 2
		}
		if counts[i] != want {
			t.Errorf("ClientsClosed[%d] = %+v, want %+v", i, counts[i], want)
		}
	}
}

// A client says in its token which app server it wants.
func TestSticky(t *testing.T) {
	tests := []struct {
		server, mode string
		retire       bool
		want         string // server connection
		err          error
	}{
		{"", "", false, "a2", nil}, // the one with the fewest clients
		{"a", "Preferred", false, "a2", nil},
		{"b", "Preferred", false, "b1", nil},
		{"b", "Required", false, "b1", nil},
		{"b", "", false, "b1", nil},
		{"c", "Preferred", false, "a2", nil},
		{"c", "Required", false, "", router.ErrServerAway},
		{"b", "Preferred", true, "a2", nil}, // it takes no new clients
		{"b", "Required", true, "", router.ErrServerAway},
		{"weak", "Required", false, "", router.ErrServerAway},
	}
	for _, tt := range tests {
		h := newHub(t)
		a1, a2, b1 := &server{id: "a1", serverID: "a"}, &server{id: "a2", serverID: "a"}, &server{id: "b1", serverID: "b"}
		for i, s := range []*server{b1, a1, a2} { // each gets a client, and b1 two more
			h.AddServer(s, router.Traits{CarriesClients: true})
			for n := range 3 - 2*min(i, 1) {
				h.connect(fmt.Sprint(s.id, n), "", "json")
			}
		}
		h.AddServer(&server{id: "weak1", serverID: "weak"}, router.Traits{})
		h.Disconnect(h.pairs["a20"], "")
		if tt.retire {
			h.RetireServer(b1)
		}
		claims := []serviceprotocol.Claim{{Type: "asrs.s.uid", Value: "ann"}, {Type: "asrs.s.sn", Value: tt.server}, {Type: "asrs.s.ssticky", Value: tt.mode}}
		p, err := h.Connect(&client{id: "x"}, &serviceprotocol.OpenConnection{ConnectionID: "x", Claims: claims})
		if tt.err != nil {
			if !errors.Is(err, tt.err) || !errors.Is(err, router.ErrNoServer) {
				t.Errorf("%+v: %v, want %v", tt, err, tt.err)
			}
			continue
		}
		if err != nil || p.Server.ID() != tt.want {
			t.Errorf("%+v: %+v, %v", tt, p, err)
		}
	}
}

// A client that has gone over while its former server connection ended is not closed with that.
func TestRemoveServerLeavesThoseThatHaveGone(t *testing.T) {
	h := newHub(t)
	first := h.server("first")
	c := h.connect("c", "", "json")
	h.server("second")
	c.onLost = func() {
		to, err := h.BeginMove(h.pairs["c"], router.Traits{}, true)
		if err == nil {
			_, err = h.EndMove(h.pairs["c"], to, &serviceprotocol.OpenConnection{ConnectionID: "c"})
		}
		if err != nil {
			t.Error(err)
		}
	}
	if lost := h.RemoveServer(first); lost != 0 || c.closed() != "" {
		t.Errorf("%d clients are lost, and c is closed: %q", lost, c.closed())
	}
	if got := h.Stats(); got.Clients != 1 {
		t.Errorf("%d clients are there, want 1", got.Clients)
	}
}
