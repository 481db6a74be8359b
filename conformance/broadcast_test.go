package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"switchboard/accesstoken"
	"switchboard/hubprotocol"
)

// TestBroadcast sends two messages to a thousand clients. Each gets both, once and
// in order.
func TestBroadcast(t *testing.T) {
	long(t)
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { testBroadcast(t, e) })
	}
}

func testBroadcast(t *testing.T, e engine) {
	const count = 1000
	svc := startService(t, e)
	app := startApp(t, svc, "broadcast")
	ctx, cancel := bounded()
	defer cancel()
	clients := dialAll(t, ctx, svc, app, count)

	// Both calls are of one client, so they take the same way.
	want := []string{`"news"`, `"end"`}
	for _, text := range want {
		if err := clients[0].send(ctx, "ToAll", text); err != nil {
			t.Fatal(err)
		}
	}
	delivered := 0
	for i, c := range clients {
		got, err := c.readUntil(ctx, `"end"`)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("client %d got %q, %v, want %q", i, got, err, want)
			continue
		}
		delivered++
	}
	if delivered != count {
		t.Errorf("%d deliveries, want %d", delivered, count)
	}
}

// dialAll connects count clients to the app's hub.
func dialAll(t *testing.T, ctx context.Context, svc *service, app *app, count int) []*rawClient {
	t.Helper()
	hub, err := accesstoken.HubName(app.name, "hub")
	if err != nil {
		t.Fatal(err)
	}
	token, err := svc.token(hub, "")
	if err != nil {
		t.Fatal(err)
	}
	clients := make([]*rawClient, count)
	var dialling errgroup.Group
	dialling.SetLimit(32)
	for i := range clients {
		dialling.Go(func() (err error) {
			clients[i], err = dial(ctx, svc, hub, token)
			return err
		})
	}
	t.Cleanup(func() {
		for _, c := range clients {
			if c != nil {
				_ = c.conn.CloseNow()
			}
		}
	})
	if err := dialling.Wait(); err != nil {
		t.Fatal(err)
	}
	return clients
}

// A rawClient is a WebSocket that speaks the JSON hub protocol.
type rawClient struct {
	conn   *websocket.Conn
	unread []byte
}

// dial connects a client without negotiation and makes the handshake.
func dial(ctx context.Context, svc *service, hub, token string) (*rawClient, error) {
	conn, _, err := websocket.Dial(ctx, svc.webSocketURL(hub), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: svc.trust()}},
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		return nil, err
	}
	c := &rawClient{conn: conn}
	request := hubprotocol.HandshakeRequest{Protocol: "json", Version: 1}
	if err := conn.Write(ctx, websocket.MessageText, request.Append(nil)); err != nil {
		return c, err
	}
	for {
		response, rest, err := hubprotocol.ParseHandshakeResponse(c.unread)
		switch {
		case errors.Is(err, hubprotocol.ErrIncomplete):
			if err := c.fill(ctx); err != nil {
				return c, err
			}
		case err != nil:
			return c, err
		case response.Error != "":
			return c, fmt.Errorf("handshake: %s", response.Error)
		default:
			c.unread = rest
			return c, nil
		}
	}
}

// send calls a hub method with one argument in JSON, without waiting for it.
func (c *rawClient) send(ctx context.Context, target, argument string) error {
	frame, err := hubprotocol.JSON.Append(nil, &hubprotocol.Invocation{Target: target, Arguments: [][]byte{[]byte(argument)}})
	if err != nil {
		return err
	}
	return c.conn.Write(ctx, websocket.MessageText, frame)
}

// fill waits for more bytes.
func (c *rawClient) fill(ctx context.Context) error {
	_, data, err := c.conn.Read(ctx)
	c.unread = append(c.unread, data...)
	return err
}

// readUntil returns what the hub sent, as JSON, up to last.
func (c *rawClient) readUntil(ctx context.Context, last string) (values []string, err error) {
	for !slices.Contains(values, last) {
		m, err := c.read(ctx)
		if err != nil {
			return values, err
		}
		if invocation, ok := m.(*hubprotocol.Invocation); ok && len(invocation.Arguments) == 1 {
			values = append(values, string(invocation.Arguments[0]))
		}
	}
	return values, nil
}

func (c *rawClient) read(ctx context.Context) (hubprotocol.Message, error) {
	for {
		message, rest, err := hubprotocol.JSON.Split(c.unread, 0)
		switch {
		case err != nil:
			return nil, err
		case message != nil:
			c.unread = rest
			return hubprotocol.JSON.Parse(message)
		}
		if err := c.fill(ctx); err != nil {
			return nil, err
		}
	}
}
