package router_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// audience returns a hub whose clients are two of ann, one of bob, and two
// anonymous ones; group g has a1, b and x, group h has b and y.
func audience(t testing.TB) (*hub, *server) {
	h := newHub(t)
	s := h.server("s")
	h.connect("a1", "ann", "json")
	h.connect("a2", "ann", "json")
	h.connect("b", "bob", "json")
	h.connect("x", "", "json")
	h.connect("y", "", "json")
	for _, member := range []string{"a1 g", "b g", "x g", "b h", "y h"} {
		id, group := member[:len(member)-2], member[len(member)-1:]
		h.send(s, &serviceprotocol.JoinGroup{ConnectionID: id, Group: group})
	}
	return h, s
}

func TestMessageReachesItsAudience(t *testing.T) {
	m := text("m")
	tests := []struct {
		name    string
		message serviceprotocol.Message
		want    []string
	}{
		{"one connection", &serviceprotocol.ConnectionData{ConnectionID: "b", Payload: []byte("m")}, []string{"b"}},
		{"one connection, unknown", &serviceprotocol.ConnectionData{ConnectionID: "?", Payload: []byte("m")}, nil},
		{"connections", &serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"a1", "?", "y"}, Payloads: m}, []string{"a1", "y"}},
		{"a user", &serviceprotocol.UserData{UserID: "ann", Payloads: m}, []string{"a1", "a2"}},
		{"a user, unknown", &serviceprotocol.UserData{UserID: "Ann", Payloads: m}, nil},
		{"the user without a name is nobody", &serviceprotocol.UserData{UserID: "", Payloads: m}, nil},
		{"users", &serviceprotocol.MultiUserData{UserIDs: []string{"ann", "bob", "?"}, Payloads: m}, []string{"a1", "a2", "b"}},
		{"all", &serviceprotocol.BroadcastData{Payloads: m}, []string{"a1", "a2", "b", "x", "y"}},
		{"all but some", &serviceprotocol.BroadcastData{ExcludedConnectionIDs: []string{"a2", "?", "y"}, Payloads: m}, []string{"a1", "b", "x"}},
		{"a group", &serviceprotocol.GroupBroadcastData{Group: "g", Payloads: m}, []string{"a1", "b", "x"}},
		{"a group, unknown", &serviceprotocol.GroupBroadcastData{Group: "G", Payloads: m}, nil},
		{"a group but some", &serviceprotocol.GroupBroadcastData{Group: "g", ExcludedConnectionIDs: []string{"b", "y"}, Payloads: m}, []string{"a1", "x"}},
		{"a group but users", &serviceprotocol.GroupBroadcastData{Group: "g", ExcludedUserIDs: []string{"ann", "bob"}, Payloads: m}, []string{"x"}},
		{"a group but the user without a name excludes nobody", &serviceprotocol.GroupBroadcastData{Group: "g", ExcludedUserIDs: []string{""}, Payloads: m}, []string{"a1", "b", "x"}},
		{"a group but users and some", &serviceprotocol.GroupBroadcastData{Group: "g", ExcludedConnectionIDs: []string{"x"}, ExcludedUserIDs: []string{"ann"}, CallerUserID: "bob", Payloads: m}, []string{"b"}},
		{"groups: once for each membership", &serviceprotocol.MultiGroupBroadcastData{Groups: []string{"g", "?", "h"}, Payloads: m}, []string{"a1", "b", "b", "x", "y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, s := audience(t)
			before := h.Stats().Delivered
			h.send(s, tt.message)
			if got := h.receivers(); !slices.Equal(got, tt.want) {
				t.Errorf("given to %v, want %v", got, tt.want)
			}
			if got := h.Stats().Delivered - before; got != int64(len(tt.want)) {
				t.Errorf("Stats().Delivered grew by %d, want %d", got, len(tt.want))
			}
			if sent := s.take(); len(sent) != 0 {
				t.Errorf("the app server was sent %s, want nothing", describe(sent))
			}
		})
	}
}

// Any server connection of the hub reaches any of its clients, and no other's.
func TestAudienceIsTheHub(t *testing.T) {
	h, _ := audience(t)
	weak := &server{id: "weak"}
	h.AddServer(weak, router.Traits{})
	other := newHub(t)
	other.server("t")
	other.connect("z", "ann", "json")
	h.send(weak, &serviceprotocol.UserData{UserID: "ann", Payloads: text("m")})
	h.send(weak, &serviceprotocol.ConnectionData{ConnectionID: "b", Payload: []byte("m")})
	if got, want := h.receivers(), []string{"a1", "a2", "b"}; !slices.Equal(got, want) {
		t.Errorf("given to %v, want %v", got, want)
	}
	if got := other.receivers(); len(got) != 0 {
		t.Errorf("clients of another hub got it: %v", got)
	}
}

func TestPayloadOfTheClientsProtocol(t *testing.T) {
	h := newHub(t)
	s := h.server("s")
	for id, protocol := range map[string]string{"j": "json", "J": "JSON", "m": "messagepack", "b": "blazorpack"} {
		h.connect(id, "", protocol)
	}
	h.send(s, &serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{
		{Protocol: "Json", Data: []byte("text")}, {Protocol: "messagepack", Data: []byte("binary")},
	}})
	for id, want := range map[string][]string{"j": {"text"}, "J": {"text"}, "m": {"binary"}, "b": nil} {
		if got := h.clients[id].take(); !slices.Equal(got, want) {
			t.Errorf("client %q got %q, want %q", id, got, want)
		}
	}
	if got := h.Stats().Delivered; got != 3 {
		t.Errorf("Stats().Delivered = %d, want 3: one client has no payload", got)
	}
}

