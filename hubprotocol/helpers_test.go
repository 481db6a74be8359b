package hubprotocol_test

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

// unhex turns "0c 95 01" into bytes.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// raw makes encoded values of strings of bytes.
func raw(values ...string) [][]byte {
	list := [][]byte{}
	for _, v := range values {
		list = append(list, []byte(v))
	}
	return list
}

func equal(a, b hubprotocol.Message) bool { return reflect.DeepEqual(a, b) }

func parse(t testing.TB, p hubprotocol.Protocol, wire []byte) hubprotocol.Message {
	t.Helper()
	m, err := p.Parse(wire)
	if err != nil {
		t.Fatalf("Parse(%q): %v", wire, err)
	}
	return m
}

func appendMessage(t testing.TB, p hubprotocol.Protocol, m hubprotocol.Message) []byte {
	t.Helper()
	b, err := p.Append(nil, m)
	if err != nil {
		t.Fatalf("Append(%+v): %v", m, err)
	}
	return b
}

// A vector is one message and its bytes.
type vector struct {
	name     string
	wire     []byte
	message  hubprotocol.Message
	readOnly bool // a form that peers write and we do not
}

// checkVector reads and writes the message and cuts it everywhere.
func checkVector(t *testing.T, p hubprotocol.Protocol, v vector) {
	t.Helper()
	if got := parse(t, p, v.wire); !equal(got, v.message) {
		t.Errorf("Parse = %+v, want %+v", got, v.message)
	}
	written := appendMessage(t, p, v.message)
	if !v.readOnly && string(written) != string(v.wire) {
		t.Errorf("Append = %q, want %q", written, v.wire)
	}
	if got := parse(t, p, written); !equal(got, v.message) {
		t.Errorf("Parse(Append) = %+v, want %+v", got, v.message)
	}
	checkCuts(t, p, v.wire)
}

// checkCuts checks that a whole message is split off at its end and nowhere else.
func checkCuts(t *testing.T, p hubprotocol.Protocol, wire []byte) {
	t.Helper()
	framing := hubprotocol.FramingOf(p.Name())
	for n := range wire {
		cut := wire[:n]
		if message, rest, err := p.Split(cut, 0); message != nil || string(rest) != string(cut) || err != nil {
			t.Errorf("Split(first %d bytes) = %q, %q, %v, want incomplete", n, message, rest, err)
		}
		if size, err := framing.Next(cut); size != 0 || err != nil {
			t.Errorf("Next(first %d bytes) = %d, %v, want incomplete", n, size, err)
		}
		if m, err := p.Parse(cut); err == nil {
			t.Errorf("Parse(first %d bytes) = %+v, want an error", n, m)
		}
	}
	following := append(append([]byte{}, wire...), wire...)
	message, rest, err := p.Split(following, len(wire))
	if string(message) != string(wire) || string(rest) != string(wire) || err != nil {
		t.Errorf("Split(two messages) = %q, %q, %v, want one", message, rest, err)
	}
	if size, err := framing.Next(following); size != len(wire) || err != nil {
		t.Errorf("Next(two messages) = %d, %v, want %d", size, err, len(wire))
	}
}

// everyMessage has one message of each type in each form, with values encoded by p.
func everyMessage(t testing.TB, p hubprotocol.Protocol) []hubprotocol.Message {
	t.Helper()
	value := func(v any) []byte {
		b, err := p.AppendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	headers := map[string]string{"traceparent": "00-1", "a": "ü"}
	arguments := [][]byte{value("x\x1e"), value(nil), value([]any{1, 2.5, map[string]any{"k": true}})}
	return []hubprotocol.Message{
		&hubprotocol.Invocation{Target: "send", Arguments: raw()},
		&hubprotocol.Invocation{Headers: headers, InvocationID: "s1", Target: "send", Arguments: arguments, StreamIDs: []string{"4", "5"}},
		&hubprotocol.StreamInvocation{InvocationID: "1", Target: "count", Arguments: arguments},
		&hubprotocol.StreamItem{InvocationID: "1", Item: value(nil)},
		&hubprotocol.StreamItem{Headers: headers, InvocationID: "1", Item: value([]byte{1, 2})},
		&hubprotocol.Completion{InvocationID: "1"},
		&hubprotocol.Completion{Headers: headers, InvocationID: "1", HasError: true, Error: "no"},
		&hubprotocol.Completion{InvocationID: "1", HasError: true},
		&hubprotocol.Completion{InvocationID: "1", HasResult: true, Result: value(nil)},
		&hubprotocol.Completion{InvocationID: "1", HasResult: true, Result: value(40000)},
		&hubprotocol.CancelInvocation{InvocationID: "1"},
		&hubprotocol.Ping{},
		&hubprotocol.Close{},
		&hubprotocol.Close{Error: "bye", AllowReconnect: true},
		&hubprotocol.Ack{SequenceID: 1 << 40},
		&hubprotocol.Sequence{SequenceID: 1},
	}
}

// eachProtocol runs a test for both encodings.
func eachProtocol(t *testing.T, test func(t *testing.T, p hubprotocol.Protocol)) {
	for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
		t.Run(p.Name(), func(t *testing.T) { test(t, p) })
	}
}
