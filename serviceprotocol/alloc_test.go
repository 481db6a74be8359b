package serviceprotocol_test

import (
	"bytes"
	"fmt"
	"testing"

	sp "switchboard/serviceprotocol"
)

// hotMessages are those that the service handles for every hub message.
func hotMessages(payload int) []sp.Message {
	data := bytes.Repeat([]byte{'x'}, payload)
	payloads := sp.Payloads{{Protocol: "json", Data: data}, {Protocol: "messagepack", Data: data}}
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = fmt.Sprintf("%022d", i)
	}
	return []sp.Message{
		&sp.ConnectionData{ConnectionID: ids[0], Payload: data, DataType: sp.DataInvocation},
		&sp.MultiConnectionData{ConnectionIDs: ids, Payloads: payloads, TracingID: 1234},
		&sp.UserData{UserID: "user", Payloads: payloads},
		&sp.BroadcastData{ExcludedConnectionIDs: ids[:1], Payloads: payloads},
		&sp.GroupBroadcastData{Group: "group", ExcludedConnectionIDs: ids[:1], Payloads: payloads},
	}
}

func TestParserAllocatesNothing(t *testing.T) {
	for _, m := range hotMessages(256) {
		var p sp.Parser
		body := m.Append(nil)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := p.Parse(body); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v: Parser.Parse allocates %v times, want none", m.Type(), n)
		}
	}
}

func TestAppendFrameAllocatesNothing(t *testing.T) {
	for _, m := range hotMessages(256) {
		b := sp.AppendFrame(nil, m)
		b = b[:0:len(b)] // room for the frame and not a byte more
		if n := testing.AllocsPerRun(100, func() { sp.AppendFrame(b, m) }); n != 0 {
			t.Errorf("%v: AppendFrame allocates %v times, want none", m.Type(), n)
		}
	}
}

// One huge message must not make a Parser keep its lists for ever.
func TestParserForgetsHugeLists(t *testing.T) {
	var p sp.Parser
	huge := (&sp.MultiConnectionData{ConnectionIDs: make([]string, 100_000)}).Append(nil)
	small := (&sp.MultiConnectionData{ConnectionIDs: []string{"c"}}).Append(nil)
	if _, err := p.Parse(huge); err != nil {
		t.Fatal(err)
	}
	m, err := p.Parse(small)
	if err != nil {
		t.Fatal(err)
	}
	if got := cap(m.(*sp.MultiConnectionData).ConnectionIDs); got > 1024 {
		t.Errorf("after a huge message, the next has room for %d ids", got)
	}
}

func BenchmarkParse(b *testing.B) {
	benchmark(b, func(b *testing.B, m sp.Message) {
		var p sp.Parser
		body := m.Append(nil)
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := p.Parse(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendFrame(b *testing.B) {
	benchmark(b, func(b *testing.B, m sp.Message) {
		buf := sp.AppendFrame(nil, m)
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			buf = sp.AppendFrame(buf[:0], m)
		}
	})
}

func benchmark(b *testing.B, run func(b *testing.B, m sp.Message)) {
	for _, size := range []int{256, 16 << 10} {
		for _, m := range hotMessages(size) {
			b.Run(fmt.Sprintf("type=%v/payload=%dB", m.Type(), size), func(b *testing.B) {
				b.ReportAllocs()
				run(b, m)
			})
		}
	}
}
