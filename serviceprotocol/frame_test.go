package serviceprotocol_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	sp "switchboard/serviceprotocol"
)

func TestSplitFrame(t *testing.T) {
	for _, test := range []struct {
		name, wire string
		limit      int
		body, rest string
	}{
		{"one frame", "02 91 03", 0, "91 03", ""},
		{"two frames", "02 91 03 02 91 03", 0, "91 03", "02 91 03"},
		{"start of a second frame", "02 91 03 80", 0, "91 03", "80"},
		{"at the limit", "02 91 03", 2, "91 03", ""},
		{"empty body", "00 01", 0, "", "01"},
		{"length in five bytes", "82 80 80 80 00 91 03 ff", 0, "91 03", "ff"},
	} {
		body, rest, err := sp.SplitFrame(unhex(t, test.wire), test.limit)
		wantBody, wantRest := unhex(t, test.body), unhex(t, test.rest)
		if err != nil || body == nil || !bytes.Equal(body, wantBody) || !bytes.Equal(rest, wantRest) {
			t.Errorf("%s: SplitFrame = %x, %x, %v; want %x, %x", test.name, body, rest, err, wantBody, wantRest)
		}
	}
}

func TestSplitFrameIncomplete(t *testing.T) {
	for _, test := range []struct {
		name, wire string
		limit      int
	}{
		{"nothing", "", 0},
		{"length only", "02", 0},
		{"half a body", "02 91", 0},
		{"half a length", "80", 0},
		{"four bytes of a length", "ff ff ff ff", 0},
		{"largest length", "ff ff ff ff 07", 0},
		{"body at the limit still to come", "02", 2},
	} {
		wire := unhex(t, test.wire)
		body, rest, err := sp.SplitFrame(wire, test.limit)
		if body != nil || err != nil || !bytes.Equal(rest, wire) {
			t.Errorf("%s: SplitFrame = %x, %x, %v; want incomplete", test.name, body, rest, err)
		}
	}
}

func TestSplitFrameErrors(t *testing.T) {
	for _, test := range []struct {
		name, wire string
	}{
		{"length over 31 bits", "80 80 80 80 08"},
		{"length over 32 bits", "ff ff ff ff 7f"},
		{"length of six bytes", "80 80 80 80 80 00"},
		{"five bytes of a longer length", "80 80 80 80 80"},
	} {
		body, rest, err := sp.SplitFrame(unhex(t, test.wire), 0)
		if !errors.Is(err, sp.ErrPrefix) || body != nil {
			t.Errorf("%s: SplitFrame = %x, %x, %v; want ErrPrefix", test.name, body, rest, err)
		}
	}
}

func TestSplitFrameOverLimit(t *testing.T) {
	// The body has not arrived: its length is enough to refuse it.
	_, _, err := sp.SplitFrame(unhex(t, "81 01"), 128)
	got, ok := errors.AsType[*sp.FrameSizeError](err)
	if want := (sp.FrameSizeError{Size: 129, Limit: 128}); !ok || *got != want {
		t.Fatalf("SplitFrame error = %v, want %v", err, &want)
	}
	if want := "frame of 129 bytes is over the limit of 128"; err.Error() != want {
		t.Errorf("error text %q, want %q", err, want)
	}
}

// A frame's body must not reach into its neighbour, not even by append.
func TestSplitFrameBodyIsClosed(t *testing.T) {
	wire := unhex(t, "02 91 03 02 91 03")
	body, rest, err := sp.SplitFrame(wire, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(body, 0xff)
	if want := unhex(t, "02 91 03"); !bytes.Equal(rest, want) {
		t.Errorf("after append to the body, rest = %x, want %x", rest, want)
	}
}

// The length is written before the body with a guess at its size; the sizes
// here lie around those where the guess and the truth may part.
func TestAppendFrameSizes(t *testing.T) {
	for _, around := range []int{0, 128, 1 << 14, 1 << 21} {
		for size := max(0, around-40); size < around+40; size++ {
			payload := bytes.Repeat([]byte{1}, size)
			checkFrame(t, &sp.ConnectionData{ConnectionID: "c", Payload: payload})
			checkFrame(t, &sp.BroadcastData{Payloads: sp.Payloads{{Protocol: "json", Data: payload}}})
			if size < 1<<15 {
				checkFrame(t, &sp.ServiceError{Error: strings.Repeat("e", size)})
				checkFrame(t, &sp.Ping{Messages: make([]string, size)})
			}
		}
	}
}

func checkFrame(t *testing.T, m sp.Message) {
	t.Helper()
	want := m.Append(nil)
	frame := sp.AppendFrame([]byte("before"), m)
	if !bytes.HasPrefix(frame, []byte("before")) {
		t.Fatalf("%v: AppendFrame changed the bytes before the frame", m.Type())
	}
	body, rest, err := sp.SplitFrame(frame[len("before"):], 0)
	if err != nil || len(rest) != 0 || !bytes.Equal(body, want) {
		t.Fatalf("%v of %d bytes: frame splits into %d bytes and %d after it, %v", m.Type(), len(want), len(body), len(rest), err)
	}
}
