package clientconn_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"switchboard/internal/clientconn"
)

// The limit is on a message, however the client cuts its bytes.
func TestMessageLimitForEveryCut(t *testing.T) {
	const limit = 200
	text := func(n int) string { return strings.Repeat("x", n) + "\x1e" }
	pack := func(n int) string { return string([]byte{byte(n&0x7f | 0x80), byte(n >> 7)}) + strings.Repeat("x", n) }
	const tooLarge, bad = "message_too_large", "bad_message"
	tests := []struct {
		name, request string
		good, wrong   string // wrong follows good, and is not taken
		want          string // reason
	}{
		{"json, at the limit", jsonRequest, text(limit) + text(3) + text(limit) + text(0), "", ""},
		{"json, over the limit", jsonRequest, text(limit) + text(3), text(limit + 1), tooLarge},
		{"json, without an end", jsonRequest, text(3), strings.Repeat("x", limit+2), tooLarge},
		{"messagepack, at the limit", packRequest, pack(limit) + "\x01x" + "\x00" + pack(limit), "", ""},
		{"messagepack, over the limit", packRequest, pack(limit) + "\x01x", pack(limit + 1), tooLarge},
		{"messagepack, the length alone", packRequest, "\x00\x01x", "\xff\xff\xff\xff\x07", tooLarge},
		{"messagepack, no length", packRequest, "\x01x", "\xff\xff\xff\xff\xff\x01", bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := tt.good + tt.wrong
			for cut := range len(wire) + 1 {
				c := opened(t, tt.request, clientconn.Limits{MessageBytes: limit})
				err := c.Receive([]byte(wire[:cut]))
				if err == nil {
					err = c.Receive([]byte(wire[cut:]))
				}
				if got := errors.Is(err, net.ErrClosed); got != (tt.want != "") {
					t.Fatalf("cut at %d: Receive: %v, want an error: %v", cut, err, tt.want != "")
				}
				sent := strings.Join(c.app.take(), "")
				if i := strings.Index(sent, "closed "); i >= 0 {
					sent = sent[:i]
				}
				if !strings.HasPrefix(sent, tt.good) || !strings.HasPrefix(wire, sent) || tt.want != "" && sent == wire {
					t.Fatalf("cut at %d: the app server was sent %q, want all before the message that is wrong", cut, sent)
				}
				if err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("cut at %d: Receive: %v, want %s", cut, err, tt.want)
				}
			}
		})
	}
}

func TestNoLimitIsTheDefault(t *testing.T) {
	for _, request := range []string{jsonRequest, packRequest} {
		c := opened(t, request, clientconn.Limits{})
		large := "\x80\x80\x40" + strings.Repeat("x", 1<<20) + "\x1e"
		c.receive(large)
		if got := strings.Join(c.app.take(), ""); got != large {
			t.Errorf("the app server was sent %d bytes, want %d", len(got), len(large))
		}
	}
}
