package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/appserver"
)

// Chat is a hub for clients of both generations. What it sends goes to "receive".
type Chat struct{ endings *endings }

func (h *Chat) OnConnected(ctx *appserver.Context) error {
	switch query := ctx.Query(); {
	case query.Has("join"):
		return ctx.Groups().Join(ctx, query.Get("join"))
	case query.Has("welcome"):
		return ctx.Clients().Caller().Send(ctx, "receive", "welcome")
	}
	return nil
}

func (h *Chat) OnReconnected(ctx *appserver.Context) {
	_ = ctx.Clients().Caller().Send(ctx, "receive", "welcome back") // else it is gone
}

func (h *Chat) OnDisconnected(ctx *appserver.Context, err error) {
	h.endings.tell(ctx.ConnectionID(), err)
}

func (h *Chat) Echo(value any) any                               { return value }
func (h *Chat) Nothing()                                         {}
func (h *Chat) Overload() string                                 { return "none" }
func (h *Chat) OverloadOne(a int) int                            { return a }
func (h *Chat) OverloadTwo(a, b int) int                         { return a + b }
func (h *Chat) Fail() error                                      { return errors.New("secret") }
func (h *Chat) ConnectionID(ctx *appserver.Context) string       { return ctx.ConnectionID() }
func (h *Chat) UserID(ctx *appserver.Context) string             { return ctx.UserID() }
func (h *Chat) Query(ctx *appserver.Context, name string) string { return ctx.Query().Get(name) }
func (h *Chat) Path(ctx *appserver.Context) string               { return ctx.Path() }
func (h *Chat) Abort(ctx *appserver.Context)                     { ctx.Abort() }

func (h *Chat) Header(ctx *appserver.Context, name string) string { return ctx.Header().Get(name) }

func (h *Chat) FailWithData() error {
	return &appserver.HubError{Message: "for you", Data: map[string]any{"code": 7, "list": []int{1, 2}}}
}

func (h *Chat) Later(ctx *appserver.Context, ms int, value string) string {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
	case <-ctx.Done():
	}
	return value
}

func (h *Chat) Work(progress appserver.Progress[int]) (string, error) {
	for n := range 10 {
		if err := progress.Report(n); err != nil {
			return "", err
		}
	}
	return "done", nil
}

func (h *Chat) Remember(ctx *appserver.Context, name string) (string, error) {
	var before string
	if _, err := ctx.State().Get("name", &before); err != nil {
		return "", err
	}
	if err := ctx.State().Set("name", name); err != nil {
		return "", err
	}
	return before, ctx.Clients().Caller().Send(ctx, "receive", "remember")
}

func (h *Chat) All(ctx *appserver.Context, text string) error {
	return ctx.Clients().All().Send(ctx, "receive", text)
}

func (h *Chat) Others(ctx *appserver.Context, text string) error {
	return ctx.Clients().Others().Send(ctx, "receive", text)
}

func (h *Chat) Caller(ctx *appserver.Context, texts []string) error {
	for _, text := range texts {
		if err := ctx.Clients().Caller().Send(ctx, "receive", text); err != nil {
			return err
		}
	}
	return nil
}

func (h *Chat) User(ctx *appserver.Context, user, text string) error {
	return ctx.Clients().User(user).Send(ctx, "receive", text)
}

func (h *Chat) One(ctx *appserver.Context, id, text string) error {
	return ctx.Clients().Client(id).Send(ctx, "receive", text)
}

func (h *Chat) Group(ctx *appserver.Context, group, text string) error {
	return ctx.Clients().Group(group).Send(ctx, "receive", text)
}

func (h *Chat) Join(ctx *appserver.Context, group string) error { return ctx.Groups().Join(ctx, group) }
func (h *Chat) Leave(ctx *appserver.Context, group string) error {
	return ctx.Groups().Leave(ctx, group)
}

// Detailed is a hub that tells its clients everything.
type Detailed struct{}

func (*Detailed) OnConnected(ctx *appserver.Context) error {
	if ctx.Query().Has("refuse") {
		return errors.New("no entry")
	}
	return nil
}

func (*Detailed) Fail() error      { return errors.New("not so secret") }
func (*Detailed) Name() string     { return "detailed" }
func (*Detailed) Add(a, b int) int { return a + b }
func (*Detailed) All(ctx *appserver.Context, text string) error {
	return ctx.Clients().All().Send(ctx, "receive", text)
}

// An aspNetApp is an app server for clients of ASP.NET SignalR, whose way to the service can be cut.
type aspNetApp struct {
	url     string // of the hubs and of the control
	service *service
	proxy   *proxy
	server  *appserver.App
	hub     *appserver.HubContext
	endings endings
	restart atomic.Pointer[func(*http.Request) (any, error)] // of the service; nil if it is not to be restarted
}

