package clientconn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// hubMessages returns some hub messages as the app server writes them.
func hubMessages(request string) []string {
	if request == packRequest {
		long := &hubprotocol.Invocation{Target: strings.Repeat("t", 300)} // two bytes of length
		return []string{packed(&hubprotocol.Ping{}), packed(long), packed(&hubprotocol.Invocation{Target: "m"})}
	}
	return []string{ping, `{"type":1,"target":"m","arguments":["` + strings.Repeat("x", 300) + `"]}` + "\x1e", ping}
}

// The client gets whole hub messages, wherever the app server cuts.
func TestHubMessagesAreWholeForEveryCut(t *testing.T) {
	for name, request := range map[string]string{"json": jsonRequest, "messagepack": packRequest} {
		t.Run(name, func(t *testing.T) {
			messages := hubMessages(request)
			wire := strings.Join(messages, "")
			for cut := range len(wire) + 1 {
				c := opened(t, request, clientconn.Limits{})
				c.deliver(wire[:cut])
				first := c.next()
				whole := 0
				for _, m := range messages {
					if whole+len(m) > cut {
						break
					}
					whole += len(m)
				}
				if first != wire[:whole] {
					t.Fatalf("cut at %d: the client first got %d bytes, want %d of whole messages", cut, len(first), whole)
				}
				c.deliver(wire[cut:])
				if got := first + c.next(); got != wire {
					t.Fatalf("cut at %d: the client got %q, want %q", cut, got, wire)
				}
			}
			c := opened(t, request, clientconn.Limits{})
			c.deliver(strings.Split(wire, "")...)
			if got, _ := c.messages(); len(got) != len(messages) || strings.Join(got, "") != wire {
				t.Errorf("byte by byte: the client got %q, want the messages", got)
			}
		})
	}
}

// A protocol that we do not know passes as it comes.
func TestUnknownProtocolPassesThrough(t *testing.T) {
	c := opened(t, rawRequest, clientconn.Limits{MessageBytes: 1})
	c.receive("what", "ever")
	if got := c.app.take(); !slices.Equal(got, []string{"what", "ever"}) {
		t.Errorf("the app server was sent %q, want what the client sent", got)
	}
	c.deliver("some", "thing")
	if got, _ := c.messages(); !slices.Equal(got, []string{"some", "thing"}) {
		t.Errorf("the client got %q, want what the app server sent", got)
	}
	if out := c.Take(nil, 1); out.Joinable || !out.Binary {
		t.Errorf("Joinable, Binary = %v, %v; want false, true", out.Joinable, out.Binary)
	}
}

// Whatever the protocol and the cut, the handshake response comes first, and
// then what was sent to the client before it.
func TestHandshakeResponseComesBeforeMulticasts(t *testing.T) {
	tests := []struct {
		name, request, response string
		first                   bool // the held messages are for the client
	}{
		{"json", jsonRequest, "{}\x1e", true},
		{"messagepack", packRequest, "{}\x1e", true},
		{"unknown protocol", rawRequest, `{ "minorVersion" : 0 }` + "\x1e", true},
		{"refused, json", jsonRequest, `{"error":"no"}` + "\x1e", false},
		{"refused, messagepack", packRequest, `{"error":"` + strings.Repeat("no ", 100) + `"}` + "\x1e", false},
		{"refused, unknown protocol", rawRequest, `{"error":"The protocol 'telepathy' is not supported."}` + "\x1e", false},
		{"no handshake response", jsonRequest, ping, false},
	}
	for _, tt := range tests {
		for cut := range len(tt.response) + 1 {
			t.Run(fmt.Sprintf("%s, cut at %d", tt.name, cut), func(t *testing.T) {
				c := open(t, clientconn.Limits{})
				c.receive(tt.request)
				c.Multicast([]byte("held 1 "))
				c.deliver(tt.response[:cut])
				if got := c.next(); cut < len(tt.response) && got != "" {
					t.Fatalf("before the response was whole the client got %q", got)
				} else if cut == len(tt.response) {
					return
				}
				c.Multicast([]byte("held 2 "))
				c.deliver(tt.response[cut:])
				want := tt.response
				if tt.first {
					want += "held 1 held 2 "
				}
				if got := c.next(); got != want {
					t.Errorf("the client got %q, want %q", got, want)
				}
			})
		}
	}
}

