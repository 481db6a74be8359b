package websocket_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

// While the app server does not keep up its client is not read; nothing is lost.
func TestCongestedAppServerPausesItsClients(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		s.app.congest(0)
		var all strings.Builder
		for i := range 300 {
			fmt.Fprintf(&all, "%010d%s\x1e", i, strings.Repeat("x", 20_000))
		}
		written := make(chan struct{})
		go func() {
			defer close(written)
			for part := range strings.SplitAfterSeq(all.String(), "\x1e") {
				if _, err := c.Write([]byte(message(part))); err != nil {
					t.Error(err)
				}
			}
		}()
		eventually(t, "the client is paused", func() bool { return s.app.waits() == 1 })
		s.deliver("c", "the other way\x1e")
		c.expect("text the other way\x1e")
		select {
		case <-written:
			t.Error("all was read though the app server is congested")
		default:
		}
		if got := s.app.highest; got > 2*e.reads() {
			t.Errorf("%d bytes were read though the app server is congested", got)
		}
		s.app.congest(1 << 20)
		go func() {
			for {
				select {
				case <-written:
					s.app.congest(1 << 30)
					s.app.drain()
					return
				default:
					s.app.drain()
				}
			}
		}()
		s.app.expect(all.String())
		next(t, written, "the end of writing")
	})
}

// When there is room again, a thousand clients must not fill it a thousand times.
func TestManyClientsOfACongestedAppServer(t *testing.T) {
	const clients, each, limit = 40, 512 << 10, 64 << 10
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		var all []*client
		for i := range clients {
			all = append(all, s.open(fmt.Sprint(i), jsonRequest))
		}
		s.app.congest(limit)
		wire := []byte(message(strings.Repeat("x", each) + "\x1e"))
		var writers sync.WaitGroup
		for _, c := range all {
			writers.Go(func() {
				if _, err := c.Write(wire); err != nil {
					t.Error(err)
				}
			})
		}
		received := 0
		for deadline := time.Now().Add(bound); received < clients*(each+1); {
			if time.Now().After(deadline) {
				t.Fatalf("app server got %d bytes, want %d", received, clients*(each+1))
			}
			select {
			case m := <-s.app.messages:
				received += len(describe(m))
			default:
				s.app.drain()
			}
		}
		writers.Wait()
		extra := 2 * e.reads() // a loop may be reading when the limit is reached
		if !e.looped() {
			extra = clients * e.reads() // a goroutine that waits for bytes takes some before it asks again
		}
		if got := s.app.highest; got > limit+extra {
			t.Errorf("%d bytes were queued, want at most %d", got, limit+extra)
		}
	})
}

// A client that is closed while its app server is congested says goodbye as any other.
func TestCloseWhilePaused(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{CloseTimeout: time.Hour})
		c := s.open("by the service", jsonRequest)
		s.app.congest(1)
		c.send(message("x\x1e"))
		s.app.expect("x\x1e")
		c.send(message("left unread\x1e"))
		eventually(t, "the client is paused", func() bool { return s.app.waits() == 1 })
		s.conn(c.id).Close(pairing.ServiceShutdown, "")
		s.app.expect("closed " + pairing.ServiceShutdown.Text)
		c.expect(farewell(pairing.ServiceShutdown), "close 1000")
		c.send(message("too late\x1e") + goodbye(1000))
		c.expect("EOF")
		s.expectEnd(c.id, pairing.ServiceShutdown)
		s.app.congest(1 << 30)
		s.app.drain() // resumes what is gone

		c = s.open("by the client", jsonRequest)
		s.app.congest(1)
		c.send(message("x\x1e") + goodbye(1000)) // both are read at once
		c.expect("close 1000", "EOF")
		s.app.expect("x\x1eclosed ")
		s.expectEnd(c.id, pairing.ClosedByClient)
	})
}

func TestAbortWhilePaused(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		s.app.congest(0)
		c.send(message("x\x1e"))
		eventually(t, "the client is paused", func() bool { return s.app.waits() == 1 })
		s.conn("c").Abort()
		s.expectEnd("c", pairing.TransportLost)
		s.app.drain() // resumes what is gone
	})
}
