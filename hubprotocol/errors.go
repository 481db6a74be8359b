package hubprotocol

import (
	"errors"
	"fmt"
)

// ErrIncomplete means that the bytes end before the handshake message does. The
// caller reads more, up to its own limit, and tries again.
var ErrIncomplete = errors.New("handshake message is incomplete")

// A ParseError says what is wrong with a received message. It names fields and
// never shows the bytes of the message.
type ParseError struct {
	Type   Type   // 0 when the message broke before its type was known
	Field  string // name as in the specification; empty for the message as a whole
	Reason string
}

func (e *ParseError) Error() string {
	text := "parse hub message: "
	if e.Type != 0 {
		text = "parse hub message " + e.Type.String() + ": "
	}
	if e.Field != "" {
		text += e.Field + ": "
	}
	return text + e.Reason
}

// fault makes the ParseError for one field of a message of type t.
func (t Type) fault(field, reason string) error {
	return &ParseError{Type: t, Field: field, Reason: reason}
}

// A MessageSizeError means that a message is larger than the receiver allows.
type MessageSizeError struct {
	Limit int // bytes, framing included
}

func (e *MessageSizeError) Error() string {
	return fmt.Sprintf("hub message is larger than %d bytes", e.Limit)
}
