package clientconn_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// A move is a client connection of one app server, and another app server.
type move struct {
	*link
	other *app
}

var (
	movable  = router.Traits{CarriesClients: true, Moves: true}
	handsOff = router.Traits{CarriesClients: true, Moves: true, HandsOver: true}
	clings   = router.Traits{CarriesClients: true, Moves: true, MovesLost: true}
)

// newMove opens a client connection of an app server with these traits.
func newMove(t *testing.T, traits router.Traits, request string, change ...func(*clientconn.Origin)) *move {
	t.Helper()
	hub := router.New(router.Config{Log: slog.New(slog.DiscardHandler)}).Hub("chat")
	a := &app{id: "a"}
	hub.AddServer(a, traits)
	c := openOn(t, hub, a, clientconn.Limits{}, change...)
	c.receive(request)
	c.deliver(accepted)
	c.next()
	a.take()
	m := &move{c, &app{id: "b"}}
	hub.AddServer(m.other, traits)
	return m
}

// from takes a message of an app server.
func (m *move) from(a *app, message serviceprotocol.Message) {
	m.t.Helper()
	if err := m.hub.FromServer(context.Background(), a, message); err != nil {
		m.t.Error(err)
	}
}

func (m *move) data(a *app, payload string) {
	m.t.Helper()
	m.from(a, &serviceprotocol.ConnectionData{ConnectionID: "c", Payload: []byte(payload)})
}

func (m *move) wantApps(first, other string) {
	m.t.Helper()
	synctest.Wait()
	wantText(m.t.(*testing.T), "the first app server got", strings.Join(m.app.take(), " "), first)
	wantText(m.t.(*testing.T), "the other app server got", strings.Join(m.other.take(), " "), other)
}

func ask(id string) string {
	return `{"arguments":[],"target":"t","invocationId":"` + id + `","type":1}` + "\x1e"
}

func answer(id string) string { return `{"type":3,"invocationId":"` + id + `","result":1}` + "\x1e" }

const announced = "open json from a " + jsonRequest

// An app server of the .NET SDK says goodbye: the client goes when its calls are done, and
// those that began before have had a second.
func TestMoveAtAQuietMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, movable, jsonRequest)
		m.hub.Drain(m.app)
		m.receive(ask("1"))
		time.Sleep(2 * time.Second)
		m.wantApps(ask("1"), "")
		m.receive(ask("2")[:20])
		m.data(m.app, answer("1"))
		m.wantApps("closed to b", announced+" "+ask("2")[:20]) // between two messages
		m.receive(ask("2")[20:] + call(1))
		m.wantApps("", ask("2")[20:]+call(1))
		m.data(m.app, push(1)) // was on its way
		m.data(m.other, answer("2")[:10])
		m.data(m.app, push(2)[:10])
		m.data(m.other, answer("2")[10:])
		m.data(m.app, push(2)[10:])
		m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"}) // it has no say any more
		wantText(t, "the client got", m.next(), answer("1"), push(1), answer("2"), push(2))
		m.hub.RemoveServer(m.app)
		if m.Closing() {
			t.Error("the client is closed")
		}
		if got := m.hub.Stats().ClientsMoved; got != 1 {
			t.Errorf("%d clients moved", got)
		}
	})
}

func TestMoveOfAnIdleClient(t *testing.T) {
	for protocol, request := range map[string]string{"json": jsonRequest, "messagepack": packRequest, "json again": version2} {
		synctest.Test(t, func(t *testing.T) {
			m := newMove(t, movable, request, resumes)
			m.hub.Drain(m.app)
			time.Sleep(999 * time.Millisecond)
			m.wantApps("", "")
			time.Sleep(time.Millisecond)
			m.wantApps("closed to b", "open "+strings.Fields(protocol)[0]+" from a "+request)
		})
	}
}

// The bound is kept, and calls that nobody answers any more fail.
func TestMoveOfAClientThatIsNeverQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, movable, packRequest)
		p := packed(&hubprotocol.StreamInvocation{InvocationID: "s", Target: "t"})
		m.hub.Drain(m.app)
		m.receive(p[:3], p[3:])
		time.Sleep(10*time.Second - time.Nanosecond)
		m.wantApps(p, "")
		time.Sleep(time.Nanosecond)
		m.wantApps("closed to b", "open messagepack from a "+packRequest)
		wantText(t, "the client got", m.next(), packed(&hubprotocol.Completion{InvocationID: "s", HasError: true,
			Error: "The app server went away while the call ran; it may have been carried out or not."}))
	})
}

