package wsframe_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ws "switchboard/internal/wsframe"
)

// A readCase is what a client sends and what is to become of it.
type readCase struct {
	name   string
	wire   string
	events []string // whole messages and control frames, in order
	code   int      // that the connection is closed with; 0 for no error
	spare  int      // bytes at the end of wire that come after the first one that tells
}

// readCases go over the ground of the Autobahn test suite; its numbers are in the
// names. Those of UTF-8 and of close codes are made from lists of their own.
func readCases() []readCase {
	return slices.Concat(framingCases(), controlCases(), headerCases(), fragmentCases(), textCases(), closeCases(), limitCases())
}

func framingCases() (cases []readCase) {
	for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		s := strings.Repeat("*", n)
		cases = append(cases,
			readCase{name: "1.1 text", wire: frame(fin|text, s), events: []string{"text " + s}},
			readCase{name: "1.2 binary", wire: frame(fin|binary, s), events: []string{"binary " + s}})
	}
	odd := strings.Repeat("\xfe", 127)
	return append(cases, readCase{name: "1.2 binary that is not text", wire: frame(fin|binary, odd), events: []string{"binary " + odd}})
}

func controlCases() []readCase {
	long, bytes := strings.Repeat("\xfe", 125), "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	many := []string{}
	for i := range 10 {
		many = append(many, "ping "+strings.Repeat("p", i))
	}
	manyWire := ""
	for _, e := range many {
		manyWire += frame(ping, e[len("ping "):])
	}
	return []readCase{
		{"2.1 empty ping", frame(ping, ""), []string{"ping "}, 0, 0},
		{"2.2 ping", frame(ping, "Hello, world!"), []string{"ping Hello, world!"}, 0, 0},
		{"2.3 ping with bytes", frame(ping, bytes), []string{"ping " + bytes}, 0, 0},
		{"2.4 ping with 125 bytes", frame(ping, long), []string{"ping " + long}, 0, 0},
		{"2.5 ping with 126 bytes", frame(ping, long+"x"), nil, 1002, 132},
		{"2.7 empty pong", frame(pong, ""), []string{"pong "}, 0, 0},
		{"2.8 pong", frame(pong, "unasked for"), []string{"pong unasked for"}, 0, 0},
		{"2.9 pong, then ping", frame(pong, "unasked for") + frame(ping, "1"), []string{"pong unasked for", "ping 1"}, 0, 0},
		{"2.10 ten pings", manyWire, many, 0, 0},
	}
}

