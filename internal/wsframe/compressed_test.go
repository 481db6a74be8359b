package wsframe_test

import (
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"

	ws "switchboard/internal/wsframe"
)

const rsv1 = 0x40

// A marker notes messages as a recorder does, and which are compressed.
type marker struct {
	recorder
	r *ws.Reader
}

func (h *marker) Data(p []byte, text, first, fin bool) error {
	if err := h.recorder.Data(p, text, first, fin); err != nil || !fin {
		return err
	}
	h.mark()
	return nil
}

func (h *marker) Control(op ws.Opcode, p []byte) error { return h.recorder.Control(op, p) }

func (h *marker) mark() {
	if h.r.Compressed() {
		h.events[len(h.events)-1] += ", compressed"
	}
}

// Source: RFC 7692 section 6.
func TestCompressedMessages(t *testing.T) {
	hello, odd := frame(fin|text, "Hello"), "\xff\xfe" // odd is no text
	tests := []struct {
		name, wire string
		events     []string
		code       int
	}{
		{"text", frame(fin|text|rsv1, odd), []string{"text \xff\xfe, compressed"}, 0},
		{"binary", frame(fin|binary|rsv1, odd), []string{"binary \xff\xfe, compressed"}, 0},
		{"not compressed after all", hello, []string{"text Hello"}, 0},
		{"fragments", frame(text|rsv1, odd) + frame(0, odd) + frame(fin, "x"), []string{"text \xff\xfe\xff\xfex, compressed"}, 0},
		{"ping between fragments", frame(text|rsv1, odd) + frame(ping, "1") + frame(fin, odd), []string{"ping 1", "text \xff\xfe\xff\xfe, compressed"}, 0},
		{"the next one is not", frame(fin|text|rsv1, odd) + hello, []string{"text \xff\xfe, compressed", "text Hello"}, 0},
		{"the next one is not, and is in fragments", frame(fin|text|rsv1, odd) + frame(text, "Hel") + frame(fin, "lo"), []string{"text \xff\xfe, compressed", "text Hello"}, 0},
		{"the next one is no text", frame(fin|text|rsv1, odd) + frame(fin|text, odd), []string{"text \xff\xfe, compressed"}, 1007},
		{"marked continuation", frame(text|rsv1, odd) + frame(fin|rsv1, odd), nil, 1002},
		{"marked continuation of what is not", frame(text, "a") + frame(fin|rsv1, "b"), nil, 1002},
		{"marked ping", frame(ping|rsv1, ""), nil, 1002},
		{"marked close", frame(closed|rsv1, ""), nil, 1002},
		{"another reserved bit", frame(fin|text|0x20, "x"), nil, 1002},
		{"a reserved bit too many", frame(fin|text|rsv1|0x10, "x"), nil, 1002},
		{"marked unknown opcode", frame(fin|3|rsv1, ""), nil, 1002},
		{"start of another message", frame(text|rsv1, odd) + frame(fin|text|rsv1, odd), nil, 1002},
	}
	for _, tt := range tests {
		for _, cuts := range [][]int{nil, everyByte(tt.wire)} {
			r := &ws.Reader{Options: ws.MayCompress}
			h := &marker{recorder{t: t}, r}
			var err error
			used := 0
			for _, cut := range append(slices.Clone(cuts), len(tt.wire)) {
				if err = r.Feed([]byte(tt.wire[used:cut]), h); err != nil {
					break
				}
				used = cut
			}
			if got := code(t, err); got != tt.code || !slices.Equal(h.events, tt.events) {
				t.Errorf("%s, %d cuts: %q, %v, want %q, code %d", tt.name, len(cuts), h.events, err, tt.events, tt.code)
			}
		}
		h, _, err := feed(t, new(ws.Reader), tt.wire, nil)
		if tt.name != "not compressed after all" && code(t, err) != 1002 {
			t.Errorf("%s, and compression was not agreed on: %q, %v, want code 1002", tt.name, h.events, err)
		}
	}
}

func TestFramesOfCompressedMessages(t *testing.T) {
	b := append(ws.AppendHeader(nil, ws.OpText|ws.Compressed, true, 2), 0xff, 0xfe)
	r := &ws.Reader{Options: ws.MayCompress | ws.FromServer}
	h := &marker{recorder{t: t}, r}
	if err := r.Feed(b, h); err != nil || !slices.Equal(h.events, []string{"text \xff\xfe, compressed"}) {
		t.Errorf("read back: %q, %v", h.events, err)
	}
}

func TestAcceptAgreesOnAnExtension(t *testing.T) {
	got, err := ws.Accept(upgrade(), "an-extension; and=more")
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: an-extension; and=more\r\n\r\n"
	if err != nil || string(got) != want {
		t.Errorf("Accept = %q, %v, want %q", got, err, want)
	}
}

// A Text says the same of texts in pieces as utf8.Valid does of the whole.
func TestTextInPieces(t *testing.T) {
	texts := append([]string{"", "\xc3", "κόσμε\xe2\x82"}, goodTexts...)
	for _, b := range brokenTexts {
		texts = append(texts, b.whole+b.broken)
	}
	for _, s := range texts {
		for size := 1; size <= len(s)+1; size++ {
			var text ws.Text
			ok := true
			for rest := s; ok && rest != ""; {
				n := min(size, len(rest))
				ok = text.Check([]byte(rest[:n]), false)
				rest = rest[n:]
			}
			if ok = ok && text.Check(nil, true); ok != utf8.ValidString(s) {
				t.Errorf("%q in pieces of %d bytes: %v", s, size, ok)
			}
		}
	}
	if fmt.Sprint(new(ws.Text).Check([]byte("é"), true), new(ws.Text).Check([]byte("\xc3"), true)) != "true false" {
		t.Error("a text in one piece is judged wrongly")
	}
}
