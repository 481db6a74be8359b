package hubprotocol

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// HandshakeRequest is the first message of a client. It is JSON in every protocol.
//
// Wire: {"protocol":string,"version":integer} 0x1e. Hub messages may follow.
//
// Source: dotnet/aspnetcore docs/specs/HubProtocol.md, "HandshakeRequest";
// HandshakeProtocol.cs, TryParseRequestMessage.
type HandshakeRequest struct {
	Protocol string // "json" or "messagepack", in any case
	Version  int    // 1; 2 when stateful reconnect was granted
}

// HandshakeResponse is the answer to a HandshakeRequest, and the first message
// that a client may get.
//
// Wire: {} 0x1e, or {"error":string} 0x1e. A type property must not appear:
// clients tell by it that this is no handshake.
//
// Source: HandshakeProtocol.cs, TryParseResponseMessage.
type HandshakeResponse struct {
	Error string // empty: the handshake is good
}

// ParseHandshakeRequest reads a request and returns the bytes behind it. Without
// a 0x1e in b the error is [ErrIncomplete]; the caller bounds how long b may get.
// The result does not alias b, rest does.
func ParseHandshakeRequest(b []byte) (r HandshakeRequest, rest []byte, err error) {
	text, rest, ok := bytes.Cut(b, []byte{RecordSeparator})
	if !ok {
		return r, nil, ErrIncomplete
	}
	protocol, version, err := handshakeProperties(text, "protocol", "version")
	if err != nil {
		return r, nil, fmt.Errorf("parse handshake request: %w", err)
	}
	if r, err = newHandshakeRequest(protocol, version); err != nil {
		return r, nil, fmt.Errorf("parse handshake request: %w", err)
	}
	return r, rest, nil
}

func newHandshakeRequest(protocol, version []byte) (HandshakeRequest, error) {
	if protocol == nil || protocol[0] != '"' {
		return HandshakeRequest{}, errors.New("protocol: not a string")
	}
	n, ok := integer(version)
	if !ok || int64(int(n)) != n {
		return HandshakeRequest{}, errors.New("version: not an integer")
	}
	return HandshakeRequest{string(plain(protocol)), int(n)}, nil
}

// Append writes the request with its 0x1e.
func (r HandshakeRequest) Append(b []byte) []byte {
	b = append(b, `{"protocol":`...)
	b = appendString(b, r.Protocol)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(r.Version), 10)
	return append(b, '}', RecordSeparator)
}

// ParseHandshakeResponse reads an answer and returns the bytes behind it. Without
// a 0x1e in b the error is [ErrIncomplete]. The result does not alias b, rest does.
func ParseHandshakeResponse(b []byte) (r HandshakeResponse, rest []byte, err error) {
	text, rest, ok := bytes.Cut(b, []byte{RecordSeparator})
	if !ok {
		return r, nil, ErrIncomplete
	}
	reason, kind, err := handshakeProperties(text, "error", "type")
	switch {
	case err != nil:
	case kind != nil:
		err = errors.New("type: hub message before the handshake")
	case reason != nil && reason[0] == '"':
		r.Error = string(plain(reason))
	case reason != nil && string(reason) != "null":
		err = errors.New("error: not a string")
	}
	if err != nil {
		return r, nil, fmt.Errorf("parse handshake response: %w", err)
	}
	return r, rest, nil
}

// Append writes the answer with its 0x1e.
func (r HandshakeResponse) Append(b []byte) []byte {
	if r.Error == "" {
		return append(b, '{', '}', RecordSeparator)
	}
	b = append(b, `{"error":`...)
	b = appendString(b, r.Error)
	return append(b, '}', RecordSeparator)
}

// handshakeProperties checks a JSON object and returns two of its properties as
// they stand, nil where one is missing.
func handshakeProperties(text []byte, name1, name2 string) (value1, value2 []byte, err error) {
	if !utf8.Valid(text) {
		return nil, nil, errors.New("invalid UTF-8")
	}
	s := scanner{b: text}
	err = s.properties(func(name []byte, s *scanner) (err error) {
		switch string(name) {
		case name1:
			value1, err = s.value()
		case name2:
			value2, err = s.value()
		default:
			_, err = s.value()
		}
		return err
	})
	return value1, value2, err
}
