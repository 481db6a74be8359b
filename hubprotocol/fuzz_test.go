package hubprotocol_test

import (
	"bytes"
	"testing"

	"switchboard/hubprotocol"
)

// fuzzProtocol checks that bytes are refused, or read as a message that can be
// written and reads back the same, and that the relay's view agrees.
func fuzzProtocol(t *testing.T, p hubprotocol.Protocol, wire []byte) {
	m, err := p.Parse(wire)
	if err != nil {
		if m != nil {
			t.Errorf("Parse = %+v, %v, want no message with an error", m, err)
		}
		return
	}
	framing := hubprotocol.FramingOf(p.Name())
	if n, err := framing.Next(wire); n != len(wire) || err != nil {
		t.Errorf("Next = %d, %v, want %d", n, err, len(wire))
	}
	if _, unknown := m.(*hubprotocol.Unknown); unknown {
		return
	}
	written := appendMessage(t, p, m)
	if again := parse(t, p, written); !equal(again, m) {
		t.Errorf("Parse(Append) = %+v, want %+v", again, m)
	}
	if _, isClose := m.(*hubprotocol.Close); framing.IsClose(written) != isClose {
		t.Errorf("IsClose(%q) = %v for %T", written, !isClose, m)
	}
}

func FuzzJSONParse(f *testing.F) {
	for _, v := range jsonVectors() {
		f.Add(v.wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) { fuzzProtocol(t, hubprotocol.JSON, wire) })
}

func FuzzMessagePackParse(f *testing.F) {
	for _, v := range messagePackVectors(f) {
		f.Add(v.wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) { fuzzProtocol(t, hubprotocol.MessagePack, wire) })
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte("{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":6}\x1e"))
	f.Add([]byte("{\"error\":\"no\"}\x1e"))
	f.Add([]byte("{}\x1e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, rest, err := hubprotocol.ParseHandshakeRequest(b); err == nil {
			again, over, err := hubprotocol.ParseHandshakeRequest(append(r.Append(nil), rest...))
			if again != r || !bytes.Equal(over, rest) || err != nil {
				t.Errorf("request came back as %+v, %q, %v, want %+v, %q", again, over, err, r, rest)
			}
		}
		if r, rest, err := hubprotocol.ParseHandshakeResponse(b); err == nil {
			again, over, err := hubprotocol.ParseHandshakeResponse(append(r.Append(nil), rest...))
			if again != r || !bytes.Equal(over, rest) || err != nil {
				t.Errorf("response came back as %+v, %q, %v, want %+v, %q", again, over, err, r, rest)
			}
		}
	})
}

// FuzzSplit checks that Split and Next cut alike and lose nothing.
func FuzzSplit(f *testing.F) {
	for _, v := range append(jsonVectors(), messagePackVectors(f)...) {
		f.Add(append(v.wire, v.wire...), 20)
	}
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
			framing := hubprotocol.FramingOf(p.Name())
			n, nextErr := framing.Next(b)
			framing.IsClose(b[:n])
			message, rest, err := p.Split(b, 0)
			if len(message) != n || (err == nil) != (nextErr == nil) {
				t.Errorf("%s: Split gives %d bytes, %v; Next %d, %v", p.Name(), len(message), err, n, nextErr)
			}
			if string(message)+string(rest) != string(b) {
				t.Errorf("%s: Split(%q) = %q, %q", p.Name(), b, message, rest)
			}
			if message, _, err := p.Split(b, limit); err == nil && limit > 0 && len(message) > limit {
				t.Errorf("%s: Split(limit %d) gives %d bytes", p.Name(), limit, len(message))
			}
		}
	})
}

// FuzzMessagePackValue checks that no value makes the library panic or allocate
// without bound.
func FuzzMessagePackValue(f *testing.F) {
	for _, wire := range []string{
		"82 a1 61 94 01 a1 78 c0 cd 01 2c a1 62 c4 01 09", "d6 ff 38 6d 43 80",
		"d7 ff df ff ff ff ff 00 00 00", "81 a2 41 74 c0", "81 a1 4d 80",
	} {
		f.Add(unhex(f, wire))
	}
	type target struct {
		At any
		M  map[string]map[string]string
		S  []target
		B  []byte
		F  *float64
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, into := range []any{new(any), new(target), new(map[string]any), new([]string), new([]target)} {
			if hubprotocol.MessagePack.ParseValue(raw, into) != nil {
				continue
			}
			if _, err := hubprotocol.MessagePack.AppendValue(nil, into); err != nil {
				t.Errorf("AppendValue(%#v): %v", into, err)
			}
		}
	})
}
