package wsframe_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ws "switchboard/internal/wsframe"
)

func TestWritesTheExamplesOfTheRFC(t *testing.T) {
	hello, key := []byte("Hello"), [4]byte{0x37, 0xfa, 0x21, 0x3d}
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"text", ws.AppendFrame(nil, ws.OpText, hello), "\x81\x05Hello"},
		{"masked text", ws.AppendMasked(nil, ws.OpText, hello, key), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{"first fragment", append(ws.AppendHeader(nil, ws.OpText, false, 3), "Hel"...), "\x01\x03Hel"},
		{"last fragment", append(ws.AppendHeader(nil, ws.OpContinuation, true, 2), "lo"...), "\x80\x02lo"},
		{"ping", ws.AppendFrame(nil, ws.OpPing, hello), "\x89\x05Hello"},
		{"masked pong", ws.AppendMasked(nil, ws.OpPong, hello, key), "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{"256 bytes", ws.AppendHeader(nil, ws.OpBinary, true, 256), "\x82\x7e\x01\x00"},
		{"64 KiB", ws.AppendHeader(nil, ws.OpBinary, true, 65536), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
	}
	for _, tt := range tests {
		if string(tt.got) != tt.want {
			t.Errorf("%s: got % x, want % x", tt.name, tt.got, tt.want)
		}
	}
}

// sizes are those around which a header grows, and masking changes its step.
var sizes = []int{0, 1, 3, 4, 7, 8, 9, 31, 32, 33, 63, 125, 126, 127, 128, 1000, 65535, 65536, 100_001}

func TestFramesReadBackTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(6455, 13))
	for _, n := range sizes {
		for _, op := range []ws.Opcode{ws.OpText, ws.OpBinary, ws.OpPing, ws.OpPong} {
			if op.IsControl() && n > 125 {
				continue
			}
			payload := strings.Repeat("*", n)
			name := map[ws.Opcode]string{ws.OpText: "text ", ws.OpBinary: "binary ", ws.OpPing: "ping ", ws.OpPong: "pong "}[op]
			key := [4]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())}
			checkReadsBack(t, ws.Reader{}, ws.AppendMasked([]byte("before"), op, []byte(payload), key), name+payload)
			b := ws.AppendFrame([]byte("before"), op, []byte(payload))
			if got := len(b) - len("before") - n; got != ws.HeaderLen(n) {
				t.Errorf("HeaderLen(%d) = %d, the header has %d", n, ws.HeaderLen(n), got)
			}
			checkReadsBack(t, ws.Reader{Options: ws.FromServer}, b, name+payload)
		}
	}
}

func checkReadsBack(t *testing.T, r ws.Reader, b []byte, event string) {
	t.Helper()
	wire, found := strings.CutPrefix(string(b), "before")
	if !found {
		t.Fatalf("Append changed what was there before: %.10q", b)
	}
	h, _, err := feed(t, &r, wire, []int{len(wire) / 3, len(wire) / 2})
	if err != nil || !slices.Equal(h.events, []string{event}) {
		t.Errorf("read back %s, %v, want %s", shorten(h.events), err, shorten([]string{event}))
	}
}

func TestMaskOfAPartIsAPartOfTheMask(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for n := range 100 {
		for pos := range 9 {
			b, want := bytes.Repeat([]byte{0xa5}, n), make([]byte, n)
			for i := range want {
				want[i] = 0xa5 ^ key[(pos+i)%4]
			}
			if ws.Mask(b, key, pos); !bytes.Equal(b, want) {
				t.Fatalf("Mask(%d bytes, pos %d) = % x, want % x", n, pos, b, want)
			}
		}
	}
}

func TestAppendClose(t *testing.T) {
	long := strings.Repeat("*", 122)
	tests := []struct {
		code         int
		reason, want string
	}{
		{0, "", "close 1005 "},
		{ws.CloseNoStatus, "not sent", "close 1005 "},
		{ws.CloseNormal, "", "close 1000 "},
		{ws.CloseGoingAway, "restart", "close 1001 restart"},
		{4999, long + "12", "close 4999 " + long + "1"},
		{ws.ClosePolicy, long + "µ", "close 1008 " + long},
		{ws.ClosePolicy, long[2:] + "€€", "close 1008 " + long[2:] + "€"},
		{ws.ClosePolicy, long[1:] + "€", "close 1008 " + long[1:]},
	}
	for _, tt := range tests {
		checkReadsBack(t, ws.Reader{Options: ws.FromServer}, ws.AppendClose([]byte("before"), tt.code, tt.reason), tt.want)
		body := ws.AppendCloseBody(nil, tt.code, tt.reason)
		checkReadsBack(t, ws.Reader{}, ws.AppendMasked([]byte("before"), ws.OpClose, body, [4]byte{1, 2, 3, 4}), tt.want)
	}
}

// nothing takes all without a trace.
type nothing struct{}

func (nothing) Data([]byte, bool, bool, bool) error { return nil }
func (nothing) Control(ws.Opcode, []byte) error     { return nil }

func TestWholeFramesAllocateNothing(t *testing.T) {
	var h ws.Handler = nothing{}
	for _, op := range []ws.Opcode{ws.OpText, ws.OpBinary, ws.OpPing} {
		for _, n := range []int{0, 100, 70_000} {
			if op.IsControl() && n > 125 {
				continue
			}
			payload := bytes.Repeat([]byte{'x'}, n)
			var out, in []byte
			var r ws.Reader
			run := func() {
				out = ws.AppendFrame(out[:0], op, payload)
				in = ws.AppendMasked(in[:0], op, payload, [4]byte{1, 2, 3, 4})
				if err := r.Feed(in, h); err != nil {
					t.Error(err)
				}
			}
			if got := testing.AllocsPerRun(100, run); got != 0 {
				t.Errorf("%s: %v allocations, want none", fmt.Sprint(op, " of ", n), got)
			}
		}
	}
}

func TestCutDataAllocatesNothing(t *testing.T) {
	wire := []byte(frame(text, "grüß dich") + frame(fin, strings.Repeat("ü", 300)))
	var h ws.Handler = nothing{}
	var r ws.Reader
	var spoilt []byte
	if n := testing.AllocsPerRun(100, func() {
		spoilt = append(spoilt[:0], wire...)
		for i := range spoilt {
			if err := r.Feed(spoilt[i:i+1], h); err != nil {
				t.Error(err)
			}
		}
	}); n != 0 {
		t.Errorf("data byte by byte: %v allocations, want none", n)
	}
}
