package websocket_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"switchboard/internal/clientconn"
)

// BenchmarkFanOut is one broadcast of 2 KiB to 100 clients, which is compressed once at
// most. The clients only count its bytes.
func BenchmarkFanOut(b *testing.B) {
	const clients = 100
	var records strings.Builder
	for i := 0; records.Len() < 2<<10; i++ {
		fmt.Fprintf(&records, `{"id":%d,"symbol":"SYM%d","price":%d.%02d,"volume":%d},`, i, i*7, 100+i*13%900, i*37%100, i*7919)
	}
	message := records.String() + "\x1e"
	e := engine{loops: true}
	for name, start := range map[string]func(testing.TB, engine, clientconn.Limits) *service{"plain": start, "deflated": startDeflating} {
		b.Run(name, func(b *testing.B) {
			s := start(b, e, clientconn.Limits{})
			var all []*client
			for i := range clients {
				all = append(all, s.open(fmt.Sprint(i), jsonRequest))
			}
			s.broadcast("json", message)
			size := all[0].frameBytes()
			for _, c := range all[1:] {
				_ = c.frameBytes()
			}
			b.ReportAllocs()
			for b.Loop() {
				s.broadcast("json", message)
				for _, c := range all {
					if _, err := io.CopyN(io.Discard, c.in, size); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(size), "B/client")
		})
	}
}

// frameBytes reads a frame of medium size and tells how long it was.
func (c *client) frameBytes() int64 {
	c.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil || head[1] != 126 {
		c.t.Fatalf("head of a frame: %x, %v", head, err)
	}
	size := int64(head[2])<<8 | int64(head[3])
	if _, err := io.CopyN(io.Discard, c.in, size); err != nil {
		c.t.Fatal(err)
	}
	return int64(len(head)) + size
}
