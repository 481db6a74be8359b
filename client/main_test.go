package client_test

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchboard/appserver"
	"switchboard/client"
	"switchboard/hubprotocol"
	"switchboard/negotiate"
	"switchboard/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait bounds everything that a test waits for.
const wait = 10 * time.Second

// A hub is what the tests call.
type hub struct {
	gone  chan string   // connection ids
	until chan struct{} // Until has been called; capacity 1
}

func (h *hub) OnDisconnected(ctx *appserver.Context, _ error) { h.gone <- ctx.ConnectionID() }

func (h *hub) Add(a, b int) int                     { return a + b }
func (h *hub) Echo(v any) any                       { return v }
func (h *hub) Fail() error                          { return appserver.Errorf("no way") }
func (h *hub) ID(ctx *appserver.Context) string     { return ctx.ConnectionID() }
func (h *hub) User(ctx *appserver.Context) string   { return ctx.UserID() }
func (h *hub) Abort(ctx *appserver.Context)         { ctx.Abort() }
func (h *hub) Header(ctx *appserver.Context) string { return ctx.Header().Get("X-Test") }

// Until holds up all further calls of the client, until it is cancelled.
func (h *hub) Until(ctx context.Context) {
	select {
	case h.until <- struct{}{}:
	default:
	}
	<-ctx.Done()
}

func (h *hub) Sum(numbers iter.Seq2[int, error]) (int, error) {
	sum := 0
	for n, err := range numbers {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (h *hub) Join(a <-chan string, b <-chan string) string {
	text := ""
	for s := range a {
		text += s
	}
	for s := range b {
		text += s
	}
	return text
}

func (h *hub) Count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func (h *hub) Double(numbers <-chan int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range numbers {
			if !yield(2 * n) {
				return
			}
		}
	}
}

// Forever streams until it is cancelled, and then says so.
func (h *hub) Forever(ctx *appserver.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
		_ = ctx.Clients().Caller().Send(context.WithoutCancel(ctx), "Note", "cancelled") // the client may be gone
	}
}

func (h *hub) Broken() iter.Seq2[int, error] {
	return func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, appserver.Errorf("out of numbers")) }
}

func (h *hub) Send(ctx *appserver.Context, target string, v any) error {
	return ctx.Clients().Caller().Send(ctx, target, v)
}

func (h *hub) Ask(ctx *appserver.Context, question string) (string, error) {
	return appserver.Invoke[string](ctx, ctx.Clients().Caller(), "Question", question)
}

// Exchange answers a number with itself, and pushes it too.
func (h *hub) Exchange(ctx *appserver.Context, n int) (int, error) {
	return n, ctx.Clients().Caller().Send(ctx, "Number", n)
}

// A site is an app with its service, in this process and on loopback.
type site struct {
	service *service.Service
	url     string
	hub     *hub
	hx      *appserver.HubContext

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

// start runs a site with a hub at /hub, which allows stateful reconnect, and one at
// /plain, which does not. Users have the name of their token, and "bad" is 401.
func start(t *testing.T) *site {
	t.Helper()
	return startWith(t, service.Config{})
}

func startWith(t *testing.T, config service.Config) *site {
	t.Helper()
	svc, err := service.New(config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := appserver.New(appserver.Config{Service: svc, ServerConnections: 2, Identify: func(r *http.Request) (appserver.Identity, error) {
		token := r.Header.Get("Authorization")
		if token == "Bearer bad" {
			return appserver.Identity{}, &appserver.HTTPError{Status: http.StatusUnauthorized}
		}
		return appserver.Identity{UserID: token}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{service: svc, hub: &hub{make(chan string, 1000), make(chan struct{}, 1)}}
	if s.hx, err = app.MapHub("/hub", s.hub, func(c *appserver.HubConfig) { c.AllowStatefulReconnects = true }); err != nil {
		t.Fatal(err)
	}
	if _, err = app.MapHub("/plain", s.hub, func(c *appserver.HubConfig) { c.Name = "plain" }); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	s.url = server.URL
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		end, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := svc.Shutdown(end); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	if err := app.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// httpClient returns one whose connections can be cut.
func (s *site) httpClient(t *testing.T) *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
		}
		return conn, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// cut breaks all connections of the client off, as a network does.
func (s *site) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	s.conns = nil
}

// connect returns a started connection, which is stopped with the test.
func (s *site) connect(t *testing.T, path string, config client.Config, before ...func(*client.Conn)) *client.Conn {
	t.Helper()
	if config.HTTPClient == nil {
		config.HTTPClient = s.httpClient(t)
	}
	c, err := client.New(s.url+path, config)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range before {
		f(c)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *client.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(wait):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

// each runs a test with every transport and protocol.
func each(t *testing.T, test func(t *testing.T, s *site, config client.Config)) {
	s := start(t)
	for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
		for _, transport := range []negotiate.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
			if p.Binary() && transport == client.ServerSentEvents {
				continue
			}
			t.Run(fmt.Sprintf("%v %v", p.Name(), transport), func(t *testing.T) {
				test(t, s, client.Config{Protocol: p, Transports: transport})
			})
		}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func collect[T any](items iter.Seq2[T, error]) (all []T, err error) {
	for item, failure := range items {
		if failure != nil {
			return all, failure
		}
		all = append(all, item)
	}
	return all, nil
}
