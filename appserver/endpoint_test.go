package appserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
	"switchboard/negotiate"
	"switchboard/serviceprotocol"
)

// A world is an app that is connected to several services.
type world struct {
	*testApp
	t        *testing.T
	services map[string]*fakeService // by name; hosts are name + ".test"
	conns    map[string]*fakeConn    // the server connection at each
}

func endpointAt(name string, kind appserver.EndpointType) appserver.ServiceEndpoint {
	return appserver.ServiceEndpoint{Name: name, Type: kind, ConnectionString: "Endpoint=http://" + name + ".test;AccessKey=key of " + name}
}

func newWorld(t *testing.T, config appserver.Config, endpoints ...appserver.ServiceEndpoint) *world {
	t.Helper()
	w := &world{t: t, services: map[string]*fakeService{}, conns: map[string]*fakeConn{}}
	for _, e := range endpoints {
		w.found(e.Name)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		name, _, _ := strings.Cut(address, ".")
		if f := w.services[name]; f != nil {
			return f.listener.DialContext(ctx, network, address)
		}
		return nil, errors.New("no such host")
	}}
	t.Cleanup(transport.CloseIdleConnections)
	config.Endpoints, config.HTTPClient, config.ServerConnections = endpoints, &http.Client{Transport: transport}, 1
	config.ServerID = "me"
	w.testApp = prepareAt(t, config, &echoHub{})
	w.run(t)
	for _, e := range endpoints {
		w.conns[e.Name] = w.services[e.Name].next(t)
	}
	w.online(len(endpoints))
	return w
}

// found begins a service.
func (w *world) found(name string) { w.services[name] = newFakeService(w.t) }

func (w *world) online(n int) {
	w.t.Helper()
	synctest.Wait()
	got := 0
	for _, e := range w.hub.Endpoints() {
		if e.Online() {
			got++
		}
	}
	if got != n {
		w.t.Fatalf("%d endpoints online, want %d", got, n)
	}
}

// sent returns the names of the services that were sent something, each once.
func (w *world) sent() (names []string) {
	synctest.Wait()
	for name, c := range w.conns {
		for len(c.received) > 0 {
			<-c.received
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// goesTo negotiates and returns the name of the service that the client is sent to.
func (w *world) goesTo() string {
	w.t.Helper()
	recorder := w.negotiate("/chat/negotiate?negotiateVersion=1")
	if recorder.Code != http.StatusOK {
		return fmt.Sprint(recorder.Code, " ", recorder.Body)
	}
	answer, err := negotiate.ParseAnswer(recorder.Body.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(answer.URL, "http://"), ".")
	w.opens(answer.AccessToken, name, "key of "+name)
	return name
}

// opens checks that a token is for a service.
func (w *world) opens(token, name, key string) {
	w.t.Helper()
	keys, err := accesstoken.NewKeys(key)
	if err != nil {
		w.t.Fatal(err)
	}
	checked, err := keys.Check(token, time.Now(), accesstoken.Audience{Path: "/client", Hub: "echohub", Hosts: []string{name + ".test"}})
	if err != nil {
		w.t.Error(err)
		return
	}
	count, several := checked.Claim(accesstoken.ClaimEndpointCount)
	if n := len(w.hub.Endpoints()); several != (n > 1) || several && count != strconv.Itoa(n) {
		w.t.Errorf("the token says that there are %q endpoints, of %d", count, n)
	}
}

const (
	primary   = appserver.Primary
	secondary = appserver.Secondary
)

func TestSecondaryEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", secondary))
		for name, want := range map[string]serviceprotocol.ConnectionType{"east": serviceprotocol.ConnectionDefault, "west": serviceprotocol.ConnectionWeak} {
			if got := w.conns[name].handshake.ConnectionType; got != want {
				t.Errorf("%s: connection type %d, want %d", name, got, want)
			}
		}
		if err := w.hub.Clients().All().Send(t.Context(), "Hello"); err != nil {
			t.Fatal(err)
		}
		if got := w.sent(); !slices.Equal(got, []string{"east", "west"}) {
			t.Errorf("broadcast went to %v", got)
		}
		w.conns["west"].send(t, asksForMore("west"))
		none(t, w.services["west"].opened, "connection on demand to a secondary endpoint")
		w.conns["east"].send(t, asksForMore("east"))
		w.services["east"].next(t)
		if log := w.log.String(); !strings.Contains(log, `endpoint=west`) {
			t.Errorf("the log does not tell the endpoint: %s", log)
		}
		all := w.hub.Endpoints()
		if e := all[1]; e.Name() != "west" || e.Type() != secondary || e.Type().String() != "Secondary" || e.URL() != "http://west.test/" {
			t.Errorf("%s %v %s", e.Name(), e.Type(), e.URL())
		}
	})
}

