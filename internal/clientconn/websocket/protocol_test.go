package websocket_test

import (
	"fmt"
	"strings"
	"testing"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

// First bytes of frames that are not allowed, or rarely met.
const (
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// The tables go over the ground of the Autobahn cases 1 to 7.

func TestWhatTheProtocolAllows(t *testing.T) {
	long := strings.Repeat("x", 125)
	tests := []struct {
		name, wire string
		data       string   // that the app server gets
		answer     []string // that the client gets
	}{
		{"empty text", message("") + message("x"), "x", nil},
		{"empty binary", frame(fin|binary, "") + message("x"), "x", nil},
		{"length of 7 bits", message(long), long, nil},
		{"length of 16 bits", message(long + "x"), long + "x", nil},
		{"the longest of 16 bits", message(strings.Repeat("y", 65535)), strings.Repeat("y", 65535), nil},
		{"length of 64 bits", message(strings.Repeat("y", 65536)), strings.Repeat("y", 65536), nil},
		{"two fragments", frame(text, "a") + frame(fin|cont, "b"), "ab", nil},
		{"binary fragments", frame(binary, "\xff") + frame(cont, "\x00") + frame(fin|cont, "\xfe"), "\xff\x00\xfe", nil},
		{"fragments of one byte", frame(text, "a") + strings.Repeat(frame(cont, "b"), 50) + frame(fin|cont, "c"), "a" + strings.Repeat("b", 50) + "c", nil},
		{"empty fragments", frame(text, "") + frame(cont, "") + frame(cont, "x") + frame(fin|cont, ""), "x", nil},
		{"nothing but empty fragments", frame(text, "") + frame(cont, "") + frame(fin|cont, "") + message("x"), "x", nil},
		{"ping among fragments", frame(text, "a") + frame(ping, "1") + frame(cont, "b") + frame(ping, "2") + frame(fin|cont, "c"), "abc", []string{"pong 1", "pong 2"}},
		{"pong among fragments", frame(text, "a") + frame(pong, "1") + frame(fin|cont, "b"), "ab", nil},
		{"ping without payload", frame(ping, ""), "", []string{"pong "}},
		{"the longest ping", frame(ping, long), "", []string{"pong " + long}},
		{"ping that is no text", frame(ping, "\xff\x00"), "", []string{"pong \xff\x00"}},
		{"pong that nobody asked for", frame(pong, "") + frame(pong, long) + message("x"), "x", nil},
		{"the first and last characters of each length", message("\x00\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"), "\x00\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff", nil},
		{"character cut by fragments", frame(text, "\xf0") + frame(cont, "\x9f\x98") + frame(fin|cont, "\x80"), "😀", nil},
		{"character cut by fragments and a ping", frame(text, "\xc3") + frame(ping, "1") + frame(fin|cont, "\xa9"), "é", []string{"pong 1"}},
		{"binary that is no text", frame(fin|binary, "\xff\xc0\xed\xa0\x80"), "\xff\xc0\xed\xa0\x80", nil},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		for _, tt := range tests {
			t.Log(tt.name)
			c.send(tt.wire)
			s.app.expect(tt.data)
			c.expect(tt.answer...)
		}
	})
}

func TestClientBreaksTheProtocol(t *testing.T) {
	tests := []struct {
		name, wire string
		code       int
	}{
		{"reserved bit 1", frame(fin|text|rsv1, "x"), 1002},
		{"reserved bit 2", frame(fin|text|rsv2, "x"), 1002},
		{"reserved bit 3", frame(fin|binary|rsv3, "x"), 1002},
		{"all reserved bits", frame(fin|text|rsv1|rsv2|rsv3, ""), 1002},
		{"reserved bit of a continuation", frame(text, "a") + frame(fin|cont|rsv1, "b"), 1002},
		{"reserved bit of a ping", frame(ping|rsv1, ""), 1002},
		{"reserved bit of a close", frame(closed|rsv2, ""), 1002},
		{"opcode 3", frame(fin|3, "x"), 1002},
		{"opcode 7", frame(fin|7, ""), 1002},
		{"opcode 11", frame(fin|11, "x"), 1002},
		{"opcode 15", frame(fin|15, ""), 1002},
		{"opcode 4 among fragments", frame(text, "a") + frame(fin|4, "b"), 1002},
		{"frame without a mask", "\x81\x01x", 1002},
		{"ping without a mask", "\x89\x00", 1002},
		{"length of 16 bits that fits in 7", "\x81\xfe\x00\x7d", 1002},
		{"length of 64 bits that fits in 16", "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", 1002},
		{"length of 64 bits with a sign", "\x82\xff\x80", 1002},
		{"continuation of nothing", frame(fin|cont, "x"), 1002},
		{"continuation of nothing, to be continued", frame(cont, "x"), 1002},
		{"continuation after the end of a message", frame(text, "a") + frame(fin|cont, "b") + frame(fin|cont, "c"), 1002},
		{"text within text", frame(text, "a") + frame(fin|text, "b"), 1002},
		{"binary within text", frame(text, "a") + frame(binary, "b"), 1002},
		{"text within binary, after a ping", frame(binary, "a") + frame(pong, "") + frame(text, "b"), 1002},
		{"long ping", frame(ping, strings.Repeat("x", 126)), 1002},
		{"long pong", frame(pong, strings.Repeat("x", 126)), 1002},
		{"very long ping", "\x89\xff", 1002},
		{"long close", frame(closed, "\x03\xe8"+strings.Repeat("x", 124)), 1002},
		{"ping in fragments", frame(0x09, "a") + frame(fin|cont, "b"), 1002},
		{"pong in fragments", frame(0x0a, ""), 1002},
		{"close in fragments", frame(0x08, ""), 1002},
		{"close of one byte", frame(closed, "x"), 1002},
		{"text that is none", message("\xff"), 1007},
		{"text with an overlong character", message("a\xc0\xaf"), 1007},
		{"text with half of a surrogate pair", message("a\xed\xa0\x80"), 1007},
		{"text beyond the last character", message("\xf4\x90\x80\x80"), 1007},
		{"text that ends within a character", message("a\xc3"), 1007},
		{"text that ends within a character, in fragments", frame(text, "a\xe2") + frame(fin|cont, "\x82"), 1007},
		{"bad text in a fragment, before the end", frame(text, "a") + frame(cont, "\xff"), 1007},
		{"bad text in a frame, before the end", "\x81\xfe\xff\xff\x00\x00\x00\x00\xff", 1007},
		{"character that a fragment does not go on with", frame(text, "\xc3") + frame(cont, "x"), 1007},
		{"close reason that is no text", frame(closed, "\x03\xe8\xff"), 1007},
	}
	for _, code := range []int{1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		tests = append(tests, struct {
			name, wire string
			code       int
		}{fmt.Sprintf("close code %d", code), goodbye(code), 1002})
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		for _, tt := range tests {
			t.Log(tt.name)
			c := s.open(tt.name, jsonRequest)
			c.send(message("first\x1e") + frame(ping, "before") + tt.wire + message("never"))
			c.expect("pong before", farewell(pairing.BadMessage), fmt.Sprintf("close %d", tt.code))
			c.send(goodbye(tt.code))
			c.expect("EOF")
			s.expectEnd(tt.name, pairing.BadMessage)
			if got := s.app.drop("closed " + pairing.BadMessage.Text); !strings.HasPrefix(got, "first\x1e") || strings.Contains(got, "never") {
				t.Errorf("app server got %q, want all before the breach and nothing behind it", got)
			}
		}
		c := s.upgraded("before the handshake", "\xff\xff")
		c.expect(fmt.Sprintf(`text {"error":"%s"}`, pairing.BadMessage.Text)+"\x1e", "close 1002")
	})
}

