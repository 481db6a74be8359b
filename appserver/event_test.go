package appserver_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

func TestServiceEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		events := make(chan string, 200)
		hold := make(chan struct{})
		a := start(t, &echoHub{}, func(c *appserver.HubConfig) {
			c.OnServiceEvent = func(e *appserver.HubEndpoint, m *serviceprotocol.ServiceEvent) {
				events <- fmt.Sprintf("%s %d %d %s %s", e.URL(), m.ObjectType, m.Kind, m.ID, m.Message)
				if m.ID == "first" {
					panic("oh")
				}
				<-hold
			}
		})
		send := func(id string) {
			a.conn.send(t, &serviceprotocol.ServiceEvent{ObjectType: serviceprotocol.EventUser, Kind: serviceprotocol.EventReloading, ID: id, Message: "soon"})
		}
		send("first")
		if got, want := <-events, "http://service.test/ 2 0 first soon"; got != want {
			t.Errorf("event %q, want %q", got, want)
		}
		for i := range 150 { // one is handled, 100 wait
			send(fmt.Sprint(i))
		}
		synctest.Wait()
		close(hold)
		synctest.Wait()
		if n := len(events); n != 101 {
			t.Errorf("%d events, want 101", n)
		}
		for i := range 101 {
			if got, want := <-events, fmt.Sprintf("http://service.test/ 2 0 %d soon", i); got != want {
				t.Fatalf("event %q, want %q", got, want)
			}
		}
		log := a.log.String()
		if n := strings.Count(log, "service event"); n != 151 || !strings.Contains(log, "OnServiceEvent failed") {
			t.Errorf("%d events in the log, want 151, and the panic", n)
		}
	})
}
