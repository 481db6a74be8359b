package clientconn_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
)

const (
	version2 = `{"protocol":"json","version":2}` + "\x1e"
	first    = `{"type":9,"sequenceId":1}` + "\x1e"
)

func resumes(o *clientconn.Origin) { o.Resumable = true }

func call(n int) string {
	return fmt.Sprintf(`{"arguments":[],"target":"t%d","type":1}`, n) + "\x1e"
}

func push(n int) string {
	return fmt.Sprintf(`{"type":1,"target":"p%d","arguments":[]}`, n) + "\x1e"
}

func ack(n int) string      { return fmt.Sprintf(`{"type":8,"sequenceId":%d}`, n) + "\x1e" }
func sequence(n int) string { return fmt.Sprintf(`{"type":9,"sequenceId":%d}`, n) + "\x1e" }

// lose ends the transport as a network does, and returns what tells of the end of the
// connection.
func (c *link) lose() chan struct{} {
	ended := make(chan struct{})
	c.Finish(pairing.TransportLost, func() { close(ended) })
	return ended
}

// attach gives the connection another transport.
func (c *link) attach() {
	c.t.Helper()
	c.transport = newTransport()
	if err := c.Attach(c.transport); err != nil {
		c.t.Fatal(err)
	}
}

func wantText(t *testing.T, what, got string, want ...string) {
	t.Helper()
	if got != strings.Join(want, "") {
		t.Errorf("%s: %q\nwant %q", what, got, want)
	}
}

func wantSent(t *testing.T, c *link, want ...string) {
	t.Helper()
	wantText(t, "the app server got", strings.Join(c.app.take(), ""), want...)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// The run of aspnetcore-signalr 5.5, seen from the service.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, version2, clientconn.Limits{}, resumes)
		c.receive(call(1))
		c.deliver(push(1))
		c.receive(call(2), call(3)[:10])
		wantText(t, "client", c.next(), push(1))
		ended := c.lose()
		c.deliver(push(2), `{"type":6}`+"\x1e")
		c.Multicast([]byte(push(3)))
		c.attach()
		wantText(t, "client", c.next(), first, push(1), push(2), push(3))
		c.receive(first+call(1), call(2)+call(3), call(4))
		wantSent(t, c, call(1), call(2), call(3), call(4))
		time.Sleep(time.Second)
		synctest.Wait()
		wantText(t, "client", c.next(), ack(4))
		c.receive(ack(2))
		c.lose()
		c.attach()
		wantText(t, "client", c.next(), sequence(3), push(3))
		c.receive(ack(3), sequence(5), call(5))
		c.lose()
		c.attach()
		wantText(t, "client", c.next(), sequence(4))
		wantSent(t, c, call(5))
		if isClosed(ended) || c.Closing() {
			t.Error("the connection has ended")
		}
		c.Close(pairing.ClosedByClient, "")
		c.Finish(pairing.TransportLost, func() {})
		wantSent(t, c, "closed ")
	})
}

// The app server knows that its client has another socket, if it wants to.
func TestResumeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, version2, clientconn.Limits{}, resumes)
		c.hub.AddServer(c.app, router.Traits{Resumes: true})
		c.lose()
		c.attach()
		wantSent(t, c, "ConnectionReconnect")
		if n := c.hub.Stats().ClientsResumed; n != 1 {
			t.Errorf("%d clients resumed, want 1", n)
		}
	})
}

func TestResumeInMessagePack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, `{"protocol":"messagepack","version":2}`+"\x1e", clientconn.Limits{}, resumes)
		p := packed(&hubprotocol.Invocation{Target: "p"})
		c.deliver(p+packed(&hubprotocol.Ping{})+p, p)
		c.receive(packed(&hubprotocol.Ack{SequenceID: 1}), p[:3])
		c.lose()
		c.attach()
		wantText(t, "client", c.next(), packed(&hubprotocol.Sequence{SequenceID: 2}), p, p)
		c.receive(packed(&hubprotocol.Sequence{SequenceID: 1}) + p)
		wantSent(t, c, p)
	})
}

// The app server's hub may believe that it numbers messages itself.
func TestResumeDropsTheAppServersNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, version2, clientconn.Limits{}, resumes)
		c.deliver(ack(7) + push(1) + sequence(3))
		wantText(t, "client", c.next(), push(1))
	})
}

func TestResumeComesToAnEnd(t *testing.T) {
	ways := []struct {
		name   string
		end    func(c *link)
		wantOf string // told to the app server
	}{
		{"nobody comes back", func(c *link) { time.Sleep(15 * time.Second) }, "closed "},
		{"the app server closes it", func(c *link) { c.Close(pairing.ClosedByAppServer, "") }, "closed "},
		{"too much waits", func(c *link) { c.deliver(push(1), push(2)+push(3)) }, "closed Too many messages are waiting for this client."},
		{"the service stops", func(c *link) { c.Close(pairing.ServiceShutdown, ""); c.Conn.Abort() }, "closed Service reloading, please reconnect."},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := opened(t, version2, clientconn.Limits{QueueBytes: 100}, resumes)
				ended := c.lose()
				synctest.Wait()
				if isClosed(ended) {
					t.Fatal("the connection has ended at once")
				}
				way.end(c)
				synctest.Wait()
				if !isClosed(ended) {
					t.Fatal("the connection has not ended")
				}
				wantSent(t, c, way.wantOf)
				if err := c.Attach(newTransport()); !errors.Is(err, clientconn.ErrGone) {
					t.Errorf("Attach: %v, want ErrGone", err)
				}
			})
		})
	}
}

