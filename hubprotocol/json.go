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

// jsonIsClose looks for the type property and at nothing behind it. A message
// without a digit 7, the common case of a small call, is not even scanned.
func jsonIsClose(message []byte) bool {
	if bytes.IndexByte(message, '7') < 0 {
		return false
	}
	s := scanner{b: message}
	if s.open('{') != nil {
		return false
	}
	for n := 0; ; n++ {
		if ok, err := s.more(n, '}'); !ok || err != nil {
			return false
		}
		key, err := s.key()
		if err != nil {
			return false
		}
		value, err := s.value()
		if err != nil {
			return false
		}
		if string(plain(key)) == "type" {
			return string(value) == "7"
		}
	}
}
