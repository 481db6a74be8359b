package wsdeflate_test

import (
	"bytes"
	"fmt"
	"testing"

	"switchboard/internal/wsdeflate"
)

// record is one entry of a list, as apps send them.
func record(i int) string {
	return fmt.Sprintf(`{"id":%d,"symbol":"SYM%d","price":%d.%02d,"volume":%d,"at":"2026-11-27T14:%02d:%02dZ"},`, i, i*7, 100+i*13%900, i*37%100, i*7919, i%60, i*17%60)
}

// messages are of some size.
func messages() (all [][]byte) {
	for _, size := range []int{512, 2 << 10, 16 << 10} {
		b := []byte(`{"type":1,"target":"Prices","arguments":[[`)
		for i := 0; len(b) < size; i++ {
			b = append(b, record(i)...)
		}
		all = append(all, append(b[:size-1], '\x1e'))
	}
	return all
}

func BenchmarkAppend(b *testing.B) {
	for _, message := range messages() {
		b.Run(fmt.Sprint(len(message)), func(b *testing.B) {
			var small []byte
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				small = wsdeflate.Append(small[:0], message)
			}
			b.ReportMetric(float64(len(small))/float64(len(message)), "ratio")
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	for _, message := range messages() {
		small := wsdeflate.Append(nil, message)
		b.Run(fmt.Sprint(len(message)), func(b *testing.B) {
			var out bytes.Buffer
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				if err := wsdeflate.Inflate(small, len(message), func(p []byte) error { _, err := out.Write(p); return err }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
