package wsframe_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unsafe"

	ws "switchboard/internal/wsframe"
)

// The frames of RFC 6455 section 5.7. The long ones have a payload of zeros.
func TestReadsTheExamplesOfTheRFC(t *testing.T) {
	tests := []struct {
		name, wire string
		options    ws.Options
		event      string
	}{
		{"unmasked text", "\x81\x05Hello", ws.FromServer, "text Hello"},
		{"masked text", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 0, "text Hello"},
		{"fragmented text", "\x01\x03Hel\x80\x02lo", ws.FromServer, "text Hello"},
		{"unmasked ping", "\x89\x05Hello", ws.FromServer, "ping Hello"},
		{"masked pong", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 0, "pong Hello"},
		{"256 bytes", "\x82\x7e\x01\x00" + strings.Repeat("\x00", 256), ws.FromServer, "binary " + strings.Repeat("\x00", 256)},
		{"64 KiB", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("\x00", 65536), ws.FromServer, "binary " + strings.Repeat("\x00", 65536)},
	}
	for _, tt := range tests {
		for _, cuts := range [][]int{nil, everyByte(tt.wire)} {
			r := ws.Reader{Options: tt.options}
			h, _, err := feed(t, &r, tt.wire, cuts)
			if err != nil || !slices.Equal(h.events, []string{tt.event}) {
				t.Errorf("%s: got %s, %v, want %q", tt.name, shorten(h.events), err, tt.event)
			}
		}
		r := ws.Reader{Options: tt.options ^ ws.FromServer}
		if _, used, err := feed(t, &r, tt.wire, everyByte(tt.wire)); code(t, err) != ws.CloseProtocolError || used != 2 {
			t.Errorf("%s from the other side: %v after %d bytes, want a protocol error after 2", tt.name, err, used)
		}
	}
}

func TestSaysWhatIsWrong(t *testing.T) {
	tests := []struct{ wire, reason string }{
		{frame(0xc1, ""), "reserved bits are set"},
		{frame(0x83, ""), "unknown opcode"},
		{frame(0x09, ""), "control frame is fragmented"},
		{frame(fin, ""), "continuation without a message to continue"},
		{frame(text, "") + frame(text, ""), "new message before the end of the last one"},
		{"\x81\x00", "frame of a client is not masked"},
		{"\x89\xfe", "control frame is longer than 125 bytes"},
		{"\x81\xfe\x00\x01", "length is not in its shortest form"},
		{"\x81\xff\xff", "length has its highest bit set"},
		{frame(fin|text, "\xff"), "text is not UTF-8"},
		{frame(closed, "x"), "close frame has a body of one byte"},
		{frame(closed, "\x00\x00"), "close code is not valid"},
		{frame(closed, "\x03\xe8\xff"), "close reason is not UTF-8"},
	}
	for _, tt := range tests {
		var r ws.Reader
		if _, _, err := feed(t, &r, tt.wire, nil); err == nil || err.Error() != "websocket: "+tt.reason {
			t.Errorf("Feed(%q) = %v, want %q", tt.wire, err, tt.reason)
		}
	}
}

// A breaker fails on the event that it is to fail on.
type breaker struct {
	recorder
	data, control error
}

func (h *breaker) Data(p []byte, text, first, fin bool) error {
	return errors.Join(h.recorder.Data(p, text, first, fin), h.data)
}

func (h *breaker) Control(op ws.Opcode, p []byte) error {
	return errors.Join(h.recorder.Control(op, p), h.control)
}

func TestErrorOfTheHandlerEndsReading(t *testing.T) {
	enough := errors.New("enough")
	wire := frame(fin|text, "1") + frame(ping, "2") + frame(fin|text, "3") + "\xff"
	tests := []struct {
		name   string
		h      breaker
		events []string
	}{
		{"data", breaker{data: enough}, []string{"text 1"}},
		{"control", breaker{control: enough}, []string{"text 1", "ping 2"}},
	}
	for _, tt := range tests {
		var r ws.Reader
		tt.h.t = t
		if err := r.Feed([]byte(wire), &tt.h); !errors.Is(err, enough) {
			t.Errorf("%s: Feed = %v, want the handler's error", tt.name, err)
		}
		if err := r.Feed([]byte(wire), &tt.h); err != nil {
			t.Errorf("%s: Feed after the error = %v, want none", tt.name, err)
		}
		if !slices.Equal(tt.h.events, tt.events) {
			t.Errorf("%s: got %q, want %q", tt.name, tt.h.events, tt.events)
		}
	}
}

func TestDropsAllAfterAProtocolError(t *testing.T) {
	var r ws.Reader
	h, _, err := feed(t, &r, frame(fin, "x"), nil)
	if code(t, err) != ws.CloseProtocolError {
		t.Fatalf("Feed = %v, want a protocol error", err)
	}
	if err := r.Feed([]byte(frame(fin|text, "x")), h); err != nil || h.events != nil {
		t.Errorf("Feed after the error = %v, events %q, want nothing", err, h.events)
	}
}

func TestHoldsOnlyCutControlFrames(t *testing.T) {
	tests := []struct {
		name, wire string
		want       bool
	}{
		{"data", frame(fin|text, "Hello")[:8], false},
		{"header of a ping", frame(ping, "Hello")[:6], false},
		{"payload of a ping", frame(ping, "Hello")[:7], true},
		{"whole ping", frame(ping, "Hello"), false},
	}
	for _, tt := range tests {
		var r ws.Reader
		if _, _, err := feed(t, &r, tt.wire, nil); err != nil || r.Holds() != tt.want {
			t.Errorf("%s: held: %t, %v, want %t", tt.name, r.Holds(), err, tt.want)
		}
	}
}

// A piece must not lead a handler that appends to it into the next frame.
func TestPiecesEndWhereTheyEnd(t *testing.T) {
	wire := []byte(frame(fin|text, "1") + frame(ping, "2") + frame(fin|text, "3"))
	var r ws.Reader
	h := &appender{recorder: recorder{t: t}}
	if err := r.Feed(wire, h); err != nil {
		t.Fatal(err)
	}
	if want := []string{"text 1", "ping 2", "text 3"}; !slices.Equal(h.events, want) {
		t.Errorf("got %q, want %q", h.events, want)
	}
}

type appender struct{ recorder }

func (h *appender) Data(p []byte, text, first, fin bool) error {
	_ = append(p, "spoilt"...)
	return h.recorder.Data(p, text, first, fin)
}

func (h *appender) Control(op ws.Opcode, p []byte) error {
	_ = append(p, "spoilt"...)
	return h.recorder.Control(op, p)
}

func TestReaderIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(ws.Reader{}); size > 24 {
		t.Errorf("a Reader takes %d bytes, want at most 24", size)
	}
}
