package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
	"switchboard/client"
	"switchboard/hubprotocol"
)

// rollingClients are few, so that the test can run with all others; "make rolling" has more.
var rollingClients = flag.Int("rolling-clients", 200, "clients of TestRollingRestart")

const rollingPace = 200 * time.Millisecond // between two numbers of a client

// TestRollingRestart restarts two app servers one after the other, twice, while clients
// exchange numbers with their hub: calls, messages without an answer, and what the hub
// pushes. No client is disconnected, and no number is lost, repeated or out of order.
func TestRollingRestart(t *testing.T) {
	long(t)
	s := newRolling(t)
	servers := []*rollingServer{s.start("a"), s.start("b")}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range *rollingClients {
		clients.Go(func() { s.play(ctx, i) })
	}
	s.await("clients exchange numbers", func() bool { return s.calls.Load() > 5*int64(*rollingClients) })
	moves := 0
	for range 2 {
		for i, server := range servers {
			present := int(server.clients.Load())
			began := time.Now()
			server.end()
			t.Logf("%s with %d clients has ended after %v", server.id, present, time.Since(began).Round(time.Millisecond))
			moves += present
			servers[i] = s.start(server.id + "'")
			before := s.calls.Load()
			s.await("clients go on", func() bool { return s.calls.Load() > before+3*int64(*rollingClients) })
		}
	}
	stop()
	clients.Wait()
	for _, server := range servers {
		server.end()
	}
	t.Logf("%d clients: %d calls, %d messages without an answer, %d pushed; %d times a client was moved",
		*rollingClients, s.calls.Load(), s.notes.Load(), s.pushed.Load(), s.moved.Load())
	if moved := int(s.moved.Load()); moved < moves/2 {
		t.Errorf("%d moves, want about %d", moved, moves)
	}
}

// A rolling is the test: a service, app servers that come and go, and clients.
type rolling struct {
	*testing.T
	service *service
	hub     *RollingHub
	lossy   bool // server connections are cut

	links links // sockets of the server connections

	calls, notes, pushed, moved, again atomic.Int64
}

func newRolling(t *testing.T, flags ...string) *rolling {
	t.Helper()
	s := &rolling{T: t, service: startService(t, engines[0], flags...), hub: &RollingHub{clients: map[string]*rollingCount{}}}
	s.hub.s = s
	return s
}

func (s *rolling) await(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) || s.Failed() {
			s.Fatalf("not so in time: %s", what)
		}
	}
}

// A RollingHub has the numbers of all clients, whichever app server they are with.
type RollingHub struct {
	s       *rolling
	mu      sync.Mutex
	clients map[string]*rollingCount // by connection id; guarded by mu
}

type rollingCount struct {
	server       string // that has the client
	calls, notes int    // the next numbers
}

// A rollingServer is an app server.
type rollingServer struct {
	*RollingHub
	id      string
	hub     *appserver.HubContext
	clients atomic.Int64
	ended   chan error
	end     func()
}

