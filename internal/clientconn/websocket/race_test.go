package websocket_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// Clients come, talk and go in every way while the app server sends to all of
// them, is congested now and then and closes some: the race detector looks on,
// everybody ends once, and nothing is left.
func TestManyClientsAtOnce(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{QueueBytes: 1 << 20, CloseTimeout: 50 * time.Millisecond, HandshakeTimeout: time.Second})
		stop := make(chan struct{})
		var background, clients sync.WaitGroup
		background.Go(func() { // the app server reads, and answers handshakes
			for {
				select {
				case m := <-s.app.messages:
					if m, ok := m.(*serviceprotocol.ConnectionData); ok {
						s.deliver(m.ConnectionID, accepted[:len(accepted)*min(1, strings.Count(string(m.Payload), "protocol"))])
					}
				case <-stop:
					return
				}
			}
		})
		background.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					s.app.congest(1 << 30)
					s.app.drain()
					return
				default:
				}
				s.broadcast("json", strings.Repeat("b", rand.IntN(3000))+"\x1e")
				if i%50 == 0 {
					s.app.congest(4000)
				}
				s.app.drain()
				if i%100 == 99 {
					s.fromApp(&serviceprotocol.CloseConnection{ConnectionID: fmt.Sprintf("%d-%d", i%16, rand.IntN(rounds))})
				}
			}
		})
		for i := range 16 {
			clients.Go(func() {
				for round := range rounds {
					liveAndDie(s, fmt.Sprintf("%d-%d", i, round))
				}
			})
		}
		clients.Wait()
		close(stop)
		background.Wait()
		eventually(t, "all have ended", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.conns) == 0 })
		if got := s.hub.Stats(); got.Clients != 0 {
			t.Errorf("%d clients are left", got.Clients)
		}
	})
}

// liveAndDie plays a client for a short life.
func liveAndDie(s *service, id string) {
	conn, err := s.dial()
	if err != nil {
		s.t.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(bound))
	wire := upgrade(id) + message(jsonRequest) + frame(ping, "x") + strings.Repeat(message("x\x1e"), rand.IntN(200))
	cut := rand.IntN(len(wire))
	_, _ = conn.Write([]byte(wire[:cut]))
	_, _ = conn.Write([]byte(wire[cut:]))
	for range rand.IntN(20) {
		if _, err := conn.Read(make([]byte, 4000)); err != nil {
			break
		}
	}
	served := s.conn(id) // nil if it has ended, or the request was not served yet
	switch end := rand.IntN(5); {
	case end == 0:
		_, _ = conn.Write([]byte(goodbye(1000)))
	case end == 1:
		_, _ = conn.Write([]byte("nonsense"))
	case end == 2 && served != nil:
		served.Abort()
	case end == 3 && served != nil:
		served.Close(pairing.ServiceShutdown, "")
	default:
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return
	}
	_, _ = io.Copy(io.Discard, conn)
}