// Our own SDK ends the calls. What the client sends meanwhile waits.
func TestMoveFromAnAppServerThatHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, handsOff, jsonRequest)
		m.receive(ask("0"))
		m.hub.Drain(m.app)
		m.wantApps(ask("0")+" closed to b", "")
		m.receive(ask("1"), ask("2"))
		resumed := make(goesOn, 1)
		if !m.Congested(resumed) {
			t.Error("the client is read while it is on its way")
		}
		m.data(m.app, answer("0"))
		m.wantApps("", "")
		m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		m.wantApps("", announced+" "+ask("1")+ask("2"))
		<-resumed
		if m.Congested(resumed) {
			t.Error("the client still waits")
		}
		m.data(m.other, answer("1")+answer("2"))
		wantText(t, "the client got", m.next(), answer("0"), answer("1"), answer("2"))
	})
}

// A client that has gone over is not told to by what concerned its former server connection: that may
// be one of several that say goodbye, and not the last.
func TestMoveThatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, handsOff, jsonRequest)
		m.hub.AddServer(&app{id: "a"}, handsOff) // of the same app server, and not yet draining
		m.hub.Drain(m.app)
		m.wantApps("closed to b", "")
		m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		m.wantApps("", announced)
		m.Move(m.app)
		time.Sleep(time.Minute)
		m.wantApps("", "")
	})
}

// Nor is it lost with that.
func TestLossThatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, router.Traits{CarriesClients: true, Moves: true, MovesLost: true, HandsOver: true}, jsonRequest)
		m.hub.AddServer(&app{id: "c"}, clings)
		m.hub.Drain(m.app)
		m.wantApps("closed to b", "")
		m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		m.wantApps("", announced)
		if !m.ServerLost(m.app) {
			t.Error("the client is to be closed")
		}
		time.Sleep(time.Minute)
		m.wantApps("", "")
		if m.Closing() {
			t.Error("the client is closed")
		}
	})
}

// The server connection that a client goes to may say goodbye before it has come.
func TestMoveOnAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, handsOff, jsonRequest)
		m.hub.Drain(m.app)
		m.wantApps("closed to b", "")
		third := &app{id: "third"}
		m.hub.AddServer(third, handsOff)
		m.hub.Drain(m.other)
		m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		m.wantApps("", announced+" closed to third")
		m.from(m.other, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		m.wantApps("", "")
		wantText(t, "the third app server got", strings.Join(third.take(), " "), strings.Replace(announced, "from a", "from b", 1))
	})
}

type goesOn chan struct{}

func (r goesOn) Resume() { r <- struct{}{} }

func TestMoveFromAnAppServerThatNeverHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, handsOff, jsonRequest)
		m.hub.Drain(m.app)
		m.wantApps("closed to b", "")
		m.receive(ask("1"))
		time.Sleep(10 * time.Second)
		m.wantApps("", announced+" "+ask("1"))
		m.data(m.app, push(1)+push(2)[:5]) // it has not noticed
		m.data(m.other, answer("1"))
		wantText(t, "the client got", m.next(), push(1), answer("1"))
	})
}

// Without another app server the client stays, until one comes.
func TestMoveWaitsForAnotherAppServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, movable, jsonRequest)
		m.hub.RemoveServer(m.other)
		m.hub.Drain(m.app)
		time.Sleep(time.Minute)
		m.receive(ask("1"))
		m.wantApps(ask("1"), "")
		m.data(m.app, answer("1"))
		m.hub.AddServer(m.other, movable)
		time.Sleep(time.Second)
		m.wantApps("closed to b", announced)
	})
}

func TestMoveAndEnd(t *testing.T) {
	tests := []struct {
		name         string
		do           func(m *move)
		first, other string
	}{
		{"client goes before", func(m *move) { m.lose(); m.hub.Drain(m.app) }, "closed ", ""},
		{"client goes while it is on its way", func(m *move) { m.hub.Drain(m.app); synctest.Wait(); m.lose() }, "closed to b", ""},
		{"client goes afterwards", func(m *move) {
			m.hub.Drain(m.app)
			synctest.Wait()
			m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
			synctest.Wait()
			m.lose()
		}, "closed to b", announced + " closed "},
		{"app server closes it before", func(m *move) {
			m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
			m.hub.Drain(m.app)
		}, "", ""},
		{"new app server closes it", func(m *move) {
			m.hub.Drain(m.app)
			synctest.Wait()
			m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
			synctest.Wait()
			m.from(m.other, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		}, "closed to b", announced},
		{"old app server goes while the client is on its way", func(m *move) {
			m.hub.Drain(m.app)
			synctest.Wait()
			m.hub.RemoveServer(m.app)
		}, "closed to b", announced},
		{"new app server goes while the client is on its way", func(m *move) {
			m.hub.Drain(m.app)
			synctest.Wait()
			m.other.set(true, false)
			m.hub.RemoveServer(m.other)
			m.from(m.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
		}, "closed to b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMove(t, handsOff, jsonRequest)
				tt.do(m)
				time.Sleep(time.Minute)
				m.wantApps(tt.first, tt.other)
				if clients := m.hub.Stats().Clients; clients > 0 && m.Closing() {
					t.Errorf("%d clients of the hub, and the client is closing", clients)
				}
			})
		})
	}
}

