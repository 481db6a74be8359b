package websocket_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"switchboard/internal/clientconn"
)

func TestFrameTypeIsThatOfTheHubProtocol(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		tests := []struct {
			name, request string
			op            byte
			want          string
		}{
			{"json", jsonRequest, text, "text "},
			{"json, asked for in binary", jsonRequest, binary, "text "},
			{"messagepack", packRequest, binary, "binary "},
			{"messagepack, asked for in text", packRequest, text, "binary "},
			{"an unknown protocol", `{"protocol":"telepathy","version":1}` + "\x1e", text, "binary "},
		}
		for i, tt := range tests {
			id := fmt.Sprint(i)
			c := s.upgraded(id, frame(fin|tt.op, tt.request))
			c.accept(s, tt.request)
			body := map[bool]string{true: "\x1e", false: "\x01\xc0"}[tt.request == jsonRequest]
			s.deliver(id, body)
			c.expect(tt.want + body)
		}
	})
}

func TestMessagesAreWholeAndJoined(t *testing.T) {
	large := strings.Repeat("x", 10<<10) + "\x1e"
	tests := []struct {
		name     string
		protocol string
		messages []string
		want     []string
	}{
		{"small ones share a frame", "json", []string{"1\x1e", "2\x1e2\x1e", "3\x1e"}, []string{"text {}\x1e1\x1e2\x1e2\x1e3\x1e"}},
		{"large ones do not", "json", []string{large, large, "3\x1e"}, []string{"text {}\x1e" + large, "text " + large + "3\x1e"}},
		{"messagepack", "messagepack", []string{"\x01\xc0", "\x02\xc0\xc0"}, []string{"binary {}\x1e\x01\xc0\x02\xc0\xc0"}},
		{"unknown, where the end of a message is not known", "telepathy", []string{"1", "2"}, []string{"binary {}\x1e", "binary 1", "binary 2"}},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := start(t, e, clientconn.Limits{})
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

// One frame for a hub message that the app server sends in pieces.
func TestMessageThatTheAppServerCuts(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		for _, piece := range []string{"1", "23", "4\x1e5", "6\x1e"} {
			s.deliver("c", piece)
		}
		c.expectText("1234\x1e56\x1e")
	})
}

// session is what a client sends, and what comes of it. The ping stands between
// the fragments of a message.
var session = message(jsonRequest) + frame(text, `{"type":6`) + frame(ping, "now?") + frame(cont, "") + frame(fin|cont, "}\x1e") +
	frame(pong, "unasked") + frame(fin|binary, "") + message(strings.Repeat("z", 200)+"\x1e") + message("é\x1e")

const sessionData = `{"type":6}` + "\x1e"

// However the client's bytes are cut, and whether the first of them come with
// the upgrade request or not, the app server gets the same.
func TestFramesCutAnywhere(t *testing.T) {
	want := "open json" + jsonRequest + sessionData + strings.Repeat("z", 200) + "\x1eé\x1e"
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		step := 1
		if e.tls || testing.Short() { // handshakes take long
			step = 17
		}
		for cut := 0; cut <= len(session); cut += step {
			c := s.upgraded(fmt.Sprint(cut), session[:cut])
			c.send(session[cut:])
			s.app.expect(want)
			c.expect("pong now?")
			c.Close()
			s.app.expect("closed ")
		}
	})
}

// More may follow the request than the HTTP server's buffer holds.
func TestMuchThatComesEarly(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		text := strings.Repeat("x", 50_000) + "\x1e"
		s.upgraded("c", message(jsonRequest)+message(text))
		s.app.expect("open json" + jsonRequest + text)
	})
}

func TestFramesByteByByte(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.upgraded("c", "")
		for i := range len(session) { // bytes, not characters
			c.send(session[i : i+1])
		}
		s.app.expect("open json" + jsonRequest + sessionData + strings.Repeat("z", 200) + "\x1eé\x1e")
		c.expect("pong now?")
	})
}

func TestLargeMessages(t *testing.T) {
	large := strings.Repeat("0123456789abcde\x1f", 1<<20) + "\x1e"
	wire := []byte(message(large) + frame(text, large[:1<<20]) + frame(ping, "now?") + frame(fin|cont, "end\x1e"))
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{QueueBytes: 64 << 20})
		c := s.open("c", jsonRequest)
		s.deliver("c", large+"after\x1e") // before the client reads
		var writer sync.WaitGroup
		defer writer.Wait()
		writer.Go(func() {
			if _, err := c.Write(wire); err != nil {
				t.Error(err)
			}
		})
		s.app.expect(large + large[:1<<20] + "end\x1e")
		c.expectText(large + "after\x1e")
		c.expect("pong now?")
	})
}

func TestManyMessagesInOrder(t *testing.T) {
	const count = 10_000
	var all strings.Builder
	for i := range count {
		fmt.Fprintf(&all, "%d\x1e", i)
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		go func() {
			for i := range count {
				if _, err := c.Write([]byte(message(fmt.Sprintf("%d\x1e", i)))); err != nil {
					t.Error(err)
				}
			}
		}()
		go func() {
			for i := range count {
				if text := fmt.Sprintf("%d\x1e", i); i%2 == 0 {
					s.deliver("c", text)
				} else {
					s.broadcast("json", text)
				}
			}
		}()
		if messages := c.expectText(all.String()); messages < count/20_000 || messages > count {
			t.Errorf("%d WebSocket messages for %d hub messages", messages, count)
		}
		s.app.expect(all.String())
	})
}
