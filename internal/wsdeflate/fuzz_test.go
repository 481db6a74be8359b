package wsdeflate_test

import (
	"bytes"
	"errors"
	"testing"

	"switchboard/internal/wsdeflate"
)

// Whatever comes, Inflate takes no more than the limit and returns; whatever is
// compressed inflates to what it was.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
	f.Add([]byte("\x01\x02\x00\xfd\xffHe\x00\x03\x00\xfc\xffllo\x00"))
	f.Add([]byte{})
	f.Add(wsdeflate.Append(nil, make([]byte, 1<<17)))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		got, err := inflate(b, limit)
		if len(got) > limit || err != nil && !errors.Is(err, wsdeflate.ErrCorrupt) && !errors.Is(err, wsdeflate.ErrTooLarge) {
			t.Errorf("inflates to %d bytes, %v", len(got), err)
		}
		again, err := inflate(wsdeflate.Append(nil, b), len(b))
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("what was compressed inflates to %d bytes, %v, want %d", len(again), err, len(b))
		}
	})
}

func FuzzOffered(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits=15, x; y=\"z\"")
	f.Fuzz(func(t *testing.T, header string) {
		if wsdeflate.Offered([]string{header}) && !bytes.Contains([]byte(header), []byte("permessage-deflate")) {
			t.Errorf("%q offers permessage-deflate", header)
		}
	})
}
