package appserver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

func TestServerConnectionRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startWith(t, newFakeService(t), appserver.Config{ApplicationName: "Shop", ServerID: "server-1", ServerConnections: 1}, &echoHub{})
		r := a.conn.request
		query := r.URL.Query()
		if r.URL.Path != "/server/" || query.Get("hub") != "shop_echohub" || len(query.Get("cid")) != 36 || len(query) != 2 {
			t.Errorf("request for %s", r.URL)
		}
		for name, want := range map[string]string{
			"X-Asrs-Server-Id": "server-1", "X-Requested-With": "XMLHttpRequest", "Asrs-User-Agent": "Switchboard.AppServer/0.1", "Sec-Websocket-Protocol": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("header %s: %q, want %q", name, got, want)
			}
		}
		keys, err := accesstoken.NewKeys("secret")
		if err != nil {
			t.Fatal(err)
		}
		bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		token, err := keys.Check(bearer, time.Now(), accesstoken.Audience{Path: "/server", Hub: "shop_echohub", Hosts: []string{"service.test"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(token.Claims) != 1 || token.UserID() != "server-1" {
			t.Errorf("claims %v, want nameid server-1 alone", token.Claims)
		}
		if h := a.conn.handshake; h.Version != 1 || h.ConnectionType != serviceprotocol.ConnectionDefault || h.Target != "" || h.MigrationLevel != serviceprotocol.MigrationOff {
			t.Errorf("handshake %+v", h)
		}
	})
}

func TestFiveServerConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{}, &echoHub{})
		ids := map[string]bool{a.conn.request.URL.Query().Get("cid"): true}
		for range 4 {
			ids[f.next(t).request.URL.Query().Get("cid")] = true
		}
		none(t, f.opened, "sixth server connection")
		if len(ids) != 5 {
			t.Errorf("%d different ids, want 5", len(ids))
		}
		if n := a.hub.Stats().ServerConnections; n != 5 {
			t.Errorf("Stats: %d server connections, want 5", n)
		}
	})
}

func TestLostServerConnectionEndsItsClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, h := newFakeService(t), newEventHub()
		a := startWith(t, f, appserver.Config{ServerConnections: 2}, h)
		other := f.next(t)
		errs := make(chan error, 1)
		h.onConnect = func(ctx *appserver.Context) error {
			if ctx.ConnectionID() == "c1" {
				context.AfterFunc(ctx, func() { errs <- context.Cause(ctx) })
			}
			return nil
		}
		a.conn.connect(t, "c1")
		h.want(t, "connected c1")
		survivor := other.connect(t, "c2")
		h.want(t, "connected c2")
		time.Sleep(2 * time.Second)
		a.conn.drop()
		if got := receive(t, h.events, "event"); !strings.HasPrefix(got, "disconnected c1: server connection lost: ") {
			t.Errorf("hub got %q", got)
		}
		if err := receive(t, errs, "cause"); !errors.Is(err, appserver.ErrServerConnectionLost) {
			t.Errorf("context ended with %v, want ErrServerConnectionLost", err)
		}
		if m := other.next(t); m.Type() != serviceprotocol.TypeBroadcastData { // what OnDisconnected sends takes another way
			t.Errorf("got %v", m.Type())
		}
		survivor.send(t, `{"type":1,"target":"Note","arguments":["alive"]}`)
		h.want(t, "note alive")
		f.next(t).connect(t, "c3") // and the lost one is replaced at once
		h.want(t, "connected c3")
	})
}

func TestServerConnectionIsReplaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 1}, &echoHub{})
		for range 3 {
			time.Sleep(time.Minute)
			before := time.Now()
			a.conn.drop()
			a.conn = f.next(t)
			if took := time.Since(before); took != 0 {
				t.Errorf("replaced after %v, want at once", took)
			}
		}
	})
}

// One that opens and breaks at once must not be dialled in a tight loop.
func TestServerConnectionThatBreaksAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 1}, &echoHub{})
		began := time.Now()
		a.conn.drop()
		f.next(t)
		if took := time.Since(began); took < time.Second || took > 2*time.Second {
			t.Errorf("replaced after %v, want 1 to 2 s", took)
		}
	})
}

func TestReconnectBackoff(t *testing.T) {
	tests := []struct {
		name   string
		refuse func(int) (int, string)
	}{
		{"no WebSocket", func(int) (int, string) { return http.StatusServiceUnavailable, "" }},
		{"token refused", func(int) (int, string) { return http.StatusUnauthorized, "" }},
		{"handshake refused", func(int) (int, string) { return 0, "not today" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFakeService(t)
				f.refuse = tt.refuse
				a := prepare(t, f, appserver.Config{}, &echoHub{})
				a.run(t)
				time.Sleep(6 * time.Minute)
				f.with(func() {
					checkDials(t, f.dials)
					f.refuse = func(int) (int, string) { return 0, "" }
				})
				began := time.Now()
				for range 5 {
					f.next(t)
				}
				if took := time.Since(began); took > 61*time.Second {
					t.Errorf("all are back after %v, want within 61 s", took)
				}
			})
		})
	}
}

// checkDials wants five attempts at the start, one more at once, and then single
// ones at growing distances.
func checkDials(t *testing.T, dials []time.Time) {
	t.Helper()
	want := []time.Duration{0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60}
	if len(dials) < len(want)+1 {
		t.Fatalf("%d attempts, want at least %d", len(dials), len(want)+1)
	}
	for i, least := range want {
		got := dials[i+1].Sub(dials[i])
		if least *= time.Second; got < least || got > least+time.Second {
			t.Errorf("attempt %d came %v after the one before, want %v to %v", i+2, got, least, least+time.Second)
		}
	}
}

func TestHandshakeOfServiceTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		hang := make(chan struct{})
		f.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
				f.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
		prepare(t, f, appserver.Config{ServerConnections: 1}, &echoHub{}).run(t)
		time.Sleep(14 * time.Second)
		close(hang)
		f.next(t)
	})
}

func TestReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := prepare(t, f, appserver.Config{}, &echoHub{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := a.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ready before Run = %v, want DeadlineExceeded", err)
		}
		a.run(t)
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v", err)
		}
		synctest.Wait()
	})
}