func (s *rolling) start(id string) *rollingServer {
	s.Helper()
	server := &rollingServer{RollingHub: s.hub, id: id, ended: make(chan error, 1)}
	app, err := appserver.New(appserver.Config{
		ConnectionString: s.service.connectionString,
		ServerID:         id,
		HTTPClient:       s.links.client(nil),
		Shutdown:         appserver.MigrateClients,
		Logger:           slog.New(slog.NewTextHandler(s.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		s.Fatal(err)
	}
	if server.hub, err = app.MapHub("/rolling", &Rolling{server}); err != nil {
		s.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { server.ended <- app.Run(ctx) }()
	server.end = sync.OnceFunc(func() {
		stop()
		if err := <-server.ended; err != nil {
			s.Errorf("app server %s: %v", id, err)
		}
	})
	s.Cleanup(server.end)
	ready, cancel := bounded()
	defer cancel()
	if err := app.Ready(ready); err != nil {
		s.Fatal(err)
	}
	return server
}

// Rolling is the hub of one app server.
type Rolling struct{ server *rollingServer }

func (h *Rolling) OnConnected(ctx *appserver.Context) error {
	h.server.clients.Add(1)
	return h.with(ctx, func(c *rollingCount) error {
		if c.server != ctx.MigrateFrom() && !h.server.s.lossy {
			return fmt.Errorf("client comes from %q, and was last with %q", ctx.MigrateFrom(), c.server)
		}
		if c.server != "" {
			h.server.s.moved.Add(1)
		}
		c.server = h.server.id
		return nil
	})
}

func (h *Rolling) OnDisconnected(ctx *appserver.Context, _ error) { h.server.clients.Add(-1) }

func (h *Rolling) Count(ctx *appserver.Context, n int) (int, error) {
	err := h.with(ctx, func(c *rollingCount) error { return next("call", &c.calls, n) })
	return n, errors.Join(err, ctx.Clients().Caller().Send(ctx, "Pushed", n))
}

// Try takes a number, or the one before once more: the client was not told that it came.
func (h *Rolling) Try(ctx *appserver.Context, n int) (int, error) {
	return n, h.with(ctx, func(c *rollingCount) error {
		if n == c.calls-1 {
			h.server.s.again.Add(1)
			return nil
		}
		return next("try", &c.calls, n)
	})
}

func (h *Rolling) Note(ctx *appserver.Context, n int) error {
	return h.with(ctx, func(c *rollingCount) error { return next("note", &c.notes, n) })
}

func next(what string, want *int, n int) error {
	if n != *want {
		return fmt.Errorf("%s %d comes, want %d", what, n, *want)
	}
	*want++
	return nil
}

// with tells of a mistake, too.
func (h *Rolling) with(ctx *appserver.Context, do func(*rollingCount) error) error {
	all := h.server.RollingHub
	all.mu.Lock()
	defer all.mu.Unlock()
	c := all.clients[ctx.ConnectionID()]
	if c == nil {
		c = new(rollingCount)
		all.clients[ctx.ConnectionID()] = c
	}
	err := do(c)
	if err != nil {
		all.s.Errorf("client %s at %s: %v", ctx.ConnectionID(), h.server.id, err)
	}
	return err
}

// newClient returns a client that is not connected yet.
func (s *rolling) newClient(i int) (*client.Conn, error) {
	config := client.Config{
		Transports: client.WebSockets, StatefulReconnect: false,
		HTTPClient: http.DefaultClient,
		Token: func(context.Context) (string, error) {
			now := time.Now()
			return accesstoken.Sign(accessKey, accesstoken.HS256, accesstoken.Token{
				Audience: s.service.endpoint.ClientAudience("rolling"), Expires: now.Add(time.Hour),
			})
		},
	}
	if i%2 == 1 {
		config.Protocol = hubprotocol.MessagePack
	}
	return client.New(s.service.endpoint.ClientURL("rolling"), config)
}

// play is one client.
func (s *rolling) play(ctx context.Context, i int) {
	conn, err := s.newClient(i)
	if err != nil {
		s.Error(err)
		return
	}
	pushed := 0
	conn.On("Pushed", func(n int) {
		if err := next("push", &pushed, n); err != nil {
			s.Error(err)
		}
		s.pushed.Add(1)
	})
	if err := conn.Start(s.Context()); err != nil {
		s.Error(err)
		return
	}
	pace := time.NewTicker(rollingPace)
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		<-pace.C
		if err := conn.Send(s.Context(), "Note", n); err != nil {
			s.Error(err)
			return
		}
		s.notes.Add(1)
		if got, err := client.Invoke[int](s.Context(), conn, "Count", n); err != nil || got != n {
			s.Errorf("Count(%d) = %d, %v", n, got, err)
			return
		}
		s.calls.Add(1)
	}
	end, cancel := bounded()
	defer cancel()
	if err := conn.Stop(end); err != nil {
		s.Error(err)
	}
}

// An app server calls clients of another one, which answers, fails, and goes.
func TestResultsAcrossAppServers(t *testing.T) {
	long(t)
	s := newRolling(t)
	s.start("a")
	conns, called, release := []*client.Conn{}, make(chan struct{}, 1), make(chan struct{})
	for i := range 2 { // of either protocol, both with a
		conn, err := s.newClient(i)
		if err != nil {
			t.Fatal(err)
		}
		conn.On("Double", func(n int) int { return 2 * n })
		conn.On("Fail", func() (int, error) { return 0, errors.New("sold out") })
		conn.On("Never", func() int {
			called <- struct{}{}
			<-release
			return 0
		})
		if err := conn.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	other := s.start("b").hub.Clients()
	for _, conn := range conns {
		c := other.Client(conn.ConnectionID())
		if n, err := appserver.Invoke[int](t.Context(), c, "Double", 21); n != 42 || err != nil {
			t.Errorf("Double: %d, %v", n, err)
		}
		_, err := appserver.Invoke[int](t.Context(), c, "Fail")
		if refusal, ok := errors.AsType[*appserver.HubError](err); !ok || refusal.Message != "sold out" {
			t.Errorf("Fail: %v", err)
		}
		lost := make(chan error, 1)
		go func() {
			_, err := appserver.Invoke[int](t.Context(), c, "Never")
			lost <- err
		}()
		<-called
		stopped := make(chan error, 1)
		end, cancel := bounded()
		defer cancel()
		go func() { stopped <- conn.Stop(end) }() // it waits for the handler, when the connection has ended
		if err := <-lost; !errors.Is(err, appserver.ErrClientGone) {
			t.Errorf("Never: %v", err)
		}
		release <- struct{}{}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if _, err := appserver.Invoke[int](t.Context(), c, "Double", 1); !errors.Is(err, appserver.ErrClientGone) {
			t.Errorf("client that is gone: %v", err)
		}
	}
}

// TestCutServerConnections cuts sockets of server connections all the time while clients
// exchange numbers with their hub. They go on over other sockets: no client is disconnected or
// moved, no call fails, and no number is lost, repeated or out of order.
func TestCutServerConnections(t *testing.T) {
	long(t)
	s := newRolling(t, "--lost-clients", "move")
	s.start("a")
	s.start("b")
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range *rollingClients {
		clients.Go(func() { s.play(ctx, i) })
	}
	cuts := 0
	s.await("clients exchange numbers", func() bool {
		s.links.cutOne()
		cuts++
		return s.calls.Load() > 25*int64(*rollingClients)
	})
	stop()
	clients.Wait()
	resumed := s.service.samples(t, "switchboard_server_connections_resumed_total")
	t.Logf("%d clients, %d sockets of 10 server connections cut: %d calls, %d messages without an answer, %d pushed; resumed: %v, clients moved: %d",
		*rollingClients, cuts, s.calls.Load(), s.notes.Load(), s.pushed.Load(), resumed, s.moved.Load())
	for _, n := range resumed {
		if int(n) < cuts/2 {
			t.Errorf("%v server connections were resumed, of %d that were cut", n, cuts)
		}
	}
	if s.moved.Load() > 0 {
		t.Error("clients were moved")
	}
}

// notResumed has server connections end with their sockets.
const notResumed = "--timeouts-server-resume=1ns"

// TestLostServerConnections cuts server connections while clients send numbers. The service
// has them go over to other connections: no client is disconnected. A call that ran when its
// connection was cut fails with an error that says so, and the client sends its number again.
// No number is lost or out of order, and the hub sees again only what it could not answer.
func TestLostServerConnections(t *testing.T) {
	long(t)
	s := newRolling(t, "--lost-clients", "move", notResumed)
	s.lossy = true
	s.start("a")
	s.start("b")
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range *rollingClients {
		clients.Go(func() { s.insist(ctx, i) })
	}
	const cuts = 10
	for range cuts {
		before := s.calls.Load()
		s.await("clients go on", func() bool { return s.calls.Load() > before+3*int64(*rollingClients) })
		s.links.cutOne()
	}
	before := s.calls.Load()
	s.await("clients go on", func() bool { return s.calls.Load() > before+3*int64(*rollingClients) })
	stop()
	clients.Wait()
	t.Logf("%d clients, %d server connections cut: %d calls, %d of them failed and were made again, which the hub had carried out %d times; clients moved %d times",
		*rollingClients, cuts, s.calls.Load(), s.notes.Load(), s.again.Load(), s.moved.Load())
	if s.moved.Load() == 0 {
		t.Error("no client was moved")
	}
}

// insist is one client that makes a call again when it fails.
func (s *rolling) insist(ctx context.Context, i int) {
	conn, err := s.newClient(i)
	if err != nil {
		s.Error(err)
		return
	}
	if err := conn.Start(s.Context()); err != nil {
		s.Error(err)
		return
	}
	pace := time.NewTicker(rollingPace)
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; {
		<-pace.C
		got, err := client.Invoke[int](s.Context(), conn, "Try", n)
		_, told := errors.AsType[*client.HubError](err)
		switch {
		case err == nil && got == n:
			n++
			s.calls.Add(1)
		case told:
			s.notes.Add(1)
		default:
			s.Errorf("Try(%d) = %d, %v", n, got, err)
			return
		}
	}
	end, cancel := bounded()
	defer cancel()
	if err := conn.Stop(end); err != nil {
		s.Error(err)
	}
}
