package conformance_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/appserver"
	"switchboard/client"
)

// TestEndpoints has two regions, each with a service and an app server that is connected to both
// services. One service ends: its clients go to the other region. It comes back, and another
// service is added and removed, all while the app servers run.
func TestEndpoints(t *testing.T) {
	long(t)
	east, west := startService(t, engines[0]), startService(t, engines[0])
	w := &regions{T: t}
	a := w.start("a", primaryAt("east", east), secondaryAt("west", west))
	b := w.start("b", secondaryAt("east", east), primaryAt("west", west))
	eastern, western := w.connect(a), w.connect(b)
	w.want(eastern, a, "east")
	w.want(western, b, "west")
	w.reach(eastern, western)
	w.group(eastern, western)

	east.stop()
	w.await("the client comes to west", func() bool { return eastern.State() == client.Connected && eastern.again.Load() == 1 })
	w.want(eastern, b, "west")
	w.reach(eastern, western)
	w.group(eastern, western)

	startService(t, engines[0], "--listen", east.endpoint.Base.Host)
	w.await("both are connected to east again", func() bool { return a.online("east") && b.online("east") })
	newcomer := w.connect(a)
	w.want(newcomer, a, "east")
	w.reach(eastern, western, newcomer)

	north := startService(t, engines[0])
	w.set(map[*regionServer][]appserver.ServiceEndpoint{
		a: {primaryAt("north", north), secondaryAt("west", west)},
		b: {primaryAt("north", north), primaryAt("west", west)},
	})
	w.await("the client of east has come again", func() bool { return newcomer.State() == client.Connected && newcomer.again.Load() == 1 })
	further := w.connect(a)
	if got := further.where(t); got != "a" && got != "b" {
		t.Errorf("the client is with %q", got)
	}
	w.reach(eastern, western, newcomer, further)
	if n := eastern.again.Load() + western.again.Load(); n != 1 {
		t.Errorf("clients of west came again %d times", n-1)
	}
}

func primaryAt(name string, s *service) appserver.ServiceEndpoint {
	return appserver.ServiceEndpoint{Name: name, ConnectionString: s.connectionString}
}

func secondaryAt(name string, s *service) appserver.ServiceEndpoint {
	return appserver.ServiceEndpoint{Name: name, ConnectionString: s.connectionString, Type: appserver.Secondary}
}

// regions is the test: app servers and clients.
type regions struct {
	*testing.T
	servers []*regionServer
	groups  int
}

func (w *regions) await(what string, ok func() bool) {
	w.Helper()
	(&rolling{T: w.T}).await(what, ok)
}

// A regionServer is an app server with the hub.
type regionServer struct {
	*appserver.App
	name string
	url  string
	hub  *appserver.HubContext
}

// Regional is its hub.
type Regional struct{ server *regionServer }

// Where returns the app server's name.
func (h *Regional) Where() string { return h.server.name }

func (w *regions) start(name string, endpoints ...appserver.ServiceEndpoint) *regionServer {
	w.Helper()
	s := &regionServer{name: name}
	var err error
	s.App, err = appserver.New(appserver.Config{
		Endpoints: endpoints, ServerConnections: 2, ServerID: name, ScaleTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.Fatal(err)
	}
	if s.hub, err = s.MapHub("/hub", &Regional{s}); err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	server := httptest.NewServer(s.App)
	s.url = server.URL + "/hub"
	w.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.Error(err)
		}
		server.Close()
	})
	w.servers = append(w.servers, s)
	w.await(name+" is connected", func() bool {
		for _, e := range endpoints {
			if !s.online(e.Name) {
				return false
			}
		}
		return true
	})
	return s
}

func (s *regionServer) endpoint(name string) *appserver.HubEndpoint {
	for _, e := range s.hub.Endpoints() {
		if e.Name() == name {
			return e
		}
	}
	return nil
}

func (s *regionServer) online(name string) bool {
	e := s.endpoint(name)
	return e != nil && e.Online()
}

// set changes the endpoints of app servers together.
func (w *regions) set(change map[*regionServer][]appserver.ServiceEndpoint) {
	w.Helper()
	results := make(chan error)
	for s, list := range change {
		go func() { results <- s.SetEndpoints(w.Context(), list) }()
	}
	for range change {
		if err := <-results; err != nil {
			w.Error(err)
		}
	}
}

// A regionClient is a client that comes again.
type regionClient struct {
	*client.Conn
	got   atomic.Int64 // the latest number
	again atomic.Int64 // times that it came again
}

func (w *regions) connect(to *regionServer) *regionClient {
	w.Helper()
	c := &regionClient{}
	var err error
	c.Conn, err = client.New(to.url, client.Config{
		Reconnect:     func(client.Retry) (time.Duration, bool) { return 50 * time.Millisecond, true },
		OnReconnected: func(string) { c.again.Add(1) },
	})
	if err != nil {
		w.Fatal(err)
	}
	c.On("number", func(n int64) { c.got.Store(n) })
	c.On("double", func(n int64) int64 { return 2 * n })
	if err := c.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

// where asks for the name of the app server that has the client.
func (c *regionClient) where(t *testing.T) string {
	t.Helper()
	name, err := client.Invoke[string](t.Context(), c.Conn, "Where")
	if err != nil {
		t.Error(err)
	}
	return name
}

// want checks where a client is.
func (w *regions) want(c *regionClient, at *regionServer, endpoint string) {
	w.Helper()
	if got := c.where(w.T); got != at.name {
		w.Errorf("the client is with %s, want %s", got, at.name)
	}
	if e := at.endpoint(endpoint); e == nil || e.Stats().Clients == 0 {
		w.Errorf("%s has no client at %s", at.name, endpoint)
	}
}

// number returns one that was not used.
var number atomic.Int64

// reach checks that each app server reaches all clients, by broadcast and by connection id,
// and gets a result of each.
func (w *regions) reach(clients ...*regionClient) {
	w.Helper()
	for _, s := range w.servers {
		n := number.Add(1)
		if err := s.hub.Clients().All().Send(w.Context(), "number", n); err != nil {
			w.Errorf("%s: %v", s.name, err)
		}
		for i, c := range clients {
			w.await(fmt.Sprintf("client %d gets the broadcast of %s", i, s.name), func() bool { return c.got.Load() == n })
			got, err := appserver.Invoke[int64](w.Context(), s.hub.Clients().Client(c.ConnectionID()), "double", n)
			if err != nil || got != 2*n {
				w.Errorf("%s has result %d of client %d: %v", s.name, got, i, err)
			}
		}
		if _, err := appserver.Invoke[int64](w.Context(), s.hub.Clients().Client("nobody"), "double", n); err == nil {
			w.Errorf("%s has a result of nobody", s.name)
		}
	}
}

// group checks that groups work wherever clients are.
func (w *regions) group(member, other *regionClient) {
	w.Helper()
	for _, s := range w.servers {
		w.groups++
		group := fmt.Sprint("group ", w.groups)
		if err := s.hub.Groups().Add(w.Context(), member.ConnectionID(), group); err != nil {
			w.Error(err)
		}
		n, before := number.Add(1), other.got.Load()
		if err := s.hub.Clients().Group(group).Send(w.Context(), "number", n); err != nil {
			w.Error(err)
		}
		w.await("the member gets it", func() bool { return member.got.Load() == n })
		if got := other.got.Load(); got != before {
			w.Errorf("who is no member got %d", got)
		}
		if err := s.hub.Groups().Remove(w.Context(), member.ConnectionID(), group); err != nil {
			w.Error(err)
		}
	}
}
