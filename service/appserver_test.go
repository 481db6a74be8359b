package service_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

func TestServerConnectionHandshakeRefusals(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	tests := []struct {
		name    string
		request serviceprotocol.HandshakeRequest
		want    string
	}{
		{"another version", serviceprotocol.HandshakeRequest{Version: 2}, "version 2 is not supported"},
		{"unknown type", serviceprotocol.HandshakeRequest{Version: 1, ConnectionType: 9}, "connection type is not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := svc.DialAppServer("chat", tt.request); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestWeakServerConnectionGetsNoClients(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	weak := svc.AppServer("chat", serviceprotocol.HandshakeRequest{Version: 1, ConnectionType: serviceprotocol.ConnectionWeak})
	refused := svc.Client("chat", "json")
	refused.Expect(`{"error":"No server available."}` + "\x1e")

	app := svc.AppServer("chat")
	client, _ := svc.Open(app, "chat", "json")
	weak.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(`{"type":6}` + "\x1e")}}})
	client.Expect(`{"type":6}` + "\x1e")
}

// An app server is asked for a connection when it has too many clients for those that it
// has, and one that it was not asked for is refused.
func TestServerConnectionOnDemand(t *testing.T) {
	svc := servicetest.Start(t, service.Config{
		InstanceID:    "here",
		Timeouts:      service.Timeouts{Ping: 10 * time.Millisecond},
		LoadBalancing: service.LoadBalancing{Clients: 2},
	})
	onDemand := serviceprotocol.HandshakeRequest{Version: 1, ConnectionType: serviceprotocol.ConnectionOnDemand}
	app := svc.AppServer("chat")
	if _, err := svc.DialAppServer("chat", onDemand); err == nil || !strings.Contains(err.Error(), "The service has not asked for this server connection") {
		t.Errorf("unasked: %v, want a refusal", err)
	}
	for range 3 {
		svc.Client("chat", "json")
	}
	for asked := false; !asked; { // after what tells of the clients
		ping, ok := app.Next().(*serviceprotocol.Ping)
		if !ok {
			continue
		}
		target, _ := ping.Get(serviceprotocol.PingTarget)
		if asked = target == "here"; !asked {
			t.Fatalf("ping %v, want one with the instance", ping.Messages)
		}
	}
	second := svc.AppServer("chat", onDemand)
	svc.Open(second, "chat", "json")
	if got := svc.Stats().Hubs[0]; got.OnDemand != 1 || got.ServerConnections != 2 || got.ServersAsked == 0 {
		t.Errorf("%+v", got)
	}
}

// An app server for which much waits is asked for a connection too. Its clients wait until
// it has caught up, and nothing of theirs is lost; it is seen in the figures.
func TestAppServerThatDoesNotKeepUp(t *testing.T) {
	svc := servicetest.Start(t, service.Config{
		InstanceID:    "here",
		Timeouts:      service.Timeouts{Ping: 10 * time.Millisecond},
		LoadBalancing: service.LoadBalancing{QueueBytes: 1 << 10},
		Limits:        service.Limits{ServerQueueBytes: 256 << 10},
	})
	app := svc.AppServer("chat")
	client, _ := svc.Open(app, "chat", "json")
	release := sync.OnceFunc(app.Hold())
	defer release()
	text := `{"type":1,"target":"` + strings.Repeat("x", 64<<10) + `","arguments":[]}` + "\x1e"
	sent := make(chan int, 1)
	var enough atomic.Bool
	go func() {
		n := 0
		for ; !enough.Load(); n++ {
			if err := client.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
				t.Error(err)
				break
			}
		}
		sent <- n
	}()
	figures := func() service.ServerQueue { return svc.Stats().Hubs[0].Queue }
	for deadline := time.Now().Add(servicetest.Wait); figures().Congested == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the queue does not grow")
		}
	}
	if got := figures(); got.Bytes < 256<<10 || got.Bytes > 1<<20 {
		t.Errorf("%d bytes wait, want little more than the bound", got.Bytes)
	}
	for deadline := time.Now().Add(servicetest.Wait); svc.Stats().Hubs[0].ServersAsked == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the app server is not asked for a connection")
		}
	}
	enough.Store(true)
	release()
	got, asked := 0, false
	for want := <-sent * len(text); got < want; {
		switch m := app.Next().(type) {
		case *serviceprotocol.ConnectionData:
			got += len(m.Payload)
		case *serviceprotocol.Ping:
			target, _ := m.Get(serviceprotocol.PingTarget)
			asked = asked || target == "here"
		}
	}
	for deadline := time.Now().Add(servicetest.Wait); figures().Bytes > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the queue is not emptied")
		}
	}
	if !asked {
		t.Error("no ping has asked for a connection")
	}
}

