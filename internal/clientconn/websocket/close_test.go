package websocket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// farewell is the Close message of the hub protocol after an error.
func farewell(r *pairing.Reason) string {
	reconnect := ""
	if r.AllowReconnect {
		reconnect = `,"allowReconnect":true`
	}
	return `text {"type":7,"error":"` + r.Text + `"` + reconnect + "}\x1e"
}

func TestPingsAreAnswered(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		for _, payload := range []string{"", "x", strings.Repeat("y", 125)} {
			c.send(frame(ping, payload))
			c.expect("pong " + payload)
		}
		var pings, want strings.Builder
		for i := range 10 {
			pings.WriteString(frame(ping, fmt.Sprint(i)))
			want.WriteString(fmt.Sprint(i))
		}
		c.send(pings.String())
		for i := range 10 {
			c.expect(fmt.Sprintf("pong %d", i))
		}
	})
}

// Trap T15: another code is an error to clients, 1001 too.
func TestTrapT15ServiceClosesWith1000(t *testing.T) {
	tests := []struct {
		name  string
		close func(s *service, id string)
		text  string
		told  bool // the app server is
		want  *pairing.Reason
	}{
		{"by the app server", func(s *service, id string) {
			s.fromApp(&serviceprotocol.CloseConnection{ConnectionID: id})
		}, `text {"type":7}` + "\x1e", false, pairing.ClosedByAppServer},
		{"by the app server with an error", func(s *service, id string) {
			s.fromApp(&serviceprotocol.CloseConnection{ConnectionID: id, Error: "enough"})
		}, farewell(pairing.AppServerError), false, pairing.AppServerError},
		{"shutdown", func(s *service, id string) {
			s.conn(id).Close(pairing.ServiceShutdown, "")
		}, farewell(pairing.ServiceShutdown), true, pairing.ServiceShutdown},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		for _, tt := range tests {
			c := s.open(tt.name, jsonRequest)
			s.deliver(tt.name, "last\x1e")
			tt.close(s, tt.name)
			s.deliver(tt.name, "too late\x1e")
			c.expectText("last\x1e" + strings.TrimPrefix(tt.text, "text "))
			c.expect("close 1000")
			if tt.told {
				s.app.expect("closed " + tt.want.Text)
			}
			c.send(message("too late\x1e") + frame(ping, "no answer") + goodbye(1000))
			c.expect("EOF")
			s.expectEnd(tt.name, tt.want)
		}
		if len(s.app.messages) > 0 {
			t.Errorf("app server got %q", s.app.next())
		}
	})
}

func TestClientThatNeverSaysGoodbye(t *testing.T) {
	const limit = 150 * time.Millisecond
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{CloseTimeout: limit})
		c := s.open("c", jsonRequest)
		begin := time.Now()
		s.conn("c").Close(pairing.ServiceShutdown, "")
		c.expect(farewell(pairing.ServiceShutdown), "close 1000")
		s.app.expect("closed " + pairing.ServiceShutdown.Text) // before the end
		s.expectEnd("c", pairing.ServiceShutdown)
		if d := time.Since(begin); d < limit || d > limit+5*time.Second {
			t.Errorf("cut after %v, want %v", d, limit)
		}
		if got := c.next(); got != "EOF" && got != "reset" {
			t.Errorf("client got %q, want the end", got)
		}
	})
}

// The app server of a client that does not read knows at once that it is gone,
// whether the client was closed while something was sent to it or before that.
func TestCloseOfAClientThatDoesNotRead(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{CloseTimeout: time.Hour, SendTimeout: time.Hour})
		for _, id := range []string{"while sending", "before"} {
			if id == "before" {
				s.open(id, jsonRequest)
				s.deliver(id, strings.Repeat("x", tooMuch)+"\x1e")
			} else {
				blocked(s, id)
			}
			s.conn(id).Close(pairing.ServiceShutdown, "")
			s.app.expect("closed " + pairing.ServiceShutdown.Text)
			s.conn(id).Abort()
			s.expectEnd(id, pairing.ServiceShutdown)
		}
	})
}

func TestClientThatDoesNotReadTheGoodbye(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{CloseTimeout: 100 * time.Millisecond, SendTimeout: time.Hour})
		blocked(s, "c")
		s.conn("c").Close(pairing.ServiceShutdown, "")
		s.expectEnd("c", pairing.ServiceShutdown)
	})
}

// Both sides close at once.
func TestCloseFramesCross(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		for i := range rounds {
			id := fmt.Sprint(i)
			c := s.open(id, jsonRequest)
			conn := s.conn(id)
			go conn.Close(pairing.ServiceShutdown, "")
			c.send(goodbye(1001))
			for got := ""; got != "EOF"; {
				if got = c.next(); got == "reset" {
					t.Fatal("client got a reset, want all that was sent and the end")
				}
			}
			if got := s.reason(id); got != pairing.ServiceShutdown.Code && got != pairing.ClosedByClient.Code {
				t.Errorf("ended with reason %q", got)
			}
			s.app.next()
		}
	})
}
