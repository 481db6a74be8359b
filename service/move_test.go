package service_test

import (
	"fmt"
	"testing"
	"time"

	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

func goodbye(fin string) *serviceprotocol.Ping {
	return &serviceprotocol.Ping{Messages: []string{serviceprotocol.PingShutdown, fin}}
}

func wantFinack(t *testing.T, a *servicetest.AppServer) {
	t.Helper()
	if got, _ := servicetest.Expect[*serviceprotocol.Ping](a).Get(serviceprotocol.PingShutdown); got != "finack" {
		t.Errorf("the goodbye is answered with %q, want finack", got)
	}
}

// Two app servers as the .NET SDK makes them, of which one shuts down with MigrateClients. It
// drops what its hub sends to a client that is moved, says nothing when it is done, and the
// other one swallows the answer to the handshake.
func TestMoveBetweenDotnetAppServers(t *testing.T) {
	for name, request := range map[string]serviceprotocol.HandshakeRequest{
		"1.25": {Version: 1, MigrationLevel: serviceprotocol.MigrationShutdownOnly},
		"1.33": {Version: 1, MigrationLevel: serviceprotocol.MigrationShutdownOnly, AllowStatefulReconnects: new(true)},
	} {
		t.Run(name, func(t *testing.T) {
			svc := servicetest.Start(t, service.Config{InstanceID: "here"})
			one := svc.AppServerOf("one", "chat", request)
			client, id := svc.Open(one, "chat", "json")
			one.Send(&serviceprotocol.JoinGroup{ConnectionID: id, Group: "g"})
			other := svc.AppServerOf("other", "chat", request)
			client.Send(ask)
			servicetest.Expect[*serviceprotocol.ConnectionData](one)
			began := time.Now()
			one.Send(goodbye("fin:1"))
			wantFinack(t, one)
			one.Send(data(id, answered)) // before it lets go of the client
			client.Expect(answered)

			away := servicetest.Expect[*serviceprotocol.CloseConnection](one)
			if took := time.Since(began); took < time.Second {
				t.Errorf("the client is moved after %v, but calls that began before have a second", took)
			}
			if got := fmt.Sprintf("%v %q %v", away.ConnectionID == id, away.Error, away.Headers); got != `true "" [{Asrs-Migrate-To [other]}]` {
				t.Errorf("the client is taken away by %s", got)
			}
			come := servicetest.Expect[*serviceprotocol.OpenConnection](other)
			if come.ConnectionID != id || come.Protocol != "json" || come.Headers.Get("Asrs-Migrate-From") != "one" || come.Headers.Get("Asrs-Instance-Id") != "here" || come.QueryString != "?hub=chat" {
				t.Errorf("the client is announced by %+v", come)
			}
			if got := string(servicetest.Expect[*serviceprotocol.ConnectionData](other).Payload); got != hello {
				t.Errorf("the handshake request is %q, want %q", got, hello)
			}
			client.Send(ask)
			if got := string(servicetest.Expect[*serviceprotocol.ConnectionData](other).Payload); got != ask {
				t.Errorf("the other app server got %q", got)
			}
			other.Send(data(id, answered), &serviceprotocol.GroupBroadcastData{Group: "g", Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(answered)}}})
			client.Expect(answered + answered)
			one.Close()
			client.Send(ask)
			servicetest.Expect[*serviceprotocol.ConnectionData](other)
			if got := svc.Stats().Hubs[0]; got.ClientsMoved != 1 || got.Clients != 1 || got.Groups != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

const (
	ask      = `{"type":1,"invocationId":"1","target":"t","arguments":[]}` + "\x1e"
	answered = `{"type":3,"invocationId":"1","result":1}` + "\x1e"
)

// An app server that waits for its clients keeps them, and gets no new ones.
func TestGoodbyeThatMovesNobody(t *testing.T) {
	for _, fin := range []string{"fin:0", "fin:2"} {
		svc := servicetest.Start(t, service.Config{})
		one := svc.AppServerOf("one", "chat")
		client, id := svc.Open(one, "chat", "json")
		one.Send(goodbye(fin), goodbye(fin))
		wantFinack(t, one)
		wantFinack(t, one)
		refused := svc.Client("chat", "json")
		refused.Expect(`{"error":"No server available."}` + "\x1e")
		other := svc.AppServerOf("other", "chat")
		svc.Open(other, "chat", "json")
		client.Send(ask)
		servicetest.Expect[*serviceprotocol.ConnectionData](one)
		one.Send(data(id, answered))
		client.Expect(answered)
	}
}