// Clients go to another service when theirs is gone, and back.
func TestNegotiateFailsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", secondary))
		for range 20 {
			if got := w.goesTo(); got != "east" {
				t.Fatalf("client goes to %s", got)
			}
		}
		down := func(int) (int, string) { return http.StatusServiceUnavailable, "" }
		up := w.services["east"].refuse
		w.services["east"].with(func() { w.services["east"].refuse = down })
		w.conns["east"].drop()
		w.online(1)
		if got := w.goesTo(); got != "west" {
			t.Errorf("client goes to %s", got)
		}
		if err := w.hub.Clients().All().Send(t.Context(), "Hello"); err != nil {
			t.Errorf("one service is connected: %v", err)
		}
		w.services["west"].with(func() { w.services["west"].refuse = down })
		w.conns["west"].drop()
		w.online(0)
		if got := w.goesTo(); got != "500 Azure SignalR Service is not connected yet, please try again later." {
			t.Errorf("client goes to %s", got)
		}
		if err := w.hub.Clients().All().Send(t.Context(), "Hello"); !errors.Is(err, appserver.ErrNotConnected) {
			t.Errorf("no service is connected: %v", err)
		}
		w.services["east"].with(func() { w.services["east"].refuse = up })
		w.services["east"].next(t)
		w.online(1)
		if got := w.goesTo(); got != "east" {
			t.Errorf("client goes to %s", got)
		}
	})
}

func TestNegotiateByCapacity(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", primary))
		tell := func(name string, values ...string) {
			w.conns[name].send(t, &serviceprotocol.Ping{Messages: append([]string{"status", "1"}, values...)})
			synctest.Wait()
		}
		count := func() (east int) {
			for range 2000 {
				if w.goesTo() == "east" {
					east++
				}
			}
			return east
		}
		tell("east", "clientcount", "998", "servercount", "1", "capacity", "1000")
		if n := count(); n < 800 || n > 1200 {
			t.Errorf("%d of 2000 go to east while west does not tell its capacity", n)
		}
		tell("west", "clientcount", "100", "servercount", "1", "capacity", "1000")
		if n := count(); n > 50 { // 1 of 900
			t.Errorf("%d of 2000 go to a service that is nearly full", n)
		}
		tell("east", "clientcount", "700", "servercount", "0", "capacity", "1000")
		if n := count(); n < 400 || n > 600 { // 300 of 1199
			t.Errorf("%d of 2000 go to a service with a quarter of what is free", n)
		}
		tell("east", "clientcount", "2000")
		tell("west", "clientcount", "2000")
		if n := count(); n < 800 || n > 1200 {
			t.Errorf("%d of 2000 go to east when both are too full", n)
		}
	})
}

// A tenantRouter sends what is for a tenant to the service of that name.
type tenantRouter struct {
	appserver.AllEndpoints
	other *appserver.HubEndpoint
}

func (r *tenantRouter) pick(name string, all []*appserver.HubEndpoint) []*appserver.HubEndpoint {
	if name == "stray" {
		return []*appserver.HubEndpoint{r.other}
	}
	name, _, _ = strings.Cut(name, "-")
	return slices.DeleteFunc(slices.Clone(all), func(e *appserver.HubEndpoint) bool { return e.Name() != name })
}

func (r *tenantRouter) ForUser(id string, all []*appserver.HubEndpoint) []*appserver.HubEndpoint {
	return r.pick(id, all)
}

func (r *tenantRouter) ForGroup(name string, all []*appserver.HubEndpoint) []*appserver.HubEndpoint {
	return r.pick(name, all)
}

func (r *tenantRouter) ForConnection(id string, all []*appserver.HubEndpoint) []*appserver.HubEndpoint {
	return r.pick(id, all)
}

func (r *tenantRouter) ForNegotiate(request *http.Request, all []*appserver.HubEndpoint) (*appserver.HubEndpoint, error) {
	switch tenant := request.URL.Query().Get("tenant"); tenant {
	case "stray":
		return r.other, nil
	case "banned":
		return nil, &appserver.HTTPError{Status: http.StatusForbidden, Text: "no"}
	default:
		if chosen := r.pick(tenant, all); len(chosen) > 0 {
			return chosen[0], nil
		}
		return nil, nil
	}
}

