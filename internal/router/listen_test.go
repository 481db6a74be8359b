package router_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// newApplication returns the application of ASP.NET SignalR and two of its hubs. Clients get
// what is behind the colon of a payload, and the groups of the hub "mute" are none for them.
func newApplication(t *testing.T) (r *router.Router, app, chat, news *hub) {
	r = router.New(router.Config{
		Log: slog.New(slog.DiscardHandler), NoResults: true,
		Open: func(payload []byte) ([]byte, error) {
			_, text, ok := strings.Cut(string(payload), ":")
			if !ok {
				return nil, errors.New("no colon")
			}
			return []byte(text), nil
		},
		Joins: func(_ pairing.Client, group string) bool { return group != "mute" },
	})
	of := func(name string) *hub {
		return &hub{Hub: r.Hub(name), t: t, clients: map[string]*client{}, pairs: map[string]*pairing.Pair{}}
	}
	return r, of("app_app"), of("app_chat"), of("app_news")
}

// listen has clients of the application listen to a hub.
func listen(r *router.Router, app, hub *hub, ids ...string) (all []router.Listening) {
	for _, id := range ids {
		l, err := r.Listen(hub.Name(), app.clients[id])
		if err != nil {
			hub.t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func TestListeners(t *testing.T) {
	r, app, chat, news := newApplication(t)
	app.server("s")
	for _, id := range []string{"a", "b", "c"} {
		app.connect(id, "user of "+id, "json")
	}
	listening := listen(r, app, chat, "a", "b")
	listen(r, app, news, "b", "c")
	s := &server{id: "of chat", serverID: "app of s"}
	chat.AddServer(s, router.Traits{})

	tests := []struct {
		name string
		on   *hub
		m    serviceprotocol.Message
		want []string
	}{
		{"broadcast to a hub", chat, &serviceprotocol.BroadcastData{Payloads: text("0:x")}, []string{"a", "b"}},
		{"broadcast without some", news, &serviceprotocol.BroadcastData{ExcludedConnectionIDs: []string{"b"}, Payloads: text("0:x")}, []string{"c"}},
		{"broadcast to the application", app, &serviceprotocol.BroadcastData{Payloads: text("0:x")}, []string{"a", "b", "c"}},
		{"user of the hub", chat, &serviceprotocol.UserData{UserID: "user of b", Payloads: text("0:x")}, []string{"b"}},
		{"user that does not listen", chat, &serviceprotocol.UserData{UserID: "user of c", Payloads: text("0:x")}, nil},
		{"connection, by a hub's connection", chat, &serviceprotocol.ConnectionData{ConnectionID: "a", Payload: []byte("0:x")}, []string{"a"}},
		{"payload that is none", chat, &serviceprotocol.BroadcastData{Payloads: text("x")}, nil},
	}
	for _, tt := range tests {
		tt.on.send(s, tt.m)
		var got []string
		for id, c := range app.clients {
			for _, m := range c.take() {
				if m == "x" || m == "0:x" && tt.m.Type() == serviceprotocol.TypeConnectionData {
					got = append(got, id)
				} else if m != "" {
					t.Errorf("%s: %s got %q", tt.name, id, m)
				}
			}
		}
		if slices.Sort(got); !slices.Equal(got, tt.want) {
			t.Errorf("%s: reached %v, want %v", tt.name, got, tt.want)
		}
	}

	if got := chat.Stats(); got.Clients != 0 || got.Listeners != 2 || got.Users != 2 || got.UnopenedPayloads != 1 {
		t.Errorf("Stats of the hub = %+v, want 2 listeners that are users", got)
	}
	if got := app.Stats(); got.Clients != 3 || got.Listeners != 0 {
		t.Errorf("Stats of the application = %+v, want 3 clients", got)
	}
	chat.RemoveServer(s)
	if got := app.clients["a"].closed(); got != "" {
		t.Errorf("a was closed with a connection that only sends: %s", got)
	}
	r.Unlisten(listening[0])
	r.Unlisten(listening[0])
	chat.send(s, &serviceprotocol.BroadcastData{Payloads: text("0:x")})
	if got := chat.Stats(); got.Listeners != 1 || got.Users != 1 || len(app.clients["a"].take()) != 0 {
		t.Errorf("Stats after one has gone = %+v, want 1", got)
	}
	if _, err := r.Listen("app_chat", app.clients["b"]); !errors.Is(err, pairing.ErrDuplicate) {
		t.Errorf("Listen twice = %v, want %v", err, pairing.ErrDuplicate)
	}
}

// A group that is none for a client takes it in, as far as the app server sees.
func TestGroupsThatAClientCannotHave(t *testing.T) {
	_, app, _, _ := newApplication(t)
	s := app.server("s")
	app.connect("a", "ann", "json")
	for i, group := range []string{"loud", "mute"} {
		app.send(s, &serviceprotocol.JoinGroupWithAck{ConnectionID: "a", Group: group, AckID: i + 1})
		if got := app.ack(s, i+1); got != serviceprotocol.AckOK {
			t.Errorf("join %s: %v, want OK", group, got)
		}
		app.send(s, &serviceprotocol.UserJoinGroup{UserID: "ann", Group: group})
		app.send(s, &serviceprotocol.GroupBroadcastData{Group: group, Payloads: text("0:x")})
	}
	if got := app.clients["a"].take(); !slices.Equal(got, []string{"x"}) {
		t.Errorf("a got %q, want what was sent to the loud group", got)
	}
}

func TestClientsThatGiveNoResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, app, chat, _ := newApplication(t)
		s := app.server("s")
		app.connect("a", "", "json")
		listen(r, app, chat, "a")
		for _, on := range []*hub{app, chat} {
			on.send(s, &serviceprotocol.ClientInvocation{InvocationID: "i", ConnectionID: "a", CallerServerID: s.serverID, Payloads: text("0:x")})
			time.Sleep(time.Second)
			const want = "Clients of ASP.NET SignalR give no results."
			if sent := s.take(); len(sent) != 1 || sent[0].(*serviceprotocol.ErrorCompletion).Error != want {
				t.Errorf("the app server was sent %s, want one error: %s", describe(sent), want)
			}
		}
	})
}

// Clients cannot fill the memory with hubs that there are not.
func TestHubsThatOnlyListenersKnow(t *testing.T) {
	r, app, _, _ := newApplication(t)
	app.server("s")
	app.connect("a", "", "json")
	app.connect("b", "", "json")
	names := func() (names []string) {
		for _, h := range r.Hubs() {
			names = append(names, h.Name())
		}
		slices.Sort(names)
		return names
	}
	before := names()
	first, err := r.Listen("app_none", app.clients["a"])
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Listen("app_none", app.clients["b"])
	if err != nil {
		t.Fatal(err)
	}
	r.Unlisten(first)
	if got := names(); len(got) != len(before)+1 {
		t.Errorf("with a listener there is %v", got)
	}
	r.Unlisten(second)
	if got := names(); !slices.Equal(got, before) {
		t.Errorf("without a listener there is %v, want %v", got, before)
	}
	first, err = r.Listen("app_none", app.clients["a"])
	if err != nil {
		t.Fatal(err)
	}
	h := r.Hub("app_none") // an app server comes
	r.Unlisten(first)
	if r.Hub("app_none") != h {
		t.Error("the hub of an app server has gone")
	}
}