func TestHubMessagesBehindTheHandshakeResponse(t *testing.T) {
	for _, request := range []string{jsonRequest, packRequest} {
		messages := hubMessages(request)
		c := open(t, clientconn.Limits{})
		c.receive(request)
		c.Multicast([]byte("held "))
		c.deliver("{}\x1e"+messages[0]+messages[1][:5], messages[1][5:])
		if got, want := c.next(), "{}\x1eheld "+messages[0]+messages[1]; got != want {
			t.Errorf("the client got %q, want %q", got, want)
		}
	}
}

// A message for many is passed on as it is, not copied.
func TestMulticastIsShared(t *testing.T) {
	shared := pairing.NewShared([]byte(ping))
	defer shared.Release()
	c := opened(t, jsonRequest, clientconn.Limits{})
	c.Conn.Multicast(shared)
	if out := c.Take(nil, 1); len(out.Messages) != 1 || out.Messages[0] != shared {
		t.Errorf("took %v, want the very message", out.Messages)
	}
}

func TestEmptyMessagesAreNotPassedOn(t *testing.T) {
	c := opened(t, jsonRequest, clientconn.Limits{})
	c.Multicast(nil)
	c.deliver("")
	c.receive("")
	if got, _ := c.messages(); len(got) != 0 || len(c.app.take()) != 0 {
		t.Errorf("the client got %d messages, want none", len(got))
	}
}

func TestBytesThatTheProtocolDoesNotAllow(t *testing.T) {
	good := packed(&hubprotocol.Ping{})
	tests := []struct {
		name   string
		pieces []string
	}{
		{"length over five bytes", []string{good + "\xff\xff\xff\xff\xff\x01"}},
		{"the same in pieces", []string{good + "\xff\xff", "\xff\xff\xff\x01"}},
		{"a message over the limit", []string{good + "\xff\x7f" + strings.Repeat("x", 500), strings.Repeat("x", 600)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := opened(t, packRequest, clientconn.Limits{PartialBytes: 1000})
			c.deliver(tt.pieces...)
			want := good + packed(&hubprotocol.Close{Error: "Internal server error.", AllowReconnect: true}) + "EOF"
			if got := c.next(); got != want {
				t.Errorf("the client got %q, want %q", got, want)
			}
		})
	}
	t.Run("handshake response without an end", func(t *testing.T) {
		c := open(t, clientconn.Limits{PartialBytes: 1000})
		c.receive(jsonRequest)
		c.deliver(strings.Repeat("x", 600), strings.Repeat("x", 600))
		if got, want := c.next(), `{"error":"Internal server error."}`+"\x1eEOF"; got != want {
			t.Errorf("the client got %q, want %q", got, want)
		}
	})
}

// A large message in many pieces must not cost the square of its size: that
// would be 64 GB to look at.
func TestLargeMessageInSmallPieces(t *testing.T) {
	const size, piece = 8 << 20, 512
	for name, request := range map[string]string{"json": jsonRequest, "messagepack": packRequest} {
		t.Run(name, func(t *testing.T) {
			c := opened(t, request, clientconn.Limits{QueueBytes: 2 * size})
			if request == packRequest {
				c.deliver("\x80\x80\x80\x04") // 8 MiB
			}
			x := []byte(strings.Repeat("x", piece))
			start := time.Now()
			for range size / piece {
				c.Deliver(x)
			}
			if request == jsonRequest {
				c.deliver("\x1e")
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("%d pieces of %d bytes took %v", size/piece, piece, d)
			}
			if got := len(c.next()); got < size {
				t.Errorf("the client got %d bytes, want over %d", got, size)
			}
		})
	}
}

// What the hub sends finds the client from OpenConnection on.
func TestHubReachesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, clientconn.Limits{}, func(o *clientconn.Origin) { o.UserID = "ann" })
		c.receive(jsonRequest)
		for _, m := range []serviceprotocol.Message{
			&serviceprotocol.UserData{UserID: "ann", Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("1")}}},
			&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "messagepack", Data: []byte("2")}}},
			&serviceprotocol.ConnectionData{ConnectionID: "c", Payload: []byte("{}\x1e")},
			&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "JSON", Data: []byte("3")}}},
		} {
			if err := c.hub.FromServer(t.Context(), c.app, m); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := c.next(), "{}\x1e13"; got != want {
			t.Errorf("the client got %q, want %q", got, want)
		}
	})
}
