package hubprotocol_test

import (
	"errors"
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

// messagePackVectors come from the JavaScript client, @microsoft/signalr-protocol-msgpack
// 10.0.11, except the last two, which are the form of ASP.NET Core.
func messagePackVectors(t testing.TB) []vector {
	t.Helper()
	v := func(name, wire string, m hubprotocol.Message) vector {
		return vector{name, unhex(t, wire), m, false}
	}
	js := func(name, wire string, m hubprotocol.Message) vector {
		return vector{name, unhex(t, wire), m, true}
	}
	return []vector{
		js("invocation", "0c 95 01 80 a1 37 a3 41 64 64 92 28 02",
			&hubprotocol.Invocation{InvocationID: "7", Target: "Add", Arguments: raw("\x28", "\x02")}),
		js("invocation without id", "0b 95 01 80 c0 a3 41 64 64 92 28 02",
			&hubprotocol.Invocation{Target: "Add", Arguments: raw("\x28", "\x02")}),
		v("invocation with upload stream", "0d 96 01 80 a1 39 a3 53 75 6d 90 91 a1 38",
			&hubprotocol.Invocation{InvocationID: "9", Target: "Sum", Arguments: raw(), StreamIDs: []string{"8"}}),
		js("stream invocation", "0d 95 04 80 a1 33 a5 43 6f 75 6e 74 91 05",
			&hubprotocol.StreamInvocation{InvocationID: "3", Target: "Count", Arguments: raw("\x05")}),
		v("stream item", "0e 94 02 80 a1 38 cb 3f f8 00 00 00 00 00 00",
			&hubprotocol.StreamItem{InvocationID: "8", Item: unhex(t, "cb3ff8000000000000")}),
		v("completion, void", "06 94 03 80 a1 38 02", &hubprotocol.Completion{InvocationID: "8"}),
		v("completion, nil", "07 95 03 80 a1 38 03 c0",
			&hubprotocol.Completion{InvocationID: "8", HasResult: true, Result: []byte{0xc0}}),
		v("completion, result", "08 95 03 80 a2 73 31 03 0a",
			&hubprotocol.Completion{InvocationID: "s1", HasResult: true, Result: []byte{10}}),
		v("completion, error", "0a 95 03 80 a2 73 31 01 a2 6e 6f",
			&hubprotocol.Completion{InvocationID: "s1", HasError: true, Error: "no"}),
		v("cancel", "05 93 05 80 a1 33", &hubprotocol.CancelInvocation{InvocationID: "3"}),
		v("ping", "02 91 06", &hubprotocol.Ping{}),
		js("close", "03 92 07 c0", &hubprotocol.Close{}),
		v("ack", "05 92 08 cd 01 2c", &hubprotocol.Ack{SequenceID: 300}),
		v("sequence", "03 92 09 05", &hubprotocol.Sequence{SequenceID: 5}),
		v("stream item, time", "0b 94 02 80 a1 31 d6 ff 38 6d 43 80",
			&hubprotocol.StreamItem{InvocationID: "1", Item: unhex(t, "d6ff386d4380")}),
		v("stream item, bytes", "0a 94 02 80 a1 31 c4 03 01 02 03",
			&hubprotocol.StreamItem{InvocationID: "1", Item: unhex(t, "c403010203")}),
		v("cancel with header", "09 93 05 81 a1 61 a1 62 a1 33",
			&hubprotocol.CancelInvocation{Headers: map[string]string{"a": "b"}, InvocationID: "3"}),
		v("invocation, server form", "09 96 01 80 c0 a1 78 91 07 90",
			&hubprotocol.Invocation{Target: "x", Arguments: raw("\x07")}),
		v("close, server form", "04 93 07 c0 c3", &hubprotocol.Close{AllowReconnect: true}),
	}
}

func TestMessagePackGoldenVectors(t *testing.T) {
	for _, v := range messagePackVectors(t) {
		t.Run(v.name, func(t *testing.T) { checkVector(t, hubprotocol.MessagePack, v) })
	}
}

func TestMessagePackReadsWhatItDoesNotWrite(t *testing.T) {
	tests := []vector{
		{name: "one item more than known", wire: unhex(t, "05 92 06 92 01 02"), message: &hubprotocol.Ping{}},
		{name: "streamIds nil", wire: unhex(t, "08 96 01 80 c0 a1 78 90 c0"), message: &hubprotocol.Invocation{Target: "x", Arguments: raw()}},
		{name: "headers nil", wire: unhex(t, "05 93 05 c0 a1 33"), message: &hubprotocol.CancelInvocation{InvocationID: "3"}},
		{name: "empty invocation id counts as absent", wire: unhex(t, "07 95 01 80 a0 a1 78 90"), message: &hubprotocol.Invocation{Target: "x", Arguments: raw()}},
		{name: "prefix longer than it need be", wire: unhex(t, "82 80 00 91 06"), message: &hubprotocol.Ping{}},
		{name: "type of 64 bits", wire: unhex(t, "0a 91 cf 00 00 00 00 00 00 00 06"), message: &hubprotocol.Ping{}},
		{name: "array, map and string with 32-bit lengths", wire: unhex(t, "11 dd 00 00 00 03 05 df 00 00 00 00 db 00 00 00 01 33"), message: &hubprotocol.CancelInvocation{InvocationID: "3"}},
		{name: "unknown type", wire: unhex(t, "04 93 2a c0 c3"), message: &hubprotocol.Unknown{Type: 42}},
		{name: "negative type", wire: unhex(t, "02 91 ff"), message: &hubprotocol.Unknown{Type: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(t, hubprotocol.MessagePack, tt.wire)
			if want := tt.message; !equal(got, want) {
				t.Errorf("Parse = %+v, want %+v", got, want)
			}
		})
	}
}

func TestMessagePackRefuses(t *testing.T) {
	tests := []struct{ name, wire, reason string }{
		{"nothing", "", "length prefix does not match"},
		{"empty body", "00", "value ends too early"},
		{"prefix too short for the body", "01 91 06", "does not match"},
		{"prefix too long for the body", "03 91 06", "does not match"},
		{"prefix over 2 GB", "ff ff ff ff 08", "over 2 GB"},
		{"prefix of six bytes", "80 80 80 80 80 00", "over 2 GB"},
		{"no array", "01 06", "not an array"},
		{"empty array", "01 90", "1 items short"},
		{"type is a string", "03 91 a1 36", "type: not an integer"},
		{"type over 32 bits", "0a 91 cf 00 00 00 01 00 00 00 06", "32 bits"},
		{"reserved byte", "04 92 06 c1 c0", "0xc1"},
		{"bytes behind the message", "03 91 06 00", "1 bytes behind"},
		{"announced item is missing", "02 92 06", "ends too early"},
		{"invocation of four items", "06 94 01 80 c0 a1 78", "1 items short"},
		{"target nil", "06 95 01 80 c0 c0 90", "target: not a string"},
		{"target not UTF-8", "07 95 01 80 c0 a1 ff 90", "target: invalid UTF-8"},
		{"arguments nil", "07 95 01 80 c0 a1 78 c0", "arguments: not an array"},
		{"arguments announce 4 billion", "0b 95 01 80 c0 a1 78 dd ff ff ff ff", "ends too early"},
		{"headers announce 4 billion", "08 93 05 df ff ff ff ff c0", "headers: value ends too early"},
		{"header value is a number", "07 93 05 81 a1 61 01 c0", "headers: not a string"},
		{"headers are an array", "05 93 05 90 a1 33", "headers: not a map"},
		{"stream invocation without id", "07 95 04 80 c0 a1 78 90", "invocationId: missing"},
		{"stream item without item", "05 93 02 80 a1 38", "1 items short"},
		{"stream item with id nil", "05 94 02 80 c0 c0", "invocationId: missing"},
		{"completion of unknown kind", "06 94 03 80 a1 38 04", "kind: 4 is not known"},
		{"completion, error is missing", "06 94 03 80 a1 38 01", "1 items short"},
		{"completion, error is nil", "07 95 03 80 a1 38 01 c0", "error: not a string"},
		{"completion, result is missing", "06 94 03 80 a1 38 03", "1 items short"},
		{"close without items", "02 91 07", "1 items short"},
		{"close, allowReconnect is a number", "04 93 07 c0 01", "allowReconnect: not a boolean"},
		{"ack without number", "02 91 08", "1 items short"},
		{"ack over 63 bits", "0b 92 08 cf ff ff ff ff ff ff ff ff", "sequenceId: not an integer of 64 bits"},
		{"sequence is a float", "07 92 09 ca 3f 80 00 00", "sequenceId: not an integer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := hubprotocol.MessagePack.Parse(unhex(t, tt.wire))
			var parseError *hubprotocol.ParseError
			if !errors.As(err, &parseError) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("Parse = %+v, %v, want a ParseError with %q", m, err, tt.reason)
			}
		})
	}
}

