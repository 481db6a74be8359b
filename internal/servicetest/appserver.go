package servicetest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

// An AppServer is one scripted server connection: the test says what it sends
// and what must come. Keep-alive pings are left out.
type AppServer struct {
	ID       string // of this server connection
	t        testing.TB
	conn     *mux.Conn
	reads    sync.Mutex                   // held while nothing shall be read
	messages chan serviceprotocol.Message // closed by the reader when the connection ends
	cancel   context.CancelFunc
	done     chan struct{} // closed when the reader has ended
}

// AppServer opens a server connection to hub and makes the handshake.
func (s *Service) AppServer(hub string, request ...serviceprotocol.HandshakeRequest) *AppServer {
	s.t.Helper()
	a, err := s.DialAppServer(hub, request...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// DialAppServer is AppServer that returns the failure.
func (s *Service) DialAppServer(hub string, request ...serviceprotocol.HandshakeRequest) (*AppServer, error) {
	s.t.Helper()
	return s.dialAppServer("/server", "server-1", hub, request...)
}

// AppServerOf is AppServer for the app server instance with this id.
func (s *Service) AppServerOf(serverID, hub string, request ...serviceprotocol.HandshakeRequest) *AppServer {
	s.t.Helper()
	a, err := s.dialAppServer("/server", serverID, hub, request...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// AspNetAppServer opens a server connection as an app server of ASP.NET SignalR does, to an
// application (app_app) or a hub of it (app_hub).
func (s *Service) AspNetAppServer(hub string, request ...serviceprotocol.HandshakeRequest) *AppServer {
	s.t.Helper()
	a, err := s.dialAppServer("/aspnetserver", "server-1", hub, request...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *Service) dialAppServer(path, serverID, hub string, request ...serviceprotocol.HandshakeRequest) (*AppServer, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	id := fmt.Sprintf("cid-%d", time.Now().UnixNano())
	header := http.Header{
		"Authorization":    {"Bearer " + Token(s.t, path, hub, accesstoken.Claim{Type: "nameid", Value: serverID})},
		"X-ASRS-Server-Id": {serverID},
	}
	url := strings.Replace(s.URL, "http", "ws", 1) + path + "/?hub=" + hub + "&cid=" + id
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, err
	}
	a := &AppServer{ID: id, t: s.t, messages: make(chan serviceprotocol.Message, 1<<16), done: make(chan struct{})}
	a.conn = mux.New(mux.WebSocket(ws), mux.Options{})
	first := serviceprotocol.HandshakeRequest{Version: 1}
	if len(request) > 0 {
		first = request[0]
	}
	if err := a.conn.Handshake(ctx, &first); err != nil {
		_ = ws.CloseNow()
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	a.cancel = stop
	go func() {
		defer close(a.done)
		defer close(a.messages)
		_ = a.conn.Serve(run, a.keep)
	}()
	s.t.Cleanup(a.Close)
	return a, nil
}

// keep copies a message, which is valid only now, for the test's eyes.
func (a *AppServer) keep(_ context.Context, m serviceprotocol.Message) error {
	if ping, ok := m.(*serviceprotocol.Ping); ok && len(ping.Messages) == 0 {
		return nil
	}
	clone, err := serviceprotocol.Parse(m.Append(nil))
	if err != nil {
		return err
	}
	a.reads.Lock()
	defer a.reads.Unlock()
	a.messages <- clone
	return nil
}

// Hold has the app server read nothing until release is called.
func (a *AppServer) Hold() (release func()) {
	a.reads.Lock()
	return a.reads.Unlock
}

// Close ends the server connection in good order.
func (a *AppServer) Close() {
	a.cancel()
	<-a.done
}

// Send sends messages.
func (a *AppServer) Send(messages ...serviceprotocol.Message) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	for _, m := range messages {
		if err := a.conn.Send(ctx, m); err != nil {
			a.t.Fatal(err)
		}
	}
}

// Next returns the next message.
func (a *AppServer) Next() serviceprotocol.Message {
	a.t.Helper()
	select {
	case m, ok := <-a.messages:
		if !ok {
			a.t.Fatal("the server connection has ended")
		}
		return m
	case <-time.After(Wait):
		a.t.Fatal("no message for the app server")
	}
	return nil
}

// Expect returns the next message, which must be an M.
func Expect[M serviceprotocol.Message](a *AppServer) M {
	a.t.Helper()
	m := a.Next()
	want, ok := m.(M)
	if !ok {
		a.t.Fatalf("app server got %T %+v, want a %T", m, m, want)
	}
	return want
}

// Accept expects a client: its OpenConnection and its handshake request, which
// is answered in the affirmative.
func (a *AppServer) Accept() *serviceprotocol.OpenConnection {
	a.t.Helper()
	open := Expect[*serviceprotocol.OpenConnection](a)
	Expect[*serviceprotocol.ConnectionData](a)
	a.Send(&serviceprotocol.ConnectionData{ConnectionID: open.ConnectionID, Payload: []byte("{}\x1e")})
	return open
}

// Ack expects the answer to the request with this id and returns its status.
func (a *AppServer) Ack(id int) serviceprotocol.AckStatus {
	a.t.Helper()
	ack := Expect[*serviceprotocol.Ack](a)
	if ack.AckID != id {
		a.t.Fatalf("ack for %d, want %d", ack.AckID, id)
	}
	return ack.Status
}
