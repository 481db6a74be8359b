package service_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"switchboard/accesstoken"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// Everything runs on both engines.
func TestMain(m *testing.M) {
	for _, engine := range []service.Engine{service.EngineAuto, service.EngineGoroutines} {
		servicetest.Engine = engine
		if code := m.Run(); code != 0 {
			fmt.Fprintln(os.Stderr, "with engine", engine)
			os.Exit(code)
		}
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestClientThroughTheService(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	client := svc.Client("chat", "json", accesstoken.Claim{Type: "asrs.s.uid", Value: "ann"}, accesstoken.Claim{Type: "role", Value: "admin"})

	open := servicetest.Expect[*serviceprotocol.OpenConnection](app)
	t.Logf("%+v", open)
	request := servicetest.Expect[*serviceprotocol.ConnectionData](app)
	if got, want := string(request.Payload), `{"protocol":"json","version":1}`+"\x1e"; got != want {
		t.Errorf("handshake request = %q, want %q", got, want)
	}
	app.Send(&serviceprotocol.ConnectionData{ConnectionID: open.ConnectionID, Payload: []byte("{}\x1e")})
	client.Expect("{}\x1e")
	client.Send(`{"type":6}` + "\x1e")
	servicetest.Expect[*serviceprotocol.ConnectionData](app)
	app.Close()
	client.Expect(`{"type":7,"error":"Server connection dropped.","allowReconnect":true}` + "\x1e")
	if got := client.ExpectClose(); got != 1000 {
		t.Errorf("close status = %d, want 1000", got)
	}
}
