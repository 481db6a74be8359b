// Package serviceprotocol is the language between the service and the app
// servers: the messages, their bytes, and the frames they travel in.
//
// An app server opens a few WebSockets to the service, its server connections.
// Each is a stream of frames; a frame is a varint length and one message; a
// message is one MessagePack array that starts with its [Type]. Many client
// connections share a server connection, so nearly every message names whom it
// concerns. All traffic of the service passes through this package, twice.
//
// Writing is strict: a message becomes the bytes that the oldest .NET SDK can
// read, with only the extension keys which that type has always had. Reading is
// tolerant: older and shorter forms are accepted, later elements and extension
// keys are passed over, and a message of a type not known here is an [Unknown].
//
// The package is pure. It does no I/O, starts no goroutine, and keeps no state;
// what a message does to its receiver is the business of others.
package serviceprotocol

import "fmt"

// Version is the protocol version that a HandshakeRequest asks for.
const Version = 1

// A Message is one message of the service protocol: a pointer to one of the
// structs of this package, and nothing else.
type Message interface {
	Type() Type

	// Append appends the message's body, without a length prefix, and returns
	// the longer slice. It only reads the message, so that any number of
	// goroutines may append one message at once.
	Append(b []byte) []byte

	// parse fills the message from r, which stands behind the type. Whatever
	// the message held before is gone.
	parse(r reader) *ParseError
}

// An Unknown is a message of a type that this package does not know, sent by
// a newer peer. A receiver counts it and carries on.
//
// Wire: [number int, ...]. Only the number is kept; Append writes [number].
//
// Source: azure-signalr ServiceProtocol.cs, ParseMessage: "old clients can
// ignore them".
type Unknown struct {
	Number int
}

func (m *Unknown) Type() Type { return Type(m.Number) }

func (m *Unknown) Append(b []byte) []byte {
	return appendInt(appendArray(b, 1), m.Number)
}

func (m *Unknown) parse(r reader) *ParseError {
	*m = Unknown{Number: int(r.typ)}
	return nil
}

// A Claim is one statement about a client's user. Claims are ordered, and a
// type may occur more than once.
type Claim struct {
	Type, Value string
}

// A ParseError says what is wrong with a message body. It never holds a part of
// the body, and may be logged.
type ParseError struct {
	Type   Type   // 0 if the type itself could not be read
	Field  string // the wire's name of the element
	Reason string
}

func (e *ParseError) Error() string {
	if e.Type == 0 {
		return fmt.Sprintf("parse service message: %s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("parse %v: %s: %s", e.Type, e.Field, e.Reason)
}
