package serviceprotocol_test

import (
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"testing"

	sp "switchboard/serviceprotocol"
)

func TestParseIsTolerant(t *testing.T) {
	json := sp.Payloads{{Protocol: "json", Data: []byte("x")}}
	for _, test := range []struct {
		name, wire string
		want       sp.Message
	}{
		{"elements beyond the known ones", "95 26 a1 63 80 81 01 02 93 01 02 03", &sp.ConnectionReconnect{ConnectionID: "c"}},
		{"bytes behind the array", "93 26 a1 63 80 c1 c1", &sp.ConnectionReconnect{ConnectionID: "c"}},
		{"unknown type", "93 29 a1 63 80", &sp.Unknown{Number: 41}},
		{"unknown large type", "91 d2 7f ff ff ff", &sp.Unknown{Number: 0x7fffffff}},
		{"unknown negative type", "91 ff", &sp.Unknown{Number: -1}},
		{"type in a long form", "91 cd 00 03", &sp.Ping{}},
		{"array in a long form", "dd 00 00 00 01 03", &sp.Ping{}},
		{"unknown and unfit extension keys", "94 06 a1 63 c4 01 78 84" + // a map of four
			"07 92 81 01 c0 a1 7a" + // key 7: an array of a map and a str
			"04 a1 66" + // key 4, filter: not for ConnectionData
			"ff c0" + // key -1
			"01 05", &sp.ConnectionData{ConnectionID: "c", Payload: []byte("x"), TracingID: 5}},
		{"extension values of every MessagePack type", "93 02 a0 de 00 10" +
			"10 c0 11 c3 12 05 13 e1 14 ca00000000 15 cb0000000000000000 16 d0ff 17 cf0000000000000001" +
			"18 a161 19 d90161 1a c40161 1b 9101 1c 810102 1d d40100 1e c70201ffff 1f d801" + strings.Repeat("00", 16),
			&sp.HandshakeResponse{}},
		{"text where bytes belong", "93 06 a1 63 a1 78", &sp.ConnectionData{ConnectionID: "c", Payload: []byte("x")}},
		{"nil where bytes belong", "93 06 a1 63 c0", &sp.ConnectionData{ConnectionID: "c"}},
		{"nil where a string belongs", "93 06 c0 c4 01 78", &sp.ConnectionData{Payload: []byte("x")}},
		{"strings and bytes in long forms", "93 06 db 00 00 00 01 63 c6 00 00 00 01 78", &sp.ConnectionData{ConnectionID: "c", Payload: []byte("x")}},
		{"lists in long forms", "93 07 dc 00 01 a1 63 df 00 00 00 01 a4 6a 73 6f 6e c5 00 01 78",
			&sp.MultiConnectionData{ConnectionIDs: []string{"c"}, Payloads: json}},
		{"int in 64 bits", "95 14 d3 00 00 00 00 00 00 00 07 cc 01 a0 80", &sp.Ack{AckID: 7, Status: sp.AckOK}},
		{"negative int", "95 14 d1 ff 00 01 a0 80", &sp.Ack{AckID: -256, Status: sp.AckOK}},
		{"tracing id in 64 bits", "94 06 a1 63 c4 00 81 01 cf ff ff ff ff ff ff ff ff", &sp.ConnectionData{ConnectionID: "c", TracingID: 1<<64 - 1}},
		{"ack with nil payload", "96 14 07 01 a0 80 c0", &sp.Ack{AckID: 7, Status: sp.AckOK}},
		{"no extension map in a type that always has one", "93 17 a1 67 07", &sp.CheckGroupExistenceWithAck{Group: "g", AckID: 7}},
		{"group broadcast of six elements", "96 0d a1 67 90 81 a4 6a 73 6f 6e c4 01 78 80 91 a1 75", &sp.GroupBroadcastData{Group: "g", Payloads: json}},
		{"extension protocol over the element", "97 23 a1 69 a1 63 a1 73 a1 6f c4 01 78 81 03 a1 6e",
			&sp.ClientCompletion{InvocationID: "i", ConnectionID: "c", CallerServerID: "s", Protocol: "n", Payload: []byte("x")}},
	} {
		checkParse(t, test.name, unhex(t, test.wire), test.want)
	}
}

