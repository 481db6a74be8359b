package websocket_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

func TestTransportLost(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		ends := map[string]func(*client){"end": func(c *client) { c.Close() }}
		if !e.tls && !e.mem {
			ends["end of writing"] = func(c *client) { c.Conn.(*net.TCPConn).CloseWrite() }
			ends["reset"] = func(c *client) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() }
		}
		for name, end := range ends {
			c := s.open(name, jsonRequest)
			c.send(message("last\x1e"))
			s.app.expect("last\x1e")
			end(c)
			s.app.expect("closed ")
			s.expectEnd(name, pairing.TransportLost)
		}
		c := s.upgraded("before the handshake", "")
		c.Close()
		s.expectEnd("before the handshake", pairing.TransportLost)
	})
}

// What came before the end is not lost, however fast the end comes.
func TestLastWordsBeforeTheEnd(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		for i := range 50 {
			id := fmt.Sprint(i)
			c := s.open(id, jsonRequest)
			c.send(message("last\x1e"))
			c.Close()
			s.app.expect("last\x1eclosed ")
			s.expectEnd(id, pairing.TransportLost)
		}
	})
}

// blocked opens a connection whose client does not read, and to which more is
// written than the line takes.
func blocked(s *service, id string) *client {
	s.t.Helper()
	c := s.open(id, jsonRequest)
	s.deliver(id, strings.Repeat("x", tooMuch)+"\x1e")
	if _, err := c.in.Peek(4000); err != nil { // writing has begun
		s.t.Fatal(err)
	}
	return c
}

func TestAbortWhileWriting(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{QueueBytes: 64 << 20, SendTimeout: time.Hour, CloseTimeout: time.Hour})
		for i := range 5 {
			id := fmt.Sprint(i)
			blocked(s, id)
			begin := time.Now()
			s.conn(id).Abort()
			s.expectEnd(id, pairing.TransportLost)
			if d := time.Since(begin); d > 2*time.Second {
				t.Errorf("ended %v after Abort", d)
			}
			s.app.expect("closed ")
		}
	})
}

// Abort ends a connection whatever is going on.
func TestAbortAtAnyTime(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	large := strings.Repeat("x", tooMuch) + "\x1e"
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{QueueBytes: 64 << 20, SendTimeout: time.Hour, CloseTimeout: time.Hour})
		for i := range rounds {
			id := fmt.Sprint(i)
			s.open(id, jsonRequest)
			conn := s.conn(id)
			var both sync.WaitGroup
			both.Go(func() { s.deliver(id, large) })
			both.Go(conn.Abort)
			s.expectEnd(id, pairing.TransportLost)
			s.app.expect("closed ")
			both.Wait()
		}
	})
}

func TestClientThatDoesNotRead(t *testing.T) {
	t.Run("for too long", func(t *testing.T) {
		onEveryEngine(t, func(t *testing.T, e engine) {
			s := start(t, e, clientconn.Limits{QueueBytes: 64 << 20, SendTimeout: 200 * time.Millisecond})
			begin := time.Now()
			blocked(s, "c")
			s.app.expect("closed " + pairing.SlowClient.Text)
			s.expectEnd("c", pairing.SlowClient)
			if d := time.Since(begin); d < 200*time.Millisecond || d > 8*time.Second {
				t.Errorf("closed after %v", d)
			}
		})
	})
	t.Run("with too much to read", func(t *testing.T) {
		onEveryEngine(t, func(t *testing.T, e engine) {
			s := start(t, e, clientconn.Limits{QueueBytes: 1 << 20, SendTimeout: time.Hour})
			other := s.open("other", jsonRequest)
			blocked(s, "c")
			for s.conn("c") != nil && !s.conn("c").Closing() {
				s.deliver("c", strings.Repeat("x", 100<<10)+"\x1e")
				s.deliver("other", "x\x1e")
				other.expect("text x\x1e")
			}
			s.expectEnd("c", pairing.SlowClient)
		})
	})
}

// A client on a slow line that takes bytes all the time is not a slow client,
// though a message takes longer than the limit. The loops see it even if it is so
// slow that the kernel does not tell of room within the limit.
func TestClientThatReadsSlowly(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const limit = 700 * time.Millisecond
	onEveryEngine(t, func(t *testing.T, e engine) {
		t.Parallel()
		s := start(t, e, clientconn.Limits{SendTimeout: limit})
		c := s.open("c", jsonRequest)
		s.deliver("c", strings.Repeat("x", tooMuch)+"\x1e")
		piece := int64(64 << 10)
		if e.looped() {
			piece = 8 << 10
		}
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		begin := time.Now()
		for left := int64(tooMuch); left > piece && time.Since(begin) < 5*limit; left -= piece {
			if _, err := io.CopyN(io.Discard, c.in, piece); err != nil {
				t.Fatalf("after %v: %v", time.Since(begin), err)
			}
			<-pace.C
		}
		if conn := s.conn("c"); conn == nil || conn.Closing() {
			t.Errorf("the connection is closed after %v", time.Since(begin))
		}
	})
}
