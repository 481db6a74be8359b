package mux_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

var errShutdown = errors.New("the service shuts down")

func TestEndInGoodOrderSendsWhatIsQueued(t *testing.T) {
	tests := []struct {
		name   string
		before bool // the context is done before Serve
	}{{"while it runs", false}, {"before it runs", true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, peer := link(t, mux.Options{})
				ctx, cancel := context.WithCancelCause(t.Context())
				if tt.before {
					cancel(errShutdown)
				}
				c.Send(t.Context(), data(1))
				peer.Write(frames(data(2)))
				var got collector
				served := serve(ctx, c, got.handle)
				synctest.Wait()
				c.Send(t.Context(), data(300_000)) // more than the line holds, so that it waits
				cancel(errShutdown)
				sent, _ := io.ReadAll(peer)
				if err := <-served; !errors.Is(err, errShutdown) || s.end() != "close" {
					t.Errorf("Serve: %v, stream %s; want the cause of its context, close", err, s.end())
				}
				want, handled := frames(data(1), data(300_000)), 1
				if tt.before {
					want, handled = frames(data(1)), 0
				}
				if !bytes.Equal(sent, want) {
					t.Errorf("the peer got %d bytes, want the %d that were queued", len(sent), len(want))
				}
				if len(got.all()) != handled {
					t.Errorf("%d messages handled, want %d", len(got.all()), handled)
				}
			})
		})
	}
}

func TestEndInGoodOrderWaitsFiveSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := link(t, mux.Options{})
		ctx, cancel := context.WithCancelCause(t.Context())
		served := serve(ctx, c, ignore)
		c.Send(ctx, data(1<<20)) // which nobody reads
		synctest.Wait()
		start := time.Now()
		cancel(errShutdown)
		if err := <-served; !errors.Is(err, errShutdown) || s.end() != "abort" {
			t.Errorf("Serve: %v, stream %s; want the cause of its context, abort", err, s.end())
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("ended after %v, want 5 s", d)
		}
	})
}

// This side closes in the moment in which the keep-alive falls due.
func TestEndAtThePing(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			c, s, _ := link(t, mux.Options{})
			ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errShutdown)
			defer cancel()
			if err := c.Serve(ctx, ignore); !errors.Is(err, errShutdown) || s.end() != "close" {
				t.Errorf("Serve: %v, stream %s; want the cause of its context, close", err, s.end())
			}
		})
	}
}

func TestFailureEndsAtOnce(t *testing.T) {
	tests := []struct {
		name  string
		queue int // bytes that are to be sent; the peer takes none
		fails bool
	}{
		{"the handler fails", 0, false},
		{"the handler fails, the writer waits", 1 << 20, false},
		{"the write fails", 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c, s, peer := link(t, mux.Options{})
				s.fails = tt.fails
				if tt.queue > 0 {
					c.Send(t.Context(), data(tt.queue))
				}
				time.AfterFunc(time.Second, func() { peer.Write(frames(data(1))) })
				err := c.Serve(t.Context(), func(context.Context, serviceprotocol.Message) error { return errBroken })
				if !errors.Is(err, errBroken) || s.end() != "abort" {
					t.Errorf("Serve: %v, stream %s; want the failure, abort", err, s.end())
				}
				if d := time.Since(start); d > time.Second {
					t.Errorf("ended %v after the failure", d-time.Second)
				}
			})
		})
	}
}

func TestPeerThatClosesIsEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, peer := link(t, mux.Options{})
		peer.Close()
		if err := c.Serve(t.Context(), ignore); !errors.Is(err, io.EOF) || s.end() != "abort" {
			t.Errorf("Serve: %v, stream %s; want io.EOF, abort", err, s.end())
		}
	})
}

// A handler that waits for its context does not keep the connection from ending.
func TestContextOfTheHandlerEndsWithTheConnection(t *testing.T) {
	tests := []struct {
		name string
		end  func(cancel context.CancelCauseFunc, s *stream)
		want error
	}{
		{"this side closes", func(cancel context.CancelCauseFunc, _ *stream) { cancel(errShutdown) }, errShutdown},
		{"the write fails", func(_ context.CancelCauseFunc, s *stream) { close(s.gate) }, errBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, peer := link(t, mux.Options{})
				s.gate, s.fails = make(chan struct{}), tt.want == errBroken
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				served := serve(ctx, c, func(ctx context.Context, _ serviceprotocol.Message) error {
					<-ctx.Done()
					return nil
				})
				if tt.want == errBroken {
					c.Send(ctx, data(1))
				}
				peer.Write(frames(data(1)))
				synctest.Wait()
				tt.end(cancel, s)
				if err := <-served; !errors.Is(err, tt.want) {
					t.Errorf("Serve: %v, want %v", err, tt.want)
				}
			})
		})
	}
}
