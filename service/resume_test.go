package service_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// dialResumable opens a WebSocket of a server connection, as package appserver does.
func dialResumable(t *testing.T, svc *servicetest.Service, serverID, cid, received string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	header := http.Header{
		"Authorization":              {"Bearer " + servicetest.Token(t, "/server", "chat", accesstoken.Claim{Type: "nameid", Value: serverID})},
		"X-Asrs-Server-Id":           {serverID},
		serviceprotocol.HeaderResume: {received},
	}
	ws, response, err := websocket.Dial(ctx, strings.Replace(svc.URL, "http", "ws", 1)+"/server/?hub=chat&cid="+cid, &websocket.DialOptions{HTTPHeader: header})
	if ws != nil {
		t.Cleanup(func() { _ = ws.CloseNow() })
	}
	return ws, response, err
}

// A server connection goes on over another WebSocket, which begins with what the first one has
// not brought. Its clients notice nothing.
func TestServerConnectionIsResumed(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	ws, response, err := dialResumable(t, svc, "one", "cid", serviceprotocol.ResumeNew)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get(serviceprotocol.HeaderResume); got != "0" {
		t.Fatalf("the service answers %q, want 0: it can resume", got)
	}
	sent, received := 0, 0
	write := func(m serviceprotocol.Message) {
		frame := serviceprotocol.AppendFrame(nil, m)
		sent += len(frame)
		if err := ws.Write(t.Context(), websocket.MessageBinary, frame); err != nil {
			t.Fatal(err)
		}
	}
	read := func(want string) {
		t.Helper()
		var all []byte
		for !strings.Contains(string(all), want) {
			ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
			_, p, err := ws.Read(ctx)
			cancel()
			if err != nil {
				t.Fatalf("%v; want %q, got %q", err, want, all)
			}
			all = append(all, p...)
			received += len(p)
		}
	}
	write(&serviceprotocol.HandshakeRequest{Version: 1})
	read("cid")
	client := svc.Client("chat", "json")
	read(`"version":1}`)

	if _, response, err := dialResumable(t, svc, "one", "cid", "many"); err == nil || response.StatusCode != http.StatusBadRequest {
		t.Error("a number that is none: want 400")
	}
	for _, other := range []struct{ server, cid string }{{"two", "cid"}, {"one", "other"}} {
		if _, response, err := dialResumable(t, svc, other.server, other.cid, "5"); err == nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("%v: want 404", other)
		}
	}
	_ = ws.CloseNow()
	client.Send(ask) // while there is no WebSocket
	lostAfter := received
	if ws, response, err = dialResumable(t, svc, "one", "cid", strconv.Itoa(lostAfter)); err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get(serviceprotocol.HeaderResume); got != strconv.Itoa(sent) {
		t.Errorf("the service has got %s bytes, want %d", got, sent)
	}
	read(ask)
	waitFor(t, func() bool { return svc.Stats().ServerConnectionsResumed == 1 })
	if got := svc.Stats(); got.ServerConnections != 1 || got.Hubs[0].Clients != 1 {
		t.Errorf("%+v", got)
	}

	// The first WebSocket need not have ended for the service.
	first := ws
	if ws, _, err = dialResumable(t, svc, "one", "cid", strconv.Itoa(received)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, websocket.NetConn(t.Context(), first, websocket.MessageBinary)); err == nil {
		t.Error("a WebSocket in whose place is another one ends in good order")
	}
	client.Send(ask)
	read(ask)

	// Numbers that cannot be are the end.
	if ws, _, err = dialResumable(t, svc, "one", "cid", "1000000"); err != nil {
		t.Fatal(err)
	}
	client.Expect(`{"error":"Server connection dropped."}` + "\x1e")
	client.ExpectClose()
}

func TestServerConnectionIsLostWhenItIsNotResumed(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"it does not come again": 50 * time.Millisecond, "it cannot": 1} {
		t.Run(name, func(t *testing.T) {
			svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{ServerResume: timeout}})
			ws, response, err := dialResumable(t, svc, "one", "cid", serviceprotocol.ResumeNew)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := response.Header.Get(serviceprotocol.HeaderResume) != "", timeout > time.Millisecond; got != want {
				t.Errorf("the service offers to resume: %v, want %v", got, want)
			}
			if err := ws.Write(t.Context(), websocket.MessageBinary, serviceprotocol.AppendFrame(nil, &serviceprotocol.HandshakeRequest{Version: 1})); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ws.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = ws.CloseNow()
			for deadline := time.Now().Add(servicetest.Wait); svc.Stats().ServerConnectionsClosed["transport_lost"] == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the server connection does not end: %+v", svc.Stats().ServerConnectionsClosed)
				}
			}
			if _, response, err := dialResumable(t, svc, "one", "cid", "10"); err == nil || response.StatusCode != http.StatusNotFound {
				t.Errorf("after the end: %v, want 404", err)
			}
		})
	}
}
