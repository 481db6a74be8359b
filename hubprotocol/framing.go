package hubprotocol

import (
	"bytes"
	"strings"
)

// RecordSeparator ends every JSON message and both handshake messages.
const RecordSeparator = 0x1e

// A Framing is the way a protocol marks the end of a message. It is all that a
// relay needs to know, and it allocates nothing.
type Framing int

// The framings of the hub protocols in use.
const (
	FramingNone            Framing = iota // not known: bytes pass as they come
	FramingRecordSeparator                // each message ends in 0x1e
	FramingLengthPrefix                   // each message starts with its length as a varint
)

// FramingOf returns the framing of a hub protocol, FramingNone for one that is
// not known. Case does not matter.
//
// Source: dotnet/aspnetcore TextMessageParser.cs, BinaryMessageParser.cs;
// "blazorpack" is the MessagePack dialect of Blazor Server, BlazorPackHubProtocol.cs.
func FramingOf(protocol string) Framing {
	switch {
	case strings.EqualFold(protocol, "json"):
		return FramingRecordSeparator
	case strings.EqualFold(protocol, "messagepack"), strings.EqualFold(protocol, "blazorpack"):
		return FramingLengthPrefix
	}
	return FramingNone
}

// Next returns the length of the first whole message in b, framing included,
// and 0 when b ends before the message does. Without a known framing all of b
// is one message. A length prefix over 2 GB is an error.
func (f Framing) Next(b []byte) (n int, err error) {
	switch f {
	case FramingRecordSeparator:
		return bytes.IndexByte(b, RecordSeparator) + 1, nil
	case FramingLengthPrefix:
		head, body, err := lengthPrefix(b)
		if err != nil || head == 0 || body > len(b)-head {
			return 0, err
		}
		return head + body, nil
	}
	return len(b), nil
}

// IsClose tells whether a whole message, as Next measured it, is a Close. It
// reads no further than the type; the rest need not be valid. In a JSON object
// that repeats the type, the first one counts here and the last one in Parse.
func (f Framing) IsClose(message []byte) bool {
	switch f {
	case FramingRecordSeparator:
		return jsonIsClose(message)
	case FramingLengthPrefix:
		return messagePackTypeOf(message) == TypeClose
	}
	return false
}

// TypeOf returns the type of a whole message, as Next measured it, and 0 for one
// that has none of the known ones. Like IsClose it reads no further than the type.
func (f Framing) TypeOf(message []byte) Type {
	switch f {
	case FramingRecordSeparator:
		return jsonTypeOf(message)
	case FramingLengthPrefix:
		return messagePackTypeOf(message)
	}
	return 0
}