func TestNoServerForHub(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	client := svc.Client("chat", "messagepack")
	client.Expect(`{"error":"No server available."}` + "\x1e")
	if got := client.ExpectClose(); got != 1000 {
		t.Errorf("close status = %d, want 1000", got)
	}
}

func TestPings(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Limits: service.Limits{ClientConnections: 1000}})
	app := svc.AppServer("chat")
	ping := func(messages ...string) []string {
		app.Send(&serviceprotocol.Ping{Messages: messages})
		return servicetest.Expect[*serviceprotocol.Ping](app).Messages
	}
	equal := func(got []string, want ...string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("answer = %q, want %q", got, want)
		}
	}
	equal(ping("status", "1"), "status", "0", "clientcount", "0", "servercount", "1", "capacity", "1000")
	equal(ping("echo", "abc"), "echo", "abc")
	_, _ = svc.Open(app, "chat", "json")
	equal(ping("status", "1"), "status", "1", "clientcount", "1", "servercount", "1", "capacity", "1000")

	first, second := ping("servers", ""), ping("servers", "")
	var earlier, later int64
	for _, answer := range []struct {
		messages []string
		ticks    *int64
	}{{first, &earlier}, {second, &later}} {
		var ids string
		if _, err := fmt.Sscanf(answer.messages[1], "%d:%s", answer.ticks, &ids); err != nil || ids != "server-1" {
			t.Errorf("servers = %q, want ticks:server-1", answer.messages[1])
		}
	}
	if earlier >= later {
		t.Errorf("time of servers went from %d to %d, want it to grow", earlier, later)
	}

	equal(ping("shutdown", "fin:0"), "shutdown", "finack")
	refused := svc.Client("chat", "json")
	refused.Expect(`{"error":"No server available."}` + "\x1e") // the only server connection retired
}

func TestLostServerConnectionClosesExactlyItsClients(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	first := svc.AppServer("chat")
	lost, _ := svc.Open(first, "chat", "json")
	second := svc.AppServer("chat")
	kept, id := svc.Open(second, "chat", "json")

	first.Close()
	lost.Expect(`{"type":7,"error":"Server connection dropped.","allowReconnect":true}` + "\x1e")
	if got := lost.ExpectClose(); got != websocket.StatusNormalClosure {
		t.Errorf("close status = %d, want 1000", got)
	}
	second.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte(`{"type":6}` + "\x1e")})
	kept.Expect(`{"type":6}` + "\x1e")
}

func TestSpreadsClientsEvenly(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	var apps []*servicetest.AppServer
	for range 5 {
		apps = append(apps, svc.AppServer("chat"))
	}
	for range 20 {
		svc.Client("chat", "json")
	}
	for i, app := range apps {
		for range 4 {
			if m := servicetest.Expect[*serviceprotocol.OpenConnection](app); m.Protocol != "json" {
				t.Errorf("server connection %d: protocol = %q, want json", i, m.Protocol)
			}
			servicetest.Expect[*serviceprotocol.ConnectionData](app)
		}
	}
}

func TestTwoKeysAndRotation(t *testing.T) {
	svc := servicetest.Start(t, service.Config{AccessKeys: []string{"primary", servicetest.Key}})
	app := svc.AppServer("chat") // signed with the second key
	client, id := svc.Open(app, "chat", "json")
	if err := svc.SetAccessKeys("a new key"); err != nil {
		t.Fatal(err)
	}
	response, _ := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", servicetest.Token(t, "/client", "chat"), nil)
	if response.StatusCode != 401 {
		t.Errorf("old key after rotation = %d, want 401", response.StatusCode)
	}
	app.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte(`{"type":6}` + "\x1e")})
	client.Expect(`{"type":6}` + "\x1e") // what is open lives on
}