func headerCases() (cases []readCase) {
	hello := frame(fin|text, "Hello")
	heard := []string{"text Hello"}
	bad := func(name, wire string, spare int) {
		cases = append(cases,
			readCase{name, wire, nil, 1002, spare},
			readCase{name + " after a text", hello + wire, heard, 1002, spare},
			readCase{name + " between texts", hello + wire + hello, heard, 1002, spare + len(hello)})
	}
	for rsv := byte(0x10); rsv < 0x80; rsv += 0x10 {
		for _, head := range []byte{fin | text, fin | binary, closed, ping, pong} {
			bad("3 reserved bits", frame(rsv|head, "x"), 6)
		}
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		bad("4 unknown opcode", frame(fin|op, ""), 5)
		bad("4 unknown opcode with payload", frame(fin|op, "x"), 6)
	}
	for _, op := range []byte{8, 9, 10} {
		bad("5.1 fragmented control frame", frame(op, "x"), 6)
	}
	bad("not masked", "\x81\x05Hello", 5)
	bad("ping not masked", "\x89\x00", 0)
	bad("17 in 16 bits", "\x81\xfe\x00\x11", 0)
	bad("125 in 16 bits", "\x82\xfe\x00\x7d", 0)
	bad("125 in 64 bits", "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x7d", 2)
	bad("65535 in 64 bits", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", 2)
	bad("highest bit of the length", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01", 7)
	bad("ping with a length of 16 bits", "\x89\xfe\x00\x7e", 2)
	bad("ping with a length of 64 bits", "\x89\xff\x00\x00\x00\x00\x00\x01\x00\x00", 8)
	return append(cases, readCase{"largest length", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00xxxx", nil, 0, 0})
}

func fragmentCases() []readCase {
	one, two, end := frame(text, "fragment1"), frame(0, "fragment2"), frame(fin, "fragment3")
	p := frame(ping, "ping")
	whole := "text fragment1fragment2fragment3"
	return []readCase{
		{"5.3 two fragments", one + end, []string{"text fragment1fragment3"}, 0, 0},
		{"5.5 three fragments", one + two + end, []string{whole}, 0, 0},
		{"5.6 ping between", one + p + end, []string{"ping ping", "text fragment1fragment3"}, 0, 0},
		{"5.7 pings and pongs between", one + p + two + frame(pong, "") + p + end + p, []string{"ping ping", "pong ", "ping ping", whole, "ping ping"}, 0, 0},
		{"5.9 continuation of nothing", frame(fin, "no") + frame(fin|text, "x"), nil, 1002, 14},
		{"5.12 continuation of nothing, not final", frame(0, "no") + frame(fin|text, "x"), nil, 1002, 14},
		{"5.15 continuation after the end", one + end + frame(fin, "x"), []string{"text fragment1fragment3"}, 1002, 6},
		{"5.16 continuation before the start", frame(0, "x") + one + end, nil, 1002, 36},
		{"5.18 text within a text", one + frame(fin|text, "fragment2"), nil, 1002, 14},
		{"5.19 pings between five fragments", one + two + p + two + two + p + end, []string{"ping ping", "ping ping", "text fragment1fragment2fragment2fragment2fragment3"}, 0, 0},
		{"text within a binary", frame(binary, "x") + frame(text, "x"), nil, 1002, 6},
		{"binary within an empty text", frame(text, "") + frame(fin|binary, ""), nil, 1002, 5},
		{"empty fragments", frame(text, "") + frame(0, "") + frame(fin, ""), []string{"text "}, 0, 0},
		{"6.1 empty fragments around", frame(text, "") + frame(0, "x") + frame(fin, ""), []string{"text x"}, 0, 0},
		{"binary fragments", fragments(binary, "\xff\xfe\xfd\xfc", 1), []string{"binary \xff\xfe\xfd\xfc"}, 0, 0},
		{"close between fragments", one + frame(closed, "") + end, []string{"close 1005 "}, 0, 0},
		{"messages one after the other", frame(fin|text, "1") + frame(fin|binary, "2") + one + end + frame(fin|text, "3"), []string{"text 1", "binary 2", "text fragment1fragment3", "text 3"}, 0, 0},
	}
}

func closeCases() (cases []readCase) {
	body := func(code int, reason string) string { return string([]byte{byte(code >> 8), byte(code)}) + reason }
	long := strings.Repeat("*", 123)
	cases = []readCase{
		{"7.1 nothing counts after a close", frame(closed, body(1000, "")) + frame(fin|text, "x") + frame(ping, "") + "\xff\xff", []string{"close 1000 "}, 0, 0},
		{"7.3 empty close", frame(closed, ""), []string{"close 1005 "}, 0, 0},
		{"7.3 close with one byte", frame(closed, "a"), nil, 1002, 0},
		{"7.3 close with a reason", frame(closed, body(1000, "Hello World!")), []string{"close 1000 Hello World!"}, 0, 0},
		{"7.3 longest reason", frame(closed, body(1000, long)), []string{"close 1000 " + long}, 0, 0},
		{"7.3 reason too long", frame(closed, body(1000, long+"*")), nil, 1002, 132},
		{"7.5 reason that is not UTF-8", frame(closed, body(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited")), nil, 1007, 0},
		{"7.5 reason that is cut in a character", frame(closed, body(1000, "\xce")), nil, 1007, 0},
	}
	for _, c := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		_, want := ws.ParseClose([]byte(body(c, "x")))
		cases = append(cases, readCase{"7.7 valid code", frame(closed, body(c, "x")), []string{controlEvent(ws.OpClose, []byte(body(c, string(want))))}, 0, 0})
	}
	for _, c := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, readCase{"7.9 invalid code", frame(closed, body(c, "")), nil, 1002, 0},
			readCase{"7.9 invalid code with a reason", frame(closed, body(c, "x")), nil, 1002, 0})
	}
	return cases
}

func limitCases() (cases []readCase) {
	big := strings.Repeat("BAsd7&jh23", 8_000)
	for _, size := range []int{64, 1300, 65536, 1 << 20} {
		cases = append(cases,
			readCase{name: "9, 10.1 text in fragments", wire: fragments(text, big, size), events: []string{"text " + big}},
			readCase{name: "9 binary in fragments", wire: fragments(binary, big, size), events: []string{"binary " + big}})
	}
	return cases
}

func TestReadsWhatClientsSend(t *testing.T) {
	random := rand.New(rand.NewPCG(6455, 13))
	for _, tt := range readCases() {
		t.Run(tt.name, func(t *testing.T) {
			tt.check(t, "whole", nil)
			tt.check(t, "byte by byte", everyByte(tt.wire))
			for range 10 {
				tt.check(t, "at random cuts", randomCuts(random, tt.wire))
			}
		})
	}
}

func (tt readCase) check(t *testing.T, how string, cuts []int) {
	t.Helper()
	var r ws.Reader
	h, used, err := feed(t, &r, tt.wire, cuts)
	if got := code(t, err); got != tt.code {
		t.Fatalf("%s: error %v, want code %d (%.40q)", how, err, tt.code, tt.wire)
	}
	if !slices.Equal(h.events, tt.events) {
		t.Errorf("%s: got %s, want %s (cuts %v)", how, shorten(h.events), shorten(tt.events), cuts)
	}
	if how == "byte by byte" && tt.code != 0 && used != len(tt.wire)-tt.spare {
		t.Errorf("fails after byte %d of %d, want %d spare ones (%.40q)", used, len(tt.wire), tt.spare, tt.wire)
	}
	if r.Holds() {
		t.Errorf("%s: a control frame is still held", how)
	}
}
