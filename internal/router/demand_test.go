package router_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/pairing"
	"switchboard/internal/router"
)

func newBusyHub(t *testing.T, limit int) *hub {
	h := router.New(router.Config{Log: slog.New(slog.DiscardHandler), ClientsPerConnection: limit}).Hub("chat")
	return &hub{Hub: h, t: t, clients: map[string]*client{}, pairs: map[string]*pairing.Pair{}}
}

func (h *hub) wantDemand(s *server, want router.Demand) {
	h.t.Helper()
	if got := h.Demand(s, false); got != want {
		h.t.Errorf("Demand(%s) = %d, want %d", s.id, got, want)
	}
}

// The whole life of a server connection on demand.
func TestServerConnectionOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newBusyHub(t, 10)
		add := func(id, app string, onDemand bool) *server {
			s := &server{id: id, serverID: app}
			h.AddServer(s, router.Traits{CarriesClients: true, OnDemand: onDemand})
			return s
		}
		a1, a2, b1 := add("a1", "a", false), add("a2", "a", false), add("b1", "b", false)
		for i := range 30 {
			h.connect(fmt.Sprint(i), "", "json")
		}
		h.wantDemand(a1, router.Enough)
		h.connect("30", "", "json")
		h.connect("31", "", "json")
		h.connect("32", "", "json")
		h.wantDemand(a2, router.Enough) // one asks for all of an app server
		h.wantDemand(a1, router.More)
		h.wantDemand(b1, router.More)
		if !h.Expected("a") || h.Expected("a") || h.Expected("c") {
			t.Error("not one connection of a is expected")
		}
		further := add("a3", "a", true)
		h.wantDemand(a1, router.Enough)
		h.connect("33", "", "json")
		if h.ClientsOf(further) != 1 {
			t.Error("the new server connection has no client")
		}
		for id, p := range h.pairs { // two are left of each
			if h.ClientsOf(p.Server) > 2 {
				h.Disconnect(p, "")
				delete(h.pairs, id)
			}
		}
		h.connect("34", "", "json")
		time.Sleep(59 * time.Second)
		h.wantDemand(further, router.Enough) // the load may come again
		time.Sleep(time.Second)
		h.wantDemand(a1, router.Enough)
		h.wantDemand(further, router.Less)
		if h.RetireIdle(further) {
			t.Error("it is retired under its client")
		}
		for i := range 20 {
			h.connect(fmt.Sprint("more", i), "", "json")
		}
		if h.ClientsOf(further) != 1 && h.ClientsOf(further) != 2 {
			t.Errorf("%d clients of a connection that rests", h.ClientsOf(further))
		}
		for i := range 20 { // it is needed again
			h.connect(fmt.Sprint("many", i), "", "json")
		}
		h.wantDemand(a1, router.Enough)
		before := h.ClientsOf(further)
		h.connect("x", "", "json")
		if h.ClientsOf(further) != before+1 {
			t.Error("it rests although it is needed")
		}
		for _, p := range h.pairs {
			h.Disconnect(p, "")
		}
		time.Sleep(time.Minute)
		h.wantDemand(further, router.Less)
		if !h.RetireIdle(further) {
			t.Error("it is not retired")
		}
		if got := h.Stats(); got.OnDemand != 1 || got.ServersAsked != 2 {
			t.Errorf("%d on demand, asked %d times", got.OnDemand, got.ServersAsked)
		}
		h.RemoveServer(further)
		if got := h.Stats(); got.OnDemand != 0 {
			t.Errorf("%d on demand", got.OnDemand)
		}
	})
}

// What waits asks for more as well, and keeps what came of it.
func TestServerConnectionOnDemandOfBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newBusyHub(t, 10)
		s, second := &server{id: "1", serverID: "a"}, &server{id: "2", serverID: "a"}
		h.AddServer(s, router.Traits{CarriesClients: true})
		if got := h.Demand(s, true); got != router.More {
			t.Errorf("Demand = %d, want More", got)
		}
		h.AddServer(second, router.Traits{CarriesClients: true, OnDemand: true})
		time.Sleep(59 * time.Second)
		h.Demand(s, true)
		time.Sleep(59 * time.Second)
		h.wantDemand(second, router.Enough)
		time.Sleep(time.Second)
		h.wantDemand(second, router.Less)
	})
}

func TestNoDemand(t *testing.T) {
	h := newBusyHub(t, 0)
	s := h.server("s")
	for i := range 10 {
		h.connect(fmt.Sprint(i), "", "json")
	}
	h.wantDemand(s, router.Enough)
	h.RemoveServer(s)
	h.wantDemand(s, router.Enough)
}
