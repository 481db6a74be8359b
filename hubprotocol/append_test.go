package hubprotocol_test

import (
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

func TestAppendedMessagesReadBackTheSame(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		for _, m := range everyMessage(t, p) {
			wire := appendMessage(t, p, m)
			if got := parse(t, p, wire); !equal(got, m) {
				t.Errorf("Parse(Append(%+v)) = %+v", m, got)
			}
			checkCuts(t, p, wire)
		}
	})
}

func TestAppendTakesErrorTextForAnError(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		got := parse(t, p, appendMessage(t, p, &hubprotocol.Completion{InvocationID: "1", Error: "no"}))
		if want := (&hubprotocol.Completion{InvocationID: "1", HasError: true, Error: "no"}); !equal(got, want) {
			t.Errorf("Parse(Append) = %+v, want %+v", got, want)
		}
	})
}

type foreign struct{}

func (foreign) MessageType() hubprotocol.Type { return 6 }

func TestAppendRefuses(t *testing.T) {
	tests := []struct {
		name    string
		message hubprotocol.Message
		reason  string
	}{
		{"unknown type", &hubprotocol.Unknown{Type: 42}, "append Type(42): unknown type"},
		{"foreign message", foreign{}, "unknown type"},
		{"stream invocation without id", &hubprotocol.StreamInvocation{Target: "x"}, "invocation id is empty"},
		{"stream item without id", &hubprotocol.StreamItem{Item: []byte{'1'}}, "invocation id is empty"},
		{"completion without id", &hubprotocol.Completion{}, "invocation id is empty"},
		{"cancel without id", &hubprotocol.CancelInvocation{}, "invocation id is empty"},
		{"completion with both", &hubprotocol.Completion{InvocationID: "1", HasError: true, HasResult: true, Result: []byte{'1'}}, "mutually exclusive"},
		{"item without value", &hubprotocol.StreamItem{InvocationID: "1"}, "encoded value"},
		{"result without value", &hubprotocol.Completion{InvocationID: "1", HasResult: true}, "encoded value"},
		{"empty argument", &hubprotocol.Invocation{Target: "x", Arguments: raw("")}, "encoded value"},
		{"two values for one", &hubprotocol.Invocation{Target: "x", Arguments: raw("1 2")}, "encoded value"},
		{"broken value", &hubprotocol.Invocation{Target: "x", Arguments: raw("\xc1")}, "encoded value"},
		{"cut value", &hubprotocol.Invocation{Target: "x", Arguments: raw("\xd9")}, "encoded value"},
	}
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		for _, tt := range tests {
			b, err := p.Append([]byte("before"), tt.message)
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("%s: Append gives error %v, want %q", tt.name, err, tt.reason)
			}
			if string(b) != "before" {
				t.Errorf("%s: Append gives %q, want what was there before", tt.name, b)
			}
		}
	})
}

func TestJSONAppendRefusesValueOfBrokenUTF8(t *testing.T) {
	b, err := hubprotocol.JSON.Append(nil, &hubprotocol.StreamItem{InvocationID: "1", Item: []byte("\"\xff\"")})
	if err == nil || !strings.Contains(err.Error(), "invalid UTF-8") {
		t.Errorf("Append = %q, %v, want an error about UTF-8", b, err)
	}
}

func TestAppendRefusesValuesTooDeepToBeRead(t *testing.T) {
	nest := map[string][2]string{"json": {"[", "]"}, "messagepack": {"\x91", ""}}
	scalar := map[string]string{"json": "1", "messagepack": "\x01"}
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		deep := func(n int) []byte {
			brackets := nest[p.Name()]
			return []byte(strings.Repeat(brackets[0], n) + scalar[p.Name()] + strings.Repeat(brackets[1], n))
		}
		parse(t, p, appendMessage(t, p, &hubprotocol.StreamItem{InvocationID: "1", Item: deep(63)}))
		parse(t, p, appendMessage(t, p, &hubprotocol.Invocation{Target: "x", Arguments: [][]byte{deep(62)}}))
		if _, err := p.Append(nil, &hubprotocol.StreamItem{InvocationID: "1", Item: deep(64)}); err == nil {
			t.Error("Append(item of 65 levels) succeeded, want an error")
		}
		if _, err := p.Append(nil, &hubprotocol.Invocation{Target: "x", Arguments: [][]byte{deep(63)}}); err == nil {
			t.Error("Append(argument of 65 levels) succeeded, want an error")
		}
	})
}
