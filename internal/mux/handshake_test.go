package mux_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

func allow(*serviceprotocol.HandshakeRequest) string { return "" }

// timeout is the time that a handshake is given.
func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestHandshakeThenMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, appServer, _ := ends(t, mux.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var got collector
		go func() {
			sent := &serviceprotocol.HandshakeRequest{Version: 1, ConnectionType: serviceprotocol.ConnectionOnDemand, Target: "node"}
			if err := appServer.Handshake(timeout(t), sent); err != nil {
				t.Errorf("Handshake: %v", err)
			}
			appServer.Send(ctx, data(1))
			serve(ctx, appServer, ignore)
		}()
		request, err := service.Accept(timeout(t), "cid", allow)
		if err != nil {
			t.Fatal(err)
		}
		served := serve(ctx, service, got.handle)
		synctest.Wait()
		if request.Version != 1 || request.ConnectionType != serviceprotocol.ConnectionOnDemand || request.Target != "node" {
			t.Errorf("Accept = %+v, want what was sent", request)
		}
		if want := bodies(data(1)); !slices.Equal(got.all(), want) {
			t.Errorf("handled %q, want %q", got.all(), want)
		}
		cancel()
		<-served
	})
}

func TestBytesBehindTheHandshakeAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, peer := link(t, mux.Options{})
		target := strings.Repeat("t", 100)
		peer.Write(frames(&serviceprotocol.HandshakeRequest{Version: 1, Target: target}, data(1), data(40_000)))
		request, err := c.Accept(timeout(t), "cid", allow)
		if err != nil {
			t.Fatal(err)
		}
		var got collector
		served := serve(t.Context(), c, got.handle)
		peer.Close()
		<-served
		if want := bodies(data(1), data(40_000)); !slices.Equal(got.all(), want) {
			t.Errorf("handled %d messages, want the 2 behind the handshake", len(got.all()))
		}
		if request.Target != target {
			t.Errorf("Target = %q after the buffer was used again, want %q", request.Target, target)
		}
		if got, want := string(s.written()[0]), string(frames(&serviceprotocol.HandshakeResponse{ConnectionID: "cid"})); got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	})
}

func TestHandshakeRefused(t *testing.T) {
	tests := []struct {
		name    string
		version int
		decide  func(*serviceprotocol.HandshakeRequest) string
		want    string
	}{
		{"by the service", 1, func(*serviceprotocol.HandshakeRequest) string { return "No hub servers here." }, "No hub servers here."},
		{"version", 2, allow, "Protocol version 2 is not supported; this service speaks version 1."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, peer := link(t, mux.Options{})
				appServer := mux.New(&stream{Conn: peer}, mux.Options{})
				refused := make(chan error, 1)
				go func() {
					refused <- appServer.Handshake(timeout(t), &serviceprotocol.HandshakeRequest{Version: tt.version})
				}()
				request, err := c.Accept(timeout(t), "cid", tt.decide)
				for side, err := range map[string]error{"Accept": err, "Handshake": <-refused} {
					if refusal, ok := errors.AsType[*mux.HandshakeError](err); !ok || refusal.Reason != tt.want {
						t.Errorf("%s: %v, want a HandshakeError for %q", side, err, tt.want)
					}
				}
				if request != nil || s.end() != "close" {
					t.Errorf("Accept = %+v, stream %s; want nil, close", request, s.end())
				}
			})
		})
	}
}

func TestHandshakeFails(t *testing.T) {
	accept := func(ctx context.Context, c *mux.Conn) error {
		_, err := c.Accept(ctx, "cid", allow)
		return err
	}
	handshake := func(ctx context.Context, c *mux.Conn) error {
		return c.Handshake(ctx, &serviceprotocol.HandshakeRequest{Version: 1})
	}
	tests := []struct {
		name string
		side func(context.Context, *mux.Conn) error
		sent []byte // by the peer, which then closes unless this is empty
		want error
		text string
	}{
		{"Accept, silence", accept, nil, context.DeadlineExceeded, "read handshake request: "},
		{"Accept, peer closes", accept, frames(data(1))[:3], io.EOF, "read handshake request: "},
		{"Accept, another message first", accept, frames(&serviceprotocol.Ping{}), nil, "read handshake request: first message is Ping"},
		{"Handshake, silence", handshake, nil, context.DeadlineExceeded, "read handshake response: "},
		{"Handshake, peer closes", handshake, frames(data(1))[:3], io.EOF, "read handshake response: "},
		{"Handshake, another message first", handshake, frames(data(1)), nil, "read handshake response: first message is ConnectionData"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, peer := link(t, mux.Options{})
				if tt.sent != nil {
					peer.Write(tt.sent)
					go func() {
						io.CopyN(io.Discard, peer, 1)
						peer.Close()
					}()
					if strings.HasPrefix(tt.name, "Accept") {
						peer.Close() // it gets no answer
					}
				}
				err := tt.side(timeout(t), c)
				if err == nil || !strings.HasPrefix(err.Error(), tt.text) || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %q and %v", err, tt.text, tt.want)
				}
				synctest.Wait()
				if tt.sent == nil && s.end() != "abort" {
					t.Errorf("stream %s after the time was over, want abort", s.end())
				}
			})
		})
	}
}
