package websocket_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

func TestRequestsThatAreNoUpgrade(t *testing.T) {
	whole := upgrade("c")
	tests := []struct {
		name, request string
		status        int
		header, value string
	}{
		{"not GET", strings.Replace(whole, "GET", "POST", 1), http.StatusMethodNotAllowed, "Allow", "GET"},
		{"HTTP/1.0", strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1), http.StatusUpgradeRequired, "Upgrade", "websocket"},
		{"no Connection", strings.Replace(whole, "keep-alive, Upgrade", "keep-alive", 1), http.StatusUpgradeRequired, "Upgrade", "websocket"},
		{"no Upgrade", strings.Replace(whole, "Upgrade: websocket\r\n", "", 1), http.StatusUpgradeRequired, "Upgrade", "websocket"},
		{"another Upgrade", strings.Replace(whole, "websocket", "h2c", 1), http.StatusUpgradeRequired, "Upgrade", "websocket"},
		{"another version", strings.Replace(whole, ": 13", ": 8", 1), http.StatusUpgradeRequired, "Sec-Websocket-Version", "13"},
		{"no version", strings.Replace(whole, "Sec-WebSocket-Version: 13\r\n", "", 1), http.StatusUpgradeRequired, "Sec-Websocket-Version", "13"},
		{"no key", strings.Replace(whole, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1), http.StatusBadRequest, "", ""},
		{"short key", strings.Replace(whole, "dGhlIHNhbXBsZSBub25jZQ==", "dGhl", 1), http.StatusBadRequest, "", ""},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		s.opened = func(*clientconn.Conn) { t.Error("a connection was opened") }
		for _, tt := range tests {
			c := s.connect("c")
			c.send(tt.request)
			response, err := http.ReadResponse(c.in, nil)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			response.Body.Close()
			if response.StatusCode != tt.status || tt.header != "" && response.Header.Get(tt.header) != tt.value {
				t.Errorf("%s: %d, %s: %q, want %d, %q", tt.name, response.StatusCode, tt.header, response.Header.Get(tt.header), tt.status, tt.value)
			}
		}
	})
}

// What open refuses is answered by it, and the connection goes on as HTTP.
func TestRefusedByTheOwner(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		s.refuse = true
		c := s.connect("c")
		for range 2 {
			c.send(upgrade("c"))
			response, err := http.ReadResponse(c.in, nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusTooManyRequests {
				t.Errorf("status %d, want 429", response.StatusCode)
			}
		}
	})
}

// A connection may be closed or aborted before it is upgraded, while it is, and
// right after.
func TestEndDuringTheUpgrade(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	tests := []struct {
		name   string
		opened func(*clientconn.Conn)
		want   *pairing.Reason
	}{
		{"closed before", func(c *clientconn.Conn) { c.Close(pairing.ServiceShutdown, "") }, pairing.ServiceShutdown},
		{"closed meanwhile", func(c *clientconn.Conn) { go c.Close(pairing.ServiceShutdown, "") }, pairing.ServiceShutdown},
		{"aborted before", func(c *clientconn.Conn) { c.Abort() }, pairing.TransportLost},
		{"aborted meanwhile", func(c *clientconn.Conn) { go c.Abort() }, pairing.TransportLost},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := start(t, e, clientconn.Limits{})
				s.opened = tt.opened
				for i := range rounds {
					id := fmt.Sprint(i)
					c := s.connect(id)
					c.send(upgrade(id))
					if tt.want == pairing.ServiceShutdown {
						c.readAnswer()
						c.expect(`text {"error":"Service reloading, please reconnect."}`+"\x1e", "close 1000")
						c.send(goodbye(1000))
						c.expect("EOF")
					}
					eventually(t, "the connection is known", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.ended[id] != nil })
					s.expectEnd(id, tt.want) // though the client keeps its end open
				}
			})
		}
	})
}

// The client vanishes while its request is answered.
func TestClientGoneDuringTheUpgrade(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		for i := range 20 {
			id := fmt.Sprint(i)
			c := s.connect(id)
			closing := make(chan struct{})
			s.opened = func(*clientconn.Conn) { c.Close(); close(closing) }
			c.send(upgrade(id) + message(jsonRequest))
			next(t, closing, "the request")
			s.expectEnd(id, pairing.TransportLost)
		}
	})
}
