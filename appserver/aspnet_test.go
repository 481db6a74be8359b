package appserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/appserver"
	"switchboard/client"
	"switchboard/service"
)

// A Lounge is a hub for clients of both generations.
type Lounge struct {
	mu     sync.Mutex
	events []string
}

func (l *Lounge) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, fmt.Sprintf(format, args...))
}

func (l *Lounge) noted() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.events, "; ")
}

func (l *Lounge) OnConnected(ctx *appserver.Context) error {
	l.note("connected %s %v", ctx.UserID(), ctx.Generation() == appserver.AspNet)
	if ctx.Query().Get("refuse") != "" {
		return errors.New("not you")
	}
	return ctx.Groups().Join(ctx, "all of us")
}

func (l *Lounge) OnReconnected(ctx *appserver.Context) { l.note("reconnected %s", ctx.UserID()) }

func (l *Lounge) OnDisconnected(ctx *appserver.Context, err error) {
	l.note("disconnected %s %v", ctx.UserID(), err)
}

func (l *Lounge) Echo(text string) string         { return text }
func (l *Lounge) Nothing()                        {}
func (l *Lounge) Add(a, b int) int                { return a + b }
func (l *Lounge) AddThree(a, b, c int) int        { return a + b + c }
func (l *Lounge) Fail() error                     { return errors.New("secret") }
func (l *Lounge) Panic()                          { panic("secret") }
func (l *Lounge) Forbidden()                      {}
func (l *Lounge) Numbers() <-chan int             { return nil }
func (l *Lounge) Who(ctx *appserver.Context) bool { return ctx.Path() == "/signalr" }
func (l *Lounge) Abort(ctx *appserver.Context)    { ctx.Abort() }

func (l *Lounge) Except() error {
	return &appserver.HubError{Message: "for you", Data: map[string]int{"code": 7}}
}

func (l *Lounge) Say(ctx *appserver.Context, to, text string) error {
	clients := ctx.Clients()
	targets := map[string]appserver.ClientProxy{
		"all": clients.All(), "others": clients.Others(), "caller": clients.Caller(), "group": clients.Group("all of us"),
		"group others": clients.OthersInGroup("all of us"), "groups": clients.Groups("all of us", "nobody"), "user": clients.User("ann"),
		"users": clients.Users("ann", "bob"), "except": clients.AllExcept(ctx.ConnectionID()),
	}
	return targets[to].Send(ctx, "heard", text)
}

func (l *Lounge) ID(ctx *appserver.Context) string { return ctx.ConnectionID() }

func (l *Lounge) Leave(ctx *appserver.Context) error { return ctx.Groups().Leave(ctx, "all of us") }

func (l *Lounge) Rename(ctx *appserver.Context, name string) (string, error) {
	var before string
	if _, err := ctx.State().Get("NAME", &before); err != nil {
		return "", err
	}
	if err := ctx.State().Set("name", name); err != nil {
		return "", err
	}
	return before, ctx.Clients().Caller().Send(ctx, "renamed")
}

func (l *Lounge) Work(percent appserver.Progress[int]) (string, error) {
	for _, n := range []int{10, 100} {
		if err := percent.Report(n); err != nil {
			return "", err
		}
	}
	go func() { l.note("late: %v", percent.Report(200)) }()
	return "done", nil
}

func (l *Lounge) Ask(ctx *appserver.Context) (string, error) {
	return appserver.Invoke[string](ctx, ctx.Clients().Caller(), "question")
}

// An Annex is another hub, for clients of ASP.NET SignalR only, which lets in bob only.
type Annex struct{}

func (*Annex) OnConnected(ctx *appserver.Context) error {
	return ctx.Clients().Caller().Send(ctx, "welcome")
}
func (*Annex) Hello(ctx *appserver.Context) string { return "hello " + ctx.UserID() }

