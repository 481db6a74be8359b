package appserver_test

import (
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/negotiate"
	"switchboard/serviceprotocol"
)

func asksForMore(target string) *serviceprotocol.Ping {
	return &serviceprotocol.Ping{Messages: []string{serviceprotocol.PingTarget, target}}
}

func TestServerConnectionsOnDemand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 1, MaxServerConnections: 3}, &echoHub{})
		a.conn.send(t, asksForMore("one instance"))
		further := f.next(t)
		if got := further.request.URL.Query().Get("target"); got != "one instance" {
			t.Errorf("target %q", got)
		}
		if got := further.handshake.ConnectionType; got != serviceprotocol.ConnectionOnDemand {
			t.Errorf("connection type %d, want on demand", got)
		}
		c := further.connect(t, "c1") // it carries clients
		c.send(t, invoke("1", "Echo", `"x"`))
		c.want(t, `{"type":3,"invocationId":"1","result":"x"}`)

		further.send(t, asksForMore("a"))
		third := f.next(t)
		third.send(t, asksForMore("a"))
		time.Sleep(time.Minute)
		none(t, f.opened, "fourth server connection")

		further.drop() // nobody replaces it
		time.Sleep(time.Minute)
		none(t, f.opened, "server connection in place of one on demand")
		third.send(t, asksForMore("a"))
		f.next(t)
	})
}

func TestServerConnectionOnDemandIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 1}, &echoHub{})
		f.with(func() { f.refuse = func(int) (int, string) { return 0, "no need" } })
		a.conn.send(t, asksForMore("a"))
		synctest.Wait()
		time.Sleep(time.Hour)
		if len(f.dials) != 2 {
			t.Errorf("%d attempts, want one for each request", len(f.dials))
		}
	})
}

func TestSticky(t *testing.T) {
	for _, mode := range []appserver.StickyMode{appserver.StickyDisabled, appserver.StickyPreferred, appserver.StickyRequired} {
		bubble(t, func(t *testing.T) {
			a := startWith(t, newFakeService(t), appserver.Config{ApplicationName: "Shop", Sticky: mode, ServerID: "me"}, newEventHub())
			answer, err := negotiate.ParseAnswer(a.negotiate("/chat/negotiate").Body.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			token := checkToken(t, answer.AccessToken)
			name, _ := token.Claim("asrs.s.sn")
			got, _ := token.Claim("asrs.s.ssticky")
			if want := map[bool]string{true: "me"}[mode != ""]; got != string(mode) || name != want {
				t.Errorf("Sticky %q: claims %q and %q", mode, name, got)
			}
		})
	}
}
