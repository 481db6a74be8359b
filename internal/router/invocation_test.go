package router_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// An invoking is a client of app server r, and an app server c that calls it.
type invoking struct {
	*hub
	caller, second, router *server
	client                 *client
}

func newInvoking(t *testing.T) *invoking {
	h := newHub(t)
	i := &invoking{hub: h, caller: &server{id: "c1", serverID: "c"}, second: &server{id: "c2", serverID: "c"}, router: &server{id: "r1", serverID: "r"}}
	h.AddServer(i.router, router.Traits{CarriesClients: true})
	i.client = h.connect("x", "", "json")
	h.AddServer(i.caller, router.Traits{CarriesClients: true})
	h.AddServer(i.second, router.Traits{CarriesClients: true})
	return i
}

func (i *invoking) call(id, client string) {
	i.t.Helper()
	i.send(i.caller, &serviceprotocol.ClientInvocation{InvocationID: id, ConnectionID: client, CallerServerID: "c",
		Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("call " + id)}}})
}

func (i *invoking) want(s *server, want ...serviceprotocol.Message) {
	i.t.Helper()
	if got, want := describe(s.take()), describe(want); got != want {
		i.t.Errorf("%s was sent %s\nwant %s", s.id, got, want)
	}
}

func failure(id, text string) *serviceprotocol.ErrorCompletion {
	return &serviceprotocol.ErrorCompletion{InvocationID: id, ConnectionID: "x", CallerServerID: "c", Error: text}
}

func completion(server, payload string) *serviceprotocol.ClientCompletion {
	return &serviceprotocol.ClientCompletion{InvocationID: "i", ConnectionID: "x", CallerServerID: server, Protocol: "json", Payload: []byte(payload)}
}

func TestClientResultForAnotherAppServer(t *testing.T) {
	i := newInvoking(t)
	i.call("i", "x")
	i.want(i.router, &serviceprotocol.ClientInvocation{InvocationID: "i", ConnectionID: "x", CallerServerID: "c"})
	i.want(i.caller, &serviceprotocol.ServiceMapping{InvocationID: "i", ConnectionID: "x", InstanceID: "here"})
	if got := i.client.take(); len(got) != 1 || got[0] != "call i" {
		t.Errorf("the client got %q", got)
	}
	i.send(i.router, completion("r", "result"))
	i.want(i.caller, completion("c", "result"))
	i.send(i.router, completion("r", "again"))
	i.want(i.caller)

	i.call("i", "x") // the connection that called has gone: another one of its app server will do
	i.router.take()
	i.caller.take()
	i.caller.broken = true
	i.send(i.router, completion("r", "result"))
	i.want(i.second, completion("c", "result"))
}

// The app server that calls has the client itself, and says only that it is done.
func TestClientResultForTheSameAppServer(t *testing.T) {
	i := newInvoking(t)
	i.send(i.router, &serviceprotocol.ClientInvocation{InvocationID: "i", ConnectionID: "x", CallerServerID: "r",
		Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("call")}}})
	i.want(i.router)
	i.send(i.router, completion("r", ""))
	i.want(i.router)
	i.Disconnect(i.pairs["x"], "")
	i.want(i.router, &serviceprotocol.CloseConnection{ConnectionID: "x"})
}

