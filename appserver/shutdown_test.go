package appserver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

// A moveHub tells where its clients come from and go to.
type moveHub struct {
	events  chan string
	release chan struct{}
}

func newMoveHub() *moveHub {
	return &moveHub{make(chan string, 100), make(chan struct{})}
}

func (h *moveHub) OnConnected(ctx *appserver.Context) error {
	h.events <- fmt.Sprintf("connected %s from %q", ctx.ConnectionID(), ctx.MigrateFrom())
	return nil
}

func (h *moveHub) OnDisconnected(ctx *appserver.Context, err error) {
	h.events <- fmt.Sprintf("disconnected %s to %q: %v", ctx.ConnectionID(), ctx.MigrateTo(), err)
}

func (h *moveHub) Hi() string { return "hi" }

func (h *moveHub) Wait(ctx *appserver.Context) (string, error) {
	select {
	case <-h.release:
		return "done", ctx.Clients().Caller().Send(ctx, "last")
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (h *moveHub) want(t *testing.T, want string) {
	t.Helper()
	if got := receive(t, h.events, want); got != want {
		t.Errorf("hub: %s, want %s", got, want)
	}
}

func movesTo(id, server string, report bool) *serviceprotocol.CloseConnection {
	m := &serviceprotocol.CloseConnection{ConnectionID: id, Headers: serviceprotocol.Headers{{Name: "Asrs-Migrate-To", Values: []string{server}}}}
	if report {
		m.Headers = append(m.Headers, serviceprotocol.Header{Name: serviceprotocol.HeaderHandOver, Values: []string{"true"}})
	}
	return m
}

// A client that goes to another app server gets the answers to its calls first.
func TestClientIsHandedOver(t *testing.T) {
	for _, report := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			h := newMoveHub()
			a := start(t, h)
			if got := a.conn.request.Header.Get(serviceprotocol.HeaderHandOver); got == "" {
				t.Error("the service does not learn that clients are handed over")
			}
			c := a.conn.connect(t, "c1")
			h.want(t, `connected c1 from ""`)
			c.send(t, invoke("1", "Wait", ""), invoke("2", "Hi", ""))
			synctest.Wait()
			a.conn.send(t, movesTo("c1", "other", report))
			a.conn.quiet(t)
			none(t, h.events, "event")
			close(h.release)
			a.conn.want(t, &serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"c1"}, Payloads: calling("last")})
			c.want(t, `{"type":3,"invocationId":"1","result":"done"}`)
			c.want(t, `{"type":3,"invocationId":"2","result":"hi"}`)
			h.want(t, `disconnected c1 to "other": <nil>`)
			if report {
				a.conn.want(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
			}
			a.conn.quiet(t)
		})
	}
}

func TestHandOverDoesNotWaitForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newMoveHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		h.want(t, `connected c1 from ""`)
		c.send(t, invoke("1", "Wait", ""))
		synctest.Wait()
		began := time.Now()
		a.conn.send(t, movesTo("c1", "other", true))
		a.conn.want(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("let go after %v, want 9s", took)
		}
		h.want(t, `disconnected c1 to "other": <nil>`)
	})
}

// A client that comes from another app server has had the answer to its handshake.
func TestClientComesFromAnotherAppServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newMoveHub()
		a := start(t, h)
		from := serviceprotocol.Headers{{Name: "Asrs-Migrate-From", Values: []string{"other"}}}
		c := a.conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: "c1", Headers: from})
		h.want(t, `connected c1 from "other"`)
		c.send(t, invoke("1", "Hi", ""))
		c.want(t, `{"type":3,"invocationId":"1","result":"hi"}`)

		refused := &fakeClient{conn: a.conn, id: "c2"} // no second answer, not even a bad one
		a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c2", Headers: from})
		refused.send(t, `{"protocol":"none","version":1}`)
		refused.wantClose(t, "The protocol 'none' is not supported.")
	})
}

