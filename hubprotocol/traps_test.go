package hubprotocol_test

import (
	"strings"
	"testing"
	"time"

	"switchboard/hubprotocol"
)

// The tests in this file are named after interop traps that clients and servers
// have met before.

// T1: a hub message cut across transport messages breaks clients.
func TestTrapT1SplitGivesWholeMessagesOnly(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		var stream []byte
		messages := everyMessage(t, p)
		for _, m := range messages {
			stream = append(stream, appendMessage(t, p, m)...)
		}
		var buffered []byte
		var got []hubprotocol.Message
		for _, c := range stream { // arrives byte by byte
			buffered = append(buffered, c)
			message, rest, err := p.Split(buffered, 0)
			if err != nil {
				t.Fatal(err)
			}
			if message != nil {
				got = append(got, parse(t, p, message))
				buffered = rest
			}
		}
		if len(got) != len(messages) || len(buffered) != 0 {
			t.Fatalf("read %d messages and %d bytes over, want %d messages", len(got), len(buffered), len(messages))
		}
		for i := range got {
			if !equal(got[i], messages[i]) {
				t.Errorf("message %d = %+v, want %+v", i, got[i], messages[i])
			}
		}
	})
}

// T2: null or empty optional properties close the connection in JavaScript and .NET.
func TestTrapT2OptionalPropertiesAreLeftOut(t *testing.T) {
	tests := map[string]hubprotocol.Message{
		`{"type":1,"target":"x","arguments":[]}`: &hubprotocol.Invocation{
			Headers: map[string]string{}, Target: "x", StreamIDs: []string{},
		},
		`{"type":3,"invocationId":"1"}`: &hubprotocol.Completion{InvocationID: "1"},
		`{"type":7}`:                    &hubprotocol.Close{},
	}
	for want, m := range tests {
		if got := string(appendMessage(t, hubprotocol.JSON, m)); got != want+"\x1e" {
			t.Errorf("Append(%+v) = %s, want %s", m, got, want)
		}
	}
}

// T3: a ping before the handshake answer fails the start of a client.
func TestTrapT3HubMessageIsNoHandshakeAnswer(t *testing.T) {
	r, _, err := hubprotocol.ParseHandshakeResponse([]byte("{\"type\":6}\x1e{}\x1e"))
	if err == nil || !strings.Contains(err.Error(), "type") {
		t.Errorf("ParseHandshakeResponse(ping) = %+v, %v, want an error about the type", r, err)
	}
	if got := (hubprotocol.HandshakeResponse{}).Append(nil); string(got) != "{}\x1e" {
		t.Errorf("good answer = %q, want {} and 0x1e", got)
	}
}

