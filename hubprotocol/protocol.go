package hubprotocol

import "strings"

// A Protocol is one encoding of hub messages. All methods may be called from
// any goroutine.
type Protocol interface {
	// Name is the word for this protocol in the handshake.
	Name() string

	// Binary tells which WebSocket frame type to send. It says nothing of the
	// frames received: the Java client sends binary frames for JSON.
	Binary() bool

	// Split cuts the first whole message off b, framing included. An incomplete
	// message gives nil, b, nil. A message longer than limit bytes, framing
	// included, gives *MessageSizeError, as early as that is certain; 0 is no
	// limit. message and rest alias b.
	Split(b []byte, limit int) (message, rest []byte, err error)

	// Parse reads one message exactly as Split returned it. Strings of the result
	// are copies; Arguments, Item and Result alias message. A type that is not
	// known gives *Unknown. Errors are *ParseError.
	Parse(message []byte) (Message, error)

	// Append writes m, framing included. It refuses what Parse would refuse:
	// missing ids, broken raw values, *Unknown. On an error b comes back as it was.
	Append(b []byte, m Message) ([]byte, error)

	// AppendValue encodes one argument, item or result.
	AppendValue(b []byte, v any) ([]byte, error)

	// ParseValue decodes one argument, item or result into a pointer. Nothing in
	// the decoded value aliases raw.
	ParseValue(raw []byte, into any) error
}

// The two protocols.
var (
	JSON        Protocol = jsonProtocol{}
	MessagePack Protocol = messagePackProtocol{}
)

// ByName finds a protocol by the name that a handshake asks for, without regard
// to case.
func ByName(name string) (Protocol, bool) {
	for _, p := range [...]Protocol{JSON, MessagePack} {
		if strings.EqualFold(name, p.Name()) {
			return p, true
		}
	}
	return nil, false
}

// maxDepth is the number of arrays and objects that may be open at once in a
// message, the message itself included.
//
// Source: System.Text.Json, JsonReaderOptions.MaxDepth; taken for both protocols.
const maxDepth = 64
