package hubprotocol

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// skipString passes a string and checks its escapes.
func (s *scanner) skipString() error {
	for i := s.pos + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c < ' ':
			s.pos = i
			return errSyntax
		case c == '\\':
			n := escapeLen(s.b[i:])
			if n == 0 {
				s.pos = i
				return errSyntax
			}
			i += n - 1
		}
	}
	s.pos = len(s.b)
	return errSyntax
}

// escapeLen returns the length of the escape that b starts with, 0 if broken.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the code unit of a \uXXXX escape.
func hex4(b []byte) (unit rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		unit = unit<<4 | rune(c)
	}
	return unit, true
}

// skipNumber passes a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) skipNumber() error {
	s.skipOne("-")
	if !s.skipOne("0") && !s.skipDigits() {
		return errSyntax
	}
	if s.skipOne(".") && !s.skipDigits() {
		return errSyntax
	}
	if s.skipOne("eE") {
		s.skipOne("+-")
		if !s.skipDigits() {
			return errSyntax
		}
	}
	return nil
}

// skipOne passes the next byte if it is one of set.
func (s *scanner) skipOne(set string) bool {
	if s.pos == len(s.b) {
		return false
	}
	for i := range len(set) {
		if s.b[s.pos] == set[i] {
			s.pos++
			return true
		}
	}
	return false
}

func (s *scanner) skipDigits() bool {
	start := s.pos
	for s.pos < len(s.b) && '0' <= s.b[s.pos] && s.b[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) skipWord(word string) error {
	if !bytes.HasPrefix(s.b[s.pos:], []byte(word)) {
		return errSyntax
	}
	s.pos += len(word)
	return nil
}

// plain returns the text between the quotes of a checked string, as it stands
// when it has no escapes.
func plain(raw []byte) []byte {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return unescape(text)
}

// unescape resolves the escapes of a checked string. Half a surrogate pair
// becomes U+FFFD, as in encoding/json; JavaScript can send one.
func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		if text[i+1] != 'u' {
			out = append(out, shortEscape(text[i+1]))
			i += 2
			continue
		}
		r, n := unicodeEscape(text[i:])
		out = utf8.AppendRune(out, r)
		i += n
	}
	return out
}

func shortEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unicodeEscape reads \uXXXX, or two of them that make one character.
func unicodeEscape(text []byte) (r rune, n int) {
	r, _ = hex4(text)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, _ := hex4(text[6:])
	if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// integer reads a plain integer: 1, but not 1.0 and not 1e0.
func integer(raw []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}
