package clientconn_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

func TestHandshakeThenTheRestInOrder(t *testing.T) {
	for _, request := range []string{jsonRequest, packRequest, rawRequest} {
		wire := request + ping + ping
		protocol := strings.Split(request, `"`)[3]
		for cut := range wire {
			c := open(t, clientconn.Limits{})
			c.receive(wire[:cut])
			first := c.app.take()
			if cut < len(request) && len(first) != 0 {
				t.Fatalf("cut at %d: sent %q before the handshake request was whole", cut, first)
			}
			c.receive(wire[cut:])
			got := append(first, c.app.take()...)
			if want := []string{"open " + protocol, request}; !slices.Equal(got[:2], want) || strings.Join(got[2:], "") != ping+ping {
				t.Errorf("cut at %d: sent %q, want %q, then the rest", cut, got, want)
			}
		}
		c := open(t, clientconn.Limits{})
		for _, b := range []byte(wire) {
			c.receive(string(b))
		}
		if got, want := c.app.take()[1:], append([]string{request}, strings.Split(ping+ping, "")...); !slices.Equal(got, want) {
			t.Errorf("byte by byte: sent %q, want %q", got, want)
		}
	}
}

func TestOpenConnectionTellsTheOrigin(t *testing.T) {
	want := &serviceprotocol.OpenConnection{
		ConnectionID: "c",
		Claims:       []serviceprotocol.Claim{{Type: "role", Value: "a"}, {Type: "role", Value: "b"}},
		Headers:      serviceprotocol.Headers{{Name: "Host", Values: []string{"h"}}},
		QueryString:  "?a=b",
		Protocol:     "json",
	}
	c := open(t, clientconn.Limits{}, func(o *clientconn.Origin) {
		o.UserID, o.Claims, o.Headers, o.QueryString = "ann", want.Claims, want.Headers, want.QueryString
	})
	c.receive(jsonRequest)
	if got := c.app.sent[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("sent %+v, want %+v", got, want)
	}
	if c.ID() != "c" || c.UserID() != "ann" || c.Protocol() != "json" {
		t.Errorf("ID, UserID, Protocol = %q, %q, %q; want c, ann, json", c.ID(), c.UserID(), c.Protocol())
	}
}

