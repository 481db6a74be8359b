package mux_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

var ping = serviceprotocol.AppendFrame(nil, &serviceprotocol.Ping{})

// pings are sent by the peer, so that it is not idle, until the test ends.
func pings(t *testing.T, peer net.Conn) {
	go func() {
		for t.Context().Err() == nil {
			if _, err := peer.Write(ping); err != nil {
				return
			}
			select {
			case <-time.After(7 * time.Second):
			case <-t.Context().Done():
			}
		}
	}()
}

func TestPingEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, s, peer := link(t, mux.Options{})
		served := serve(t.Context(), c, ignore)
		pings(t, peer)
		go io.Copy(io.Discard, peer)
		time.Sleep(21 * time.Second)
		peer.Close()
		<-served
		var seconds []float64
		for i, written := range s.written() {
			if !bytes.Equal(written, ping) {
				t.Errorf("written: %x, want a ping", written)
			}
			seconds = append(seconds, s.times[i].Sub(start).Seconds())
		}
		if want := []float64{5, 10, 15, 20}; !slices.Equal(seconds, want) {
			t.Errorf("pings after %v seconds, want %v", seconds, want)
		}
	})
}

func TestPingIsMadeByTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &serviceprotocol.Ping{Messages: []string{"#client", "7"}}
		c, s, peer := link(t, mux.Options{PingInterval: time.Second, Ping: func() *serviceprotocol.Ping { return counts }})
		served := serve(t.Context(), c, ignore)
		time.Sleep(1500 * time.Millisecond)
		peer.Close()
		<-served
		if got := s.written(); len(got) != 1 || !bytes.Equal(got[0], frames(counts)) {
			t.Errorf("written: %x, want one %x", got, frames(counts))
		}
	})
}

func TestNoPingWhileSomethingIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, peer := link(t, mux.Options{})
		s.gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, c, ignore)
		pings(t, peer)
		go io.Copy(io.Discard, peer)
		c.Send(ctx, data(1))
		time.Sleep(12 * time.Second) // the writer waits
		c.Send(ctx, data(2))
		time.Sleep(12 * time.Second)
		close(s.gate)
		synctest.Wait()
		if got, want := bytes.Join(s.written(), nil), frames(data(1), data(2)); !bytes.Equal(got, want) {
			t.Errorf("written: %x, want %x and no ping", got, want)
		}
		cancel()
		<-served
	})
}

// A ping that says something is sent whatever waits, since what it says may be about that.
func TestPingThatSaysSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &serviceprotocol.Ping{Messages: []string{"target", "here"}}
		var c *mux.Conn
		full := 0
		c, s, peer := link(t, mux.Options{QueueBytes: 10, Ping: func() *serviceprotocol.Ping {
			if stats := c.Stats(); !stats.Full || stats.Queued < 10 {
				return &serviceprotocol.Ping{}
			}
			full++
			return target
		}})
		s.gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, c, ignore)
		pings(t, peer)
		go io.Copy(io.Discard, peer)
		c.Send(ctx, data(1))
		synctest.Wait() // the writer has it, and waits
		c.Send(ctx, data(100))
		time.Sleep(6 * time.Second)
		close(s.gate)
		synctest.Wait()
		if got, want := bytes.Join(s.written(), nil), frames(data(1), data(100), target); full != 1 || !bytes.Equal(got, want) {
			t.Errorf("written: %x, want %x", got, want)
		}
		cancel()
		<-served
	})
}

func TestSilentPeerIsIdle(t *testing.T) {
	tests := []struct {
		name    string
		stalled bool // and it takes nothing either
	}{{"it reads", false}, {"it reads nothing", true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c, s, peer := link(t, mux.Options{})
				if tt.stalled {
					c.Send(t.Context(), data(1<<20))
				} else {
					go io.Copy(io.Discard, peer)
				}
				err := c.Serve(t.Context(), ignore)
				if !errors.Is(err, mux.ErrIdle) || s.end() != "abort" {
					t.Errorf("Serve: %v, stream %s; want ErrIdle, abort", err, s.end())
				}
				if d := time.Since(start); d < 30*time.Second || d > 36*time.Second {
					t.Errorf("ended after %v, want 30 to 36 s", d)
				}
			})
		})
	}
}

func TestAnyBytesKeepAConnectionAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := link(t, mux.Options{})
		var got collector
		served := serve(t.Context(), c, got.handle)
		go io.Copy(io.Discard, peer)
		for _, b := range frames(data(10)) {
			time.Sleep(29 * time.Second)
			if _, err := peer.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		peer.Close()
		<-served
		if want := bodies(data(10)); !slices.Equal(got.all(), want) {
			t.Errorf("handled %q, want %q", got.all(), want)
		}
	})
}

// A handler that waits stops the reading; that is not the peer's silence.
func TestHandlerThatWaitsIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := link(t, mux.Options{})
		served := serve(t.Context(), c, func(context.Context, serviceprotocol.Message) error {
			time.Sleep(time.Minute)
			return nil
		})
		go io.Copy(io.Discard, peer)
		peer.Write(frames(data(1), data(2), data(3)))
		time.Sleep(183 * time.Second)
		peer.Close()
		if err := <-served; !errors.Is(err, io.EOF) {
			t.Errorf("Serve: %v, want io.EOF", err)
		}
	})
}

func TestPeerThatTakesNothingIsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, s, peer := link(t, mux.Options{})
		pings(t, peer)
		c.Send(t.Context(), data(1<<20))
		err := c.Serve(t.Context(), ignore)
		if !errors.Is(err, mux.ErrStalled) || s.end() != "abort" {
			t.Errorf("Serve: %v, stream %s; want ErrStalled, abort", err, s.end())
		}
		if d := time.Since(start); d < 30*time.Second || d > 36*time.Second {
			t.Errorf("ended after %v, want 30 to 36 s", d)
		}
	})
}

// A large message may take longer than the stall timeout while bytes flow.
func TestSlowLineIsNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := link(t, mux.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, c, ignore)
		pings(t, peer)
		c.Send(ctx, data(2<<20))
		want, got := len(frames(data(2<<20))), 0
		for buffer := make([]byte, 16<<10); got < want; {
			n, err := io.ReadFull(peer, buffer)
			if got += n; err != nil {
				break
			}
			if got+len(buffer) > want {
				buffer = buffer[:max(want-got, 0)]
			}
			time.Sleep(time.Second)
		}
		if got != want {
			t.Errorf("%d of %d bytes came through", got, want)
		}
		cancel()
		<-served
	})
}
