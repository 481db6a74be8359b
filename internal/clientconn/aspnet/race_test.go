package aspnet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/aspnet"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Clients connect, poll, are cut off, reconnect and go, several requests of one at a time, while app servers
// send, close and vanish: the race detector looks on, and in the end nobody is left.
func TestManyClientsAtOnce(t *testing.T) {
	timeouts := aspnet.Timeouts{
		Connect: 20 * time.Millisecond, Transport: time.Second, KeepAlive: 2 * time.Millisecond,
		Disconnect: time.Millisecond, Poll: 5 * time.Millisecond, PollWait: 10 * time.Millisecond,
	}
	s := newService(t, aspnet.Config{Timeouts: timeouts, Limits: clientconn.Limits{QueueBytes: 200}, AlwaysErrors: true})
	chat := s.router.Hub("app_chat")
	stop := make(chan struct{})
	var appServers, clients sync.WaitGroup
	ids := make(chan string, 1000)
	for range 2 {
		appServers.Go(func() {
			for id := "nobody"; ; {
				select {
				case <-stop:
					return
				case id = <-ids:
				default:
				}
				other := &app{}
				s.hub.AddServer(other, router.Traits{CarriesClients: true})
				text := aspnetprotocol.AppendWrapped(nil, []byte(`{"C":"0","M":["hello"]}`))
				payloads := serviceprotocol.Payloads{{Protocol: "json", Data: text}}
				for over, messages := range map[*router.Hub][]serviceprotocol.Message{
					chat: {&serviceprotocol.BroadcastData{Payloads: payloads}, &serviceprotocol.UserData{UserID: "ann", Payloads: payloads}},
					s.hub: {
						&serviceprotocol.JoinGroup{ConnectionID: id, Group: "hg-Chat.room"},
						&serviceprotocol.GroupBroadcastData{Group: "hg-Chat.room", Payloads: payloads},
						&serviceprotocol.ConnectionData{ConnectionID: id, Payload: text},
						&serviceprotocol.CloseConnection{ConnectionID: id, Error: "enough"},
					},
				} {
					for _, m := range messages {
						if err := over.FromServer(t.Context(), s.app, m); err != nil {
							t.Errorf("FromServer: %v", err)
						}
					}
				}
				s.hub.RemoveServer(other)
			}
		})
	}
	for range 8 {
		clients.Go(func() {
			for range 60 {
				c := s.negotiate()
				select {
				case ids <- c.id:
				default:
				}
				c.live(t)
			}
		})
	}
	clients.Wait()
	close(stop)
	appServers.Wait()
	if err := s.handler.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.hub.Stats(); got.Clients != 0 || got.Users != 0 || got.Groups != 0 || chat.Stats().Listeners != 0 || s.places.Taken() != 0 || s.handler.Away() != 0 {
		t.Errorf("left: %+v, %+v, %d places, %d away", got, chat.Stats(), s.places.Taken(), s.handler.Away())
	}
}

// live makes requests, two at a time.
func (c *client) live(t *testing.T) {
	actions := []string{"connect", "connect", "poll", "poll", "reconnect", "start", "send", "abort"}
	transports := []string{"longPolling", "serverSentEvents"}
	c.do(t.Context(), "connect", "longPolling", "")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 6 {
				ctx, cut := context.WithTimeout(t.Context(), time.Duration(rand.IntN(4))*time.Millisecond)
				action, transport := actions[rand.IntN(len(actions))], transports[rand.IntN(2)]
				c.do(ctx, action, transport, fmt.Sprintf("messageId=%d&data=x", rand.IntN(3)))
				cut()
			}
		})
	}
	both.Wait()
}

var _ pairing.Server = (*app)(nil)