// startAspNetApp runs an app server until the test ends.
func startAspNetApp(t *testing.T, svc *service, name string) *aspNetApp {
	t.Helper()
	a := &aspNetApp{service: svc, proxy: startProxy(t, svc.endpoint.Base.Host)}
	name = "v" + strings.NewReplacer(".", "_", "-", "_", " ", "_").Replace(name)
	var err error
	a.server, err = appserver.New(appserver.Config{
		ConnectionString:  svc.connectionString + "ClientEndpoint=http://" + a.proxy.address + ";",
		ApplicationName:   name,
		ServerConnections: 2,
		Identify: func(r *http.Request) (appserver.Identity, error) {
			return appserver.Identity{UserID: r.URL.Query().Get("user"), Claims: []appserver.Claim{{Type: "role", Value: "reader"}}}, nil
		},
		HubDefaults: appserver.HubConfig{
			Generations: appserver.AspNet, MaximumReceiveMessageSize: 1 << 20, EnableDetailedErrors: strings.HasSuffix(name, "_detailed"),
		},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.hub, err = a.server.MapHub("/chat", &Chat{&a.endings}, func(c *appserver.HubConfig) {
		c.Generations = appserver.AspNet | appserver.AspNetCore
		c.MethodNames = map[string]string{"OverloadOne": "Overload", "OverloadTwo": "Overload"}
	})
	if err == nil {
		_, err = a.server.MapHub("", &Detailed{}, func(c *appserver.HubConfig) { c.EnableDetailedErrors = true })
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.server.Run(ctx) }()
	server := httptest.NewUnstartedServer(a.handler())
	a.url = "http://" + server.Listener.Addr().String() // before anybody can ask for it
	server.Start()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("end the app server: %v", err)
		}
		server.Close()
	})
	ready, cancel := bounded()
	defer cancel()
	if err := a.server.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return a
}

// handler serves the hubs and what the cases order.
func (a *aspNetApp) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.server)
	mux.HandleFunc("POST /control/cut", answer(func(*http.Request) (any, error) { a.proxy.cut(); return done, nil }))
	mux.HandleFunc("POST /control/broadcast", answer(func(r *http.Request) (any, error) {
		return done, a.hub.Clients().All().Send(r.Context(), "receive", r.FormValue("text"))
	}))
	mux.HandleFunc("GET /control/disconnected/{id}", answer(a.endings.disconnected))
	mux.HandleFunc("POST /control/token", answer(a.directAccess))
	mux.HandleFunc("POST /control/restart", answer(func(r *http.Request) (any, error) { return (*a.restart.Load())(r) }))
	return shared(mux)
}

// directAccess tells how a client that understands no redirect gets to the service.
func (a *aspNetApp) directAccess(r *http.Request) (any, error) {
	response, err := http.Get(a.url + "/signalr/negotiate?clientProtocol=1.5&user=" + r.FormValue("user"))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var redirect struct{ RedirectUrl, AccessToken string } //nolint:revive // names of the wire
	if err := json.NewDecoder(response.Body).Decode(&redirect); err != nil {
		return nil, err
	}
	return map[string]string{"url": redirect.RedirectUrl, "token": redirect.AccessToken}, nil
}

// A proxy carries the sockets of clients to the service, until it cuts them.
type proxy struct {
	address string
	target  string

	mu   sync.Mutex
	open map[net.Conn]struct{} // guarded by mu
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), target: target, open: map[net.Conn]struct{}{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		serving.Wait()
	})
	return p
}

func (p *proxy) serve(from net.Conn) {
	to, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = from.Close()
		return
	}
	p.mu.Lock()
	p.open[from], p.open[to] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
	delete(p.open, to)
}

// cut closes all sockets without a word.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close() // both ends of it go
	}
}

// serves waits until the app server is connected to a service that knows it.
func (a *aspNetApp) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		response, err := http.Get(a.url + "/signalr/negotiate?clientProtocol=2.1")
		if err != nil {
			return err
		}
		var redirect struct{ RedirectUrl, AccessToken string } //nolint:revive // names of the wire
		err = json.NewDecoder(response.Body).Decode(&redirect)
		response.Body.Close()
		if err == nil {
			url, query, _ := strings.Cut(redirect.RedirectUrl, "?")
			if response, err := http.Get(url + "/negotiate?" + query + "&access_token=" + redirect.AccessToken); err == nil {
				response.Body.Close()
				online := !slices.ContainsFunc(a.hub.Endpoints(), func(e *appserver.HubEndpoint) bool { return !e.Online() })
				if response.StatusCode == http.StatusOK && online {
					return nil
				}
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