// A payload is copied out of the receive buffer once for all clients.
func TestPayloadIsSharedAndNotTheBuffer(t *testing.T) {
	h := newHub(t)
	s := h.server("s")
	for _, id := range []string{"a", "b", "c"} {
		h.connect(id, "ann", "json")
		h.send(s, &serviceprotocol.JoinGroup{ConnectionID: id, Group: "g"})
	}
	payload := bytes.Repeat([]byte("x"), 1000)
	tests := []serviceprotocol.Message{
		&serviceprotocol.BroadcastData{Payloads: text(string(payload))},
		&serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"a", "b", "c"}, Payloads: text(string(payload))},
		&serviceprotocol.UserData{UserID: "ann", Payloads: text(string(payload))},
		&serviceprotocol.MultiUserData{UserIDs: []string{"ann"}, Payloads: text(string(payload))},
		&serviceprotocol.GroupBroadcastData{Group: "g", Payloads: text(string(payload))},
		&serviceprotocol.MultiGroupBroadcastData{Groups: []string{"g"}, Payloads: text(string(payload))},
	}
	for _, m := range tests {
		h.send(s, m) // which overwrites the buffer
		first := h.clients["a"].shared[0].Bytes()
		for id, c := range h.clients {
			if got := c.shared[0].Bytes(); &got[0] != &first[0] {
				t.Errorf("%v: client %s has a copy of its own", m.Type(), id)
			}
		}
		if !bytes.Equal(first, payload) {
			t.Errorf("%v: the payload is part of the receive buffer", m.Type())
		}
		h.receivers()
	}
}

// Names that stay in the hub must outlive the receive buffer, too; h.send
// clears it after each message.
func TestNamesOutliveTheBuffer(t *testing.T) {
	h := newHub(t)
	s := h.server("s")
	h.connect("a", "ann", "json")
	h.send(s,
		&serviceprotocol.JoinGroup{ConnectionID: "a", Group: "joined"},
		&serviceprotocol.UserJoinGroup{UserID: "ann", Group: "recorded"},
		&serviceprotocol.CloseConnectionWithAck{ConnectionID: "a", Reason: "enough", AckID: 1},
	)
	h.connect("b", "ann", "json")
	h.send(s, &serviceprotocol.MultiGroupBroadcastData{Groups: []string{"joined", "recorded"}, Payloads: text("m")})
	if got, want := h.receivers(), []string{"a", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("given to %v, want %v", got, want)
	}
	if got, want := h.clients["a"].closed(), "app_server_error: enough"; got != want {
		t.Errorf("closed with %q, want %q", got, want)
	}
}

// What is for services with more than we have is answered or ignored, and not unknown.
func TestMessagesForOtherServices(t *testing.T) {
	h, s := newHub(t), &server{id: "a"}
	h.AddServer(s, router.Traits{})
	s.take()
	h.send(s, &serviceprotocol.ConnectionFlowControl{ConnectionID: "x", ConnectionType: serviceprotocol.FlowClient, Operation: serviceprotocol.FlowPauseAck})
	h.send(s, &serviceprotocol.AccessKeyRequest{Token: "secret"})
	answers := s.take()
	if len(answers) != 1 || !strings.Contains(answers[0].(*serviceprotocol.AccessKeyResponse).Error, "access keys only") {
		t.Errorf("answers: %+v", answers)
	}
	if got := h.Stats(); got.UnknownMessages != 0 {
		t.Errorf("%d unknown messages", got.UnknownMessages)
	}
}

func TestUnknownMessagesAreCountedAndIgnored(t *testing.T) {
	h := newHub(t)
	s := h.server("s")
	if err := h.FromServer(context.Background(), s, &serviceprotocol.Unknown{Number: 99}); err != nil {
		t.Errorf("FromServer: %v, want nil", err)
	}
	if got := h.Stats(); got.UnknownMessages != 1 || got.ServerMessages != 1 {
		t.Errorf("Stats() = %+v, want 1 unknown of 1 message", got)
	}
}

func BenchmarkBroadcast(b *testing.B) {
	h, s := newHub(b), &sink{}
	h.AddServer(s, router.Traits{CarriesClients: true})
	for range 1000 {
		c := &sink{id: fmt.Sprint(len(h.clients))}
		if _, err := h.Connect(c, &serviceprotocol.OpenConnection{}); err != nil {
			b.Fatal(err)
		}
		h.clients[c.id] = nil
	}
	b.Run("clients=1000/payload=256B", func(b *testing.B) {
		b.ReportAllocs()
		m := &serviceprotocol.BroadcastData{Payloads: text(string(make([]byte, 256)))}
		for b.Loop() {
			if err := h.FromServer(context.Background(), s, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestManyExclusions(t *testing.T) {
	for _, n := range []int{0, 1, 16, 17, 1000} {
		h := newHub(t)
		s := h.server("s")
		var excluded []string
		for i := range n + 1 {
			id := fmt.Sprint("c", i)
			h.connect(id, "", "json")
			if i > 0 {
				excluded = append(excluded, id)
			}
		}
		before := h.Stats().Delivered
		h.Hub.FromServer(t.Context(), s, &serviceprotocol.BroadcastData{ExcludedConnectionIDs: excluded, Payloads: text("m")})
		if got := h.Stats().Delivered - before; got != 1 {
			t.Errorf("with %d exclusions %d clients got the message, want 1", n, got)
		}
	}
}