// startLounge runs a service, and an app with both hubs.
func startLounge(t *testing.T, lounge *Lounge, detailed bool) (app *httptest.Server, hub *appserver.HubContext) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	svc, err := service.New(service.Config{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	a, err := appserver.New(appserver.Config{
		Service: svc, ApplicationName: "App", ServerConnections: 2, Logger: log,
		Identify: func(r *http.Request) (appserver.Identity, error) {
			return appserver.Identity{UserID: r.URL.Query().Get("user")}, nil
		},
		HubDefaults: appserver.HubConfig{EnableDetailedErrors: detailed},
	})
	if err != nil {
		t.Fatal(err)
	}
	hub, err = a.MapHub("/lounge", lounge, func(c *appserver.HubConfig) {
		c.Generations = appserver.AspNetCore | appserver.AspNet
		c.MethodNames = map[string]string{"AddThree": "Add"}
		c.Allow = map[string]func(*appserver.Context) bool{"Forbidden": func(*appserver.Context) bool { return false }}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.MapHub("", &Annex{}, func(c *appserver.HubConfig) {
		c.Generations = appserver.AspNet
		c.Authorize = func(_ *http.Request, who appserver.Identity) error {
			if who.UserID != "bob" {
				return errors.New("only bob")
			}
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	app = httptest.NewServer(a)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := svc.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		app.Close()
	})
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return app, hub
}

// A guest is a client of ASP.NET SignalR.
type guest struct {
	t      *testing.T
	socket *websocket.Conn
	url    string // of the service
	query  string
	token  string
}

func get(t *testing.T, address, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// enter connects as the JavaScript client does: negotiate twice, connect.
func enter(t *testing.T, app *httptest.Server, user string, hubs ...string) *guest {
	t.Helper()
	var names []string
	for _, hub := range hubs {
		names = append(names, `{"name":"`+hub+`"}`)
	}
	data := url.QueryEscape("[" + strings.Join(names, ",") + "]")
	status, body := get(t, app.URL+"/signalr/negotiate?clientProtocol=2.1&user="+user+"&connectionData="+data, "")
	var redirect struct{ RedirectUrl, AccessToken, ProtocolVersion string } //nolint:revive // names of the wire
	if err := json.Unmarshal([]byte(body), &redirect); status != 200 || err != nil || redirect.ProtocolVersion != "2.0" {
		t.Fatalf("negotiate: %d %q", status, body)
	}
	base, query, _ := strings.Cut(redirect.RedirectUrl, "?")
	if !strings.Contains(query, "user=") || !strings.Contains(query, "asrs.op=%2Fsignalr") {
		t.Errorf("RedirectUrl %q", redirect.RedirectUrl)
	}
	status, body = get(t, base+"/negotiate?clientProtocol=2.1&"+query, redirect.AccessToken)
	var answer struct{ ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
		t.Fatalf("negotiate with the service: %d %q", status, body)
	}
	g := &guest{t: t, url: base, token: redirect.AccessToken,
		query: "?transport=webSockets&" + query + "&connectionToken=" + url.QueryEscape(answer.ConnectionToken) + "&connectionData=" + data}
	g.dial("connect")
	g.expect(`{"C":"0","S":1,"M":[]}`)
	return g
}

func (g *guest) dial(action string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, strings.Replace(g.url, "http", "ws", 1)+"/"+action+g.query+"&access_token="+g.token, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.socket = socket
	g.t.Cleanup(func() { _ = socket.CloseNow() })
}

func (g *guest) send(text string) {
	g.t.Helper()
	if err := g.socket.Write(g.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) next() string {
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	_, message, err := g.socket.Read(ctx)
	if err != nil {
		return "end"
	}
	return string(message)
}

func (g *guest) expect(want ...string) {
	g.t.Helper()
	for _, text := range want {
		if got := g.next(); got != text {
			g.t.Errorf("the client got %s, want %s", got, text)
		}
	}
}

// skipTo reads up to a message that has this text, and wants none that came too late.
func (g *guest) skipTo(text string) {
	g.t.Helper()
	for {
		switch got := g.next(); {
		case strings.Contains(got, text):
			return
		case got == "end" || strings.Contains(got, "too late"):
			g.t.Fatalf("the client got %s, want %s", got, text)
		}
	}
}

// patience bounds every wait.
const patience = 10 * time.Second

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to pass: %s", what)
		}
	}
}

func TestAspNetCalls(t *testing.T) {
	tests := []struct{ call, answer, detailed string }{
		{`{"H":"lounge","M":"echo","A":["hi"],"I":0}`, `{"R":"hi","I":"0"}`, ""},
		{`{"I":"1","H":"LOUNGE","M":"Nothing","A":[]}`, `{"I":"1"}`, ""},
		{`{"H":"lounge","M":"ADD","A":[1,2],"I":2}`, `{"R":3,"I":"2"}`, ""},
		{`{"H":"lounge","M":"add","A":[1,2,3],"I":3}`, `{"R":6,"I":"3"}`, ""},
		{`{"H":"lounge","M":"add","A":[1],"I":4}`, `{"I":"4","E":"There was an error invoking Hub method 'lounge.add'."}`,
			`{"I":"4","E":"'add' method could not be resolved. Potential candidates are: \nAdd(1:int, 2:int):int\nAdd(1:int, 2:int, 3:int):int"}`},
		{`{"H":"lounge","M":"nope","A":[],"I":5}`, `{"I":"5","E":"There was an error invoking Hub method 'lounge.nope'."}`,
			`{"I":"5","E":"'nope' method could not be resolved. No method found with that name."}`},
		{`{"H":"nope","M":"Echo","A":[],"I":6}`, `{"I":"6","E":"There was an error invoking Hub method 'nope.Echo'."}`, ""},
		{`{"H":"lounge","M":"fail","A":[],"I":7}`, `{"I":"7","E":"There was an error invoking Hub method 'lounge.fail'."}`, `{"I":"7","E":"secret"}`},
		{`{"H":"lounge","M":"panic","A":[],"I":8}`, `{"I":"8","E":"There was an error invoking Hub method 'lounge.panic'."}`, `{"I":"8","E":"secret"}`},
		{`{"H":"lounge","M":"except","A":[],"I":9}`, `{"I":"9","H":true,"E":"for you","D":{"code":7}}`, ""},
		{`{"H":"lounge","M":"echo","A":[{}],"I":10}`, `{"I":"10","E":"There was an error invoking Hub method 'lounge.echo'."}`,
			`{"I":"10","E":"Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."}`},
		{`{"H":"lounge","M":"forbidden","A":[],"I":11}`, `{"I":"11","E":"There was an error invoking Hub method 'lounge.forbidden'."}`,
			`{"I":"11","E":"Caller is not authorized to invoke the forbidden method on lounge."}`},
		{`{"H":"lounge","M":"numbers","A":[],"I":12}`, `{"I":"12","E":"There was an error invoking Hub method 'lounge.numbers'."}`,
			`{"I":"12","E":"Lounge.Numbers has a stream, which clients of ASP.NET SignalR cannot have"}`},
		{`{"H":"lounge","M":"ask","A":[],"I":13}`, `{"I":"13","E":"There was an error invoking Hub method 'lounge.ask'."}`,
			`{"I":"13","E":"invoke \"question\": clients of ASP.NET SignalR give no results"}`},
		{`{"H":"lounge","M":"who","A":[],"I":14}`, `{"R":true,"I":"14"}`, ""},
		{`nonsense`, "", ""},
		{`{"H":"annex","M":"hello","A":[],"I":15}`, `{"I":"15","E":"There was an error invoking Hub method 'annex.hello'."}`,
			`{"I":"15","E":"Caller is not authorized to invoke the hello method on annex."}`},
		{`{"H":"lounge","M":"echo","A":["` + strings.Repeat("x", 40000) + `"],"I":16}`, `{"I":"16","E":"There was an error invoking Hub method 'lounge.echo'."}`,
			`{"I":"16","E":"the arguments have 40002 bytes, more than MaximumReceiveMessageSize, which is 32768"}`},
	}
	for _, detailed := range []bool{false, true} {
		app, _ := startLounge(t, &Lounge{}, detailed)
		g := enter(t, app, "ann", "lounge")
		for _, tt := range tests {
			g.send(tt.call)
			switch {
			case tt.answer == "":
			case detailed && tt.detailed != "":
				g.expect(tt.detailed)
			default:
				g.expect(tt.answer)
			}
		}
	}
}

// State goes there and back, and progress comes before the result.
func TestAspNetStateAndProgress(t *testing.T) {
	lounge := &Lounge{}
	app, _ := startLounge(t, lounge, true)
	g := enter(t, app, "ann", "lounge")
	g.send(`{"H":"lounge","M":"Rename","A":["Eve"],"I":0,"S":{"Name":"Ann","other":1}}`)
	g.expect(`{"C":"0","M":[{"H":"Lounge","M":"renamed","A":[],"S":{"name":"Eve"}}]}`, `{"S":{"name":"Eve"},"R":"Ann","I":"0"}`)
	g.send(`{"H":"lounge","M":"Rename","A":["Eve"],"I":1,"S":{"name":"Eve"}}`)
	g.expect(`{"C":"0","M":[{"H":"Lounge","M":"renamed","A":[]}]}`, `{"R":"Eve","I":"1"}`)
	g.send(`{"H":"lounge","M":"Work","A":[],"I":2}`)
	g.expect(`{"C":"0","M":[{"I":"P|2","P":{"I":"2","D":10}}]}`, `{"C":"0","M":[{"I":"P|2","P":{"I":"2","D":100}}]}`, `{"R":"done","I":"2"}`)
	eventually(t, "what is reported late fails", func() bool {
		return strings.Contains(lounge.noted(), "late: You cannot report progress on a hub method invocation that has already completed.")
	})
}

// What a hub sends reaches the clients of both generations.
func TestAspNetAndCoreTogether(t *testing.T) {
	lounge := &Lounge{}
	app, hub := startLounge(t, lounge, false)
	ann := enter(t, app, "ann", "lounge")
	core, err := client.New(app.URL+"/lounge?user=bob", client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 100)
	core.On("heard", func(text string) { heard <- text })
	if err := core.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer core.Stop(context.Background())
	eventually(t, "both are there", func() bool { return strings.Count(lounge.noted(), "connected") == 2 && hub.Stats().Clients >= 1 })

	expectCore := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("the client of ASP.NET Core heard %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the client of ASP.NET Core has not heard %q", want)
		}
	}
	message := func(text string) string {
		return `{"C":"0","M":[{"H":"Lounge","M":"heard","A":["` + text + `"]}]}`
	}
	id := 0
	for to, reaches := range map[string]string{
		"all": "both", "others": "bob", "caller": "ann", "group": "both", "group others": "bob", "groups": "both", "user": "ann", "users": "both", "except": "bob",
	} {
		// Of the client of ASP.NET, whose answer may overtake a broadcast, and back.
		ann.send(fmt.Sprintf(`{"H":"lounge","M":"Say","A":["%s","from ann to %s"],"I":%d}`, to, to, id))
		got := map[string]bool{ann.next(): true}
		want := map[string]bool{fmt.Sprintf(`{"I":"%d"}`, id): true}
		if reaches != "bob" {
			want[message("from ann to "+to)] = true
			got[ann.next()] = true
		}
		for text := range want {
			if !got[text] {
				t.Errorf("%s: ann got %v, want %s", to, got, text)
			}
		}
		if reaches != "ann" {
			expectCore("from ann to " + to)
		}
		id++
	}
	for to, reaches := range map[string]string{"all": "both", "others": "ann", "caller": "bob", "group": "both", "user": "ann", "users": "both"} {
		if _, err := client.Invoke[struct{}](t.Context(), core, "Say", to, "from bob to "+to); err != nil {
			t.Fatal(err)
		}
		if reaches != "bob" {
			ann.expect(message("from bob to " + to))
		}
		if reaches != "ann" {
			expectCore("from bob to " + to)
		}
	}
	if err := hub.Clients().All().Send(t.Context(), "heard", "from outside"); err != nil {
		t.Fatal(err)
	}
	ann.expect(message("from outside"))
	expectCore("from outside")
	if sum, err := client.Invoke[int](t.Context(), core, "Add", 1, 2, 3); err != nil || sum != 6 {
		t.Errorf("Add = %d, %v: overloads are for all clients", sum, err)
	}
	// Memberships end, and begin from outside.
	ann.send(`{"H":"lounge","M":"Leave","A":[],"I":"x"}`)
	ann.expect(`{"I":"x"}`)
	if err := hub.Clients().Group("all of us").Send(t.Context(), "heard", "not ann"); err != nil {
		t.Fatal(err)
	}
	expectCore("not ann")
	ann.send(`{"H":"lounge","M":"echo","A":["nothing before"],"I":"y"}`)
	ann.expect(`{"R":"nothing before","I":"y"}`)
}

func TestAspNetLifetime(t *testing.T) {
	lounge := &Lounge{}
	app, _ := startLounge(t, lounge, true)
	ann := enter(t, app, "ann", "lounge")
	_ = ann.socket.CloseNow()
	ann.dial("reconnect")
	eventually(t, "the hub hears of the reconnect", func() bool { return strings.Contains(lounge.noted(), "reconnected ann") })
	if status, _ := get(t, ann.url+"/abort"+ann.query, ann.token); status != 200 {
		t.Errorf("abort: %d", status)
	}
	eventually(t, "the hub hears of the end", func() bool {
		return lounge.noted() == "connected ann true; reconnected ann; disconnected ann <nil>"
	})

	bob := enter(t, app, "bob", "lounge", "annex")
	bob.expect(`{"C":"0","M":[{"H":"Annex","M":"welcome","A":[]}]}`)
	bob.send(`{"H":"annex","M":"hello","A":[],"I":0}`)
	bob.expect(`{"R":"hello bob","I":"0"}`)
	bob.send(`{"H":"lounge","M":"abort","A":[],"I":1}`)
	for got := ""; got != "end"; { // the answer may be there or not
		got = bob.next()
	}
	eventually(t, "the hub has heard of bob's end", func() bool { return strings.HasSuffix(lounge.noted(), "disconnected bob <nil>") })

	refused := enter(t, app, "eve&refuse=1", "lounge")
	refused.expect(`{"E":"not you"}`, "end")
	last := enter(t, app, "last", "lounge")
	get(t, last.url+"/abort"+last.query, last.token)
	eventually(t, "the hub has heard of what came after", func() bool { return strings.Contains(lounge.noted(), "disconnected last") })
	if strings.Contains(lounge.noted(), "disconnected eve") {
		t.Error("OnDisconnected was called, though OnConnected has failed")
	}
}

func TestAspNetNegotiate(t *testing.T) {
	app, _ := startLounge(t, &Lounge{}, false)
	list := func(hubs string) string { return "connectionData=" + url.QueryEscape(hubs) }
	tests := []struct {
		path   string
		status int
		body   string
	}{
		{"/signalr/negotiate?clientProtocol=2.1", 200, `{"ProtocolVersion":"2.0","RedirectUrl":"` + app.URL + `/aspnetclient?asrs_request_id=`},
		{"/signalr/js/NEGOTIATE?clientProtocol=1.5", 200, `{"ProtocolVersion":"2.0","RedirectUrl":"` + app.URL + `/aspnetclient","AccessToken":"`},
		{"/signalr/negotiate?" + list(`[{"name":"lounge"}]`), 200, ""},
		{"/signalr/negotiate?user=bob&" + list(`[{"name":"annex"}]`), 200, ""},
		{"/signalr/negotiate?user=ann&" + list(`[{"name":"annex"}]`), 403, ""},
		{"/signalr/negotiate?" + list(`[{"name":"nope"}]`), 500, ""},
		{"/signalr/negotiate?" + list(`[{"name":"lounge"},{"name":"Lounge"}]`), 500, ""},
		{"/signalr/negotiate?callback=f", 400, "JSONP is no longer supported."},
		{"/signalr/ping", 404, "NotFound"},
		{"/signalr", 404, ""},
		{"/signalr/hubs", 200, `(function ($, window) {`},
		{"/signalr/js/", 200, `(function ($, window) {`},
	}
	for _, tt := range tests {
		if status, body := get(t, app.URL+tt.path, ""); status != tt.status || !strings.HasPrefix(body, tt.body) {
			t.Errorf("%s: %d %q, want %d %q", tt.path, status, body, tt.status, tt.body)
		}
	}
	_, script := get(t, app.URL+"/signalr/hubs", "")
	for _, want := range []string{
		`proxies["annex"] = this.createHubProxy("annex");`, `server(proxies["annex"], {"hello": "Hello"});`,
		`"add": "Add", `, `$.hubConnection("/signalr", { useDefaultPath: false });`,
	} {
		if !strings.Contains(script, want) {
			t.Errorf("the script has no %s:\n%s", want, script)
		}
	}
}

// What a diagnostic client does is logged.
func TestAspNetDiagnosticClients(t *testing.T) {
	svc, err := service.New(service.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var text lockedBuffer
	a, err := appserver.New(appserver.Config{
		Service: svc, ApplicationName: "App", ServerConnections: 1, Logger: slog.New(slog.NewTextHandler(&text, nil)),
		HubDefaults: appserver.HubConfig{
			Generations: appserver.AspNet, MethodNames: map[string]string{"AddThree": "Add"},
			DiagnosticClientFilter: func(*http.Request) bool { return true },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.MapHub("", &Lounge{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	app := httptest.NewServer(a)
	defer app.Close()
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := enter(t, app, "ann", "lounge")
	g.send(`{"H":"lounge","M":"echo","A":["secret"],"I":0}`)
	g.expect(`{"R":"secret","I":"0"}`)
	cancel()
	if err := errors.Join(<-done, svc.Shutdown(context.Background())); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"diagnostic client connects", "diagnostic client called", "method=Lounge.Echo", "diagnostic client ended"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "secret") {
		t.Errorf("the log has what was sent:\n%s", text.String())
	}
}

// A lockedBuffer may be written by several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// An app server whose clients are moved does not wait for those that cannot be.
func TestAspNetShutdown(t *testing.T) {
	svc, err := service.New(service.Config{})
	if err != nil {
		t.Fatal(err)
	}
	lounge := &Lounge{}
	a, err := appserver.New(appserver.Config{
		Service: svc, ApplicationName: "App", ServerConnections: 1, Shutdown: appserver.MigrateClients, ShutdownTimeout: time.Minute,
		HubDefaults: appserver.HubConfig{Generations: appserver.AspNet, MethodNames: map[string]string{"AddThree": "Add"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.MapHub("", lounge); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(context.Background()) }()
	app := httptest.NewServer(a)
	defer app.Close()
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := enter(t, app, "ann", "lounge")
	g.send(`{"H":"lounge","M":"nothing","A":[],"I":0}`)
	g.expect(`{"I":"0"}`) // OnConnected has returned
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := errors.Join(a.Shutdown(ctx), <-done); err != nil {
		t.Error(err)
	}
	g.expect("end")
	if err := svc.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := lounge.noted(); got != "connected  true; disconnected  <nil>" {
		t.Errorf("the hub noted %q", got)
	}
}

// What is wrong with a hub for clients of ASP.NET SignalR is told when it is mapped.
func TestAspNetMistakes(t *testing.T) {
	tests := []struct {
		name      string
		app       string
		configure func(*appserver.HubConfig)
		want      string
	}{
		{"no application name", "", func(*appserver.HubConfig) {}, "Config.ApplicationName is required"},
		{"name of the application", "annex", func(*appserver.HubConfig) {}, "is that of the application"},
		{"name of another hub", "app", func(c *appserver.HubConfig) { c.Name = "taken" }, "is taken by another hub"},
		{"no such generation", "app", func(c *appserver.HubConfig) { c.Generations = 8 }, "Generations: "},
		{"no such method", "app", func(c *appserver.HubConfig) { c.MethodNames = map[string]string{"Nope": "x"} }, "MethodNames: Nope is no method"},
	}
	for _, tt := range tests {
		a, err := appserver.New(appserver.Config{ConnectionString: "Endpoint=http://localhost;AccessKey=x;", ApplicationName: tt.app})
		if err != nil {
			t.Fatal(err)
		}
		aspNet := func(c *appserver.HubConfig) { c.Generations = appserver.AspNet }
		if tt.app == "app" {
			if _, err := a.MapHub("", &Annex{}, aspNet, func(c *appserver.HubConfig) { c.Name = "Taken" }); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.MapHub("", &Annex{}, aspNet, tt.configure); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: MapHub = %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := appserver.New(appserver.Config{ConnectionString: "Endpoint=http://localhost;AccessKey=x;", AspNetPath: "signalr"}); err == nil || !strings.Contains(err.Error(), "AspNetPath: ") {
		t.Errorf("New = %v, want a mistake in AspNetPath", err)
	}
}

// Any app server reaches clients that another one has, at either of two services.
func TestAspNetAcrossAppServers(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var endpoints []appserver.ServiceEndpoint
	for i := range 2 {
		svc, err := service.New(service.Config{Logger: log, Endpoint: "http://placeholder"})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(svc)
		t.Cleanup(func() {
			if err := svc.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			server.Close()
		})
		text := strings.Replace(svc.ConnectionString(), "http://placeholder", server.URL, 1)
		endpoints = append(endpoints, appserver.ServiceEndpoint{ConnectionString: text, Name: fmt.Sprint(i)})
	}
	var hubs []*appserver.HubContext
	var apps []*httptest.Server
	for range 2 {
		a, err := appserver.New(appserver.Config{
			Endpoints: endpoints, ApplicationName: "app", ServerConnections: 1, Logger: log,
			Identify: func(r *http.Request) (appserver.Identity, error) {
				return appserver.Identity{UserID: r.URL.Query().Get("user")}, nil
			},
			NegotiateRouter: new(alternating),
		})
		if err != nil {
			t.Fatal(err)
		}
		hub, err := a.MapHub("/lounge", &Lounge{}, func(c *appserver.HubConfig) {
			c.Generations = appserver.AspNetCore | appserver.AspNet
			c.MethodNames = map[string]string{"AddThree": "Add"}
		})
		if err != nil {
			t.Fatal(err)
		}
		hubs = append(hubs, hub)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		app := httptest.NewServer(a)
		apps = append(apps, app)
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			app.Close()
		})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are online", func() bool {
		for _, hub := range hubs {
			for _, e := range hub.Endpoints() {
				if !e.Online() {
					return false
				}
			}
		}
		return true
	})
	for _, hub := range hubs {
		if got := len(hub.Endpoints()); got != 6 {
			t.Errorf("the hub has %d endpoints, want each service three times", got)
		}
	}
	for i := range 4 { // to both services, by both app servers
		user := fmt.Sprintf("user %d", i)
		g := enter(t, apps[i%2], url.QueryEscape(user), "lounge")
		g.send(`{"H":"lounge","M":"id","A":[],"I":0}`)
		var answer struct{ R string }
		for answer.R == "" { // what was for all the client before may reach the other service later
			if err := json.Unmarshal([]byte(g.next()), &answer); err != nil {
				t.Fatal(err)
			}
		}
		for j, hub := range hubs {
			group := fmt.Sprintf("group %d of %d", j, i)
			if err := hub.Groups().Add(t.Context(), answer.R, group); err != nil {
				t.Errorf("Add by app server %d: %v", j, err)
			}
			for name, to := range map[string]appserver.ClientProxy{
				"client": hub.Clients().Client(answer.R), "clients": hub.Clients().Clients(answer.R, "nobody"),
				"group": hub.Clients().Group(group), "user": hub.Clients().User(user), "all": hub.Clients().All(),
			} {
				text := fmt.Sprintf("to %s of %d by %d", name, i, j)
				if err := to.Send(t.Context(), "heard", text); err != nil {
					t.Errorf("send %s: %v", text, err)
				}
				g.skipTo(text)
			}
			if err := hub.Groups().Remove(t.Context(), answer.R, group); err != nil {
				t.Errorf("Remove by app server %d: %v", j, err)
			}
			if err := hub.Clients().Group(group).Send(t.Context(), "heard", "too late"); err != nil {
				t.Error(err)
			}
		}
		g.send(`{"H":"lounge","M":"echo","A":["last"],"I":1}`)
		g.skipTo(`"R":"last"`)
		get(t, g.url+"/abort"+g.query, g.token)
		g.skipTo("end")
	}
	if _, err := appserver.Invoke[int](t.Context(), hubs[0].Clients().Client("nobody"), "question"); !errors.Is(err, appserver.ErrClientGone) {
		t.Errorf("Invoke of a client that there is not = %v, want ErrClientGone", err)
	}
}

// An alternating router sends clients to one service after the other.
type alternating struct{ next int }

func (r *alternating) ForNegotiate(_ *http.Request, all []*appserver.HubEndpoint) (*appserver.HubEndpoint, error) {
	r.next++
	return all[r.next%len(all)], nil
}
