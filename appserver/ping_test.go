package appserver_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

func ping(messages ...string) *serviceprotocol.Ping {
	return &serviceprotocol.Ping{Messages: messages}
}

// drain returns the pings that have come until now.
func (c *fakeConn) drain() (all [][]string) {
	synctest.Wait()
	for len(c.pings) > 0 {
		all = append(all, (<-c.pings).Messages)
	}
	return all
}

func TestKeepAlivePingTellsClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 2}, &echoHub{})
		other := f.next(t)
		a.conn.connect(t, "c1")
		a.conn.connect(t, "c2")
		other.connect(t, "c3")
		time.Sleep(6 * time.Second)
		if got := a.conn.drain(); len(got) != 1 || !slices.Equal(got[0], []string{"#clientInHub", "3", "#client", "2"}) {
			t.Errorf("pings %q, want one of 3 and 2 clients", got)
		}
		if got := other.drain(); len(got) != 1 || !slices.Equal(got[0], []string{"#clientInHub", "3", "#client", "1"}) {
			t.Errorf("pings %q, want one of 3 and 1 clients", got)
		}
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		time.Sleep(20 * time.Second) // what else is sent may take the place of a ping, but not after 25 s
		if got := a.conn.drain(); !slices.ContainsFunc(got, func(p []string) bool { return slices.Equal(p, []string{"#clientInHub", "2", "#client", "1"}) }) {
			t.Errorf("pings %q, want one of 2 and 1 clients", got)
		}
	})
}

func TestEchoPing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		a.conn.send(t, ping("echo", "12345", "more", "x"))
		if got := a.conn.drain(); len(got) != 1 || !slices.Equal(got[0], []string{"echo", "12345", "more", "x"}) {
			t.Errorf("pings %q, want the echo", got)
		}
	})
}

func TestUnknownMessagesAreIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		for _, m := range []serviceprotocol.Message{
			ping("colour", "red"), ping("odd"), ping(), ping("target", "x"), ping("servers", "1:a"),
			&serviceprotocol.Unknown{Number: 77}, &serviceprotocol.ServiceEvent{ID: "x", Message: "hm"}, &serviceprotocol.ServiceError{},
			&serviceprotocol.Ack{AckID: 99, Status: serviceprotocol.AckOK}, &serviceprotocol.CloseConnection{ConnectionID: "nobody"},
			&serviceprotocol.ConnectionData{ConnectionID: "nobody", Payload: []byte("x")}, &serviceprotocol.ConnectionReconnect{ConnectionID: "nobody"},
		} {
			a.conn.send(t, m)
		}
		a.conn.quiet(t)
		if got := a.conn.drain(); len(got) != 0 {
			t.Errorf("pings %q, want none", got)
		}
		c := a.conn.connect(t, "c1")
		c.send(t, invoke("1", "Echo", `"x"`))
		c.want(t, `{"type":3,"invocationId":"1","result":"x"}`)
	})
}

func TestStatusPing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 3}, &echoHub{})
		conns := []*fakeConn{a.conn, f.next(t), f.next(t)}
		asked := 0
		for range 60 {
			time.Sleep(time.Second)
			for _, c := range conns {
				for _, p := range c.drain() {
					if slices.Equal(p, []string{"status", "1"}) {
						asked++
					}
				}
			}
		}
		if asked < 5 || asked > 6 {
			t.Errorf("asked %d times in a minute, want every 10 s", asked)
		}
		a.conn.send(t, ping("status", "1", "clientcount", "70", "servercount", "5", "capacity", "1000"))
		a.conn.send(t, ping("status", "1", "clientcount", "many"))
		synctest.Wait()
		want := appserver.Stats{ServerConnections: 3, ServiceClients: 70, ServiceServers: 5, ServiceCapacity: 1000}
		if got := a.hub.Stats(); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
	})
}

func TestOfflinePing(t *testing.T) {
	open := func(t *testing.T, c *fakeConn, id, node string) {
		t.Helper()
		c.open(t, &serviceprotocol.OpenConnection{ConnectionID: id, Headers: serviceprotocol.Headers{
			{Name: "asrs-instance-id", Values: []string{node}}}}).want(t, `{}`)
	}
	bubble(t, func(t *testing.T) {
		f, h := newFakeService(t), newEventHub()
		a := startWith(t, f, appserver.Config{ServerConnections: 2}, h)
		other := f.next(t)
		for _, c := range []struct{ id, node string }{{"c1", "n1"}, {"c2", "n2"}} {
			open(t, a.conn, c.id, c.node)
			h.want(t, "connected "+c.id)
		}
		open(t, other, "c3", "n1")
		h.want(t, "connected c3")
		a.conn.send(t, ping("offline", "n1"))
		h.want(t, "disconnected c1: service instance went offline")
		none(t, h.events, "event of the hub") // c3 has another server connection
		a.conn.send(t, ping("offline", ""))
		h.want(t, "disconnected c2: service instance went offline")
		none(t, h.events, "event of the hub")
	})
}
