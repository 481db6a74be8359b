package hubprotocol_test

import (
	"errors"
	"testing"

	"switchboard/hubprotocol"
)

func TestFramingOf(t *testing.T) {
	tests := map[string]hubprotocol.Framing{
		"json":        hubprotocol.FramingRecordSeparator,
		"JSON":        hubprotocol.FramingRecordSeparator,
		"messagepack": hubprotocol.FramingLengthPrefix,
		"MessagePack": hubprotocol.FramingLengthPrefix,
		"blazorpack":  hubprotocol.FramingLengthPrefix,
		"protobuf":    hubprotocol.FramingNone,
		"":            hubprotocol.FramingNone,
	}
	for name, want := range tests {
		if got := hubprotocol.FramingOf(name); got != want {
			t.Errorf("FramingOf(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestFramingNoneTakesAllForOneMessage(t *testing.T) {
	if n, err := hubprotocol.FramingNone.Next([]byte("abc")); n != 3 || err != nil {
		t.Errorf("Next = %d, %v, want 3", n, err)
	}
	if hubprotocol.FramingNone.IsClose([]byte("{\"type\":7}\x1e")) {
		t.Error("IsClose = true, want false without a framing")
	}
}

func TestLengthPrefixOver2GBIsAnError(t *testing.T) {
	for _, wire := range []string{"ff ff ff ff 08", "80 80 80 80 80", "ff ff ff ff ff 01"} {
		b := unhex(t, wire)
		if n, err := hubprotocol.FramingLengthPrefix.Next(b); err == nil {
			t.Errorf("Next(%s) = %d, want an error", wire, n)
		}
		if m, rest, err := hubprotocol.MessagePack.Split(b, 0); m != nil || string(rest) != string(b) || err == nil {
			t.Errorf("Split(%s) = %q, %q, %v, want an error", wire, m, rest, err)
		}
	}
	if n, err := hubprotocol.FramingLengthPrefix.Next(unhex(t, "ff ff ff ff 07 91 06")); n != 0 || err != nil {
		t.Errorf("Next(2 GB - 1 announced) = %d, %v, want incomplete", n, err)
	}
}

func TestSplitLimitCountsTheFraming(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		wire := appendMessage(t, p, &hubprotocol.Close{Error: "a reason of some length"})
		if m, _, err := p.Split(wire, len(wire)); string(m) != string(wire) || err != nil {
			t.Errorf("Split(limit of just that size) = %q, %v, want the message", m, err)
		}
		limit := len(wire) - 1
		for n := limit; n <= len(wire); n++ { // also before the message is complete
			m, rest, err := p.Split(wire[:n], limit)
			var sizeError *hubprotocol.MessageSizeError
			if !errors.As(err, &sizeError) || sizeError.Limit != limit || m != nil || len(rest) != n {
				t.Errorf("Split(first %d bytes, limit %d) = %q, %v, want a MessageSizeError", n, limit, m, err)
			}
		}
	})
}

func TestMessagePackSplitRefusesAnnouncedSizeAtOnce(t *testing.T) {
	var sizeError *hubprotocol.MessageSizeError
	if _, _, err := hubprotocol.MessagePack.Split(unhex(t, "ff ff ff ff 07"), 32768); !errors.As(err, &sizeError) {
		t.Errorf("Split(2 GB announced) gives error %v, want a MessageSizeError", err)
	}
}

func TestSplitMessageCannotGrowIntoTheNext(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		ping := appendMessage(t, p, &hubprotocol.Ping{})
		two := append(append([]byte{}, ping...), ping...)
		message, rest, err := p.Split(two, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = append(message, "overwritten"...)
		if string(rest) != string(ping) {
			t.Errorf("rest = %q after an append to message, want %q", rest, ping)
		}
	})
}

