package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"switchboard/internal/memnet"
)

func TestAddressesTellConnectionsApart(t *testing.T) {
	l := memnet.Listen()
	defer l.Close()
	for _, want := range []string{"memnet:1", "memnet:2"} {
		var client net.Conn
		var dialler sync.WaitGroup
		dialler.Go(func() { client, _ = l.Dial(t.Context()) })
		server, err := l.Accept()
		if err != nil {
			t.Fatalf("Accept: %v", err)
		}
		dialler.Wait()
		defer client.Close()
		defer server.Close()
		if got := client.LocalAddr().String(); got != want {
			t.Errorf("dialled end is %s, want %s", got, want)
		}
		if got := server.RemoteAddr(); got != client.LocalAddr() {
			t.Errorf("accepted end's peer is %v, want %v", got, client.LocalAddr())
		}
		if server.LocalAddr() != l.Addr() || client.RemoteAddr() != l.Addr() {
			t.Errorf("server side is %v and %v, want %v", server.LocalAddr(), client.RemoteAddr(), l.Addr())
		}
		if host, _, err := net.SplitHostPort(want); host != "memnet" || err != nil {
			t.Errorf("SplitHostPort(%s) = %q, %v; want memnet", want, host, err)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 { // while it waits, and before it starts
			if c, err := l.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Dial = %v, %v; want context.DeadlineExceeded", c, err)
			}
		}
	})
}

func TestListenerCloseEndsDialAndAccept(t *testing.T) {
	calls := map[string]func(context.Context, *memnet.Listener) error{
		"dial": func(ctx context.Context, l *memnet.Listener) error {
			_, err := l.Dial(ctx)
			return err
		},
		"accept": func(_ context.Context, l *memnet.Listener) error {
			_, err := l.Accept()
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.Listen()
				waiting := make(chan error)
				go func() { waiting <- call(t.Context(), l) }()
				synctest.Wait()
				l.Close()
				l.Close()
				if err := <-waiting; !errors.Is(err, net.ErrClosed) {
					t.Errorf("waiting call: %v, want net.ErrClosed", err)
				}
				if err := call(t.Context(), l); !errors.Is(err, net.ErrClosed) {
					t.Errorf("later call: %v, want net.ErrClosed", err)
				}
			})
		})
	}
}

// serve runs an HTTP server on l until the returned function is called.
func serve(l *memnet.Listener, h http.HandlerFunc) (stop func()) {
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	return func() {
		server.Close()
		serving.Wait()
	}
}

func TestHTTPRoundTripInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		stop := serve(l, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("server read: %v", err)
			}
			w.Write(body)
		})
		defer stop()
		transport := &http.Transport{DialContext: l.DialContext}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}

		const size = 5 * bufferSize
		for range 2 { // the second time over the kept connection
			body := io.LimitReader(zeros{}, size)
			response, err := client.Post("http://anywhere/", "application/octet-stream", body)
			if err != nil {
				t.Fatalf("Post: %v", err)
			}
			n, err := io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if n != size || err != nil {
				t.Errorf("echo of %d bytes, error %v; want %d", n, err, size)
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestHTTPTimeoutInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		gone := make(chan struct{})
		stop := serve(l, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done() // ends only because the server sees the client leave
			close(gone)
		})
		defer stop()
		transport := &http.Transport{DialContext: l.DialContext}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: 30 * time.Second}

		start := time.Now()
		if _, err := client.Get("http://anywhere/"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: %v, want context.DeadlineExceeded", err)
		}
		<-gone
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("the request ended after %v, want 30s", got)
		}
	})
}

func TestWebSocketInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		stop := serve(l, func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Errorf("Accept: %v", err)
				return
			}
			defer c.CloseNow()
			kind, message, err := c.Read(r.Context())
			for err == nil {
				err = c.Write(r.Context(), kind, message)
				if err == nil {
					kind, message, err = c.Read(r.Context())
				}
			}
			if got := websocket.CloseStatus(err); got != websocket.StatusNormalClosure {
				t.Errorf("server saw %v, want a normal closure", err)
			}
		})
		defer stop()
		transport := &http.Transport{DialContext: l.DialContext}
		defer transport.CloseIdleConnections()

		c, _, err := websocket.Dial(t.Context(), "ws://anywhere/", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: transport},
		})
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		defer c.CloseNow()
		for _, want := range []string{"hello", "again"} {
			if err := c.Write(t.Context(), websocket.MessageText, []byte(want)); err != nil {
				t.Fatalf("Write: %v", err)
			}
			if _, got, err := c.Read(t.Context()); string(got) != want || err != nil {
				t.Errorf("Read = %q, %v; want %q", got, err, want)
			}
			time.Sleep(time.Hour) // an idle connection lives on
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