func TestRouters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		router := &tenantRouter{}
		w := newWorld(t, appserver.Config{MessageRouter: router, NegotiateRouter: router},
			endpointAt("a", primary), endpointAt("b", primary), endpointAt("c", primary))
		router.other = newWorld(t, appserver.Config{}, endpointAt("x", primary)).hub.Endpoints()[0]
		w.conns["b"].connect(t, "local")
		clients := w.hub.Clients()
		tests := []struct {
			name string
			to   appserver.ClientProxy
			want string
		}{
			{"all", clients.All(), "a b c"},
			{"connection", clients.Client("a-1"), "a"},
			{"client of this app server", clients.Client("local"), "b"},
			{"connections", clients.Clients("a-1", "c-1", "a-2"), "a c"},
			{"group", clients.Group("b-1"), "b"},
			{"groups", clients.Groups("b-1", "b-2"), "b"},
			{"user", clients.User("c-1"), "c"},
			{"users", clients.Users("c-1", "a-1"), "a c"},
		}
		for _, tt := range tests {
			if err := tt.to.Send(t.Context(), "Hello"); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if got := strings.Join(w.sent(), " "); got != tt.want {
				t.Errorf("%s went to %q, want %q", tt.name, got, tt.want)
			}
		}
		if err := clients.Group("nowhere").Send(t.Context(), "Hello"); !errors.Is(err, appserver.ErrNoEndpoint) {
			t.Errorf("no endpoint: %v", err)
		}
		if err := clients.Group("stray").Send(t.Context(), "Hello"); err == nil || !strings.Contains(err.Error(), "another hub") {
			t.Errorf("endpoint of another hub: %v", err)
		}
		if _, err := appserver.Invoke[int](t.Context(), clients.Client("nowhere"), "Ask"); !errors.Is(err, appserver.ErrNoEndpoint) {
			t.Errorf("no endpoint: %v", err)
		}
		if err := w.hub.Groups().Add(t.Context(), "far", "c-1"); err != nil {
			t.Error(err)
		}
		if got := w.sent(); !slices.Equal(got, []string{"c"}) {
			t.Errorf("member of a group went to %v", got)
		}
		if err := w.hub.Groups().Add(t.Context(), "local", "c-1"); err != nil {
			t.Error(err)
		}
		if got := w.sent(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("local member of a group went to %v", got)
		}
		for tenant, want := range map[string]string{
			"b": "200", "": "500 Unable to get the negotiate endpoint", "banned": "403 no", "stray": "500 Internal Server Error",
		} {
			recorder := w.negotiate("/chat/negotiate?tenant=" + tenant)
			got := fmt.Sprint(recorder.Code)
			if recorder.Code != http.StatusOK {
				got += " " + recorder.Body.String()
			}
			if got != want {
				t.Errorf("tenant %q: %s, want %s", tenant, got, want)
			}
		}
	})
}

// One service that knows the connection is enough; else all have to say that they do not.
func TestConfirmationOfSeveralServices(t *testing.T) {
	ok, unknown, failed, silent := serviceprotocol.AckOK, serviceprotocol.AckNotFound, serviceprotocol.AckInternalServerError, serviceprotocol.AckStatus(-1)
	tests := []struct {
		name       string
		east, west serviceprotocol.AckStatus
		want       error
		after      time.Duration
	}{
		{"both", ok, ok, nil, 0},
		{"one knows it", ok, unknown, nil, 0},
		{"the other knows it", unknown, ok, nil, 0},
		{"nobody knows it", unknown, unknown, nil, 0},
		{"one knows it, one is silent", ok, silent, nil, 0},
		{"one knows it, one fails", failed, ok, nil, 0},
		{"one does not know it, one fails", failed, unknown, appserver.ErrTimeout, 0},
		{"one does not know it, one is silent", unknown, silent, appserver.ErrTimeout, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", primary))
				for name, status := range map[string]serviceprotocol.AckStatus{"east": tt.east, "west": tt.west} {
					w.services[name].with(func() {
						w.services[name].ack = func(id int) *serviceprotocol.Ack {
							if status == silent {
								return nil
							}
							return &serviceprotocol.Ack{AckID: id, Status: status}
						}
					})
				}
				began := time.Now()
				if err := w.hub.Groups().Add(t.Context(), "far", "g"); !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if took := time.Since(began); took != tt.after {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestConfirmationWhenAServiceIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", primary))
		w.services["east"].with(func() { w.services["east"].ack = func(int) *serviceprotocol.Ack { return nil } })
		result := make(chan error, 1)
		go func() { result <- w.hub.Groups().Add(t.Context(), "far", "g") }()
		synctest.Wait() // west has confirmed
		if err := <-result; err != nil {
			t.Error(err)
		}
		w.services["west"].with(func() { w.services["west"].ack = func(int) *serviceprotocol.Ack { return nil } })
		go func() { result <- w.hub.Groups().Add(t.Context(), "far", "g") }()
		synctest.Wait()
		w.conns["east"].drop()
		none(t, result, "end of a request that west may confirm")
		w.conns["west"].drop()
		if err := <-result; !errors.Is(err, appserver.ErrServerConnectionLost) {
			t.Errorf("both are lost: %v", err)
		}
	})
}

// A call of a client fails when no service is left that may know the client.
func TestResultFromOneOfSeveralServices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", primary), endpointAt("north", primary))
		result := make(chan error, 1)
		ask := func() string {
			go func() {
				_, err := appserver.Invoke[int](t.Context(), w.hub.Clients().Client("far"), "Ask")
				result <- err
			}()
			var id string
			for _, c := range w.conns {
				id = c.next(t).(*serviceprotocol.ClientInvocation).InvocationID
			}
			return id
		}
		unknown := func(name, id string) {
			w.conns[name].send(t, &serviceprotocol.ErrorCompletion{InvocationID: id, ConnectionID: "far", CallerServerID: "me", Error: "not at " + name})
		}
		id := ask()
		unknown("east", id)
		unknown("east", id)
		unknown("north", id)
		none(t, result, "end of a call that west may answer")
		w.conns["west"].send(t, &serviceprotocol.ClientCompletion{InvocationID: id, ConnectionID: "far", CallerServerID: "me", Protocol: "json",
			Payload: []byte(`{"type":3,"invocationId":"` + id + `","result":42}` + "\x1e")})
		if err := <-result; err != nil {
			t.Error(err)
		}

		id = ask()
		unknown("east", id)
		w.conns["north"].drop()
		none(t, result, "end of a call that west may answer")
		unknown("west", id)
		if err := <-result; !errors.Is(err, appserver.ErrClientGone) || !strings.Contains(err.Error(), "not at west") {
			t.Errorf("nobody knows the client: %v", err)
		}

		again := w.services["north"].next(t)
		w.services["north"].with(func() { w.services["north"].refuse = func(int) (int, string) { return 503, "" } })
		again.drop()
		w.online(2)
		delete(w.conns, "north")
		id = ask()
		unknown("east", id)
		unknown("west", id)
		if err := <-result; !errors.Is(err, appserver.ErrClientGone) {
			t.Errorf("one service is not connected, the others do not know the client: %v", err)
		}
	})
}

