package wsframe_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	ws "switchboard/internal/wsframe"
)

// Texts of Autobahn's case 6: the first bytes that are UTF-8, then those which are
// not. The first byte that tells is the first of broken.
var brokenTexts = []struct{ whole, broken string }{
	{"κόσμε\xed", "\xa0\x80edited"},
	{"κόσμε\xf4", "\x90\x80\x80edited"},
	{"", "\x80"},
	{"", "\xbf"},
	{"a", "\x80\xbf\x80"},
	{"\xc3", "a"},
	{"\xe0\xa0", "a"},
	{"\xf0\x90\x80", "a"},
	{"\xf1\x80", "\xc0\x80"},
	{"", "\xc0\xaf"},
	{"", "\xc1\xbf"},
	{"\xe0", "\x80\xaf"},
	{"\xe0", "\x9f\xbf"},
	{"\xf0", "\x80\x80\xaf"},
	{"\xf0", "\x8f\xbf\xbf"},
	{"", "\xf5\x80\x80\x80"},
	{"", "\xf8\x88\x80\x80\x80"},
	{"", "\xfc\x84\x80\x80\x80\x80"},
	{"", "\xfe"},
	{"", "\xff"},
	{"\xed", "\xbf\xbf"},
	{"seven, \xc3", "and words of ASCII only."},
	{"long enough for the words of eight bytes that masking goes by", "\xff and more"},
}

var goodTexts = []string{
	"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\x7f",
	"\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0003ffff", "\U000fffff", "\U0010ffff",
	strings.Repeat("long enough for the words that masking goes by, ümläut ", 5),
}

func textCases() (cases []readCase) {
	for _, s := range goodTexts {
		for size := 1; size <= 5; size++ {
			cases = append(cases, readCase{"6 text in fragments", fragments(text, s, size), []string{"text " + s}, 0, 0})
		}
		cases = append(cases, readCase{"6 text", frame(fin|text, s), []string{"text " + s}, 0, 0})
	}
	for _, b := range brokenTexts {
		s, rest := b.whole+b.broken, len(b.broken)-1
		cases = append(cases,
			readCase{"6 not UTF-8", frame(fin|text, s), nil, 1007, rest},
			readCase{"6 not UTF-8, in a fragment that is not the last", frame(text, s), nil, 1007, rest},
			readCase{"6 not UTF-8, in the last fragment", frame(text, "x") + frame(ping, "") + frame(fin, s), []string{"ping "}, 1007, rest},
			readCase{"6 not UTF-8, byte by byte", fragments(text, s, 1), nil, 1007, rest * 7},
			readCase{"6 not UTF-8 but binary", frame(fin|binary, s), []string{"binary " + s}, 0, 0})
	}
	for _, s := range []string{"\xce", "κ\xe1\xbd", "x\xf4\x8f\xbf", "\xf0", "\xe0\xa0", "\xed\x9f"} {
		cases = append(cases,
			readCase{"6 ends within a character", frame(fin|text, s), nil, 1007, 0},
			readCase{"6 ends within a character, fragment without payload", frame(text, s) + frame(fin, ""), nil, 1007, 0},
			readCase{"6 new text after one that ended within a character", frame(text, s) + frame(fin|text, "x"), nil, 1002, 6})
	}
	return cases
}

// Every string of two bytes, and of three and four bytes from the edges of what may
// follow, against the standard library.
func TestTextIsWhatTheStandardLibraryTakesForUTF8(t *testing.T) {
	edges := []byte{0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2}
	for a := range 256 {
		for b := range 256 {
			checkText(t, string([]byte{byte(a), byte(b)}))
		}
		for _, b := range edges {
			for _, c := range edges {
				checkText(t, string([]byte{byte(a), b, c}))
				if a >= 0xe0 {
					checkText(t, string([]byte{byte(a), b, c, 0x7f}))
					checkText(t, string([]byte{byte(a), b, c, 0x80}))
					checkText(t, string([]byte{byte(a), b, c, 0xbf}))
				}
			}
		}
	}
}

func checkText(t *testing.T, s string) {
	t.Helper()
	for cut := range s {
		var r ws.Reader
		wire := frame(fin|text, s)
		_, _, err := feed(t, &r, wire, []int{6 + cut})
		if valid := code(t, err) == 0; valid != utf8.ValidString(s) {
			t.Fatalf("text %q cut at %d: %v, want valid: %t", s, cut, err, !valid)
		}
	}
}

func TestTrustTextTakesAnything(t *testing.T) {
	for _, b := range brokenTexts {
		r := ws.Reader{Options: ws.TrustText}
		h, _, err := feed(t, &r, fragments(text, b.whole+b.broken, 2), nil)
		if err != nil || len(h.events) != 1 || h.events[0] != "text "+b.whole+b.broken {
			t.Errorf("Feed(%q) with TrustText: %q, %v", b.whole+b.broken, h.events, err)
		}
	}
}
