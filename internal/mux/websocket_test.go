package mux_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"switchboard/internal/memnet"
	"switchboard/internal/mux"
)

// webSockets returns the two ends of a WebSocket in memory.
func webSockets(t *testing.T) (accepted, dialled *websocket.Conn) {
	t.Helper()
	l := memnet.Listen()
	arrived := make(chan *websocket.Conn, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("Accept: %v", err)
		}
		arrived <- ws
	})}
	go server.Serve(l)
	transport := &http.Transport{DialContext: l.DialContext}
	dialled, _, err := websocket.Dial(t.Context(), "ws://memnet/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	accepted = <-arrived
	t.Cleanup(func() {
		accepted.CloseNow()
		dialled.CloseNow()
		server.Close()
	})
	return accepted, dialled
}

func TestWebSocketCarriesAConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted, dialled := webSockets(t)
		service := mux.New(mux.WebSocket(accepted), mux.Options{})
		appServer := mux.New(mux.WebSocket(dialled), mux.Options{})
		var got collector
		ctx, cancel := context.WithCancelCause(t.Context())
		servedService := serve(ctx, service, ignore)
		servedAppServer := serve(t.Context(), appServer, got.handle)
		service.Send(ctx, data(1))
		service.Send(ctx, data(300_000))
		cancel(errShutdown)
		if err := <-servedService; !errors.Is(err, errShutdown) {
			t.Errorf("the side that closes: %v, want the cause of its context", err)
		}
		if err := <-servedAppServer; !errors.Is(err, io.EOF) {
			t.Errorf("the other side: %v, want io.EOF", err)
		}
		if want := bodies(data(1), data(300_000)); !slices.Equal(got.all(), want) {
			t.Errorf("%d messages arrived, want the 2 that were queued before the end", len(got.all()))
		}
	})
}

func TestWebSocketReadsBytesWhateverTheMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted, dialled := webSockets(t)
		c := mux.New(mux.WebSocket(accepted), mux.Options{})
		var got collector
		served := serve(t.Context(), c, got.handle)
		wire := frames(data(1), data(2))
		for _, message := range [][]byte{wire[:3], {}, wire[3:10], wire[10:]} {
			if err := dialled.Write(t.Context(), websocket.MessageBinary, message); err != nil {
				t.Fatal(err)
			}
		}
		dialled.Close(websocket.StatusNormalClosure, "")
		if err := <-served; !errors.Is(err, io.EOF) {
			t.Errorf("Serve: %v, want io.EOF", err)
		}
		if want := bodies(data(1), data(2)); !slices.Equal(got.all(), want) {
			t.Errorf("handled %q, want %q", got.all(), want)
		}
	})
}

func TestWebSocketThatBreaksOffIsNoGoodOrder(t *testing.T) {
	tests := []struct {
		name string
		end  func(*websocket.Conn)
	}{
		{"lost", func(ws *websocket.Conn) { ws.CloseNow() }},
		{"closed for an internal error", func(ws *websocket.Conn) { ws.Close(websocket.StatusInternalError, "") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				accepted, dialled := webSockets(t)
				c := mux.New(mux.WebSocket(accepted), mux.Options{})
				served := serve(t.Context(), c, ignore)
				tt.end(dialled)
				if err := <-served; err == nil || err == io.EOF {
					t.Errorf("Serve: %v, want an error that is not io.EOF", err)
				}
			})
		})
	}
}
