package service_test

import (
	"strings"
	"testing"

	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// weak is the connection of a Management SDK: it sends and serves no clients.
var weak = serviceprotocol.HandshakeRequest{Version: 1, ConnectionType: serviceprotocol.ConnectionWeak}

func TestServerlessMode(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Mode: service.ModeServerless})
	if _, err := svc.DialAppServer("chat"); err == nil || !strings.Contains(err.Error(), "serverless mode") {
		t.Errorf("server connection: %v, want a refusal that names the mode", err)
	}
	management := svc.AppServer("chat", weak)
	for _, protocol := range []string{"json", "messagepack"} {
		t.Run(protocol, func(t *testing.T) {
			client := svc.Client("chat", protocol)
			client.Expect("{}\x1e")
			management.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{
				{Protocol: "json", Data: []byte("text\x1e")}, {Protocol: "messagepack", Data: []byte("\x02\x91\x06")},
			}})
			client.Expect(map[string]string{"json": "text\x1e", "messagepack": "\x02\x91\x06"}[protocol])
			_ = client.Close(1000, "")
		})
	}
	t.Run("a client that calls is closed", func(t *testing.T) {
		client := svc.Client("chat", "json")
		client.Expect("{}\x1e")
		client.Send(`{"type":6}` + "\x1e" + `{"type":1,"target":"x",`)
		client.Send(`"arguments":[]}` + "\x1e")
		client.Expect(`{"type":7,"error":"No server available.","allowReconnect":true}` + "\x1e")
	})
	t.Run("an unknown protocol is refused", func(t *testing.T) {
		client := svc.Client("chat", "blazorpack")
		if got := client.Next(); !strings.Contains(got, "not supported") {
			t.Errorf("answer = %q, want a refusal", got)
		}
		client.ExpectClose()
	})
	t.Run("a client that says goodbye is closed", func(t *testing.T) {
		client := svc.Client("chat", "json")
		client.Expect("{}\x1e")
		client.Send(`{"type":7}` + "\x1e")
		if got := client.ExpectClose(); got != 1000 {
			t.Errorf("close status = %d, want 1000", got)
		}
	})
}

func TestClassicModeAsksForEachClient(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Mode: service.ModeClassic})
	alone := svc.Client("chat", "json")
	alone.Expect("{}\x1e")
	app := svc.AppServer("chat")
	served, id := svc.Open(app, "chat", "json")
	app.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte("direct\x1e")})
	served.Expect("direct\x1e")
	app.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("all\x1e")}}})
	served.Expect("all\x1e")
	alone.Expect("all\x1e")
}
