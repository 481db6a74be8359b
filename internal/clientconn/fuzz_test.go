package clientconn_test

import (
	"strings"
	"testing"

	"switchboard/hubprotocol"
	"switchboard/internal/clientconn"
)

// pieces cuts wire where cuts says: each byte is the length of a piece.
func pieces(wire string, cuts []byte) []string {
	var all []string
	for _, n := range cuts {
		n := min(int(n), len(wire))
		all, wire = append(all, wire[:n]), wire[n:]
	}
	return append(all, wire)
}

var requests = []string{jsonRequest, packRequest, rawRequest}

// Whatever a client sends and however it is cut, the app server gets its bytes
// in order, and the verdict is the same.
func FuzzReceive(f *testing.F) {
	f.Add(byte(0), ping+ping, []byte{1, 2, 3})
	f.Add(byte(1), packed(&hubprotocol.Ping{})+"\xff\xff\xff\xff\xff", []byte{4, 1, 1})
	f.Add(byte(2), "anything", []byte{0, 0, 5})
	f.Fuzz(func(t *testing.T, protocol byte, data string, cuts []byte) {
		request := requests[int(protocol)%len(requests)]
		run := func(pieces []string) (sent string, err error) {
			c := open(t, clientconn.Limits{MessageBytes: 20})
			for _, piece := range pieces {
				if err = c.Receive([]byte(piece)); err != nil {
					break
				}
			}
			all := c.app.take()
			for len(all) > 0 && strings.HasPrefix(all[len(all)-1], "closed ") {
				all = all[:len(all)-1]
			}
			return strings.Join(all, ""), err
		}
		whole, wholeErr := run([]string{request + data})
		cut, cutErr := run(pieces(request+data, cuts))
		if (wholeErr == nil) != (cutErr == nil) {
			t.Errorf("at once: %v; in pieces: %v", wholeErr, cutErr)
		}
		if !strings.HasPrefix(cut, whole) || wholeErr == nil && cut != whole {
			t.Errorf("in pieces the app server was sent %q, at once %q", cut, whole)
		}
	})
}

// Whatever an app server sends and however it is cut, the client gets whole
// hub messages, and the same ones.
func FuzzDeliver(f *testing.F) {
	f.Add(byte(0), "{}\x1e"+ping+ping, []byte{1, 2, 3})
	f.Add(byte(1), "{}\x1e"+packed(&hubprotocol.Ping{})+packed(&hubprotocol.Close{}), []byte{1, 1, 1, 1})
	f.Add(byte(1), `{"error":"no"}`+"\x1e\xff\xff\xff\xff\xff", []byte{7, 7, 2})
	f.Fuzz(func(t *testing.T, protocol byte, data string, cuts []byte) {
		request := requests[int(protocol)%len(requests)]
		run := func(pieces []string) string {
			c := open(t, clientconn.Limits{QueueBytes: 1 << 20})
			c.receive(request)
			c.Multicast([]byte("held"))
			c.deliver(pieces...)
			messages, _ := c.messages()
			if i := strings.IndexByte(data, hubprotocol.RecordSeparator); i >= 0 && strings.HasPrefix(strings.Join(messages, ""), data[:i+1]) {
				checkWhole(t, request, messages[1:])
			}
			return strings.Join(messages, "")
		}
		whole, cut := run([]string{data}), run(pieces(data, cuts))
		if whole != cut {
			t.Errorf("in pieces the client got %q, at once %q", cut, whole)
		}
	})
}

// checkWhole fails the test if one of the messages is not whole hub messages.
func checkWhole(t *testing.T, request string, messages []string) {
	framing := map[string]hubprotocol.Framing{jsonRequest: hubprotocol.FramingRecordSeparator, packRequest: hubprotocol.FramingLengthPrefix}[request]
	for _, message := range messages {
		for rest := []byte(message); len(rest) > 0 && message != "held"; {
			n, err := framing.Next(rest)
			if n == 0 || err != nil {
				t.Fatalf("the client got %q, which is not whole", message)
			}
			rest = rest[n:]
		}
	}
}
