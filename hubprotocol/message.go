package hubprotocol

import (
	"errors"
	"fmt"
)

// A Type is the number that a hub message starts with.
type Type int

// The types of hub messages.
//
// Source: dotnet/aspnetcore docs/specs/HubProtocol.md; HubProtocolConstants.cs.
const (
	TypeInvocation       Type = 1
	TypeStreamItem       Type = 2
	TypeCompletion       Type = 3
	TypeStreamInvocation Type = 4
	TypeCancelInvocation Type = 5
	TypePing             Type = 6
	TypeClose            Type = 7
	TypeAck              Type = 8
	TypeSequence         Type = 9
)

var typeNames = [...]string{
	TypeInvocation:       "Invocation",
	TypeStreamItem:       "StreamItem",
	TypeCompletion:       "Completion",
	TypeStreamInvocation: "StreamInvocation",
	TypeCancelInvocation: "CancelInvocation",
	TypePing:             "Ping",
	TypeClose:            "Close",
	TypeAck:              "Ack",
	TypeSequence:         "Sequence",
}

// String returns the name of the type as the specification spells it.
func (t Type) String() string {
	if t >= TypeInvocation && t <= TypeSequence {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", int(t))
}

// A Message is one hub message: a pointer to one of the structs below.
type Message interface {
	MessageType() Type
}

// Invocation calls a method of the hub or of the client.
//
// Wire, JSON: type, [headers], [invocationId], target, arguments, [streamIds].
// Wire, MessagePack: [1, headers map, invocationId str|nil, target str,
// arguments array, streamIds array]; clients leave the last item out when it
// would be empty.
//
// Source: HubProtocol.md, "Invocation Message Encoding"; the missing sixth item
// from the JavaScript client, MessagePackHubProtocol.ts, _writeInvocation.
type Invocation struct {
	Headers      map[string]string // leave nil towards clients: the Java client throws on it
	InvocationID string            // empty: fire and forget, nothing comes back
	Target       string
	Arguments    [][]byte // encoded values, see Protocol.AppendValue
	StreamIDs    []string // upload streams that belong to the call, in parameter order
}

// StreamInvocation calls a streaming method of the hub. The answer is any
// number of StreamItem and one Completion. Only clients send it.
//
// Wire: as [Invocation] with type 4 and an invocationId that is always there.
type StreamInvocation struct {
	Headers      map[string]string
	InvocationID string // never empty
	Target       string
	Arguments    [][]byte
	StreamIDs    []string
}

// StreamItem carries one element of a stream, in either direction.
//
// Wire, JSON: type, [headers], invocationId, item.
// Wire, MessagePack: [2, headers map, invocationId str, item].
type StreamItem struct {
	Headers      map[string]string
	InvocationID string // never empty
	Item         []byte // encoded value
}

// Completion ends a call or a stream: with nothing, with a result or with an
// error. No result (void) and a result that is null are two different things;
// JavaScript callers see undefined and null.
//
// Wire, JSON: type, [headers], invocationId, then error or result or neither.
// Wire, MessagePack: [3, headers map, invocationId str, kind, value?], where
// kind 1 has an error str, kind 2 nothing and kind 3 the result.
type Completion struct {
	Headers      map[string]string
	InvocationID string // never empty
	Error        string
	HasError     bool   // tells an empty error text from none; Append takes a text alone for an error too
	Result       []byte // encoded value
	HasResult    bool
}

// CancelInvocation asks the hub to stop a running stream or call. Only clients
// send it; a Completion still follows.
//
// Wire, JSON: type, [headers], invocationId. Wire, MessagePack: [5, headers map,
// invocationId str].
type CancelInvocation struct {
	Headers      map[string]string
	InvocationID string // never empty
}

// Ping keeps a connection alive. Nobody answers it.
//
// Wire, JSON: type. Wire, MessagePack: [6].
type Ping struct{}

// Close ends the connection.
//
// Wire, JSON: type, [error], [allowReconnect, written only when true].
// Wire, MessagePack: [7, error str|nil, allowReconnect bool]; JavaScript sends
// the first two items only.
type Close struct {
	Error          string // empty: a normal end
	AllowReconnect bool   // the client may start over by itself
}

// Ack confirms the messages received up to SequenceID (stateful reconnect).
//
// Wire, JSON: type, sequenceId. Wire, MessagePack: [8, sequenceId int].
type Ack struct{ SequenceID int64 }

// Sequence says the number of the message that follows it, after a stateful
// reconnect.
//
// Wire, JSON: type, sequenceId. Wire, MessagePack: [9, sequenceId int].
type Sequence struct{ SequenceID int64 }

// Unknown is a message of a type that this package does not know. A receiver
// skips it. It cannot be written.
type Unknown struct{ Type int }

// MessageType returns TypeInvocation.
func (*Invocation) MessageType() Type       { return TypeInvocation }
func (*StreamInvocation) MessageType() Type { return TypeStreamInvocation }
func (*StreamItem) MessageType() Type       { return TypeStreamItem }
func (*Completion) MessageType() Type       { return TypeCompletion }
func (*CancelInvocation) MessageType() Type { return TypeCancelInvocation }
func (*Ping) MessageType() Type             { return TypePing }
func (*Close) MessageType() Type            { return TypeClose }
func (*Ack) MessageType() Type              { return TypeAck }
func (*Sequence) MessageType() Type         { return TypeSequence }

// MessageType returns the number that was read.
func (m *Unknown) MessageType() Type { return Type(m.Type) }

var errNoInvocationID = errors.New("invocation id is empty")

// checkCompletion refuses a completion that says two things at once.
func checkCompletion(m *Completion) error {
	switch {
	case m.InvocationID == "":
		return errNoInvocationID
	case m.HasResult && (m.HasError || m.Error != ""):
		return errors.New("error and result are mutually exclusive")
	}
	return nil
}
