package hubprotocol

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// jsonProtocol is the text encoding: one JSON object per message, each followed
// by 0x1e.
//
// Source: dotnet/aspnetcore JsonHubProtocol.cs, ParseMessage and WriteMessageCore.
type jsonProtocol struct{}

func (jsonProtocol) Name() string { return "json" }
func (jsonProtocol) Binary() bool { return false }

func (jsonProtocol) Split(b []byte, limit int) (message, rest []byte, err error) {
	n := bytes.IndexByte(b, RecordSeparator) + 1
	if limit > 0 && (n > limit || n == 0 && len(b) >= limit) {
		return nil, b, &MessageSizeError{limit}
	}
	if n == 0 {
		return nil, b, nil
	}
	return b[:n:n], b[n:], nil
}

func (jsonProtocol) Parse(message []byte) (Message, error) {
	n := len(message) - 1
	switch {
	case n < 0 || message[n] != RecordSeparator:
		return nil, &ParseError{Reason: "record separator is missing"}
	case !utf8.Valid(message):
		return nil, &ParseError{Reason: "invalid UTF-8"}
	}
	var e envelope
	s := scanner{b: message[:n:n]}
	if err := s.properties(e.read); err != nil {
		return nil, &ParseError{Reason: fmt.Sprintf("%v at byte %d", err, s.pos)}
	}
	return e.message()
}

// jsonIsClose spares a message without a digit 7, the common case of a small call,
// from being scanned.
func jsonIsClose(message []byte) bool {
	return bytes.IndexByte(message, '7') >= 0 && jsonTypeOf(message) == TypeClose
}

// jsonTypeOf returns the value of the type property, 0 if there is no such number.
// It looks at the places first where clients and servers write it.
func jsonTypeOf(message []byte) Type {
	const first, last = `{"type":`, `,"type":`
	n := len(message)
	if n > len(first)+1 && string(message[:len(first)]) == first && endsValue(message[len(first)+1]) {
		return digit(message[len(first)])
	}
	if tail := n - len(last) - 3; tail > 0 && string(message[tail:n-3]) == last && message[n-2] == '}' && message[n-1] == RecordSeparator {
		return digit(message[n-3])
	}
	return jsonScanType(message)
}

func endsValue(c byte) bool { return c == ',' || c == '}' }

func digit(c byte) Type {
	if c < '0' || c > '9' {
		return 0
	}
	return Type(c - '0')
}

// jsonScanType looks for the type property and at nothing behind it.
func jsonScanType(message []byte) Type {
	s := scanner{b: message}
	if s.open('{') != nil {
		return 0
	}
	for n := 0; ; n++ {
		if ok, err := s.more(n, '}'); !ok || err != nil {
			return 0
		}
		key, err := s.key()
		if err != nil {
			return 0
		}
		value, err := s.value()
		if err != nil {
			return 0
		}
		if string(plain(key)) == "type" {
			if len(value) != 1 {
				return 0 // no type has two digits
			}
			return digit(value[0])
		}
	}
}
