package hubprotocol_test

import (
	"errors"
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

// jsonVectors are the forms of section "JSON Encoding" of HubProtocol.md, with the
// property order of ASP.NET Core (JsonHubProtocol.cs) where we write them.
func jsonVectors() []vector {
	v := func(name, wire string, m hubprotocol.Message) vector {
		return vector{name, []byte(wire + "\x1e"), m, false}
	}
	js := func(name, wire string, m hubprotocol.Message) vector {
		return vector{name, []byte(wire + "\x1e"), m, true}
	}
	return []vector{
		v("invocation", `{"type":1,"invocationId":"7","target":"Add","arguments":[40,2]}`,
			&hubprotocol.Invocation{InvocationID: "7", Target: "Add", Arguments: raw("40", "2")}),
		v("invocation without id or arguments", `{"type":1,"target":"Add","arguments":[]}`,
			&hubprotocol.Invocation{Target: "Add", Arguments: raw()}),
		v("invocation with everything", `{"type":1,"headers":{"a":"b","c":"d"},"invocationId":"9","target":"Sum","arguments":[{"x":[1,"<&>"]},null],"streamIds":["8","10"]}`,
			&hubprotocol.Invocation{
				Headers: map[string]string{"a": "b", "c": "d"}, InvocationID: "9", Target: "Sum",
				Arguments: raw(`{"x":[1,"<&>"]}`, "null"), StreamIDs: []string{"8", "10"},
			}),
		v("stream invocation", `{"type":4,"invocationId":"3","target":"Count","arguments":[5]}`,
			&hubprotocol.StreamInvocation{InvocationID: "3", Target: "Count", Arguments: raw("5")}),
		v("stream item", `{"type":2,"invocationId":"8","item":1.5}`,
			&hubprotocol.StreamItem{InvocationID: "8", Item: []byte("1.5")}),
		v("stream item, null", `{"type":2,"headers":{"a":"b"},"invocationId":"8","item":null}`,
			&hubprotocol.StreamItem{Headers: map[string]string{"a": "b"}, InvocationID: "8", Item: []byte("null")}),
		v("completion, void", `{"type":3,"invocationId":"8"}`, &hubprotocol.Completion{InvocationID: "8"}),
		v("completion, null", `{"type":3,"invocationId":"8","result":null}`,
			&hubprotocol.Completion{InvocationID: "8", HasResult: true, Result: []byte("null")}),
		v("completion, result", `{"type":3,"invocationId":"s1","result":10}`,
			&hubprotocol.Completion{InvocationID: "s1", HasResult: true, Result: []byte("10")}),
		v("completion, error", `{"type":3,"invocationId":"s1","error":"no"}`,
			&hubprotocol.Completion{InvocationID: "s1", HasError: true, Error: "no"}),
		v("cancel", `{"type":5,"invocationId":"3"}`, &hubprotocol.CancelInvocation{InvocationID: "3"}),
		v("ping", `{"type":6}`, &hubprotocol.Ping{}),
		v("close", `{"type":7}`, &hubprotocol.Close{}),
		v("close, error", `{"type":7,"error":"bye","allowReconnect":true}`, &hubprotocol.Close{Error: "bye", AllowReconnect: true}),
		v("ack", `{"type":8,"sequenceId":300}`, &hubprotocol.Ack{SequenceID: 300}),
		v("sequence", `{"type":9,"sequenceId":5}`, &hubprotocol.Sequence{SequenceID: 5}),
		v("control characters and quotes", `{"type":7,"error":"\u001e\"\\ü\u000a"}`, &hubprotocol.Close{Error: "\x1e\"\\ü\n"}),
		js("JavaScript invocation", `{"arguments":[40,2],"invocationId":"0","target":"Add","type":1}`,
			&hubprotocol.Invocation{InvocationID: "0", Target: "Add", Arguments: raw("40", "2")}),
		js("JavaScript stream invocation", `{"arguments":[],"invocationId":"1","streamIds":["2"],"target":"Sum","type":4}`,
			&hubprotocol.StreamInvocation{InvocationID: "1", Target: "Sum", Arguments: raw(), StreamIDs: []string{"2"}}),
		js("close, allowReconnect false", `{"type":7,"allowReconnect":false}`, &hubprotocol.Close{}),
		js("unknown properties", `{"type":6,"x":{"type":[7]},"error":5,"y":[{}]}`, &hubprotocol.Ping{}),
		js("white space", " {\t\"type\" :\r\n6 } ", &hubprotocol.Ping{}),
		js("white space among arguments", `{"type":1,"target":"x","arguments":[ 1 , [ 2 ] ]}`,
			&hubprotocol.Invocation{Target: "x", Arguments: raw("1", "[ 2 ]")}),
		js("escaped name", `{"\u0074ype":6}`, &hubprotocol.Ping{}),
		js("escaped text", `{"type":7,"error":"\u00fc\uD83d\ude00\/\b\f\n\r\t\ud800"}`,
			&hubprotocol.Close{Error: "ü😀/\b\f\n\r\t\uFFFD"}),
		js("repeated property, last wins", `{"type":7,"type":1,"target":"a","arguments":[1],"target":"b","arguments":[2]}`,
			&hubprotocol.Invocation{Target: "b", Arguments: raw("2")}),
		js("null for what is optional", `{"type":1,"headers":null,"invocationId":null,"target":"x","arguments":[],"streamIds":null}`,
			&hubprotocol.Invocation{Target: "x", Arguments: raw()}),
		js("completion, error null", `{"type":3,"invocationId":"1","error":null,"result":1}`,
			&hubprotocol.Completion{InvocationID: "1", HasResult: true, Result: []byte("1")}),
	}
}

func TestJSONGoldenVectors(t *testing.T) {
	for _, v := range jsonVectors() {
		t.Run(v.name, func(t *testing.T) { checkVector(t, hubprotocol.JSON, v) })
	}
}

func TestJSONReadsUnknownTypes(t *testing.T) {
	got := parse(t, hubprotocol.JSON, []byte(`{"target":5,"type":42,"arguments":null}`+"\x1e"))
	if want := (&hubprotocol.Unknown{Type: 42}); !equal(got, want) {
		t.Errorf("Parse = %+v, want %+v", got, want)
	}
}

func TestJSONRefuses(t *testing.T) {
	tests := []struct{ name, wire, reason string }{
		{"nothing", ``, "invalid JSON at byte 0"},
		{"array", `[]`, "invalid JSON"},
		{"two objects", `{"type":6}{"type":6}`, "invalid JSON at byte 10"},
		{"byte order mark", "\ufeff" + `{"type":6}`, "invalid JSON"},
		{"broken UTF-8", "{\"type\":6,\"x\":\"\xff\"}", "invalid UTF-8"},
		{"raw control character", "{\"type\":6,\"x\":\"\n\"}", "invalid JSON"},
		{"record separator inside", "{\"type\":6,\"x\":\"\x1e\"}", "invalid JSON"},
		{"comment", `{"type":6/**/}`, "invalid JSON"},
		{"trailing comma", `{"type":6,}`, "invalid JSON"},
		{"leading comma", `{,"type":6}`, "invalid JSON"},
		{"no comma", `{"type":6 "x":1}`, "invalid JSON"},
		{"no colon", `{"type" 6}`, "invalid JSON"},
		{"name without quotes", `{type:6}`, "invalid JSON"},
		{"broken escape", `{"type":6,"x":"\x"}`, "invalid JSON"},
		{"short escape", `{"type":6,"x":"\u12"}`, "invalid JSON"},
		{"broken word", `{"type":6,"x":nul}`, "invalid JSON"},
		{"leading zero", `{"type":06}`, "invalid JSON"},
		{"string without end", `{"type":6,"x":"`, "invalid JSON"},
		{"escape without end", `{"type":6,"x":"\`, "invalid JSON"},
		{"escape with a wrong digit", `{"type":6,"x":"\u00g0"}`, "invalid JSON"},
		{"inner object without colon", `{"type":6,"x":{"y" 1}}`, "invalid JSON"},
		{"inner object without value", `{"type":6,"x":{"y":}}`, "invalid JSON"},
		{"inner trailing comma", `{"type":6,"x":{"y":1,}}`, "invalid JSON"},
		{"trailing comma among arguments", `{"type":1,"target":"x","arguments":[1,]}`, "invalid JSON"},
		{"arguments without comma", `{"type":1,"target":"x","arguments":[1 2]}`, "invalid JSON"},
		{"no digits behind the point", `{"type":6,"x":1.}`, "invalid JSON"},
		{"no digits in the exponent", `{"type":6,"x":1e+}`, "invalid JSON"},
		{"array of the wrong end", `{"type":6,"x":[1}`, "invalid JSON"},
		{"type is missing", `{}`, "type: not an integer"},
		{"type is null", `{"type":null}`, "type: not an integer"},
		{"type is a string", `{"type":"6"}`, "type: not an integer"},
		{"type has a fraction", `{"type":6.0}`, "type: not an integer"},
		{"type has an exponent", `{"type":6e0}`, "type: not an integer"},
		{"target is missing", `{"type":1,"arguments":[]}`, "target: not a string"},
		{"target is null", `{"type":1,"target":null,"arguments":[]}`, "target: not a string"},
		{"arguments are missing", `{"type":1,"target":"x"}`, "arguments: not an array"},
		{"arguments are null", `{"type":1,"target":"x","arguments":null}`, "arguments: not an array"},
		{"arguments are an object", `{"type":4,"invocationId":"1","target":"x","arguments":{}}`, "arguments: not an array"},
		{"stream invocation without id", `{"type":4,"target":"x","arguments":[]}`, "invocationId: missing"},
		{"invocation id is a number", `{"type":1,"invocationId":1,"target":"x","arguments":[]}`, "invocationId: not a string"},
		{"stream ids are a string", `{"type":1,"target":"x","arguments":[],"streamIds":"8"}`, "streamIds: not an array"},
		{"stream id is a number", `{"type":1,"target":"x","arguments":[],"streamIds":[8]}`, "streamIds: not a string"},
		{"headers are an array", `{"type":5,"invocationId":"1","headers":[]}`, "headers: not an object"},
		{"header is a number", `{"type":5,"invocationId":"1","headers":{"a":1}}`, "headers: not a string"},
		{"stream item without item", `{"type":2,"invocationId":"1"}`, "item: missing"},
		{"stream item without id", `{"type":2,"item":1}`, "invocationId: missing"},
		{"completion without id", `{"type":3}`, "invocationId: missing"},
		{"completion with both", `{"type":3,"invocationId":"1","error":"e","result":null}`, "mutually exclusive"},
		{"cancel without id", `{"type":5,"invocationId":""}`, "invocationId: missing"},
		{"close, error is a number", `{"type":7,"error":1}`, "error: not a string"},
		{"close, allowReconnect is a string", `{"type":7,"allowReconnect":"true"}`, "allowReconnect: not a boolean"},
		{"ack without number", `{"type":8}`, "sequenceId: not an integer"},
		{"sequence with fraction", `{"type":9,"sequenceId":1.0}`, "sequenceId: not an integer"},
		{"sequence over 63 bits", `{"type":9,"sequenceId":9223372036854775808}`, "sequenceId: not an integer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := hubprotocol.JSON.Parse([]byte(tt.wire + "\x1e"))
			var parseError *hubprotocol.ParseError
			if !errors.As(err, &parseError) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("Parse = %+v, %v, want a ParseError with %q", m, err, tt.reason)
			}
		})
	}
}

func TestJSONDepth(t *testing.T) {
	item := func(arrays int) []byte {
		return []byte(`{"type":2,"invocationId":"1","item":` + strings.Repeat("[", arrays) + strings.Repeat("]", arrays) + "}\x1e")
	}
	parse(t, hubprotocol.JSON, item(63))
	_, err := hubprotocol.JSON.Parse(item(64))
	if err == nil || !strings.Contains(err.Error(), "deeper than 64 levels") {
		t.Errorf("Parse(65 levels) gives error %v, want one about the depth", err)
	}
}

func TestJSONWritesBrokenTextAsReplacement(t *testing.T) {
	got := appendMessage(t, hubprotocol.JSON, &hubprotocol.Close{Error: "a\xffb"})
	if want := "{\"type\":7,\"error\":\"a\uFFFDb\"}\x1e"; string(got) != want {
		t.Errorf("Append = %q, want %q", got, want)
	}
}
