package wsframe_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ws "switchboard/internal/wsframe"
)

// First bytes of frames.
const (
	text   = 0x01
	binary = 0x02
	closed = 0x88
	ping   = 0x89
	pong   = 0x8a
	fin    = 0x80
)

// frame makes a client's frame by means of its own, bits of the first byte as given.
func frame(head byte, payload string) string {
	var b strings.Builder
	b.WriteByte(head)
	switch n := len(payload); {
	case n < 126:
		b.WriteByte(0x80 | byte(n))
	case n < 1<<16:
		b.Write([]byte{0xfe, byte(n >> 8), byte(n)})
	default:
		b.Write([]byte{0xff, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b.Write(key[:])
	for i := range len(payload) {
		b.WriteByte(payload[i] ^ key[i%4])
	}
	return b.String()
}

// fragments makes the frames of a message, each with size bytes of it.
func fragments(op byte, message string, size int) string {
	var frames strings.Builder
	for len(message) > size {
		frames.WriteString(frame(op, message[:size]))
		message, op = message[size:], 0
	}
	frames.WriteString(frame(fin|op, message))
	return frames.String()
}

// A recorder notes whole messages and control frames as "text hello", "ping x" or
// "close 1000 reason", and checks that pieces are marked as they should be.
type recorder struct {
	t      testing.TB
	events []string
	open   bool // within a message
	text   bool
	data   []byte // of the message that is not complete
}

func (h *recorder) Data(p []byte, text, first, fin bool) error {
	if first == h.open || h.open && text != h.text {
		h.t.Errorf("Data(%q, text=%t, first=%t) in a message: %t, text: %t", p, text, first, h.open, h.text)
	}
	h.open, h.text = !fin, text
	h.data = append(h.data, p...)
	if fin {
		name := map[bool]string{true: "text ", false: "binary "}[text]
		h.events, h.data = append(h.events, name+string(h.data)), nil
	}
	return nil
}

func (h *recorder) Control(op ws.Opcode, p []byte) error {
	if len(p) > 125 {
		h.t.Errorf("Control(%d) with %d bytes", op, len(p))
	}
	h.events = append(h.events, controlEvent(op, p))
	return nil
}

func controlEvent(op ws.Opcode, p []byte) string {
	if op == ws.OpClose {
		code, reason := ws.ParseClose(p)
		return fmt.Sprintf("close %d %s", code, reason)
	}
	return map[ws.Opcode]string{ws.OpPing: "ping ", ws.OpPong: "pong "}[op] + string(p)
}

// feed gives wire to the reader in pieces that end at the cuts, and returns what it
// found and how many bytes it had been given when it failed. Each piece is spoilt
// after its use, so that whoever keeps it is found out.
func feed(t testing.TB, r *ws.Reader, wire string, cuts []int) (h *recorder, used int, err error) {
	t.Helper()
	h = &recorder{t: t}
	for _, cut := range append(slices.Clone(cuts), len(wire)) {
		piece := []byte(wire[used:cut])
		err, used = r.Feed(piece, h), cut
		clear(piece)
		if err != nil {
			return h, used, err
		}
	}
	return h, used, nil
}

func everyByte(wire string) []int {
	cuts := make([]int, len(wire))
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

func randomCuts(random *rand.Rand, wire string) []int {
	cuts := make([]int, random.IntN(12))
	for i := range cuts {
		cuts[i] = random.IntN(len(wire) + 1)
	}
	slices.Sort(cuts)
	return cuts
}

// code returns what an error closes the connection with, 0 for none.
func code(t testing.TB, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	wrong, ok := errors.AsType[*ws.ProtocolError](err)
	if !ok {
		t.Fatalf("error %v, want a ProtocolError", err)
	}
	if wrong.Reason == "" || len(wrong.Reason) > 123 {
		t.Errorf("reason %q does not fit into a close frame", wrong.Reason)
	}
	return wrong.Code
}

// shorten makes a list of events fit for an error message.
func shorten(events []string) string {
	var b strings.Builder
	for _, e := range events {
		if len(e) > 40 {
			e = fmt.Sprintf("%s… (%d bytes)", e[:40], len(e))
		}
		fmt.Fprintf(&b, "%q ", e)
	}
	return b.String()
}
