package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/client"
	"switchboard/hubprotocol"
)

// cutTime is short, so that the test can run with all others; "make cuts" takes longer.
var cutTime = flag.Duration("cuts", 4*time.Second, "how long TestCutSockets cuts sockets")

const (
	cutClients = 50
	cutPace    = 50 * time.Millisecond // between two calls of a client: 1000 a second of all, and as many pushed
)

// TestCutSockets has clients exchange numbers with their hub while their sockets break
// off at random. With stateful reconnect nothing is lost, repeated or out of order, and
// the hub notices nothing; without it, a client connects again, and the hub sees the end
// of each connection once.
func TestCutSockets(t *testing.T) {
	long(t)
	for _, e := range engines[:1] {
		svc := startService(t, e)
		for _, stateful := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stateful %v", e.name, stateful), func(t *testing.T) {
				app := startApp(t, svc, fmt.Sprintf("cuts %v", stateful))
				cutSockets(t, app, stateful)
			})
		}
	}
}

func cutSockets(t *testing.T, app *app, stateful bool) {
	ctx, cancel := context.WithTimeout(t.Context(), *cutTime)
	defer cancel()
	var total cutCounts
	var clients sync.WaitGroup
	for i := range cutClients {
		clients.Go(func() {
			c := &cutClient{t: t, app: app, stateful: stateful, total: &total, protocol: hubprotocol.JSON}
			if i%2 == 1 {
				c.protocol = hubprotocol.MessagePack
			}
			c.run(ctx)
		})
	}
	clients.Wait()
	t.Logf("%d clients: %d sockets cut, %d numbers there and back, %d pushed, %d reconnects",
		cutClients, total.cuts.Load(), total.calls.Load(), total.pushed.Load(), total.reconnects.Load())
	if total.cuts.Load() == 0 {
		t.Error("no socket was cut")
	}
}

type cutCounts struct{ cuts, calls, pushed, reconnects atomic.Int64 }

// A cutClient is one client whose socket breaks off now and then.
type cutClient struct {
	t        *testing.T
	app      *app
	stateful bool
	protocol hubprotocol.Protocol
	total    *cutCounts
	conn     *client.Conn

	mu     sync.Mutex
	socket net.Conn // the latest; guarded by mu, as is all below
	pushed int      // numbers that the hub has pushed over this connection
	ids    []string // of the connections that were
}

func (c *cutClient) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket = conn
	return conn, err
}

func (c *cutClient) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.socket.(*net.TCPConn).SetLinger(0)
	_ = c.socket.Close() // it may be closed already
	c.total.cuts.Add(1)
}

func (c *cutClient) run(ctx context.Context) {
	transport := &http.Transport{DialContext: c.dial}
	defer transport.CloseIdleConnections()
	var err error
	c.conn, err = client.New(c.app.url+"/hub", client.Config{
		Protocol: c.protocol, Transports: client.WebSockets, StatefulReconnect: c.stateful,
		HTTPClient:     &http.Client{Transport: transport},
		Reconnect:      client.ReconnectAfter(make([]time.Duration, 100)...),
		OnReconnecting: func(err error) { c.lost(err) },
		OnReconnected:  func(id string) { c.back(id) },
	})
	if err != nil {
		c.t.Error(err)
		return
	}
	c.conn.On("Receive", c.receive)
	if err := c.conn.Start(c.t.Context()); err != nil {
		c.t.Error(err)
		return
	}
	c.back(c.conn.ConnectionID())
	var cutting sync.WaitGroup
	cutting.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-time.After(time.Duration(200+rand.IntN(1000)) * time.Millisecond):
				c.cut()
			case <-ctx.Done():
			}
		}
	})
	c.exchange(ctx)
	cutting.Wait()
	end, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := c.conn.Stop(end); err != nil {
		c.t.Error(err)
	}
	for _, id := range c.ids { // OnDisconnected twice would be a panic of endings.tell
		select {
		case <-c.app.endings.of(id).told:
		case <-end.Done():
			c.t.Errorf("OnDisconnected of %s was not called", id)
		}
	}
}

// exchange sends numbers from 0 over each connection, in order, until ctx is done.
func (c *cutClient) exchange(ctx context.Context) {
	pace := time.NewTicker(cutPace)
	defer pace.Stop()
	for n, id := 0, c.conn.ConnectionID(); ctx.Err() == nil; n++ {
		<-pace.C
		if now := c.conn.ConnectionID(); now != id {
			n, id = 0, now
		}
		if id == "" {
			n = -1
			continue
		}
		got, err := client.Invoke[int](c.t.Context(), c.conn, "Count", n)
		switch {
		case err == nil && got == n:
			c.total.calls.Add(1)
		case !c.stateful && (errors.Is(err, net.ErrClosed) || c.conn.ConnectionID() != id):
			n, id = -1, ""
		default:
			c.t.Errorf("Count(%d) = %d, %v", n, got, err)
			return
		}
	}
}

// receive takes a number that the hub pushes, before its answer to the same call.
func (c *cutClient) receive(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n != c.pushed {
		c.t.Errorf("the hub pushed %d, want %d", n, c.pushed)
	}
	c.pushed = n + 1
	c.total.pushed.Add(1)
}

func (c *cutClient) lost(err error) {
	if c.stateful {
		c.t.Errorf("the connection was lost: %v", err)
	}
	c.total.reconnects.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushed = 0
}

func (c *cutClient) back(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, id)
}
