package aspnet_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/aspnet"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A service has the handler, and one app server, which the test plays.
type service struct {
	t       testing.TB
	handler *aspnet.Handler
	router  *router.Router
	hub     *router.Hub // of the application
	places  *clientconn.Places
	app     *app
	token   string // access token of all clients
}

// defaults are those of the service.
var defaults = aspnet.Timeouts{
	Connect: 30 * time.Second, Transport: 5 * time.Second, KeepAlive: 10 * time.Second,
	Disconnect: 30 * time.Second, Poll: 110 * time.Second, PollWait: 5 * time.Second,
}

func newService(t testing.TB, config aspnet.Config) *service {
	t.Helper()
	keys, err := accesstoken.NewKeys("key")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &service{t: t, app: &app{}, places: clientconn.NewPlaces(0)}
	s.router = router.New(router.Config{Log: log, Open: aspnet.OpenPayload, Joins: aspnet.Joins, NoResults: true})
	s.hub = s.router.Hub("app_app")
	s.hub.AddServer(s.app, router.Traits{CarriesClients: true})
	config.Keys = func() *accesstoken.Keys { return keys }
	config.Router, config.Path, config.Log, config.Places = s.router, "/aspnetclient", log, s.places
	config.WebSockets = &websocket.Server{}
	config.Limits = config.Limits.WithDefaults()
	config.Limits.MessageBytes = 1 << 20
	if config.Timeouts == (aspnet.Timeouts{}) {
		config.Timeouts = defaults
	}
	s.handler = aspnet.New(config)
	now := time.Now()
	s.token, err = accesstoken.Sign("key", accesstoken.HS256, accesstoken.Token{
		Audience: "http://localhost/aspnetclient", IssuedAt: now, NotBefore: now, Expires: now.Add(time.Hour),
		Claims: []accesstoken.Claim{{Type: accesstoken.ClaimApplication, Value: "app"}, {Type: accesstoken.ClaimUserID, Value: "ann"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An app is a server connection that notes what clients do.
type app struct {
	mu   sync.Mutex
	sent []string // guarded by mu
}

func (a *app) ID() string                     { return "s" }
func (a *app) ServerID() string               { return "server" }
func (a *app) Congested(pairing.Resumer) bool { return false }

func (a *app) Send(_ context.Context, m serviceprotocol.Message) error { return a.Post(m) }

func (a *app) Post(m serviceprotocol.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m := m.(type) {
	case *serviceprotocol.OpenConnection:
		a.sent = append(a.sent, "open")
	case *serviceprotocol.ConnectionData:
		a.sent = append(a.sent, string(m.Payload))
	case *serviceprotocol.CloseConnection:
		a.sent = append(a.sent, "close "+m.Error)
	}
	return nil
}

// take returns what was sent since the last call, with commas between.
func (a *app) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := strings.Join(a.sent, ", ")
	a.sent = nil
	return all
}

// A client knows a connection by its tokens.
type client struct {
	s     *service
	id    string
	query string
}

func (s *service) negotiate() *client {
	s.t.Helper()
	w := s.do(s.t.Context(), "negotiate?clientProtocol=2.1", "")
	var answer struct{ ConnectionToken, ConnectionId string } //nolint:revive // names of the wire
	if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != http.StatusOK || err != nil {
		s.t.Fatalf("negotiate: %d %s", w.Code, w.Body)
	}
	return &client{s, answer.ConnectionId, "?connectionToken=" + answer.ConnectionToken + "&connectionData=" + url.QueryEscape(`[{"name":"chat"}]`)}
}

func (s *service) do(ctx context.Context, pathAndQuery, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/aspnetclient/"+pathAndQuery, strings.NewReader(form)).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+s.token)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// do makes a request of a transport.
func (c *client) do(ctx context.Context, action, transport, form string) (status int, body string) {
	w := c.s.do(ctx, action+c.query+"&transport="+transport, form)
	return w.Code, w.Body.String()
}

// send has the app server send a text to the client alone.
func (c *client) send(text string) {
	c.s.t.Helper()
	m := &serviceprotocol.ConnectionData{ConnectionID: c.id, Payload: aspnetprotocol.AppendWrapped(nil, []byte(text))}
	if err := c.s.hub.FromServer(c.s.t.Context(), c.s.app, m); err != nil {
		c.s.t.Error(err)
	}
}

// expect compares what the app server was told, and how many places are taken.
func (s *service) expect(what, told string, places int) {
	s.t.Helper()
	if got := s.app.take(); got != told {
		s.t.Errorf("%s: the app server was told %q, want %q", what, got, told)
	}
	if got := s.places.Taken(); got != places {
		s.t.Errorf("%s: %d places are taken, want %d", what, got, places)
	}
}
