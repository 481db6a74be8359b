package loadgen

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

func TestNATSWelcome(t *testing.T) {
	s := newSubjects(StampSize+4, false)
	whole := "INFO {\"server_id\":\"N\"} \r\n+OK\r\nPONG\r\n"
	for n := range whole {
		if _, err := s.welcome([]byte(whole[:n])); !errors.Is(err, hubprotocol.ErrIncomplete) {
			t.Errorf("welcome(first %d bytes) = %v, want ErrIncomplete", n, err)
		}
	}
	if rest, err := s.welcome([]byte(whole + "MSG")); err != nil || string(rest) != "MSG" {
		t.Errorf("welcome() = %q, %v; want the rest", rest, err)
	}
	if _, err := s.welcome([]byte("INFO {}\r\n-ERR 'Authorization Violation'\r\n")); err == nil || !strings.Contains(err.Error(), "Authorization") {
		t.Errorf("welcome() of a refusal = %v", err)
	}
}

func TestNATSMessages(t *testing.T) {
	s := newSubjects(StampSize+4, true)
	m := stamp{run: 1, at: 2, stream: 3, seq: 4}
	payload := string(m.append(nil)) + alphabet[:4] + "\r\n"
	for _, c := range []struct {
		name, wire string
		want       received
		bad        bool
	}{
		{"message", "MSG c.3 1 28\r\n" + payload, received{stamp: m, stamped: true}, false},
		{"message with reply", "MSG c.3 1 back 28\r\n" + payload, received{stamp: m, stamped: true}, false},
		{"other payload", "MSG c.3 1 28\r\n" + strings.Replace(payload, "0123", "0124", 1), received{}, true},
		{"short payload", "MSG c.3 1 3\r\nabc\r\n", received{}, true},
		{"ping", "PING\r\n", received{reply: natsPong}, false},
		{"pong", "PONG\r\n", received{}, false},
		{"new INFO", "INFO {}\r\n", received{}, false},
		{"error", "-ERR 'Slow Consumer'\r\n", received{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := range c.wire {
				if got, err := s.next([]byte(c.wire[:n])); n == 0 && got != 0 || n > 0 && (got != 0 || err != nil) {
					t.Errorf("next(first %d bytes) = %d, %v; want 0", n, got, err)
				}
			}
			n, err := s.next([]byte(c.wire + "MSG"))
			if err != nil || n != len(c.wire) {
				t.Fatalf("next() = %d, %v; want %d", n, err, len(c.wire))
			}
			got, err := s.read([]byte(c.wire))
			if got.stamp != c.want.stamp || got.stamped != c.want.stamped || !bytes.Equal(got.reply, c.want.reply) || (err != nil) != c.bad {
				t.Errorf("read() = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	for _, wire := range []string{"MSG c.3 1 x\r\n", "MSG\r\n", "MSG c.3 1 -4\r\n", strings.Repeat("x", 70000)} {
		if n, err := s.next([]byte(wire)); err == nil {
			t.Errorf("next(%.20q) = %d, want an error", wire, n)
		}
	}
}

// What a client sends, as NATS reads it.
func TestNATSCalls(t *testing.T) {
	for _, c := range []struct {
		scenario  Scenario
		responder bool
		want      string
	}{
		{Echo, false, "PUB c.2 28\r\n"},
		{Echo, true, "PUB echo c.2 28\r\n"},
		{Broadcast, false, "PUB all 28\r\n"},
	} {
		head, tail, err := newSubjects(StampSize+4, c.responder).call(plan{c.scenario, 5, 1, 1}, 2, "")
		if err != nil || string(head) != c.want || string(tail) != "0123\r\n" {
			t.Errorf("call(%s, responder %t) = %q, %q, %v; want %q", c.scenario, c.responder, head, tail, err, c.want)
		}
	}
	if _, _, err := newSubjects(StampSize, false).call(plan{SendToUser, 5, 1, 1}, 2, ""); err == nil {
		t.Error("call(send-to-user) = nil, want an error")
	}
}

// A mirror sends back what a hub would.
func TestMirrorCall(t *testing.T) {
	d, err := newDialect(&Config{Peer: PeerMirror, Protocol: "json", Payload: 32})
	if err != nil {
		t.Fatal(err)
	}
	head, tail, err := d.call(plan{Broadcast, 5, 1, 1}, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	m := stamp{run: 1, at: 2, stream: 3, seq: 4}
	got, err := d.read(append(m.append(bytes.Clone(head)), tail...))
	if err != nil || !got.stamped || got.stamp != m {
		t.Errorf("read() of what was called = %+v, %v", got, err)
	}
	if d.hello(plan{}, 0) != nil {
		t.Error("a client of a mirror says something first, want nothing")
	}
}
