package servicetest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
)

// A Client is a raw WebSocket client: the test says which bytes it sends and
// which must come.
type Client struct {
	*websocket.Conn
	t testing.TB
}

// Client connects to hub without negotiation and sends the handshake request
// for the protocol.
func (s *Service) Client(hub, protocol string, claims ...accesstoken.Claim) *Client {
	s.t.Helper()
	c := s.Dial("/client/?hub="+hub, Token(s.t, "/client", hub, claims...))
	c.Send(`{"protocol":"` + protocol + `","version":1}` + "\x1e")
	return c
}

// Open connects a client that the app server accepts, and returns it with its
// connection id.
func (s *Service) Open(a *AppServer, hub, protocol string, claims ...accesstoken.Claim) (*Client, string) {
	s.t.Helper()
	c := s.Client(hub, protocol, claims...)
	id := a.Accept().ConnectionID
	c.Expect("{}\x1e")
	return c, id
}

// Dial opens a WebSocket to a path with its query.
func (s *Service) Dial(pathAndQuery, token string) *Client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	address := strings.Replace(s.URL, "http", "ws", 1) + pathAndQuery
	ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		s.t.Fatal(strings.ReplaceAll(err.Error(), url.QueryEscape(token), "…"))
	}
	ws.SetReadLimit(-1)
	s.t.Cleanup(func() { _ = ws.CloseNow() })
	return &Client{Conn: ws, t: s.t}
}

// Send sends text.
func (c *Client) Send(text string) { c.send(websocket.MessageText, text) }

// SendBinary sends bytes.
func (c *Client) SendBinary(bytes string) { c.send(websocket.MessageBinary, bytes) }

func (c *Client) send(kind websocket.MessageType, data string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	if err := c.Write(ctx, kind, []byte(data)); err != nil {
		c.t.Fatal(err)
	}
}

// Next returns the next WebSocket message.
func (c *Client) Next() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// Expect reads until exactly want has come, in one WebSocket message or several.
func (c *Client) Expect(want string) {
	c.t.Helper()
	got := ""
	for len(got) < len(want) {
		got += c.Next()
	}
	if got != want {
		c.t.Fatalf("client got %q, want %q", got, want)
	}
}

// ExpectClose reads the end and returns its WebSocket status.
func (c *Client) ExpectClose() websocket.StatusCode {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err == nil {
		c.t.Fatalf("client got %q, want the end of the connection", data)
	}
	return websocket.CloseStatus(err)
}