func TestIsClose(t *testing.T) {
	tests := []struct {
		framing hubprotocol.Framing
		wire    string
		want    bool
	}{
		{hubprotocol.FramingRecordSeparator, `{"type":7}`, true},
		{hubprotocol.FramingRecordSeparator, `{"allowReconnect":true,"error":"}\"type\":1","type":7}`, true},
		{hubprotocol.FramingRecordSeparator, "{ \"\\u0074ype\"\t:\n7 }", true},
		{hubprotocol.FramingRecordSeparator, `{"type":6}`, false},
		{hubprotocol.FramingRecordSeparator, `{"type":77}`, false},
		{hubprotocol.FramingRecordSeparator, `{"type":1,"target":"x","arguments":[{"type":7}]}`, false},
		{hubprotocol.FramingRecordSeparator, `{"arguments":[{"type":7}],"target":"x","type":1}`, false},
		{hubprotocol.FramingRecordSeparator, `{"target":"7"}`, false},
		{hubprotocol.FramingRecordSeparator, `{"target":7"type":7}`, false},
		{hubprotocol.FramingRecordSeparator, `{"target"7}`, false},
		{hubprotocol.FramingRecordSeparator, `{"target":x7}`, false},
		{hubprotocol.FramingRecordSeparator, `[7]`, false},
		{hubprotocol.FramingLengthPrefix, "\x03\x92\x07\xc0", true},
		{hubprotocol.FramingLengthPrefix, "\x04\x93\x07\xc0\xc3", true},
		{hubprotocol.FramingLengthPrefix, "\x07\xdc\x00\x02\xd1\x00\x07\xc0", true},
		{hubprotocol.FramingLengthPrefix, "\x02\x91\x06", false},
		{hubprotocol.FramingLengthPrefix, "\x02\x91\xc3", false},
		{hubprotocol.FramingLengthPrefix, "\x01\x90", false},
		{hubprotocol.FramingLengthPrefix, "\x01\x07", false},
		{hubprotocol.FramingLengthPrefix, "", false},
	}
	for _, tt := range tests {
		wire := []byte(tt.wire)
		if tt.framing == hubprotocol.FramingRecordSeparator {
			wire = append(wire, hubprotocol.RecordSeparator)
		}
		if got := tt.framing.IsClose(wire); got != tt.want {
			t.Errorf("IsClose(%q) = %v, want %v", wire, got, tt.want)
		}
	}
}

func TestTypeOf(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		framing := hubprotocol.FramingOf(p.Name())
		for _, m := range everyMessage(t, p) {
			if got := framing.TypeOf(appendMessage(t, p, m)); got != m.MessageType() {
				t.Errorf("TypeOf(%v) = %v", m.MessageType(), got)
			}
		}
	})
	tests := []struct {
		framing hubprotocol.Framing
		wire    string
		want    hubprotocol.Type
	}{
		{hubprotocol.FramingRecordSeparator, `{"arguments":[{"type":3}],"target":"x","type":1}`, 1},
		{hubprotocol.FramingRecordSeparator, `{"arguments":["\"type\":3}"],"target":"x","type":1 }`, 1},
		{hubprotocol.FramingRecordSeparator, `{ "type" : 6 }`, 6},
		{hubprotocol.FramingRecordSeparator, `{"type":2,"invocationId":"1","item":{"type":1}}`, 2},
		{hubprotocol.FramingRecordSeparator, `{"invocationId":"1","item":{"x":1,"type":1},"type":2}`, 2},
		{hubprotocol.FramingRecordSeparator, `{"type":12}`, 0},
		{hubprotocol.FramingRecordSeparator, `{"type":"1"}`, 0},
		{hubprotocol.FramingRecordSeparator, `{}`, 0},
		{hubprotocol.FramingRecordSeparator, `"type":1}`, 0},
		{hubprotocol.FramingRecordSeparator, ``, 0},
		{hubprotocol.FramingLengthPrefix, "\x02\x91\x0c", 0},
		{hubprotocol.FramingLengthPrefix, "\x02\x91\xff", 0},
		{hubprotocol.FramingNone, "anything", 0},
	}
	for _, tt := range tests {
		wire := []byte(tt.wire)
		if tt.framing == hubprotocol.FramingRecordSeparator {
			wire = append(wire, hubprotocol.RecordSeparator)
		}
		if got := tt.framing.TypeOf(wire); got != tt.want {
			t.Errorf("TypeOf(%q) = %v, want %v", wire, got, tt.want)
		}
	}
}

func TestFramingDoesNotAllocate(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		var stream []byte
		for _, m := range everyMessage(t, p) {
			stream = append(stream, appendMessage(t, p, m)...)
		}
		framing := hubprotocol.FramingOf(p.Name())
		closes := 0
		allocs := testing.AllocsPerRun(100, func() {
			for b := stream; len(b) > 0; {
				n, err := framing.Next(b)
				if n == 0 || err != nil {
					t.Fatalf("Next = %d, %v, want a whole message", n, err)
				}
				if framing.IsClose(b[:n]) {
					closes++
				}
				b = b[n:]
			}
		})
		if allocs != 0 {
			t.Errorf("relaying allocates %v times, want 0", allocs)
		}
		if want := 2 * 101; closes != want { // AllocsPerRun runs once more to warm up
			t.Errorf("found %d Close messages, want %d", closes, want)
		}
	})
}