func TestOpenConnection(t *testing.T) {
	svc := servicetest.Start(t, service.Config{InstanceID: "instance-1"})
	app := svc.AppServer("shop_chat")
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	token := servicetest.Token(t, "/client", "shop_chat",
		accesstoken.Claim{Type: "asrs.s.uid", Value: "ann"},
		accesstoken.Claim{Type: "asrs.s.aut", Value: "Cookies"},
		accesstoken.Claim{Type: "role", Value: "admin"},
		accesstoken.Claim{Type: "role", Value: "writer"},
		accesstoken.Claim{Type: "custom", Value: "1"})
	ws, _, err := websocket.Dial(ctx, strings.Replace(svc.URL, "http", "ws", 1)+"/client/?hub=shop_chat&x=1&access_token="+token,
		&websocket.DialOptions{HTTPHeader: http.Header{
			"Cookie": {"a=b"}, "X-Two": {"1", "2"}, "X-Forwarded-For": {"203.0.113.7"}, "Asrs-Instance-Id": {"forged"},
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"protocol":"messagepack","version":1}`+"\x1e")); err != nil {
		t.Fatal(err)
	}
	open := app.Accept()
	const microsoft = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	want := []serviceprotocol.Claim{
		{Type: "asrs.s.uid", Value: "ann"}, {Type: "asrs.s.aut", Value: "Cookies"},
		{Type: microsoft + "role", Value: "admin"}, {Type: microsoft + "role", Value: "writer"}, {Type: "custom", Value: "1"},
	}
	if fmt.Sprint(open.Claims) != fmt.Sprint(want) {
		t.Errorf("claims = %v, want %v", open.Claims, want)
	}
	if open.QueryString != "?hub=shop_chat&x=1" || open.Protocol != "messagepack" {
		t.Errorf("query %q, protocol %q, want ?hub=shop_chat&x=1 and messagepack", open.QueryString, open.Protocol)
	}
	for name, want := range map[string]string{
		"Cookie": "[a=b]", "X-Two": "[1 2]", "X-Forwarded-For": "[203.0.113.7, 127.0.0.1]", "Asrs-Instance-Id": "[instance-1]",
		"Authorization": "", "Upgrade": "", "Sec-Websocket-Key": "",
	} {
		got := ""
		for _, h := range open.Headers {
			if strings.EqualFold(h.Name, name) {
				got += fmt.Sprint(h.Values)
			}
		}
		if got != want {
			t.Errorf("header %s = %s, want %s", name, got, want)
		}
	}
	// The answer to a MessagePack handshake is a binary message.
	kind, data, err := ws.Read(ctx)
	if err != nil || kind != websocket.MessageBinary || string(data) != "{}\x1e" {
		t.Errorf("handshake answer = %v %q %v, want a binary {}", kind, data, err)
	}
}

func TestAppServerClosesClient(t *testing.T) {
	closeText := `{"type":7,"error":"Connection closed with an error."}` + "\x1e"
	tests := []struct {
		name     string
		detailed string
		last     string // sent as ConnectionData before
		err      string // of CloseConnection
		want     string
	}{
		{"without error", "", "", "", `{"type":7}` + "\x1e"},
		{"with error", "", "", "boom", closeText},
		{"with error, details allowed", "True", "", "boom", `{"type":7,"error":"Connection closed with an error. boom"}` + "\x1e"},
		{"after its own close message", "", `{"type":7,"error":"mine"}` + "\x1e", "boom", `{"type":7,"error":"mine"}` + "\x1e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc := servicetest.Start(t, service.Config{})
			app := svc.AppServer("chat")
			client, id := svc.Open(app, "chat", "json", accesstoken.Claim{Type: "asrs.s.derror", Value: tt.detailed})
			if tt.last != "" {
				app.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte(tt.last)})
			}
			app.Send(&serviceprotocol.CloseConnection{ConnectionID: id, Error: tt.err})
			client.Expect(tt.want)
			if got := client.ExpectClose(); got != websocket.StatusNormalClosure {
				t.Errorf("close status = %d, want 1000", got)
			}
			// No CloseConnection comes back: the next message is the answer to this one.
			app.Send(&serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: id, AckID: 1})
			if got := app.Ack(1); got != serviceprotocol.AckNotFound {
				t.Errorf("ack = %d, want NotFound", got)
			}
		})
	}
}

func TestSilentServerConnectionIsDropped(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Ping: 10 * time.Millisecond, ServerIdle: 50 * time.Millisecond}})
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, strings.Replace(svc.URL, "http", "ws", 1)+"/server/?hub=chat&cid=1",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + servicetest.Token(t, "/server", "chat")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	frame := serviceprotocol.AppendFrame(nil, &serviceprotocol.HandshakeRequest{Version: 1})
	if err := ws.Write(ctx, websocket.MessageBinary, frame); err != nil {
		t.Fatal(err)
	}
	for err == nil { // pings come, then the end
		_, _, err = ws.Read(ctx)
	}
	if ctx.Err() != nil {
		t.Error("the service kept a silent server connection")
	}
}
