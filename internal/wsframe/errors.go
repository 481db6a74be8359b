package wsframe

// A ProtocolError is a peer's breach of the WebSocket protocol. The connection is
// to be closed with Code and Reason: they are what [AppendClose] takes.
type ProtocolError struct {
	Code   int    // CloseProtocolError or CloseInvalidPayload from this package
	Reason string // a fixed sentence of at most 123 bytes, fit for the peer to see
}

func (e *ProtocolError) Error() string { return "websocket: " + e.Reason }

func breach(reason string) *ProtocolError  { return &ProtocolError{CloseProtocolError, reason} }
func invalid(reason string) *ProtocolError { return &ProtocolError{CloseInvalidPayload, reason} }

// What a Reader finds, made once: a peer that sends garbage costs no memory.
var (
	errReserved          = breach("reserved bits are set")
	errOpcode            = breach("unknown opcode")
	errFragmentedControl = breach("control frame is fragmented")
	errContinuation      = breach("continuation without a message to continue")
	errInterleaved       = breach("new message before the end of the last one")
	errUnmasked          = breach("frame of a client is not masked")
	errMasked            = breach("frame of a server is masked")
	errLongControl       = breach("control frame is longer than 125 bytes")
	errNotMinimal        = breach("length is not in its shortest form")
	errNegative          = breach("length has its highest bit set")
	errText              = invalid("text is not UTF-8")
	errCloseLength       = breach("close frame has a body of one byte")
	errCloseCode         = breach("close code is not valid")
	errCloseReason       = invalid("close reason is not UTF-8")
)