func TestClientCloses(t *testing.T) {
	tests := []struct {
		name, wire string
		code       int // of the answer
	}{
		{"without a code", frame(closed, ""), 1000},
		{"with the longest reason", frame(closed, "\x03\xe8"+strings.Repeat("x", 123)), 1000},
		{"with a reason in other letters", frame(closed, "\x03\xe8κόσμε"), 1000},
		{"within a message", frame(text, "a") + goodbye(1001), 1001},
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		tests = append(tests, struct {
			name, wire string
			code       int
		}{fmt.Sprintf("with %d", code), goodbye(code), code})
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		for _, tt := range tests {
			t.Log(tt.name)
			c := s.open(tt.name, jsonRequest)
			c.send(message("last\x1e") + frame(ping, "1") + tt.wire + message("too late") + frame(ping, "2") + goodbye(1002))
			c.expect("pong 1", fmt.Sprintf("close %d", tt.code), "EOF")
			s.expectEnd(tt.name, pairing.ClosedByClient)
			got, want := s.app.drop("closed "), "last\x1e"
			if strings.HasPrefix(tt.name, "within") {
				want += "a"
			}
			if got != want+"closed " {
				t.Errorf("app server got %q, want %q and the end", got, want)
			}
		}
	})
}

// Pings of a client that reads nothing are answered up to a bound, and the
// latest are not.
func TestPingsOfAClientThatDoesNotRead(t *testing.T) {
	const pings = 1000
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		c := blocked(s, "c")
		c.send(strings.Repeat(frame(ping, strings.Repeat("x", 100)), pings) + message("behind them\x1e"))
		s.app.expect("behind them\x1e")
		c.expectText(strings.Repeat("x", tooMuch) + "\x1e")
		c.send(frame(ping, "last"))
		pongs := 0
		for got := c.next(); got != "pong last"; got = c.next() {
			if pongs++; got != "pong "+strings.Repeat("x", 100) {
				t.Fatalf("client got %s, want a pong", short(got))
			}
		}
		if pongs == 0 || pongs > 100 {
			t.Errorf("%d of %d pings were answered, want some", pongs, pings)
		}
	})
}
