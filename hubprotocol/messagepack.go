package hubprotocol

// messagePackProtocol is the binary encoding: one MessagePack array per message,
// each behind its length.
//
// Source: dotnet/aspnetcore MessagePackHubProtocolWorker.cs, ParseMessage and
// WriteMessageCore.
type messagePackProtocol struct{}

func (messagePackProtocol) Name() string { return "messagepack" }
func (messagePackProtocol) Binary() bool { return true }

func (messagePackProtocol) Split(b []byte, limit int) (message, rest []byte, err error) {
	head, body, err := lengthPrefix(b)
	switch {
	case err != nil:
		return nil, b, err
	case limit > 0 && (body > limit-head || head == 0 && len(b) >= limit):
		return nil, b, &MessageSizeError{limit}
	case head == 0 || body > len(b)-head:
		return nil, b, nil
	}
	n := head + body
	return b[:n:n], b[n:], nil
}

func (messagePackProtocol) Parse(message []byte) (Message, error) {
	head, body, err := lengthPrefix(message)
	switch {
	case err != nil:
		return nil, err
	case head == 0 || body != len(message)-head:
		return nil, &ParseError{Reason: "length prefix does not match the message"}
	}
	u := unpacker{b: message[head:]}
	m := u.message()
	if u.err != nil {
		return nil, u.err
	}
	return m, nil
}

// messagePackTypeOf returns the first item of the array, 0 if it is no small number.
func messagePackTypeOf(message []byte) Type {
	head, _, err := lengthPrefix(message)
	if err != nil || head == 0 {
		return 0
	}
	array, err := readToken(message[head:])
	if err != nil || array.kind != kindArray || array.count == 0 {
		return 0
	}
	first, err := readToken(message[head+array.head:])
	if err != nil || first.kind != kindUint && first.kind != kindInt || first.bits > 9 {
		return 0
	}
	return Type(first.bits)
}
