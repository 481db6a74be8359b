//go:build !race

package wsdeflate_test

import (
	"strings"
	"testing"

	"switchboard/internal/wsdeflate"
)

// With the race detector a sync.Pool forgets at random.
func TestAllocatesNothing(t *testing.T) {
	message := []byte(strings.Repeat("a text that shall be compressed ", 20))
	small, room := wsdeflate.Append(nil, message), make([]byte, 0, 1<<10)
	compress := func() { room = wsdeflate.Append(room[:0], message) }
	take := func([]byte) error { return nil }
	inflate := func() {
		if err := wsdeflate.Inflate(small, 1<<20, take); err != nil {
			t.Error(err)
		}
	}
	if n := testing.AllocsPerRun(100, compress); n >= 1 {
		t.Errorf("Append allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, inflate); n > 1 { // compress/flate makes its tables of a block's codes
		t.Errorf("Inflate allocates %v times", n)
	}
}
