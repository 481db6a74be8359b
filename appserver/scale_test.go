package appserver_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/negotiate"
	"switchboard/serviceprotocol"
)

// quietConfig is without pings to clients.
var quietConfig = appserver.Config{HubDefaults: appserver.HubConfig{KeepAliveInterval: time.Hour}}

// set changes the endpoints, and returns the channel for the result.
func (w *world) set(ctx context.Context, endpoints ...appserver.ServiceEndpoint) <-chan error {
	result := make(chan error, 1)
	go func() { result <- w.SetEndpoints(ctx, endpoints) }()
	synctest.Wait()
	return result
}

// answers has a service answer the questions that a ping can be.
func (w *world) answers(name string, servers, status func() string) {
	conn := w.conns[name]
	stop := make(chan struct{})
	w.t.Cleanup(func() { close(stop) })
	go func() {
		stamp := time.Now().UnixNano()
		for {
			var m *serviceprotocol.Ping
			select {
			case m = <-conn.pings:
			case <-stop:
				return
			}
			if _, ok := m.Get("servers"); ok && servers != nil {
				stamp++
				_ = conn.link.Post(&serviceprotocol.Ping{Messages: []string{"servers", strconv.FormatInt(stamp, 10) + ":" + servers()}})
			}
			if _, ok := m.Get("status"); ok && status != nil {
				_ = conn.link.Post(&serviceprotocol.Ping{Messages: []string{"status", status()}})
			}
			if fin, ok := m.Get("shutdown"); ok {
				_ = conn.link.Post(&serviceprotocol.Ping{Messages: []string{"shutdown", "finack"}})
				conn.received <- &serviceprotocol.ServiceEvent{Message: fin}
			}
		}
	}()
}

func (w *world) names() (names []string) {
	for _, e := range w.hub.Endpoints() {
		names = append(names, e.Name())
	}
	return names
}

// destinations are the services that clients are sent to.
func (w *world) destinations() string {
	var names []string
	for range 50 {
		if name := w.goesTo(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestAddEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		east, west := endpointAt("east", primary), endpointAt("west", primary)
		w := newWorld(t, appserver.Config{}, east)
		w.answers("east", func() string { return "ME;other" }, nil)
		w.found("west")
		var others atomic.Value
		others.Store("me")
		result := w.set(t.Context(), east, west)
		w.conns["west"] = w.services["west"].next(t)
		w.answers("west", func() string { return others.Load().(string) }, nil)
		time.Sleep(time.Minute)
		none(t, result, "end of a change that another app server has not made")
		if err := w.hub.Clients().All().Send(t.Context(), "Hello"); err != nil {
			t.Error(err)
		}
		if got := w.sent(); !slices.Equal(got, []string{"east", "west"}) {
			t.Errorf("broadcast went to %v", got)
		}
		if got := w.destinations(); got != "east" {
			t.Errorf("clients go to %s", got)
		}
		others.Store("Me;other")
		if err := <-result; err != nil {
			t.Error(err)
		}
		if got := w.destinations(); got != "east west" {
			t.Errorf("clients go to %s", got)
		}
		w.conns["west"].connect(t, "c1")
	})
}

// Without an answer the change is made when the time is over.
func TestAddEndpointToSilentServices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		east, west := endpointAt("east", primary), endpointAt("west", primary)
		w := newWorld(t, appserver.Config{ScaleTimeout: time.Minute}, east)
		w.found("west")
		began := time.Now()
		result := w.set(t.Context(), east, west)
		w.conns["west"] = w.services["west"].next(t)
		if err := <-result; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %v", took)
		}
		if got := w.destinations(); got != "east west" {
			t.Errorf("clients go to %s", got)
		}

		w.found("north")
		ctx, cancel := context.WithCancel(t.Context())
		result = w.set(ctx, east, west, endpointAt("north", primary))
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
		w.conns["north"] = w.services["north"].next(t)
		w.online(3)
		if got := w.destinations(); got != "east north west" {
			t.Errorf("clients go to %s", got)
		}
	})
}

func TestRemoveEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		east, west := endpointAt("east", primary), endpointAt("west", primary)
		w := newWorld(t, quietConfig, east, west)
		var status atomic.Value
		status.Store("1")
		w.answers("west", nil, func() string { return status.Load().(string) })
		c := w.conns["west"].connect(t, "c1")
		result := w.set(t.Context(), east)
		if m, ok := w.conns["west"].next(t).(*serviceprotocol.ServiceEvent); !ok || m.Message != "fin:0" {
			t.Errorf("west got %+v", m)
		}
		if got := w.destinations(); got != "east" {
			t.Errorf("clients go to %s", got)
		}
		time.Sleep(time.Minute)
		none(t, result, "end of a change while there are clients")
		c.send(t, invoke("1", "Echo", `"x"`))
		c.want(t, `{"type":3,"invocationId":"1","result":"x"}`)
		status.Store("0") // but c1 is there
		time.Sleep(time.Minute)
		none(t, result, "end of a change while there are clients")
		w.conns["west"].send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		if err := <-result; err != nil {
			t.Error(err)
		}
		<-w.conns["west"].ended
		if got := w.names(); !slices.Equal(got, []string{"east"}) {
			t.Errorf("endpoints are %v", got)
		}
		time.Sleep(time.Hour)
		none(t, w.services["west"].opened, "connection to an endpoint that is removed")
	})
}

// Clients that do not go are closed when the time is over, and may come again.
func TestRemoveEndpointWithClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		east, west := endpointAt("east", primary), endpointAt("west", primary)
		w := newWorld(t, quietConfig, east, west)
		w.answers("west", nil, func() string { return "1" })
		c := w.conns["west"].connect(t, "c1")
		began := time.Now()
		result := w.set(t.Context(), east)
		<-w.conns["west"].received
		time.Sleep(4*time.Minute + 59*time.Second)
		none(t, result, "end of a change while there are clients")
		c.want(t, `{"type":7,"allowReconnect":true}`)
		c.wantClose(t, "")
		if err := <-result; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Minute+2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A service that is down is not waited for.
func TestReplaceEndpointThatIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		west := endpointAt("west", primary)
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary))
		w.services["east"].with(func() { w.services["east"].refuse = func(int) (int, string) { return 503, "" } })
		w.conns["east"].drop()
		w.online(0)
		w.found("west")
		result := w.set(t.Context(), west)
		w.conns["west"] = w.services["west"].next(t)
		w.answers("west", func() string { return "me" }, nil)
		began := time.Now()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if got := w.destinations(); got != "west" {
			t.Errorf("clients go to %s", got)
		}
	})
}

func TestNewAccessKeyOfAnEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		east := endpointAt("east", primary)
		w := newWorld(t, appserver.Config{}, east)
		east.ConnectionString = strings.Replace(east.ConnectionString, "key of east", "another key", 1)
		if err := <-w.set(t.Context(), east); err != nil {
			t.Fatal(err)
		}
		answer, err := negotiate.ParseAnswer(w.negotiate("/chat/negotiate").Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		w.opens(answer.AccessToken, "east", "another key")
		none(t, w.conns["east"].ended, "end of a connection whose key is replaced")
	})
}

// The app may end while it changes its endpoints, and may change them before it runs.
func TestSetEndpointsAndRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		east, west := endpointAt("east", primary), endpointAt("west", primary)
		w := newWorld(t, appserver.Config{}, east, west)
		w.conns["west"].connect(t, "c1")
		result := w.set(t.Context(), east)
		w.stop()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if err := <-w.stopped; err != nil {
			t.Error(err)
		}
		w.stopped <- nil // for the end of the test
		if err := w.SetEndpoints(t.Context(), []appserver.ServiceEndpoint{east}); err == nil {
			t.Error("an app that has ended takes endpoints")
		}

		a := prepareAt(t, appserver.Config{Endpoints: []appserver.ServiceEndpoint{east}}, &echoHub{})
		if err := a.SetEndpoints(t.Context(), []appserver.ServiceEndpoint{west, east}); err != nil {
			t.Fatal(err)
		}
		if n := len(a.hub.Endpoints()); n != 2 {
			t.Errorf("%d endpoints", n)
		}
		if err := a.SetEndpoints(t.Context(), []appserver.ServiceEndpoint{west}); err != nil {
			t.Fatal(err)
		}
		if e := a.hub.Endpoints(); len(e) != 1 || e[0].Name() != "west" {
			t.Errorf("endpoints are %v", e)
		}
	})
}