// A service that reads nothing holds up who sends to it, and no other service.
func TestCongestedEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stuck := make(chan struct{})
		w := newWorld(t, appserver.Config{}, endpointAt("east", primary), endpointAt("west", primary))
		w.services["east"].with(func() {
			w.services["east"].ack = func(int) *serviceprotocol.Ack { <-stuck; return nil }
		})
		go func() { _ = w.hub.Groups().Add(context.Background(), "far", "g") }() // east reads nothing more
		synctest.Wait()
		<-w.conns["west"].received
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		text := strings.Repeat("x", 1<<20)
		var err error
		sent := 0
		for err == nil {
			sent++
			err = w.hub.Clients().All().Send(ctx, "Hello", text)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("east is congested: %v", err)
		}
		synctest.Wait()
		if got := len(w.conns["west"].received); got != sent {
			t.Errorf("west got %d messages of %d", got, sent)
		}
		close(stuck)
	})
}

func TestEndpointMistakes(t *testing.T) {
	good := endpointAt("east", primary)
	tests := []struct {
		name string
		list []appserver.ServiceEndpoint
		want []string
	}{
		{"none", nil, []string{"Endpoints: at least one must be Primary"}},
		{"no primary", []appserver.ServiceEndpoint{endpointAt("east", secondary)}, []string{"Endpoints: at least one must be Primary"}},
		{"twice", []appserver.ServiceEndpoint{good, {Name: "again", ConnectionString: good.ConnectionString}},
			[]string{`Endpoints[1].ConnectionString: names the same service as the one of endpoint "east"`}},
		{"every mistake", []appserver.ServiceEndpoint{{Type: 2}, {ConnectionString: "Endpoint=http://x.test;AuthType=azure"}, {ConnectionString: "Endpoint=http://x.test"}},
			[]string{"Endpoints[0].Type: 2 is neither", "Endpoints[0].ConnectionString: is required", "Endpoints[1].ConnectionString: only access keys", "Endpoints[2].ConnectionString: "}},
	}
	a, err := appserver.New(appserver.Config{Endpoints: []appserver.ServiceEndpoint{good}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := appserver.New(appserver.Config{Endpoints: tt.list, ScaleTimeout: -1})
			for i, err := range []error{err, a.SetEndpoints(t.Context(), tt.list)} {
				for _, want := range tt.want {
					if i == 0 && tt.list == nil {
						continue // then another field may say where the service is
					}
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%v does not say %q", err, want)
					}
				}
			}
			if !strings.Contains(err.Error(), "ScaleTimeout: must not be negative") {
				t.Error(err)
			}
		})
	}
	alone, err := appserver.New(appserver.Config{ConnectionString: good.ConnectionString})
	if err != nil {
		t.Fatal(err)
	}
	if err := alone.SetEndpoints(t.Context(), []appserver.ServiceEndpoint{good}); err == nil {
		t.Error("an app without Config.Endpoints takes some")
	}
}