func TestGracefulShutdown(t *testing.T) {
	for mode, fin := range map[appserver.ShutdownMode]string{appserver.MigrateClients: "fin:1", appserver.WaitForClientsClose: "fin:2"} {
		bubble(t, func(t *testing.T) {
			h := newMoveHub()
			a := startWith(t, newFakeService(t), appserver.Config{ServerConnections: 2, Shutdown: mode}, h, func(c *appserver.HubConfig) {
				c.OnShutdown = func(ctx context.Context, hub *appserver.HubContext) error {
					h.events <- "hook"
					return errors.Join(hub.Clients().All().Send(ctx, "soon"), errors.New("it is logged"))
				}
			})
			second := a.service.next(t)
			if got, want := a.conn.handshake.MigrationLevel == serviceprotocol.MigrationShutdownOnly, mode == appserver.MigrateClients; got != want {
				t.Errorf("%s: migration level %d", mode, a.conn.handshake.MigrationLevel)
			}
			a.conn.connect(t, "c1")
			h.want(t, `connected c1 from ""`)
			a.stop()
			wantFin := func(c *fakeConn) {
				t.Helper()
				for {
					if got, ok := receive(t, c.pings, "goodbye").Get("shutdown"); ok {
						if got != fin {
							t.Errorf("goodbye %q, want %q", got, fin)
						}
						return
					}
				}
			}
			wantFin(a.conn)
			wantFin(second)
			finack := &serviceprotocol.Ping{Messages: []string{"shutdown", "finack"}}
			second.send(t, finack)
			wantFin(a.conn) // once more
			none(t, h.events, "hook")
			a.conn.send(t, finack)
			h.want(t, "hook")
			if _, ok := receive(t, merge(a.conn, second), "message").(*serviceprotocol.BroadcastData); !ok {
				t.Error("the hook's message does not go out")
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if len(a.stopped) > 0 {
				t.Fatal("Run does not wait for the client")
			}
			a.conn.send(t, movesTo("c1", "other", false))
			h.want(t, `disconnected c1 to "other": <nil>`)
			<-a.conn.ended
			<-second.ended
		})
	}
}

// merge returns what either connection receives.
func merge(conns ...*fakeConn) <-chan serviceprotocol.Message {
	all := make(chan serviceprotocol.Message, 1)
	for _, c := range conns {
		go func() {
			select {
			case m := <-c.received:
				all <- m
			case <-c.ended:
			}
		}()
	}
	return all
}

func TestGracefulShutdownIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newMoveHub()
		config := appserver.Config{ServerConnections: 1, Shutdown: appserver.MigrateClients, ShutdownTimeout: 20 * time.Second}
		a := startWith(t, newFakeService(t), config, h)
		c := a.conn.connect(t, "c1")
		h.want(t, `connected c1 from ""`)
		began := time.Now()
		a.stop() // the service answers nothing
		c.want(t, `{"type":6}`)
		c.want(t, `{"type":7,"allowReconnect":true}`)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("closed after %v, want 20s", took)
		}
		h.want(t, `disconnected c1 to "": <nil>`)
		<-a.conn.ended
	})
}

func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newMoveHub()
		config := appserver.Config{ServerConnections: 1, Shutdown: appserver.WaitForClientsClose}
		a := startWith(t, newFakeService(t), config, h)
		a.conn.connect(t, "c1")
		h.want(t, `connected c1 from ""`)
		result := make(chan error, 2)
		for range 2 { // it may be called again
			go func() { result <- a.Shutdown(t.Context()) }()
		}
		a.conn.send(t, &serviceprotocol.Ping{Messages: []string{"shutdown", "finack"}})
		none(t, result, "end of the shutdown while there is a client")
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		for range 2 {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
		if err := <-a.stopped; err != nil {
			t.Error(err)
		}
		a.stopped <- nil
	})
}

func TestShutdownIsCutShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newMoveHub()
		config := appserver.Config{ServerConnections: 1, Shutdown: appserver.WaitForClientsClose, ShutdownTimeout: time.Hour}
		a := startWith(t, newFakeService(t), config, h)
		c := a.conn.connect(t, "c1")
		h.want(t, `connected c1 from ""`)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		if err := a.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		c.want(t, `{"type":7,"allowReconnect":true}`)
		<-a.conn.ended
	})
}

func TestShutdownBeforeRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := prepare(t, newFakeService(t), appserver.Config{ServerConnections: 1}, newMoveHub())
		if err := a.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := a.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
