package wsframe_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	ws "switchboard/internal/wsframe"
)

// benchmarkFrame feeds one frame again and again. A key of zeros leaves the frame
// as it is, so that it need not be made anew each time.
func benchmarkFrame(b *testing.B, op ws.Opcode, payload string, options ws.Options) {
	wire := ws.AppendMasked(nil, op, []byte(payload), [4]byte{})
	r := ws.Reader{Options: options}
	var h ws.Handler = nothing{}
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Feed(wire, h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	for _, n := range []int{16, 128, 16 << 10} {
		ascii, greek := strings.Repeat("x", n), strings.Repeat("κόσμε...€", n/16)
		b.Run(fmt.Sprintf("binary/%dB", n), func(b *testing.B) { benchmarkFrame(b, ws.OpBinary, ascii, 0) })
		b.Run(fmt.Sprintf("ascii/%dB", n), func(b *testing.B) { benchmarkFrame(b, ws.OpText, ascii, 0) })
		b.Run(fmt.Sprintf("greek/%dB", n), func(b *testing.B) { benchmarkFrame(b, ws.OpText, greek, 0) })
		b.Run(fmt.Sprintf("trusted/%dB", n), func(b *testing.B) { benchmarkFrame(b, ws.OpText, greek, ws.TrustText) })
	}
}

func BenchmarkFeedMany(b *testing.B) { // what one read of a busy socket brings
	wire := bytes.Repeat(ws.AppendMasked(nil, ws.OpText, bytes.Repeat([]byte{'x'}, 128), [4]byte{}), 100)
	var r ws.Reader
	var h ws.Handler = nothing{}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Feed(wire, h); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/frame")
}

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{16, 128, 16 << 10} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				ws.Mask(p, [4]byte{1, 2, 3, 4}, 0)
			}
		})
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, n := range []int{16, 128, 16 << 10} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			payload, buf := make([]byte, n), make([]byte, 0, n+10)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				buf = ws.AppendFrame(buf[:0], ws.OpText, payload)
			}
		})
	}
}

func BenchmarkAccept(b *testing.B) {
	r := upgrade("Connection", "keep-alive, Upgrade")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ws.Accept(r, ""); err != nil {
			b.Fatal(err)
		}
	}
}