// T4: the frame type follows from the agreed protocol, not from the text frame
// that the handshake of a MessagePack client comes in.
func TestTrapT4FrameTypeFollowsTheAgreedProtocol(t *testing.T) {
	tests := map[string]bool{"json": false, "JSON": false, "messagepack": true, "MessagePack": true}
	for name, binary := range tests {
		r, _, err := hubprotocol.ParseHandshakeRequest(hubprotocol.HandshakeRequest{Protocol: name, Version: 1}.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := hubprotocol.ByName(r.Protocol); !ok || p.Binary() != binary {
			t.Errorf("ByName(%q) = %v, %v, want a protocol with Binary %v", name, p, ok, binary)
		}
	}
	if p, ok := hubprotocol.ByName("blazorpack"); ok {
		t.Errorf("ByName(blazorpack) = %v, want none", p)
	}
}

// T8: an array header that does not match its content makes JavaScript throw.
func TestTrapT8ArrayHeaderMatchesItsContent(t *testing.T) {
	for _, m := range everyMessage(t, hubprotocol.MessagePack) {
		wire := appendMessage(t, hubprotocol.MessagePack, m)
		var items []any // fails when bytes are left over or missing
		if err := hubprotocol.MessagePack.ParseValue(wire[len(wire)-bodyLen(t, wire):], &items); err != nil {
			t.Errorf("body of %T is no whole array: %v", m, err)
		}
	}
}

// bodyLen reads a length prefix of one or two bytes.
func bodyLen(t *testing.T, wire []byte) int {
	t.Helper()
	if wire[0] < 0x80 {
		return int(wire[0])
	}
	if wire[1] >= 0x80 {
		t.Fatal("message is too long for this test")
	}
	return int(wire[0]&0x7f) | int(wire[1])<<7
}

// T9: JavaScript writes invocations of five items.
func TestTrapT9InvocationOfFiveItems(t *testing.T) {
	got := parse(t, hubprotocol.MessagePack, unhex(t, "0b 95 01 80 c0 a3 41 64 64 92 28 02"))
	if want := (&hubprotocol.Invocation{Target: "Add", Arguments: raw("\x28", "\x02")}); !equal(got, want) {
		t.Errorf("Parse = %+v, want %+v", got, want)
	}
}

// T10: JavaScript writes the type last.
func TestTrapT10TypeComesLast(t *testing.T) {
	wire := []byte(`{"arguments":[{"type":3}],"invocationId":"0","target":"x","type":1}` + "\x1e")
	got := parse(t, hubprotocol.JSON, wire)
	if want := (&hubprotocol.Invocation{InvocationID: "0", Target: "x", Arguments: raw(`{"type":3}`)}); !equal(got, want) {
		t.Errorf("Parse = %+v, want %+v", got, want)
	}
}

// T25: member names are camelCase in JSON and PascalCase in MessagePack for .NET;
// tags choose per type and per protocol, and without any the fields' names stand.
func TestTrapT25MemberNames(t *testing.T) {
	type plain struct{ UserName string }
	type camel struct {
		UserName string `json:"userName"`
	}
	type both struct {
		UserName string `json:"userName" msgpack:"UserName"`
	}
	tests := []struct {
		value         any
		json, msgpack string
	}{
		{plain{"a"}, `{"UserName":"a"}`, "\x81\xa8UserName\xa1a"},
		{camel{"a"}, `{"userName":"a"}`, "\x81\xa8userName\xa1a"},
		{both{"a"}, `{"userName":"a"}`, "\x81\xa8UserName\xa1a"},
	}
	for _, tt := range tests {
		checkValue(t, hubprotocol.JSON, tt.value, []byte(tt.json))
		checkValue(t, hubprotocol.MessagePack, tt.value, []byte(tt.msgpack))
	}
	var p plain
	if err := hubprotocol.JSON.ParseValue([]byte(`{"userName":"b"}`), &p); err != nil || p.UserName != "b" {
		t.Errorf("ParseValue = %+v, %v, want JSON names matched without regard to case", p, err)
	}
}

// T29: void and null results are two things; both can be told apart both ways.
func TestTrapT29VoidIsNotNull(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		null, err := p.AppendValue(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		void := &hubprotocol.Completion{InvocationID: "1"}
		result := &hubprotocol.Completion{InvocationID: "1", HasResult: true, Result: null}
		for _, m := range []*hubprotocol.Completion{void, result} {
			got := parse(t, p, appendMessage(t, p, m)).(*hubprotocol.Completion)
			if got.HasResult != m.HasResult || string(got.Result) != string(m.Result) {
				t.Errorf("Parse(Append(%+v)) = %+v", m, got)
			}
		}
	})
}

// T31: the Java client cannot read extensions, so only a time may become one.
func TestTrapT31OnlyTimesBecomeExtensions(t *testing.T) {
	isExtension := func(b []byte) bool {
		return b[0] >= 0xd4 && b[0] <= 0xd8 || b[0] >= 0xc7 && b[0] <= 0xc9
	}
	for _, v := range []any{nil, true, 1, -1.5, "x", []byte{1}, []any{}, map[string]any{}, address{}, time.Second} {
		b, err := hubprotocol.MessagePack.AppendValue(nil, v)
		if err != nil || isExtension(b) {
			t.Errorf("AppendValue(%T) = % x, %v, want no extension", v, b, err)
		}
	}
	if b, err := hubprotocol.MessagePack.AppendValue(nil, time.Unix(1, 0)); err != nil || !isExtension(b) {
		t.Errorf("AppendValue(time) = % x, %v, want an extension", b, err)
	}
}

// T38: the Java client sends JSON in binary frames. Nothing that reads takes a
// frame type, and the bytes of any frame parse as the agreed protocol.
func TestTrapT38ReadingDoesNotDependOnTheFrameType(t *testing.T) {
	p, ok := hubprotocol.ByName("json")
	if !ok || p.Binary() {
		t.Fatalf("ByName(json) = %v, %v, want a text protocol", p, ok)
	}
	binaryFrame := []byte{'{', '"', 't', 'y', 'p', 'e', '"', ':', '6', '}', 0x1e}
	message, _, err := p.Split(binaryFrame, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, p, message); !equal(got, &hubprotocol.Ping{}) {
		t.Errorf("Parse = %+v, want a ping", got)
	}
}

// T39: the Java client throws on headers and on null for any field it knows.
func TestTrapT39NoHeadersAndNoNullUnlessGiven(t *testing.T) {
	for _, m := range []hubprotocol.Message{
		&hubprotocol.Invocation{InvocationID: "s1", Target: "x", Arguments: raw("1")},
		&hubprotocol.StreamItem{InvocationID: "1", Item: []byte("1")},
		&hubprotocol.Completion{InvocationID: "1"},
		&hubprotocol.Completion{InvocationID: "1", HasError: true, Error: "no"},
		&hubprotocol.Close{Error: "no"},
		&hubprotocol.Close{AllowReconnect: true},
	} {
		wire := string(appendMessage(t, hubprotocol.JSON, m))
		if strings.Contains(wire, "headers") || strings.Contains(wire, "null") {
			t.Errorf("Append(%+v) = %s, want neither headers nor null", m, wire)
		}
	}
}