func TestBadHandshakeRequest(t *testing.T) {
	tests := []struct{ name, request string }{
		{"nothing", ""},
		{"no JSON", "hello"},
		{"no object", "[]"},
		{"two objects", `{"protocol":"json","version":1}{}`},
		{"no protocol", `{"version":1}`},
		{"no version", `{"protocol":"json"}`},
		{"protocol is a number", `{"protocol":1,"version":1}`},
		{"protocol is null", `{"protocol":null,"version":1}`},
		{"version is a text", `{"protocol":"json","version":"1"}`},
		{"no UTF-8", "{\"protocol\":\"\xff\",\"version\":1}"},
		{"a hub message", `{"type":6}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, clientconn.Limits{})
			if err := c.Receive([]byte(tt.request + "\x1e")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Receive: %v, want net.ErrClosed", err)
			}
			want := `{"error":"An unexpected error occurred during connection handshake."}` + "\x1eEOF"
			if got := c.next(); got != want {
				t.Errorf("the client got %q, want %q", got, want)
			}
			if err := c.Receive([]byte(jsonRequest)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Receive after the end: %v, want net.ErrClosed", err)
			}
			if sent := c.app.take(); len(sent) != 0 {
				t.Errorf("the app server was sent %q", sent)
			}
		})
	}
}

func TestDetailOfABadHandshakeIsForAppsThatAllowIt(t *testing.T) {
	c := open(t, clientconn.Limits{}, detailed)
	c.Receive([]byte(`{"version":1}` + "\x1e"))
	if got := c.next(); !strings.Contains(got, "during connection handshake. parse handshake request: protocol: not a string") {
		t.Errorf("the client got %q, want it to say what is wrong", got)
	}
}

// The limit holds for the request, not for what follows it, and however it is cut.
func TestSizeOfTheHandshakeRequest(t *testing.T) {
	const limit = 100
	request := func(size int) string {
		return `{"protocol":"json","version":1` + strings.Repeat(" ", size-len(jsonRequest)) + "}\x1e"
	}
	tests := []struct {
		name    string
		wire    string
		refused bool
	}{
		{"at the limit", request(limit), false},
		{"at the limit, and much behind it", request(limit) + strings.Repeat(ping, 100), false},
		{"over the limit", request(limit + 1), true},
		{"far over the limit", request(10 * limit), true},
		{"over the limit and without an end", strings.Repeat(" ", limit+1), true},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 7, limit - 1, limit, limit + 1, len(tt.wire)} {
			t.Run(fmt.Sprintf("%s, %d bytes at a time", tt.name, size), func(t *testing.T) {
				c := open(t, clientconn.Limits{HandshakeBytes: limit}, detailed)
				var err error
				for piece := range slices.Chunk([]byte(tt.wire), size) {
					if err = c.Receive(piece); err != nil {
						break
					}
				}
				if got := errors.Is(err, net.ErrClosed); got != tt.refused {
					t.Errorf("Receive: %v, want refused %v", err, tt.refused)
				}
				if got := strings.Contains(c.next(), "longer than the limit of 100 bytes"); got != tt.refused {
					t.Errorf("the client was told of the limit: %v, want %v", got, tt.refused)
				}
				if got := strings.Join(c.app.take(), ""); !tt.refused && got != "open json"+tt.wire {
					t.Errorf("the app server was sent %q, want all", got)
				}
			})
		}
	}
}

func TestNoServerForTheClient(t *testing.T) {
	c := openOn(t, router.New(router.Config{Log: slog.New(slog.DiscardHandler)}).Hub("empty"), nil, clientconn.Limits{})
	if err := c.Receive([]byte(jsonRequest)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Receive: %v, want net.ErrClosed", err)
	}
	if got, want := c.next(), `{"error":"No server available."}`+"\x1eEOF"; got != want {
		t.Errorf("the client got %q, want %q", got, want)
	}
}

func TestServerConnectionEndsUnderTheClient(t *testing.T) {
	tests := []struct {
		name string
		open func(t *testing.T) *link
		want string
	}{
		{"before OpenConnection", func(t *testing.T) *link {
			c := open(t, clientconn.Limits{})
			c.app.set(true, false)
			c.Receive([]byte(jsonRequest))
			return c
		}, `{"error":"Server connection dropped."}` + "\x1eEOF"},
		{"later", func(t *testing.T) *link {
			c := opened(t, jsonRequest, clientconn.Limits{})
			c.app.set(true, false)
			return c
		}, `{"type":7,"error":"Server connection dropped.","allowReconnect":true}` + "\x1eEOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.open(t)
			if err := c.Receive([]byte(ping)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Receive: %v, want net.ErrClosed", err)
			}
			if got := c.next(); got != tt.want {
				t.Errorf("the client got %q, want %q", got, tt.want)
			}
		})
	}
}

// The transport is told when the app server takes nothing, and stops reading.
func TestCongestedAppServer(t *testing.T) {
	c := open(t, clientconn.Limits{})
	c.app.set(false, true)
	if c.Congested(resumer{}) {
		t.Error("congested before the client is paired")
	}
	c.receive(jsonRequest)
	if !c.Congested(resumer{}) || len(c.app.waiting) != 1 {
		t.Errorf("not congested, or %d wait for room, want 1", len(c.app.waiting))
	}
	c.receive(ping) // what was read already is not lost
	if got, want := c.app.take(), []string{"open json", jsonRequest, ping}; !slices.Equal(got, want) {
		t.Errorf("the app server was sent %q, want %q", got, want)
	}
	c.app.set(false, false)
	if c.Congested(resumer{}) {
		t.Error("congested though there is room")
	}
}

type resumer struct{}

func (resumer) Resume() {}

func TestNothingIsTakenFromAClientThatIsClosed(t *testing.T) {
	c := opened(t, jsonRequest, clientconn.Limits{})
	c.hub.FromServer(t.Context(), c.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
	if err := c.Receive([]byte(ping)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Receive: %v, want net.ErrClosed", err)
	}
	if got := c.app.take(); len(got) != 0 {
		t.Errorf("the app server was sent %q for a client that it has closed", got)
	}
}

func TestWakeIsCalledOnceUntilAllIsTaken(t *testing.T) {
	c := opened(t, jsonRequest, clientconn.Limits{})
	<-c.wakes // the handshake response
	woken := func() int {
		select {
		case <-c.wakes:
			return 1
		default:
			return 0
		}
	}
	c.deliver(ping)
	if got := woken(); got != 1 {
		t.Error("not woken by a message")
	}
	c.deliver(ping, ping)
	if got := woken(); got != 0 {
		t.Error("woken again though nothing was taken")
	}
	if out := c.Take(nil, 1); len(out.Messages) != 1 {
		t.Fatalf("took %d messages of one byte, want 1", len(out.Messages))
	}
	c.deliver(ping)
	if got := woken(); got != 0 {
		t.Error("woken again though not all was taken")
	}
	if got, want := c.next(), ping+ping+ping; got != want {
		t.Errorf("the client got %q, want %q", got, want)
	}
	c.deliver(ping)
	if got := woken(); got != 1 {
		t.Error("not woken by a message after all was taken")
	}
	c.Close(pairing.ClosedByAppServer, "")
	if got := woken(); got != 1 {
		t.Error("not woken by the end")
	}
	if got, want := c.next(), ping+`{"type":7}`+"\x1eEOF"; got != want {
		t.Errorf("the client got %q, want %q", got, want)
	}
}