// Connections that end for good when their socket does.
func TestTrapT36NotResumable(t *testing.T) {
	tests := []struct {
		name, request string
		change        func(*clientconn.Origin)
		before        func(c *link)
	}{
		{"not granted", version2, func(*clientconn.Origin) {}, func(*link) {}},
		{"version 1", `{"protocol":"json","version":1}` + "\x1e", resumes, func(*link) {}},
		{"client said goodbye", version2, resumes, func(c *link) { c.receive(`{"type":7}` + "\x1e") }},
		{"app server said goodbye", version2, resumes, func(c *link) { c.deliver(`{"type":7}` + "\x1e") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := opened(t, tt.request, clientconn.Limits{}, tt.change)
				tt.before(c)
				if err := c.Attach(newTransport()); !errors.Is(err, clientconn.ErrOpen) {
					t.Errorf("Attach: %v, want ErrOpen", err)
				}
				if ended := c.lose(); !isClosed(ended) {
					t.Error("the connection waits for its client")
				}
			})
		})
	}
}

func TestResumeWhileTheOldSocketSeemsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, version2, clientconn.Limits{}, resumes)
		old := c.transport
		go func() {
			<-old.aborted
			c.Finish(pairing.TransportLost, func() {})
		}()
		c.attach()
		wantText(t, "client", c.next(), first)

		// One that does not end keeps its place.
		if err := c.Attach(newTransport()); !errors.Is(err, clientconn.ErrOpen) {
			t.Errorf("Attach: %v, want ErrOpen", err)
		}
	})
}

func TestResumeOfClientsThatLie(t *testing.T) {
	tests := []struct {
		name string
		send []string
		want string
	}{
		{"gap", []string{call(1), sequence(3)}, "Sequence ID greater than amount of messages we've received."},
		{"sequence of nothing", []string{sequence(0)}, "sequence id is not positive"},
		{"acknowledges too much", []string{ack(1)}, "message 1 is acknowledged, but the last one sent is 0"},
		{"broken ack", []string{`{"type":8,"sequenceId":"x"}` + "\x1e"}, "sequenceId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := opened(t, version2, clientconn.Limits{}, resumes, detailed)
				var err error
				for _, piece := range tt.send {
					err = c.Receive([]byte(piece))
				}
				if got := c.next(); err == nil || !strings.Contains(got, tt.want) || !strings.HasSuffix(got, "EOF") {
					t.Errorf("error %v, client got %q, want %q", err, got, tt.want)
				}
			})
		})
	}
}

func TestResumeBoundsTheMessageOfAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, version2, clientconn.Limits{QueueBytes: 1000}, resumes)
		var err error
		for range 11 {
			err = c.Receive([]byte(strings.Repeat("x", 100)))
		}
		if err == nil || !c.Closing() {
			t.Errorf("Receive: %v, want the connection closed", err)
		}
	})
}

// Sockets are cut at every point of a conversation.
func TestResumeAnywhere(t *testing.T) {
	for every := 1; every < 40; every++ {
		synctest.Test(t, func(t *testing.T) {
			c := opened(t, version2, clientconn.Limits{}, resumes)
			var stream, got, want, calls []string
			for n := range 40 {
				stream, want = append(stream, call(n)), append(want, push(n))
			}
			sent, received, highest, next := 0, 0, 0, 0
			read := func() {
				for message := range strings.SplitAfterSeq(c.next(), "\x1e") {
					switch {
					case strings.HasPrefix(message, `{"type":9`):
						_, _ = fmt.Sscanf(message, `{"type":9,"sequenceId":%d}`, &next)
						next--
					case strings.HasPrefix(message, `{"type":1`):
						if next++; next > highest {
							highest = next
							got = append(got, message)
						}
					}
				}
				received = highest
			}
			for n := range 40 {
				c.receive(stream[n])
				sent++
				c.deliver(push(n))
				if n%3 == 0 {
					read()
				}
				if n%5 == 0 && received > 0 {
					c.receive(ack(received))
				}
				if n%every == 0 {
					c.lose()
					c.attach()
					c.receive(first + strings.Join(stream[:sent], ""))
				}
			}
			read()
			calls = c.app.take()
			if !slices.Equal(got, want) {
				t.Errorf("cut every %d: the client got %q", every, got)
			}
			if strings.Join(calls, "") != strings.Join(stream, "") {
				t.Errorf("cut every %d: the app server got %q", every, calls)
			}
		})
	}
}
