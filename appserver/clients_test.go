package appserver_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

// sendHub sends from within a call.
type sendHub struct {
	to     func(appserver.CallerClients) appserver.ClientProxy
	target string // default: say
	errs   chan error
}

func (h *sendHub) Go(ctx *appserver.Context) {
	h.errs <- h.to(ctx.Clients()).Send(ctx, cmp.Or(h.target, "say"), "hi", 1)
}

func TestTargets(t *testing.T) {
	say := calling("say", "hi", 1)
	tests := []struct {
		name string
		to   func(appserver.CallerClients) appserver.ClientProxy
		want serviceprotocol.Message
	}{
		{"All", func(c appserver.CallerClients) appserver.ClientProxy { return c.All() },
			&serviceprotocol.BroadcastData{Payloads: say}},
		{"AllExcept", func(c appserver.CallerClients) appserver.ClientProxy { return c.AllExcept("a", "b") },
			&serviceprotocol.BroadcastData{ExcludedConnectionIDs: []string{"a", "b"}, Payloads: say}},
		{"Others", func(c appserver.CallerClients) appserver.ClientProxy { return c.Others() },
			&serviceprotocol.BroadcastData{ExcludedConnectionIDs: []string{"c1"}, Payloads: say}},
		{"Caller", func(c appserver.CallerClients) appserver.ClientProxy { return c.Caller() },
			&serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"c1"}, Payloads: say[:1]}},
		{"Client of this app server", func(c appserver.CallerClients) appserver.ClientProxy { return c.Client("c2") },
			&serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"c2"}, Payloads: say[:1]}},
		{"Client of another", func(c appserver.CallerClients) appserver.ClientProxy { return c.Client("far") },
			&serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"far"}, Payloads: say}},
		{"Clients", func(c appserver.CallerClients) appserver.ClientProxy { return c.Clients("c1", "far") },
			&serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"c1", "far"}, Payloads: say}},
		{"Group", func(c appserver.CallerClients) appserver.ClientProxy { return c.Group("g") },
			&serviceprotocol.GroupBroadcastData{Group: "g", Payloads: say}},
		{"GroupExcept", func(c appserver.CallerClients) appserver.ClientProxy { return c.GroupExcept("g", "a") },
			&serviceprotocol.GroupBroadcastData{Group: "g", ExcludedConnectionIDs: []string{"a"}, Payloads: say}},
		{"OthersInGroup", func(c appserver.CallerClients) appserver.ClientProxy { return c.OthersInGroup("g") },
			&serviceprotocol.GroupBroadcastData{Group: "g", ExcludedConnectionIDs: []string{"c1"}, Payloads: say}},
		{"Groups", func(c appserver.CallerClients) appserver.ClientProxy { return c.Groups("g", "h") },
			&serviceprotocol.MultiGroupBroadcastData{Groups: []string{"g", "h"}, Payloads: say}},
		{"User", func(c appserver.CallerClients) appserver.ClientProxy { return c.User("u") },
			&serviceprotocol.UserData{UserID: "u", Payloads: say}},
		{"Users", func(c appserver.CallerClients) appserver.ClientProxy { return c.Users("u", "v") },
			&serviceprotocol.MultiUserData{UserIDs: []string{"u", "v"}, Payloads: say}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := &sendHub{to: tt.to, errs: make(chan error, 1)}
				a := start(t, h)
				c := a.conn.connect(t, "c1")
				a.conn.connect(t, "c2")
				c.send(t, `{"type":1,"target":"Go","arguments":[]}`)
				a.conn.want(t, tt.want)
				if err := receive(t, h.errs, "result of Send"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSendOutsideOfCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		if err := a.hub.Clients().User("u").Send(t.Context(), "say"); err != nil {
			t.Fatal(err)
		}
		a.conn.want(t, &serviceprotocol.UserData{UserID: "u", Payloads: calling("say")})
	})
}

func TestSendToNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		for name, to := range map[string]appserver.ClientProxy{
			"Clients": a.hub.Clients().Clients(), "Groups": a.hub.Clients().Groups(), "Users": a.hub.Clients().Users(),
		} {
			if err := to.Send(t.Context(), "say"); err != nil {
				t.Errorf("%s without names: %v", name, err)
			}
		}
		a.conn.quiet(t)
	})
}

func TestSendRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		const empty = `send "say": Cannot send to an empty group name.`
		tests := []struct {
			name string
			to   appserver.ClientProxy
			arg  any
			want string
		}{
			{"empty group", a.hub.Clients().Group(""), 1, empty},
			{"empty group among others", a.hub.Clients().Groups("g", ""), 1, empty},
			{"argument that cannot be encoded", a.hub.Clients().All(), math.NaN(), `send "say": argument 1: encode JSON value: json: unsupported value: NaN`},
		}
		for _, tt := range tests {
			if err := tt.to.Send(t.Context(), "say", tt.arg); err == nil || err.Error() != tt.want {
				t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
			}
		}
		a.conn.quiet(t)
	})
}

func TestSendWhileDisconnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		f.refuse = func(dial int) (int, string) { return 503, "" }
		a := prepare(t, f, appserver.Config{}, &echoHub{})
		check := func(when string) {
			t.Helper()
			if err := a.hub.Clients().All().Send(t.Context(), "say"); !errors.Is(err, appserver.ErrNotConnected) {
				t.Errorf("%s: Send = %v, want ErrNotConnected", when, err)
			}
			if err := a.hub.Groups().Add(t.Context(), "c1", "g"); !errors.Is(err, appserver.ErrNotConnected) {
				t.Errorf("%s: Add = %v, want ErrNotConnected", when, err)
			}
		}
		check("before Run")
		a.run(t)
		synctest.Wait()
		check("while the service is down")
		f.with(func() { f.refuse = func(int) (int, string) { return 0, "" } })
		conn := f.next(t)
		synctest.Wait()
		if err := a.hub.Clients().All().Send(t.Context(), "say"); err != nil {
			t.Errorf("when connected: Send = %v", err)
		}
		conn.drop()
	})
}

// In a call, everything goes over the server connection of the client, which
// keeps it in order.
func TestServerConnectionOfCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		h := &sendHub{to: func(c appserver.CallerClients) appserver.ClientProxy { return c.Group("g") }, errs: make(chan error, 100)}
		a := startWith(t, f, appserver.Config{ServerConnections: 3}, h)
		conns := []*fakeConn{a.conn, f.next(t), f.next(t)}
		for _, conn := range conns {
			conn.connect(t, "of "+conn.request.URL.Query().Get("cid")).send(t, `{"type":1,"target":"Go","arguments":[]}`)
		}
		synctest.Wait()
		for i, conn := range conns {
			if n := len(conn.received); n != 1 {
				t.Errorf("server connection %d carried %d messages, want that of its client", i, n)
			}
		}
	})
}

// Outside of calls, each audience has a server connection, which keeps its order.
func TestServerConnectionOfAudiences(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 3}, &echoHub{})
		conns := []*fakeConn{a.conn, f.next(t), f.next(t)}
		synctest.Wait()
		for n := range 200 {
			group := fmt.Sprint("g", n%20)
			if err := a.hub.Clients().Group(group).Send(t.Context(), "say", n); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		carrier, last := map[string]int{}, map[string]string{}
		for i, conn := range conns {
			if len(conn.received) == 0 {
				t.Errorf("server connection %d carried nothing", i)
			}
			for len(conn.received) > 0 {
				m := conn.next(t).(*serviceprotocol.GroupBroadcastData)
				if before, ok := carrier[m.Group]; ok && before != i {
					t.Fatalf("group %s has server connections %d and %d", m.Group, before, i)
				}
				data, _ := m.Payloads.Get("json")
				frame := fmt.Sprintf("%4d", len(data)) + string(data) // in the order of the numbers
				if frame <= last[m.Group] {
					t.Errorf("group %s got %s after %s", m.Group, frame, last[m.Group])
				}
				carrier[m.Group], last[m.Group] = i, frame
			}
		}
	})
}

func TestServiceErrorStopsSending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		c := a.conn.connect(t, "c1")
		a.conn.send(t, &serviceprotocol.ServiceError{Error: "too many connections"})
		synctest.Wait()
		if err := a.hub.Clients().All().Send(t.Context(), "say"); !errors.Is(err, appserver.ErrNotConnected) {
			t.Errorf("Send = %v, want ErrNotConnected", err)
		}
		if w := a.negotiate("/chat/negotiate"); w.Code != 500 {
			t.Errorf("negotiate answered %d, want 500", w.Code)
		}
		c.send(t, invoke("1", "Echo", `"still read"`))
		c.want(t, `{"type":3,"invocationId":"1","result":"still read"}`)
	})
}

// Trap T24: clients find their handlers by the exact name, and hub methods have any case
// (TestCallAnswers). The app's spelling is what is sent.
func TestTrapT24TargetIsSentAsWritten(t *testing.T) {
	for _, target := range []string{"receive", "Receive", "rEcEiVe", "with space", "日本"} {
		bubble(t, func(t *testing.T) {
			h := &sendHub{errs: make(chan error, 1), to: func(c appserver.CallerClients) appserver.ClientProxy { return c.Caller() }, target: target}
			a := start(t, h)
			a.conn.connect(t, "c1").send(t, `{"type":1,"target":"GO","arguments":[]}`)
			a.conn.want(t, &serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"c1"}, Payloads: calling(target, "hi", 1)[:1]})
		})
	}
}
