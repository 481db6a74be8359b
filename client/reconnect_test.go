package client_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"switchboard/client"
	"switchboard/hubprotocol"
)

// events are what a connection tells of itself.
type events struct {
	reconnecting chan error
	reconnected  chan string
	closed       chan error
}

func (e *events) config() client.Config {
	*e = events{make(chan error, 100), make(chan string, 100), make(chan error, 100)}
	return client.Config{
		Transports:     client.WebSockets,
		OnReconnecting: func(err error) { e.reconnecting <- err },
		OnReconnected:  func(id string) { e.reconnected <- id },
		OnClosed:       func(err error) { e.closed <- err },
	}
}

func TestReconnect(t *testing.T) {
	s := start(t)
	var e events
	config := e.config()
	config.Reconnect = client.DefaultReconnect
	c := s.connect(t, "/plain", config)
	before := c.ConnectionID()
	s.cut()
	if err := receive(t, e.reconnecting, "OnReconnecting"); err == nil {
		t.Error("the connection was lost without an error")
	}
	id := receive(t, e.reconnected, "OnReconnected")
	if id == before || id != c.ConnectionID() {
		t.Errorf("id before %q, told %q, now %q", before, id, c.ConnectionID())
	}
	if gone := receive(t, s.hub.gone, "OnDisconnected"); gone != before {
		t.Errorf("OnDisconnected of %q, want %q", gone, before)
	}
	if n := must[int](t)(client.Invoke[int](t.Context(), c, "Add", 1, 2)); n != 3 {
		t.Errorf("Add = %d, want 3", n)
	}
	stop(t, c)
	if err := receive(t, e.closed, "OnClosed"); err != nil {
		t.Errorf("OnClosed(%v), want nil", err)
	}
	if len(e.closed)+len(e.reconnecting)+len(e.reconnected) > 0 {
		t.Error("there were more events")
	}
}

func TestNoReconnect(t *testing.T) {
	s := start(t)
	var e events
	t.Run("without a policy", func(t *testing.T) {
		c := s.connect(t, "/plain", e.config())
		s.cut()
		if err := receive(t, e.closed, "OnClosed"); err == nil {
			t.Error("the connection was lost without an error")
		}
		if c.State() != client.Disconnected {
			t.Errorf("state %v, want disconnected", c.State())
		}
		if err := c.Start(t.Context()); err != nil { // again
			t.Error(err)
		}
	})
	t.Run("the hub does not want it", func(t *testing.T) {
		config := e.config()
		config.Reconnect = client.DefaultReconnect
		c := s.connect(t, "/plain", config)
		if err := c.Send(t.Context(), "Abort"); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, e.closed, "OnClosed"); err != nil {
			t.Errorf("OnClosed(%v), want nil", err)
		}
		if len(e.reconnecting) > 0 {
			t.Error("the client tried to reconnect")
		}
	})
}

// The hub knows at once that a client has stopped, on each transport.
func TestStopIsAGoodbye(t *testing.T) {
	each(t, func(t *testing.T, s *site, config client.Config) {
		c := s.connect(t, "/hub", config)
		id := c.ConnectionID()
		began := time.Now()
		stop(t, c)
		if gone := receive(t, s.hub.gone, "OnDisconnected"); gone != id {
			t.Errorf("OnDisconnected of %q, want %q", gone, id)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A client exchanges numbers with the hub while its sockets are cut at random: none is
// lost, repeated or out of order, and neither side is told of anything.
func TestStatefulReconnect(t *testing.T) {
	s := start(t)
	for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
		t.Run(p.Name(), func(t *testing.T) {
			const numbers = 1500
			var e events
			config := e.config()
			config.Protocol, config.StatefulReconnect, config.Reconnect = p, true, client.DefaultReconnect
			pushed := make(chan int, numbers)
			c := s.connect(t, "/hub", config, func(c *client.Conn) { c.On("Number", func(n int) { pushed <- n }) })
			id := c.ConnectionID()
			ctx, cancel := context.WithCancel(t.Context())
			var cutting sync.WaitGroup
			cuts := 0
			cutting.Go(func() {
				for ctx.Err() == nil {
					select {
					case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond):
						s.cut()
						cuts++
					case <-ctx.Done():
					}
				}
			})
			var calls sync.WaitGroup
			for caller := range 3 {
				calls.Go(func() {
					for n := range numbers / 3 {
						want := caller*numbers + n
						if got, err := client.Invoke[int](ctx, c, "Exchange", want); err != nil || got != want {
							t.Errorf("Exchange(%d) = %d, %v", want, got, err)
							return
						}
						time.Sleep(time.Millisecond)
					}
				})
			}
			calls.Wait()
			cancel()
			cutting.Wait()
			last := map[int]int{}
			for range numbers {
				n := receive(t, pushed, "number")
				caller := n / numbers
				if n%numbers != last[caller] {
					t.Fatalf("caller %d was sent %d, want %d", caller, n%numbers, last[caller])
				}
				last[caller]++
			}
			if len(pushed) > 0 {
				t.Errorf("%d numbers too many", len(pushed))
			}
			if now := must[string](t)(client.Invoke[string](t.Context(), c, "ID")); now != id {
				t.Errorf("connection %q, was %q", now, id)
			}
			if len(e.reconnecting)+len(e.reconnected)+len(e.closed)+len(s.hub.gone) > 0 {
				t.Error("the end of a socket was noticed")
			}
			t.Logf("%d cuts", cuts)
			stop(t, c)
			receive(t, s.hub.gone, "OnDisconnected")
		})
	}
}

// A server that does not allow it is no error.
func TestStatefulReconnectIsNotGranted(t *testing.T) {
	s := start(t)
	var e events
	config := e.config()
	config.StatefulReconnect, config.Reconnect = true, client.DefaultReconnect
	c := s.connect(t, "/plain", config)
	s.cut()
	receive(t, e.reconnecting, "OnReconnecting")
	receive(t, e.reconnected, "OnReconnected")
	must[int](t)(client.Invoke[int](t.Context(), c, "Add", 1, 2))
}

func TestStopWhileReconnecting(t *testing.T) {
	s := start(t)
	var e events
	config := e.config()
	config.Reconnect = client.ReconnectAfter(time.Hour)
	c := s.connect(t, "/plain", config)
	s.cut()
	receive(t, e.reconnecting, "OnReconnecting")
	if c.State() != client.Reconnecting || c.ConnectionID() != "" {
		t.Errorf("state %v, id %q", c.State(), c.ConnectionID())
	}
	if _, err := client.Invoke[int](t.Context(), c, "Add", 1, 2); !errors.Is(err, client.ErrNotConnected) {
		t.Errorf("got %v, want ErrNotConnected", err)
	}
	stop(t, c)
	if err := receive(t, e.closed, "OnClosed"); err != nil {
		t.Errorf("OnClosed(%v), want nil", err)
	}
}

func TestReconnectPolicies(t *testing.T) {
	var waits []time.Duration
	for attempt := 0; ; attempt++ {
		wait, again := client.DefaultReconnect(client.Retry{Attempt: attempt})
		if !again {
			break
		}
		waits = append(waits, wait)
	}
	if len(waits) != 4 || waits[0] != 0 || waits[3] != 30*time.Second {
		t.Errorf("default delays %v", waits)
	}
}
