package clientconn_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// Clients come and go while app servers send, close and vanish: the race
// detector looks on, and in the end nobody is left.
func TestManyClientsAtOnce(t *testing.T) {
	hub := router.New(router.Config{Log: slog.New(slog.DiscardHandler)}).Hub("chat")
	stays := &app{}
	hub.AddServer(stays, router.Traits{CarriesClients: true})
	stop := make(chan struct{})
	var appServers, clients sync.WaitGroup
	for range 2 {
		appServers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				comesAndGoes := &app{}
				hub.AddServer(comesAndGoes, router.Traits{CarriesClients: true})
				for _, m := range []serviceprotocol.Message{
					&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(ping)}}},
					&serviceprotocol.ConnectionData{ConnectionID: fmt.Sprint(i % 8), Payload: []byte(accepted + ping)},
					&serviceprotocol.CloseConnection{ConnectionID: fmt.Sprint(i % 40), Error: "enough"},
				} {
					if err := hub.FromServer(t.Context(), stays, m); err != nil {
						t.Errorf("FromServer: %v", err)
					}
				}
				hub.RemoveServer(comesAndGoes)
			}
		})
	}
	for id := range 8 {
		clients.Go(func() {
			for range 300 {
				serveOne(hub, fmt.Sprint(id))
			}
		})
	}
	clients.Wait()
	close(stop)
	appServers.Wait()
	if got := hub.Stats(); got.Clients != 0 || got.Users != 0 {
		t.Errorf("Stats() = %+v, want no clients", got)
	}
}

// serveOne plays the transport of one client for a short life.
func serveOne(hub *router.Hub, id string) {
	transport := newTransport()
	c := clientconn.New(hub, clientconn.Origin{ID: id, UserID: "ann"}, env(clientconn.Limits{QueueBytes: 100}), transport)
	var writer sync.WaitGroup
	writer.Go(func() {
		for ended := false; !ended; {
			select {
			case <-transport.wakes:
				out := c.Take(nil, 1000)
				for _, message := range out.Messages {
					message.Release()
				}
				ended = out.Ended
				if len(out.Messages) > 0 {
					transport.Wake() // until nothing is left
				}
			case <-transport.aborted:
				return
			}
		}
	})
	for _, message := range []string{jsonRequest[:5], jsonRequest[5:], ping, ping, ping} {
		if c.Receive([]byte(message)) != nil {
			break
		}
	}
	c.Close(pairing.ClosedByClient, "")
	writer.Wait()
	c.Finish(pairing.ClosedByClient, func() {})
}
