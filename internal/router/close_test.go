package router_test

import (
	"maps"
	"slices"
	"testing"

	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

func TestWhoIsClosed(t *testing.T) {
	tests := []struct {
		name    string
		message serviceprotocol.Message
		want    map[string]string // connection id to reason
	}{
		{"one", &serviceprotocol.CloseConnection{ConnectionID: "x"}, map[string]string{"x": "closed_by_app_server"}},
		{"one, with an error", &serviceprotocol.CloseConnection{ConnectionID: "x", Error: "oops"}, map[string]string{"x": "app_server_error: oops"}},
		{"one, unknown", &serviceprotocol.CloseConnection{ConnectionID: "?"}, map[string]string{}},
		{"one, with an ack", &serviceprotocol.CloseConnectionWithAck{ConnectionID: "x", Reason: "bye"}, map[string]string{"x": "app_server_error: bye"}},
		{"all but some", &serviceprotocol.CloseConnectionsWithAck{ExcludedConnectionIDs: []string{"a1", "b", "y"}}, map[string]string{
			"a2": "closed_by_app_server", "x": "closed_by_app_server"}},
		{"a user's", &serviceprotocol.CloseUserConnectionsWithAck{UserID: "ann", Reason: "bye"}, map[string]string{
			"a1": "app_server_error: bye", "a2": "app_server_error: bye"}},
		{"a user's but some", &serviceprotocol.CloseUserConnectionsWithAck{UserID: "ann", ExcludedConnectionIDs: []string{"a2"}}, map[string]string{
			"a1": "closed_by_app_server"}},
		{"a group's", &serviceprotocol.CloseGroupConnectionsWithAck{Group: "h"}, map[string]string{
			"b": "closed_by_app_server", "y": "closed_by_app_server"}},
		{"a group's but some", &serviceprotocol.CloseGroupConnectionsWithAck{Group: "g", Reason: "bye", ExcludedConnectionIDs: []string{"b", "x"}}, map[string]string{
			"a1": "app_server_error: bye"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, s := audience(t)
			h.send(s, tt.message)
			got := map[string]string{}
			for id, c := range h.clients {
				if why := c.closed(); why != "" {
					got[id] = why
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("closed %v, want %v", got, tt.want)
			}
		})
	}
}

// The app server that closes its client knows, and another one's is told.
func TestWhoIsToldOfAClose(t *testing.T) {
	tests := []struct {
		name string
		own  bool // CloseConnection comes over the server connection of the client
		told []string
	}{{"closed by its own server connection", true, nil}, {"closed by another", false, []string{"c"}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHub(t)
			paired := h.server("paired")
			c := h.connect("c", "", "json")
			closing := paired
			if !tt.own {
				closing = &server{id: "weak"}
				h.AddServer(closing, router.Traits{})
			}
			h.send(closing, &serviceprotocol.CloseConnection{ConnectionID: "c", Error: "enough"})
			if got, want := c.closed(), "app_server_error: enough"; got != want {
				t.Errorf("closed %q, want %q", got, want)
			}
			h.Disconnect(h.pairs["c"], "text") // as its transport does when it has ended
			var told []string
			for _, m := range paired.take() {
				told = append(told, m.(*serviceprotocol.CloseConnection).ConnectionID)
			}
			if !slices.Equal(told, tt.told) {
				t.Errorf("the server connection of the client was told of %v, want %v", told, tt.told)
			}
			if got := closing.take(); len(got) != 0 {
				t.Errorf("the closing server connection was sent %s", describe(got))
			}
		})
	}
}

// From the app server's CloseConnection on, nothing reaches the client.
func TestClosedByItsAppServerIsGone(t *testing.T) {
	h, s := audience(t)
	h.send(s,
		&serviceprotocol.CloseConnection{ConnectionID: "b"},
		&serviceprotocol.ConnectionData{ConnectionID: "b", Payload: []byte("m")},
		&serviceprotocol.BroadcastData{Payloads: text("m")},
		&serviceprotocol.CloseConnection{ConnectionID: "b", Error: "again"},
	)
	if got, want := h.receivers(), []string{"a1", "a2", "x", "y"}; !slices.Equal(got, want) {
		t.Errorf("given to %v, want %v", got, want)
	}
	if got := h.clients["b"].closed(); got != "closed_by_app_server" {
		t.Errorf("closed %q, want closed_by_app_server", got)
	}
}

// A client that the service closes is known until its transport has ended, and
// its app server is told then.
func TestClosedByTheService(t *testing.T) {
	h, s := audience(t)
	h.CloseClient("b", pairing.ServiceShutdown, "soon back")
	h.CloseClient("?", pairing.ServiceShutdown, "")
	for id, c := range h.clients {
		want := ""
		if id == "b" {
			want = "service_shutdown: soon back"
		}
		if got := c.closed(); got != want {
			t.Errorf("client %s: closed %q, want %q", id, got, want)
		}
	}
	h.Disconnect(h.pairs["b"], "text")
	want := describe([]serviceprotocol.Message{&serviceprotocol.CloseConnection{ConnectionID: "b", Error: "text"}})
	if got := describe(s.take()); got != want {
		t.Errorf("the app server was sent %s, want %s", got, want)
	}
}
