package websocket_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	coder "github.com/coder/websocket"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/wsdeflate"
)

// deflateFrom is the size from which messages are compressed in these tests.
const deflateFrom = 512

// startDeflating runs a service whose clients agree with it on compression.
func startDeflating(t testing.TB, e engine, l clientconn.Limits) *service {
	e.deflateFrom = deflateFrom
	s := start(t, e, l)
	s.offer, s.agreed = "permessage-deflate; client_max_window_bits", wsdeflate.Answer
	return s
}

// deflated makes a client's frame with a compressed payload.
func deflated(head byte, payload string) string {
	return frame(head|rsv1, string(wsdeflate.Append(nil, []byte(payload))))
}

// words makes a text that can be compressed, of n bytes and a record separator.
func words(n int) string { return strings.Repeat("switchboard ", n/12+1)[:n] + "\x1e" }

func TestCompressionIsAgreedOn(t *testing.T) {
	tests := []struct {
		from          int
		offer, answer string
	}{
		{deflateFrom, "", ""},
		{deflateFrom, "permessage-deflate", wsdeflate.Answer},
		{deflateFrom, "permessage-deflate; client_max_window_bits", wsdeflate.Answer},
		{deflateFrom, "permessage-deflate; server_max_window_bits=10", ""},
		{deflateFrom, "permessage-bzip2", ""},
		{0, "permessage-deflate", ""}, // not asked for by the configuration
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		for _, tt := range tests {
			e.deflateFrom = tt.from
			s := start(t, e, clientconn.Limits{})
			s.offer, s.agreed = tt.offer, tt.answer
			c := s.open("c", jsonRequest)
			s.deliver("c", words(deflateFrom))
			want := "text " + words(deflateFrom)
			if tt.answer != "" {
				want = "deflated " + want
			}
			c.expect(want)
			if tt.answer == "" { // then the client must not compress either
				c.send(deflated(fin|text, "x\x1e"))
				c.expect(farewell(pairing.BadMessage), "close 1002")
			}
		}
	})
}

// Large messages are compressed and stand alone, small ones are joined as ever.
func TestWhatIsCompressed(t *testing.T) {
	noise := make([]byte, 2*deflateFrom)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(noise)
	below, above := words(deflateFrom-2), words(deflateFrom-1)
	tests := []struct {
		name     string
		protocol string
		messages []string
		want     []string
	}{
		{"large", "json", []string{above}, []string{"text {}\x1e", "deflated text " + above}},
		{"small", "json", []string{below}, []string{"text {}\x1e" + below}},
		{"small, large, small", "json", []string{"1\x1e", "2\x1e", above, "3\x1e", "4\x1e"}, []string{"text {}\x1e1\x1e2\x1e", "deflated text " + above, "text 3\x1e4\x1e"}},
		{"large ones in a row", "json", []string{above, above, words(100_000)}, []string{"text {}\x1e", "deflated text " + above, "deflated text " + above, "deflated text " + words(100_000)}},
		{"binary", "messagepack", []string{above}, []string{"binary {}\x1e", "deflated binary " + above}},
		{"what does not get smaller", "messagepack", []string{string(noise), "small"}, []string{"binary {}\x1e", "binary " + string(noise) + "small"}},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := startDeflating(t, e, clientconn.Limits{})
				request := `{"protocol":"` + tt.protocol + `","version":1}` + "\x1e"
				c := s.upgraded("c", message(request))
				s.app.expect("open " + tt.protocol + request)
				for _, m := range tt.messages { // they wait for the answer
					s.broadcast(tt.protocol, m)
				}
				s.deliver("c", accepted)
				c.expect(tt.want...)
			})
		}
	})
}

// Clients with and without compression get the same of a broadcast.
func TestBroadcastToClientsWithAndWithoutCompression(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := startDeflating(t, e, clientconn.Limits{})
		var with, without []*client
		for i := range 4 {
			with = append(with, s.open(fmt.Sprint("with", i), jsonRequest))
		}
		s.offer, s.agreed = "", ""
		for i := range 4 {
			without = append(without, s.open(fmt.Sprint("without", i), jsonRequest))
		}
		for i := range 20 {
			m := words(1_000 + i)
			s.broadcast("json", m)
			for _, c := range with {
				c.expect("deflated text " + m)
			}
			for _, c := range without {
				c.expectText(m)
			}
		}
	})
}

