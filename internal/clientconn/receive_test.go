package clientconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

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
	c := openOn(t, router.New(slog.New(slog.DiscardHandler), nil).Hub("empty"), nil, clientconn.Limits{})
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

// An app server that takes nothing holds the client up, until the client goes.
func TestReceiveWaitsForTheAppServer(t *testing.T) {
	tests := []struct {
		name    string
		request string // still to come
	}{{"with OpenConnection", jsonRequest}, {"with data", ""}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, clientconn.Limits{})
				if tt.request == "" {
					c.receive(jsonRequest)
				}
				c.app.set(false, true)
				received := make(chan error, 1)
				go func() { received <- c.Receive([]byte(tt.request + ping)) }()
				synctest.Wait()
				select {
				case err := <-received:
					t.Fatalf("Receive returned %v while the app server took nothing", err)
				default:
				}
				c.Close(pairing.TransportLost, "")
				if err := <-received; !errors.Is(err, net.ErrClosed) {
					t.Errorf("Receive: %v, want net.ErrClosed", err)
				}
				c.app.set(false, false)
				c.Finish(pairing.TransportLost)
			})
		})
	}
}

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

func TestNextWaitsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, jsonRequest, clientconn.Limits{})
		var got []string
		ended := make(chan error, 1)
		go func() {
			for {
				batch, err := c.Next(t.Context())
				if err != nil {
					ended <- err
					return
				}
				for _, message := range batch {
					got = append(got, string(message))
				}
			}
		}()
		synctest.Wait() // it waits
		c.deliver(ping)
		synctest.Wait()
		c.deliver(ping, ping)
		c.Close(pairing.ClosedByAppServer, "")
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("Next: %v, want io.EOF", err)
		}
		if want := []string{ping, ping, ping, `{"type":7}` + "\x1e"}; !slices.Equal(got, want) {
			t.Errorf("the client got %q, want %q", got, want)
		}
		if _, err := c.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("Next after the end: %v, want io.EOF again", err)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, jsonRequest, clientconn.Limits{})
		gone := errors.New("the poll is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		c.deliver(ping)
		if batch, err := c.Next(ctx); len(batch) != 1 || err != nil {
			t.Errorf("Next = %q, %v; want the message that waits", batch, err)
		}
		if _, err := c.Next(ctx); !errors.Is(err, gone) {
			t.Errorf("Next: %v, want the cause of its context", err)
		}
	})
}