func TestMessagePackDepth(t *testing.T) {
	item := func(arrays int) []byte {
		body := append(unhex(t, "94 02 80 a1 31"), strings.Repeat("\x91", arrays)...)
		body = append(body, 0xc0)
		return append([]byte{byte(len(body))}, body...)
	}
	parse(t, hubprotocol.MessagePack, item(63))
	if m, err := hubprotocol.MessagePack.Parse(item(64)); err == nil {
		t.Errorf("Parse(65 levels) = %+v, want an error", m)
	}
}

func TestMessagePackPrefixGrows(t *testing.T) {
	for _, size := range []int{100, 127, 128, 20000, 70000} {
		item := append([]byte{0xc6, 0, byte(size >> 16), byte(size >> 8), byte(size)}, make([]byte, size)...)
		m := &hubprotocol.StreamItem{InvocationID: "1", Item: item}
		wire, err := hubprotocol.MessagePack.Append([]byte("before"), m)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, hubprotocol.MessagePack, wire[len("before"):]); !equal(got, m) {
			t.Errorf("message with %d bytes did not come back", size)
		}
	}
}

func TestMessagePackIntegersOfEveryWidth(t *testing.T) {
	tests := []struct {
		n    int64
		wire string
	}{
		{0, "03 92 09 00"},
		{127, "03 92 09 7f"},
		{128, "04 92 09 cc 80"},
		{256, "05 92 09 cd 01 00"},
		{65536, "07 92 09 ce 00 01 00 00"},
		{1 << 32, "0b 92 09 cf 00 00 00 01 00 00 00 00"},
		{-1, "03 92 09 ff"},
		{-32, "03 92 09 e0"},
		{-33, "04 92 09 d0 df"},
		{-129, "05 92 09 d1 ff 7f"},
		{-32769, "07 92 09 d2 ff ff 7f ff"},
		{-1 << 31, "07 92 09 d2 80 00 00 00"},
		{-1<<31 - 1, "0b 92 09 d3 ff ff ff ff 7f ff ff ff"},
	}
	for _, tt := range tests {
		checkVector(t, hubprotocol.MessagePack, vector{wire: unhex(t, tt.wire), message: &hubprotocol.Sequence{SequenceID: tt.n}})
	}
}

func TestMessagePackLengthsOfEveryWidth(t *testing.T) {
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		m := &hubprotocol.Invocation{Target: strings.Repeat("x", n), Arguments: [][]byte{}}
		for i := range n {
			m.Arguments = append(m.Arguments, []byte{0xc0})
			if m.Headers == nil {
				m.Headers = make(map[string]string)
			}
			m.Headers[strings.Repeat("k", i%300)] = "v"
		}
		if got := parse(t, hubprotocol.MessagePack, appendMessage(t, hubprotocol.MessagePack, m)); !equal(got, m) {
			t.Errorf("invocation with %d of each did not come back", n)
		}
	}
}

func TestMessagePackWritesBrokenTextAsReplacement(t *testing.T) {
	got := appendMessage(t, hubprotocol.MessagePack, &hubprotocol.Close{Error: "a\xffb"})
	if want := "\x09\x93\x07\xa5a\uFFFDb\xc2"; string(got) != want {
		t.Errorf("Append = %q, want %q", got, want)
	}
}
