package loadgen

import (
	"bytes"
	"testing"
)

func TestStampReadsBack(t *testing.T) {
	for _, s := range []stamp{
		{},
		{run: 1, at: 2, stream: 3, seq: 4},
		{run: 1<<24 - 1, at: 1<<60 - 1, stream: 1<<24 - 1, seq: 1<<36 - 1}, // all that has room
	} {
		wire := s.append(nil)
		if len(wire) != StampSize {
			t.Errorf("stamp %+v has %d bytes, want %d", s, len(wire), StampSize)
		}
		if got, ok := parseStamp(append(wire, "what follows"...)); !ok || got != s {
			t.Errorf("parseStamp(%s) = %+v, %v, want %+v", wire, got, ok, s)
		}
		for n := range wire {
			if _, ok := parseStamp(wire[:n]); ok {
				t.Errorf("parseStamp takes the first %d bytes", n)
			}
		}
	}
}

func TestStampRefusesOtherBytes(t *testing.T) {
	wire := stamp{run: 7, at: 8, stream: 9, seq: 10}.append(nil)
	for i := range wire {
		for _, c := range []byte{0, ' ', '~', '"', '\\', 0xff} {
			bad := bytes.Clone(wire)
			bad[i] = c
			if _, ok := parseStamp(bad); ok {
				t.Errorf("parseStamp takes %q", bad)
			}
		}
	}
}
