package serviceprotocol_test

import (
	"bytes"
	"testing"

	sp "switchboard/serviceprotocol"
)

func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.Base64)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := sp.Parse(body)
		reused, reusedErr := usedParser(t).Parse(body)
		if (err == nil) != (reusedErr == nil) {
			t.Fatalf("Parse: %v, Parser.Parse: %v", err, reusedErr)
		}
		if err != nil {
			return
		}
		if !same(m, reused) {
			t.Fatalf("Parse = %+v, Parser.Parse = %+v", m, reused)
		}
		wire := m.Append(nil)
		again, err := sp.Parse(wire)
		if err != nil || !same(again, m) {
			t.Fatalf("%+v is written as %x and read back as %+v, %v", m, wire, again, err)
		}
		if got, _, err := sp.SplitFrame(sp.AppendFrame(nil, m), 0); err != nil || !bytes.Equal(got, wire) {
			t.Fatalf("%+v is framed as %x, %v; want %x", m, got, err, wire)
		}
	})
}

func FuzzSplitFrame(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.Framed, 0)
		f.Add(append(bytes.Clone(v.Framed), v.Framed...), 100)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 0)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		body, rest, err := sp.SplitFrame(b, limit)
		if !bytes.HasSuffix(b, rest) {
			t.Fatalf("rest %x is no end of %x", rest, b)
		}
		switch {
		case err != nil && body != nil:
			t.Fatalf("both a body %x and an error %v", body, err)
		case err != nil || body == nil:
			if len(rest) != len(b) {
				t.Fatalf("no frame, but %d of %d bytes gone", len(b)-len(rest), len(b))
			}
		case limit > 0 && len(body) > limit:
			t.Fatalf("body of %d bytes with limit %d", len(body), limit)
		case !bytes.HasSuffix(b[:len(b)-len(rest)], body):
			t.Fatalf("body %x does not end where rest %x begins in %x", body, rest, b)
		}
	})
}