// A server connection is lost, and its clients go on with another one.
func TestMoveOfALostClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, clings, jsonRequest)
		m.receive(ask("1"), ask("2"), ask("3")[:10])
		m.data(m.app, answer("1"))
		m.data(m.app, push(1)[:10]) // its end is lost
		m.app.set(true, false)
		m.receive(ask("3")[10:]) // the hub does not know yet
		if n := m.hub.RemoveServer(m.app); n != 0 {
			t.Errorf("%d clients are closed", n)
		}
		synctest.Wait()
		m.receive(ask("4"))
		m.wantApps(ask("1")+" "+ask("2"), announced+" "+ask("3")+" "+ask("4"))
		m.data(m.other, answer("3")+answer("4"))
		got := m.next()
		cut := `{"type":3,"invocationId":"2","error":"The app server went away while the call ran; it may have been carried out or not."}` + "\x1e"
		wantText(t, "the client got", got, answer("1"), cut, answer("3"), answer("4"))
	})
}

func TestLostClientWithNowhereToGo(t *testing.T) {
	tests := []struct {
		name    string
		traits  router.Traits
		prepare func(m *move)
	}{
		{"not allowed", movable, func(*move) {}},
		{"no other app server", clings, func(m *move) { m.hub.RemoveServer(m.other) }},
		{"only another connection of the same", clings, func(m *move) { m.other.id = "a" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMove(t, tt.traits, jsonRequest)
				tt.prepare(m)
				m.hub.RemoveServer(m.app)
				synctest.Wait()
				wantText(t, "the client got", m.next(), `{"type":7,"error":"Server connection dropped.","allowReconnect":true}`+"\x1e", "EOF")
				if got := m.hub.Stats(); got.Clients != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// A client that has to stay with one app server does.
func TestClientThatHasToStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMove(t, clings, jsonRequest, func(o *clientconn.Origin) {
			o.Claims = []serviceprotocol.Claim{{Type: "asrs.s.sn", Value: "a"}, {Type: "asrs.s.ssticky", Value: "Required"}}
		})
		m.hub.Drain(m.app)
		time.Sleep(time.Minute)
		m.wantApps("", "")
		m.hub.RemoveServer(m.app)
		if !m.Closing() {
			t.Error("the client is not closed")
		}
	})
}

// Wherever the client's bytes are cut, each message reaches one app server, in order.
func TestMoveForEveryCut(t *testing.T) {
	for every := 1; every < 50; every++ {
		for after := range 8 {
			synctest.Test(t, func(t *testing.T) {
				m := newMove(t, movable, jsonRequest)
				stream := ""
				for n := range 8 {
					stream += call(n)
				}
				for n, rest := 0, stream; rest != ""; n++ {
					piece := rest[:min(every, len(rest))]
					rest = rest[len(piece):]
					m.receive(piece)
					if n == after {
						m.hub.Drain(m.app)
						time.Sleep(2 * time.Second)
					}
				}
				synctest.Wait()
				var got [2]string
				for i, a := range []*app{m.app, m.other} {
					for _, text := range a.take() {
						if !strings.HasPrefix(text, "open ") && !strings.HasPrefix(text, "closed ") && text != jsonRequest {
							got[i] += text
						}
					}
				}
				if got[0]+got[1] != stream || got[0] != "" && !strings.HasSuffix(got[0], "\x1e") {
					t.Fatalf("pieces of %d bytes, goodbye after %d: the app servers got %q and %q", every, after, got[0], got[1])
				}
				if got[1] == "" && after*every < len(stream)-100 {
					t.Error(fmt.Sprint("the client did not move: ", every, after))
				}
			})
		}
	}
}
