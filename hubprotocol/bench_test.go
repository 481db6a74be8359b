package hubprotocol_test

import (
	"fmt"
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

// benchmarkInvocations runs a benchmark on an invocation in each protocol and size.
func benchmarkInvocations(b *testing.B, run func(b *testing.B, p hubprotocol.Protocol, m *hubprotocol.Invocation)) {
	for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
		for _, size := range []int{16, 256, 4096} {
			value, err := p.AppendValue(nil, strings.Repeat("x", size))
			if err != nil {
				b.Fatal(err)
			}
			m := &hubprotocol.Invocation{InvocationID: "17", Target: "send", Arguments: [][]byte{value, value}}
			b.Run(fmt.Sprintf("%s/argument=%dB", p.Name(), size), func(b *testing.B) {
				b.ReportAllocs()
				run(b, p, m)
			})
		}
	}
}

func BenchmarkParseInvocation(b *testing.B) {
	benchmarkInvocations(b, func(b *testing.B, p hubprotocol.Protocol, m *hubprotocol.Invocation) {
		wire := appendMessage(b, p, m)
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			if _, err := p.Parse(wire); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendInvocation(b *testing.B) {
	benchmarkInvocations(b, func(b *testing.B, p hubprotocol.Protocol, m *hubprotocol.Invocation) {
		b.SetBytes(int64(len(appendMessage(b, p, m))))
		var buf []byte
		for b.Loop() {
			var err error
			if buf, err = p.Append(buf[:0], m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkIsClose(b *testing.B) {
	benchmarkInvocations(b, func(b *testing.B, p hubprotocol.Protocol, m *hubprotocol.Invocation) {
		wire := appendMessage(b, p, m)
		framing := hubprotocol.FramingOf(p.Name())
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			if framing.IsClose(wire) {
				b.Fatal("an invocation was taken for a Close")
			}
		}
	})
}