func TestClientCompresses(t *testing.T) {
	long := words(300_000)
	squeezed := string(wsdeflate.Append(nil, []byte("a message in pieces\x1e")))
	tests := []struct {
		name, wire, data string
		answer           []string
	}{
		{"text", deflated(fin|text, "hello\x1e"), "hello\x1e", nil},
		{"binary", deflated(fin|binary, "\xff\x00\x1e"), "\xff\x00\x1e", nil},
		{"long", deflated(fin|text, long), long, nil},
		{"not compressed after all", message("hello\x1e"), "hello\x1e", nil},
		{"one after the other", deflated(fin|text, "1\x1e") + message("2\x1e") + deflated(fin|text, "3\x1e"), "1\x1e2\x1e3\x1e", nil},
		{"in fragments, with a ping", frame(text|rsv1, squeezed[:3]) + frame(ping, "1") + frame(cont, squeezed[3:9]) + frame(fin|cont, squeezed[9:]), "a message in pieces\x1e", []string{"pong 1"}},
		{"characters of several bytes", deflated(fin|text, "κόσμε 😀\x1e"), "κόσμε 😀\x1e", nil},
		{"empty", deflated(fin|text, "") + message("x"), "x", nil},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := startDeflating(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		for _, tt := range tests {
			t.Log(tt.name)
			c.send(tt.wire)
			s.app.expect(tt.data)
			c.expect(tt.answer...)
		}
		wire := deflated(fin|text, "hello, hello, hello\x1e")
		for i := range len(wire) {
			c.send(wire[i : i+1])
		}
		s.app.expect("hello, hello, hello\x1e")
	})
}

func TestClientCompressesBadly(t *testing.T) {
	const limit = 4 << 10
	within := string(wsdeflate.Append(nil, []byte(words(limit-1))))
	noise := make([]byte, limit+1)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(noise)
	tests := []struct {
		name, wire string
		code       int
		reason     *pairing.Reason
	}{
		{"no such data", frame(fin|text|rsv1, "\xff\xff\xff"), 1007, pairing.BadMessage},
		{"cut", frame(fin|text|rsv1, within[:len(within)/2]), 1007, pairing.BadMessage},
		{"text that is none", deflated(fin|text, "a\xff\x1e"), 1007, pairing.BadMessage},
		{"text that ends within a character", deflated(fin|text, "\x1e\xc3"), 1007, pairing.BadMessage},
		{"marked continuation", frame(text|rsv1, within[:5]) + frame(fin|cont|rsv1, within[5:]), 1002, pairing.BadMessage},
		{"a byte too long", deflated(fin|text, words(limit)), 1009, pairing.MessageTooLarge},
		{"a bomb", deflated(fin|text, words(32<<20)), 1009, pairing.MessageTooLarge},
		{"long before it is inflated", frame(fin|binary|rsv1, string(noise)), 1009, pairing.MessageTooLarge},
		{"long before it is inflated, in fragments", frame(binary|rsv1, string(noise[:limit/2])) + frame(cont, string(noise[limit/2:])) + frame(fin|cont, ""), 1009, pairing.MessageTooLarge},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := startDeflating(t, e, clientconn.Limits{InflatedBytes: limit})
		for _, tt := range tests {
			t.Log(tt.name)
			c := s.open(tt.name, jsonRequest)
			c.send(frame(fin|text|rsv1, within))
			s.app.expect(words(limit - 1))
			c.send(tt.wire)
			c.expect(farewell(tt.reason), fmt.Sprintf("close %d", tt.code))
			c.send(deflated(fin|text, "never\x1e") + goodbye(tt.code))
			c.expect("EOF")
			s.expectEnd(tt.name, tt.reason)
			if got := s.app.drop("closed " + tt.reason.Text); strings.Contains(got, "never") {
				t.Errorf("%s: app server got %q, want nothing behind what was wrong", tt.name, got)
			}
		}
	})
}

// A client of another make, which compresses all that it sends.
func TestAnotherClientCompresses(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := startDeflating(t, e, clientconn.Limits{})
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		defer cancel()
		dial := func(context.Context, string, string) (net.Conn, error) { return s.dial() }
		socket, response, err := coder.Dial(ctx, "ws://h/?id=c", &coder.DialOptions{
			HTTPClient:           &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
			CompressionMode:      coder.CompressionNoContextTakeover,
			CompressionThreshold: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.CloseNow()
		if got := response.Header.Get("Sec-Websocket-Extensions"); got != wsdeflate.Answer {
			t.Fatalf("agreed on %q", got)
		}
		socket.SetReadLimit(1 << 20)
		exchange := func(text, want string) {
			t.Helper()
			if err := socket.Write(ctx, coder.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
			s.app.expect(want)
		}
		exchange(jsonRequest, "open json"+jsonRequest)
		s.deliver("c", accepted)
		if _, got, err := socket.Read(ctx); err != nil || string(got) != accepted {
			t.Fatalf("answer %q, %v", got, err)
		}
		for n := 1; n < 500_000; n = n*3 + 1 {
			exchange(words(n), words(n))
			s.deliver("c", words(n))
			if _, got, err := socket.Read(ctx); err != nil || string(got) != words(n) {
				t.Fatalf("message of %d bytes: got %s, %v", n, short(string(got)), err)
			}
		}
		_ = socket.Close(coder.StatusNormalClosure, "")
		s.expectEnd("c", pairing.ClosedByClient)
	})
}

// Messages that come back to back are compressed into one write.
func TestManyCompressedMessagesInOrder(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := startDeflating(t, e, clientconn.Limits{QueueBytes: 64 << 20})
		c := s.open("c", jsonRequest)
		for i := range 2_000 {
			s.deliver("c", fmt.Sprint(i, words(deflateFrom)))
		}
		for i := range 2_000 {
			c.expect("deflated text " + fmt.Sprint(i, words(deflateFrom)))
		}
	})
}
