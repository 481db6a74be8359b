package aspnetprotocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// KeepAlive is the message that says nothing.
const KeepAlive = "{}"

// An Envelope is a message to a client that holds others. What is zero is left out, save the
// cursor and the list of messages, without which clients go wrong.
//
// Source: SignalR Core/Transports/PersistentResponse.cs.
type Envelope struct {
	Cursor      string // opaque; must not be empty
	Initialized bool   // the first one of a connection
	Reconnect   bool   // the client shall connect to another service
	PollDelay   int    // ms until the next long poll
}

// AppendBegin appends all up to the first message. The messages follow, with commas between
// them, and AppendEnd.
func (e Envelope) AppendBegin(b []byte) []byte {
	b = appendString(append(b, `{"C":`...), e.Cursor)
	if e.Initialized {
		b = append(b, `,"S":1`...)
	}
	if e.Reconnect {
		b = append(b, `,"T":1`...)
	}
	if e.PollDelay > 0 {
		b = strconv.AppendInt(append(b, `,"L":`...), int64(e.PollDelay), 10)
	}
	return append(b, `,"M":[`...)
}

// AppendEnd ends an envelope.
func AppendEnd(b []byte) []byte { return append(b, `]}`...) }

// Append appends an envelope with these messages.
func (e Envelope) Append(b []byte, messages ...[]byte) []byte {
	return AppendEnd(append(e.AppendBegin(b), bytes.Join(messages, []byte{','})...))
}

// AppendError appends the message that ends a connection with an error. Clients before 2.4
// do not know it.
func AppendError(b []byte, text string) []byte {
	return append(appendString(append(b, `{"E":`...), text), '}')
}

// A Text is what an app server sends to clients in one frame.
type Text struct {
	// Messages are JSON values with commas between them, as they were in the envelope; empty if
	// it had none. They are part of what was parsed.
	Messages []byte

	// Bare is true for a result without envelope, which may be passed on as it is.
	Bare bool
}

// ParseText looks into a JSON text of an app server. An object without M is taken for a result.
// Anything but an object is an error.
func ParseText(text []byte) (Text, error) {
	if inner, ok := plainEnvelope(text); ok {
		return Text{Messages: inner}, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return Text{}, fmt.Errorf("message of an app server: %w", err)
	}
	if object == nil {
		return Text{}, errors.New("message of an app server: null")
	}
	messages, ok := object["M"]
	if _, isCall := object["H"]; !ok || isCall && object["C"] == nil {
		return Text{Messages: text, Bare: true}, nil
	}
	if len(messages) < 2 || messages[0] != '[' {
		return Text{}, errors.New("message of an app server: M is not an array")
	}
	return Text{Messages: bytes.TrimSpace(messages[1 : len(messages)-1])}, nil
}

// plainEnvelope returns the messages of an envelope as the SDK writes it, {"C":"0","M":[…]}. It
// looks for the end of the array, and whether strings and brackets are closed; what is in the
// messages is left to the client.
func plainEnvelope(text []byte) (inner []byte, ok bool) {
	const begin = `{"C":"0","M":[`
	if !bytes.HasPrefix(text, []byte(begin)) || !bytes.HasSuffix(text, []byte(`]}`)) {
		return nil, false
	}
	inner = text[len(begin) : len(text)-2]
	depth := 0
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth < 0 {
				return nil, false
			}
		case '"':
			n := stringLength(inner[i:])
			if n == 0 {
				return nil, false
			}
			i += n - 1
		}
	}
	return inner, depth == 0
}

// stringLength returns the length of the JSON string that b begins with, quotes included, or 0
// if it has no end.
func stringLength(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// appendString appends a JSON string, without the escapes for HTML that json.Marshal adds.
func appendString(b []byte, s string) []byte {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can always be encoded
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}
