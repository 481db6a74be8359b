package service_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// wellAlive fails the test unless a client can still talk to its app server.
func wellAlive(t *testing.T, svc *servicetest.Service, app *servicetest.AppServer) {
	t.Helper()
	client, id := svc.Open(app, "chat", "json")
	client.Send("hello\x1e")
	if got := servicetest.Expect[*serviceprotocol.ConnectionData](app); string(got.Payload) != "hello\x1e" {
		t.Errorf("app server got %q, want hello", got.Payload)
	}
	app.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte(`{"type":6}` + "\x1e")})
	client.Expect(`{"type":6}` + "\x1e")
}

// dialServer opens a raw WebSocket at /server/.
func dialServer(t *testing.T, svc *servicetest.Service) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, strings.Replace(svc.URL, "http", "ws", 1)+"/server/?hub=chat&cid=garbage",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + servicetest.Token(t, "/server", "chat")}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// gone reads until the peer has ended the connection.
func gone(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	for {
		if _, _, err := ws.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Error("the connection was not ended")
			}
			return
		}
	}
}

func frame(m serviceprotocol.Message) []byte { return serviceprotocol.AppendFrame(nil, m) }

func TestGarbageFromAppServers(t *testing.T) {
	handshake := frame(&serviceprotocol.HandshakeRequest{Version: 1})
	giant := binary.AppendUvarint(nil, 0x7fffffff)
	tests := []struct {
		name string
		data []byte
		ends bool // the service ends the connection
	}{
		{"text before the handshake", []byte("GET / HTTP/1.1\r\n\r\n"), true},
		{"another message before the handshake", frame(&serviceprotocol.Ping{}), true},
		{"length prefix of six bytes", bytes.Repeat([]byte{0xff}, 6), true},
		{"giant length", append(handshake, giant...), true},
		{"length over the limit", append(handshake, binary.AppendUvarint(nil, 1<<20+1)...), true},
		{"not MessagePack", append(handshake, 3, 0xc1, 0xc1, 0xc1), false},
		{"array that promises 4G elements", append(handshake, 6, 0xdd, 0xff, 0xff, 0xff, 0xff, 10), false},
		{"string that promises 4G bytes", append(handshake, 8, 0x94, 6, 0xdb, 0xff, 0xff, 0xff, 0xff, 'x'), false},
		{"unknown type", append(handshake, 3, 0x92, 0xcc, 0xff), false},
		{"empty frame", append(handshake, 0), false},
		{"second handshake", append(handshake, handshake...), false},
		{"data for nobody", append(handshake, frame(&serviceprotocol.ConnectionData{ConnectionID: "x", Payload: []byte("y")})...), false},
	}
	svc := servicetest.Start(t, service.Config{
		Limits:   service.Limits{ServerMessageBytes: 1 << 20},
		Timeouts: service.Timeouts{Handshake: 500 * time.Millisecond}, // ends those that wait for more
	})
	app := svc.AppServer("chat")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ws := dialServer(t, svc)
			if err := ws.Write(t.Context(), websocket.MessageBinary, tt.data); err != nil {
				t.Fatal(err)
			}
			if tt.ends {
				gone(t, ws)
				return
			}
			// It lives: it answers.
			if err := ws.Write(t.Context(), websocket.MessageBinary, frame(&serviceprotocol.Ping{Messages: []string{"echo", "alive"}})); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
			defer cancel()
			var all []byte
			for !bytes.Contains(all, []byte("alive")) {
				_, data, err := ws.Read(ctx)
				if err != nil {
					t.Fatalf("after %x: %v", all, err)
				}
				all = append(all, data...)
			}
			_ = ws.Close(websocket.StatusNormalClosure, "")
		})
	}
	wellAlive(t, svc, app)
}

func TestRandomBytesFromAppServers(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	random := rand.NewChaCha8([32]byte{1})
	for range 50 {
		ws := dialServer(t, svc)
		junk := make([]byte, 4096)
		random.Read(junk)
		if rand.IntN(2) == 0 {
			junk = append(frame(&serviceprotocol.HandshakeRequest{Version: 1, ConnectionType: serviceprotocol.ConnectionWeak}), junk...)
		}
		_ = ws.Write(t.Context(), websocket.MessageBinary, junk)
		_ = ws.Close(websocket.StatusNormalClosure, "")
	}
	wellAlive(t, svc, app)
}

func TestGarbageFromClients(t *testing.T) {
	tests := []struct{ name, sends, want string }{
		{"not JSON", "garbage\x1e", "An unexpected error occurred during connection handshake."},
		{"no protocol", `{"version":1}` + "\x1e", "An unexpected error occurred during connection handshake."},
		{"version is text", `{"protocol":"json","version":"1"}` + "\x1e", "An unexpected error occurred during connection handshake."},
		{"no end", strings.Repeat("x", 40<<10), "An unexpected error occurred during connection handshake."},
		{"nothing in time", "", "Handshake was canceled."},
	}
	svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Handshake: 500 * time.Millisecond}})
	app := svc.AppServer("chat")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := svc.Dial("/client/?hub=chat", servicetest.Token(t, "/client", "chat"))
			if tt.sends != "" {
				client.Send(tt.sends)
			}
			client.Expect(`{"error":"` + tt.want + `"}` + "\x1e")
			if got := client.ExpectClose(); got != websocket.StatusNormalClosure {
				t.Errorf("close status = %d, want 1000", got)
			}
		})
	}
	wellAlive(t, svc, app)
}

