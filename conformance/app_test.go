package conformance_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
)

// An app is an app server that can be restarted and cut off from the service,
// which the test process or a client orders under /control/.
type app struct {
	url     string // of the hubs and of the control
	name    string // keeps hubs at the service apart
	service *service
	logger  *slog.Logger
	endings endings
	links   links

	mu      sync.Mutex
	current *incarnation // guarded by mu; nil while it restarts
}

// An incarnation is an app server from its start to its end.
type incarnation struct {
	*appserver.App
	hub  *appserver.HubContext
	stop context.CancelFunc
	done chan error // gets what Run returned
}

// startApp runs an app server until the test ends. name may be any text.
func startApp(t *testing.T, svc *service, name string) *app {
	t.Helper()
	a := &app{
		name:    "v" + strings.NewReplacer(".", "_", " ", "_").Replace(name),
		service: svc,
		logger:  slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	a.url = server.URL
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.end(); err != nil {
			t.Errorf("end the app server: %v", err)
		}
	})
	return a
}

// start connects a new incarnation to the service.
func (a *app) start() error {
	server, err := appserver.New(appserver.Config{
		ConnectionString:  a.service.connectionString,
		ApplicationName:   a.name,
		ServerConnections: 2,
		Identify:          identify,
		HTTPClient:        a.links.client(a.service.trust()),
		Logger:            a.logger,
	})
	if err != nil {
		return err
	}
	hub, err := server.MapHub("/hub", &Hub{&a.endings}, func(c *appserver.HubConfig) {
		c.MaximumReceiveMessageSize = 4 << 20
		c.AllowStatefulReconnects = true
	})
	if err != nil {
		return err
	}
	if _, err := server.MapHub("/strict", &Hub{&a.endings}, strict); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	i := &incarnation{server, hub, stop, make(chan error, 1)}
	go func() { i.done <- server.Run(ctx) }()
	a.mu.Lock()
	a.current = i
	a.mu.Unlock()
	return a.ready()
}

// strict has the default limits, short intervals, and tells clients everything.
func strict(c *appserver.HubConfig) {
	c.Name = "strict"
	c.KeepAliveInterval = 500 * time.Millisecond
	c.ClientTimeoutInterval = 3 * time.Second
	c.EnableDetailedErrors = true
}

// identify takes the bearer token for the user's name.
func identify(r *http.Request) (appserver.Identity, error) {
	user := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch user {
	case "banned":
		return appserver.Identity{}, &appserver.HTTPError{Status: http.StatusForbidden, Text: "banned until Monday"}
	case "stranger":
		return appserver.Identity{}, &appserver.HTTPError{Status: http.StatusUnauthorized}
	case "":
		return appserver.Identity{}, nil
	}
	return appserver.Identity{UserID: user, Claims: []accesstoken.Claim{
		{Type: "role", Value: "reader"}, {Type: "role", Value: "writer"}, {Type: "greeting", Value: "Grüße 👋"},
	}}, nil
}

func (a *app) running() *incarnation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// ready waits until the hubs are connected to the service.
func (a *app) ready() error {
	ctx, cancel := bounded()
	defer cancel()
	return a.running().Ready(ctx)
}

// end stops the current incarnation in good order.
func (a *app) end() error {
	a.mu.Lock()
	i := a.current
	a.current = nil
	a.mu.Unlock()
	i.stop()
	select {
	case err := <-i.done:
		return err
	case <-time.After(wait):
		return errors.New("Run does not return")
	}
}

func (a *app) restart() error {
	if err := a.end(); err != nil {
		return fmt.Errorf("end the app server: %w", err)
	}
	return a.start()
}

// links are the sockets of the server connections.
type links struct {
	mu   sync.Mutex
	open []net.Conn // guarded by mu, as is dead
	dead bool       // there are no more
}

// client returns an HTTP client whose sockets can be cut.
func (l *links) client(trust *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: trust,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.dead {
				return nil, errors.Join(net.ErrClosed, conn.Close())
			}
			l.open = append(l.open, conn)
			return conn, nil
		},
	}}
}

// cutOne closes the oldest socket without a word.
func (l *links) cutOne() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) > 0 {
		_ = l.open[0].Close()
		l.open = l.open[1:]
	}
}

// die closes all sockets without a word, for good.
func (l *links) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.cut()
}

// cut closes all sockets without a word.
func (l *links) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		_ = conn.Close() // some have ended before
	}
	l.open = nil
}

// endings are the clients that have gone.
type endings struct {
	mu       sync.Mutex
	outcomes map[string]*outcome // by connection id; guarded by mu
}

type outcome struct {
	told chan struct{} // closed by tell, after err was set
	err  error
}

func (e *endings) of(id string) *outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.outcomes == nil {
		e.outcomes = map[string]*outcome{}
	}
	if e.outcomes[id] == nil {
		e.outcomes[id] = &outcome{told: make(chan struct{})}
	}
	return e.outcomes[id]
}

// tell is called once for each id.
func (e *endings) tell(id string, err error) {
	o := e.of(id)
	o.err = err
	close(o.told)
}