func TestClientResultThatDoesNotCome(t *testing.T) {
	tests := []struct {
		name string
		do   func(i *invoking)
		want string
	}{
		{"client goes", func(i *invoking) { i.Disconnect(i.pairs["x"], "") }, "Connection 'x' is disconnected."},
		{"its server connection is lost", func(i *invoking) { i.RemoveServer(i.router) }, "Connection 'x' is disconnected."},
		{"its app server has an error", func(i *invoking) {
			i.send(i.router, &serviceprotocol.ErrorCompletion{InvocationID: "i", ConnectionID: "x", CallerServerID: "r", Error: "no"})
		}, "no"},
		{"it does not answer", func(*invoking) { time.Sleep(10 * time.Minute) }, "The client has not answered within 10 minutes."},
		{"it goes to another app server", func(i *invoking) {
			i.connect("y", "", "json") // one for each connection of the caller, so that x goes to the third app server
			i.connect("z", "", "json")
			i.caller.take()
			i.AddServer(&server{id: "t1", serverID: "t"}, router.Traits{CarriesClients: true})
			to, err := i.BeginMove(i.pairs["x"], router.Traits{}, true)
			if err != nil {
				i.t.Fatal(err)
			}
			if _, err := i.EndMove(i.pairs["x"], to, &serviceprotocol.OpenConnection{ConnectionID: "x"}); err != nil {
				i.t.Fatal(err)
			}
		}, "Connection 'x' went over to another app server."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInvoking(t)
				i.call("i", "x")
				i.caller.take()
				tt.do(i)
				synctest.Wait()
				i.want(i.caller, failure("i", tt.want))
				i.send(i.router, completion("r", "late"))
				i.want(i.caller)
			})
		})
	}
}

func TestClientResultRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInvoking(t)
		i.call("i", "nobody")
		i.want(i.caller) // not at once: the SDK is still noting the call
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		m := failure("i", "Connection 'nobody' does not exist.")
		m.ConnectionID = "nobody"
		i.want(i.caller, m)

		i.call("i", "x")
		i.caller.take()
		i.call("i", "x")
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		i.want(i.caller, failure("i", "The invocation id is in use."))

		i.client.take()
		i.connect("packed", "", "messagepack")
		i.call("p", "packed")
		if got := describe(i.caller.take()); !strings.Contains(got, "The call is not there in the client's hub protocol.") {
			t.Errorf("the caller was sent %s", got)
		}
		i.send(i.router, completion("r", "result"))
		i.want(i.caller, completion("c", "result"))
	})
}

// Members of a group, page by page.
func TestGroupMembers(t *testing.T) {
	h := newHub(t)
	s := h.server("s")
	for n := range 25 {
		user := ""
		if n%2 == 0 {
			user = "ann"
		}
		id := fmt.Sprintf("c%02d", n)
		h.connect(id, user, "json")
		h.send(s, &serviceprotocol.JoinGroup{ConnectionID: id, Group: "g"})
	}
	h.connect("other", "", "json")
	var got []serviceprotocol.GroupMember
	token, pages := "", 0
	for {
		h.send(s, &serviceprotocol.GroupMemberQuery{Group: "g", AckID: pages + 1, Max: 10, ContinuationToken: token})
		sent := s.take()
		ack, ok := sent[0].(*serviceprotocol.Ack)
		if len(sent) != 1 || !ok || ack.AckID != pages+1 || ack.Status != serviceprotocol.AckOK {
			t.Fatalf("sent %s", describe(sent))
		}
		members, next, err := serviceprotocol.ParseGroupMembers(ack.Payload)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, members...)
		pages++
		if token = next; token == "" {
			break
		}
	}
	if len(got) != 25 || pages != 3 {
		t.Errorf("%d members in %d pages, want 25 in 3", len(got), pages)
	}
	for n, member := range got {
		if want := (serviceprotocol.GroupMember{ConnectionID: fmt.Sprintf("c%02d", n), UserID: map[bool]string{true: "ann"}[n%2 == 0]}); member != want {
			t.Errorf("member %d is %+v, want %+v", n, member, want)
		}
	}
	h.send(s, &serviceprotocol.GroupMemberQuery{Group: "nobody's", AckID: 9})
	ack := s.take()[0].(*serviceprotocol.Ack)
	if members, next, err := serviceprotocol.ParseGroupMembers(ack.Payload); ack.Status != serviceprotocol.AckOK || len(members) != 0 || next != "" || err != nil {
		t.Errorf("unknown group: %+v", ack)
	}
}