func TestClientMessageLimitIsNamed(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Limits: service.Limits{ClientMessageBytes: 1 << 10}})
	app := svc.AppServer("chat")
	client, _ := svc.Open(app, "chat", "json", derror)
	client.Send(strings.Repeat("x", 2<<10) + "\x1e")
	if got := client.Next(); !strings.Contains(got, "limits.client-message-bytes") || !strings.Contains(got, "1024 bytes") {
		t.Errorf("client got %q, want the limit's name and value", got)
	}
	closed := servicetest.Expect[*serviceprotocol.CloseConnection](app)
	if closed.Error == "" {
		t.Error("the app server is told of a normal end, want an error")
	}
	wellAlive(t, svc, app)
}

// A message of 100 MB passes through a service that never holds it whole.
func TestHugeMessageFromClient(t *testing.T) {
	const size = 100 << 20
	svc := servicetest.Start(t, service.Config{})
	sink := newSink(t, svc)
	client := svc.Dial("/client/?hub=chat", servicetest.Token(t, "/client", "chat"))
	client.Send(`{"protocol":"json","version":1}` + "\x1e")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, err := client.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for range size / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write([]byte{0x1e}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sink.wait(size)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	if stats.HeapInuse > 64<<20 {
		t.Errorf("heap = %d MiB after one message of 100 MiB, want less than 64", stats.HeapInuse>>20)
	}
}

// Clients that send headers or frames slowly, or not at all, cost nobody else.
func TestSlowAndHalfOpenPeers(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Handshake: 300 * time.Millisecond}})
	app := svc.AppServer("chat")
	address := strings.TrimPrefix(svc.URL, "http://")
	for _, start := range []string{"", "GET /client/?hub=chat HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /client/negotiate?hub=chat HTTP/1.1\r\n"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(start)); err != nil {
			t.Fatal(err)
		}
	}
	half := dialServer(t, svc) // no handshake follows
	cut := dialServer(t, svc)  // half a handshake follows
	if err := cut.Write(t.Context(), websocket.MessageBinary, []byte{8, 0x96}); err != nil {
		t.Fatal(err)
	}
	wellAlive(t, svc, app)
	gone(t, half)
	gone(t, cut)
}

// A client that reads nothing is closed at the bound of its queue; others get
// everything.
func TestSlowClient(t *testing.T) {
	svc := servicetest.Start(t, service.Config{
		Limits:   service.Limits{ClientQueueBytes: 256 << 10},
		Timeouts: service.Timeouts{ClientSend: time.Minute}, // the bound closes it, not the time
	})
	app := svc.AppServer("chat")
	_, slow := svc.Open(app, "chat", "json")
	good, _ := svc.Open(app, "chat", "json")
	body := strings.Repeat("x", 64<<10) + "\x1e"
	for i := 0; ; i++ {
		if i == 2000 {
			t.Fatal("the slow client was not closed")
		}
		app.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(body)}}})
		good.Expect(body)
		app.Send(&serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: slow, AckID: i})
		status, closed := ackOrClose(t, app)
		if closed == slow {
			break
		}
		if status == serviceprotocol.AckNotFound {
			break
		}
	}
	wellAlive(t, svc, app)
}

// ackOrClose returns the status of the next ack, and the id of a client that
// was reported closed before it.
func ackOrClose(t *testing.T, app *servicetest.AppServer) (serviceprotocol.AckStatus, string) {
	t.Helper()
	closed := ""
	for {
		switch m := app.Next().(type) {
		case *serviceprotocol.CloseConnection:
			closed = m.ConnectionID
		case *serviceprotocol.Ack:
			return m.Status, closed
		default:
			t.Fatalf("app server got %T", m)
		}
	}
}

// An app server that reads nothing holds up its own clients and no others.
func TestStalledAppServer(t *testing.T) {
	svc := servicetest.Start(t, service.Config{
		Limits:   service.Limits{ServerQueueBytes: 64 << 10},
		Timeouts: service.Timeouts{Ping: 50 * time.Millisecond, ServerStall: 500 * time.Millisecond},
	})
	stalled := dialServer(t, svc)
	if err := stalled.Write(t.Context(), websocket.MessageBinary, frame(&serviceprotocol.HandshakeRequest{Version: 1})); err != nil {
		t.Fatal(err)
	}
	if _, _, err := stalled.Read(t.Context()); err != nil { // the handshake's answer, and nothing after it
		t.Fatal(err)
	}
	victim := svc.Dial("/client/?hub=chat", servicetest.Token(t, "/client", "chat"))
	victim.Send(`{"protocol":"json","version":1}` + "\x1e")
	flood := make(chan error, 1)
	go func() {
		chunk := bytes.Repeat([]byte("x"), 64<<10)
		for {
			if err := victim.Write(t.Context(), websocket.MessageText, chunk); err != nil {
				flood <- err
				return
			}
		}
	}()
	app := svc.AppServer("chat") // has the fewest clients
	wellAlive(t, svc, app)
	select {
	case <-flood: // the stalled server connection was given up, and its client closed
	case <-time.After(servicetest.Wait):
		t.Error("the client of a stalled app server was not closed")
	}
	wellAlive(t, svc, app)
}

func TestManyClientsOneBroadcast(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	const n = 200
	clients := make([]*servicetest.Client, n)
	for i := range clients {
		clients[i], _ = svc.Open(app, "chat", "json")
	}
	message := `{"type":1,"target":"m","arguments":[]}` + "\x1e"
	app.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(message)}}})
	for _, c := range clients {
		c.Expect(message)
	}
	stats := svc.Stats()
	if got := fmt.Sprint(stats.Hubs[0].Delivered); got != fmt.Sprint(2*n) { // n handshake responses, n broadcasts
		t.Errorf("delivered = %s, want %d", got, 2*n)
	}
}