func TestParseGroupMemberQueryForms(t *testing.T) {
	for _, test := range []struct {
		name, wire string
		want       sp.GroupMemberQuery
	}{
		{"first page", "96 28 80 a1 67 07 0a c0", sp.GroupMemberQuery{Group: "g", AckID: 7, Max: 10}},
		{"two limits", "97 28 81 01 05 a1 67 07 64 0a a1 74", sp.GroupMemberQuery{Group: "g", AckID: 7, Max: 10, ContinuationToken: "t", TracingID: 5}},
		{"page size only", "97 28 80 a1 67 07 c0 0a c0", sp.GroupMemberQuery{Group: "g", AckID: 7, Max: 10}},
		{"token before the limits", "97 28 80 a1 67 07 a1 74 64 c0", sp.GroupMemberQuery{Group: "g", AckID: 7, Max: 100, ContinuationToken: "t"}},
		{"no limit", "97 28 80 a1 67 07 c0 c0 c0", sp.GroupMemberQuery{Group: "g", AckID: 7}},
		{"extensions last", "97 28 a1 67 07 64 0a a1 74 81 01 05", sp.GroupMemberQuery{Group: "g", AckID: 7, Max: 10, ContinuationToken: "t", TracingID: 5}},
	} {
		checkParse(t, test.name, unhex(t, test.wire), &test.want)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct {
		name, wire string
		want       sp.ParseError
	}{
		{"nothing", "", sp.ParseError{Field: "message", Reason: "cut short"}},
		{"not an array", "a3 61 62 63", sp.ParseError{Field: "message", Reason: "not an array"}},
		{"no type", "90", sp.ParseError{Field: "message", Reason: "no type"}},
		{"type not an int", "91 a1 61", sp.ParseError{Field: "type", Reason: "not an int"}},
		{"type over 32 bits", "91 cf 00 00 00 01 00 00 00 03", sp.ParseError{Field: "type", Reason: "out of range"}},
		{"missing element", "92 06 a1 63 c4 00", sp.ParseError{Type: sp.TypeConnectionData, Field: "message", Reason: "2 elements, want at least 3"}},
		{"id not a string", "93 06 c4 01 63 c4 00", sp.ParseError{Type: sp.TypeConnectionData, Field: "connectionId", Reason: "not a str"}},
		{"payload not bytes", "93 06 a1 63 07", sp.ParseError{Type: sp.TypeConnectionData, Field: "payload", Reason: "not a bin"}},
		{"nil for a list", "93 07 c0 80", sp.ParseError{Type: sp.TypeMultiConnectionData, Field: "connectionIds", Reason: "not an array"}},
		{"nil for payloads", "93 07 90 c0", sp.ParseError{Type: sp.TypeMultiConnectionData, Field: "payloads", Reason: "not a map"}},
		{"ack id over 32 bits", "94 14 ce 80 00 00 00 01 a0", sp.ParseError{Type: sp.TypeAck, Field: "ackId", Reason: "out of range"}},
		{"ack id under 32 bits", "94 14 d3 ff ff ff ff 7f ff ff ff 01 a0", sp.ParseError{Type: sp.TypeAck, Field: "ackId", Reason: "out of range"}},
		{"negative tracing id", "94 06 a1 63 c4 00 81 01 ff", sp.ParseError{Type: sp.TypeConnectionData, Field: "tracingId", Reason: "out of range"}},
		{"flag not a bool", "94 06 a1 63 c4 00 81 06 01", sp.ParseError{Type: sp.TypeConnectionData, Field: "isPartial", Reason: "not a bool"}},
		{"extension value of no type", "94 06 a1 63 c4 00 81 07 c1", sp.ParseError{Type: sp.TypeConnectionData, Field: "ext", Reason: "not MessagePack"}},
		{"extension map cut", "94 06 a1 63 c4 00 82 07 c0", sp.ParseError{Type: sp.TypeConnectionData, Field: "ext", Reason: "cut short"}},
	} {
		_, err := sp.Parse(unhex(t, test.wire))
		got, ok := errors.AsType[*sp.ParseError](err)
		if !ok || *got != test.want {
			t.Errorf("%s: Parse error = %v, want %v", test.name, err, &test.want)
		}
	}
}

func TestParseErrorText(t *testing.T) {
	for _, test := range []struct{ wire, want string }{
		{"92 06 a1 63", "parse ConnectionData: message: 2 elements, want at least 3"},
		{"90", "parse service message: message: no type"},
	} {
		if _, err := sp.Parse(unhex(t, test.wire)); err == nil || err.Error() != test.want {
			t.Errorf("Parse(%s) error = %v, want %q", test.wire, err, test.want)
		}
	}
}

// A length may promise four thousand million elements; what is not there must
// cost nothing, wherever it is announced.
func TestHugeLengthsCostNothing(t *testing.T) {
	for _, test := range []struct{ name, wire string }{
		{"ping", "dd ff ff ff ff 03"},
		{"array of strings", "93 07 dd ff ff ff ff a1 63"},
		{"payload map", "93 07 90 df ff ff ff ff a1 63"},
		{"claims", "93 04 a1 63 df ff ff ff ff a1 63"},
		{"headers", "95 04 a1 63 80 df ff ff ff ff a1 63"},
		{"header values", "95 04 a1 63 80 81 a1 63 dd ff ff ff ff a1 63"},
		{"string", "93 06 db ff ff ff ff 61"},
		{"payload", "93 06 a1 63 c6 ff ff ff ff 61"},
		{"extension map", "94 06 a1 63 c4 00 df ff ff ff ff 01"},
		{"skipped array", "94 06 a1 63 c4 00 81 07 dd ff ff ff ff 01"},
		{"skipped map", "94 06 a1 63 c4 00 81 07 df ff ff ff ff 01"},
		{"skipped arrays in arrays", "94 06 a1 63 c4 00 81 07 dc 00 04 dc 00 04 c0 c0 c0 c0"},
		{"skipped ext", "94 06 a1 63 c4 00 81 07 c9 ff ff ff ff 01"},
	} {
		wire := unhex(t, test.wire)
		if m, err := sp.Parse(wire); err == nil {
			t.Errorf("%s: Parse = %+v, want an error", test.name, m)
		}
		if got := allocated(func() { sp.Parse(wire) }); got > 4096 {
			t.Errorf("%s: Parse allocates %d bytes", test.name, got)
		}
	}
}

// allocated returns how many bytes f allocates, and perhaps a few of others.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDeepNestingIsSkipped(t *testing.T) {
	const depth = 1 << 20
	wire := unhex(t, "94 06 a1 63 c4 00 81 07")
	for range depth {
		wire = append(wire, 0x91)
	}
	if m, err := sp.Parse(wire); err == nil {
		t.Errorf("Parse = %+v, want an error for the missing innermost value", m)
	}
	checkParse(t, "deep value", append(wire, 0xc0), &sp.ConnectionData{ConnectionID: "c"})
}

func TestTypeString(t *testing.T) {
	for typ, want := range map[sp.Type]string{
		sp.TypeHandshakeRequest: "HandshakeRequest", sp.TypeAck: "Ack", sp.TypeGroupMemberQuery: "GroupMemberQuery",
		0: "Type(0)", -1: "Type(-1)", 41: "Type(41)",
	} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%d).String() = %q, want %q", int(typ), got, want)
		}
	}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
