package hubprotocol

// An envelope holds the properties of a JSON message as they stand, until all
// are read: the type may come last. A property that is missing is nil.
type envelope struct {
	kind, headers, invocationID, target, streamIDs []byte
	item, result, err, allowReconnect, sequenceID  []byte
	arguments                                      [][]byte // nil also when it is no array
}

// read takes one property; it is called by scanner.properties. Of a name that
// comes twice the last one counts.
func (e *envelope) read(name []byte, s *scanner) (err error) {
	if string(name) == "arguments" {
		e.arguments, err = s.elements()
		return err
	}
	value, err := s.value()
	if field := e.field(name); field != nil {
		*field = value
	}
	return err
}

// field returns the place for a property, nil for one to skip.
func (e *envelope) field(name []byte) *[]byte {
	switch string(name) {
	case "type":
		return &e.kind
	case "headers":
		return &e.headers
	case "invocationId":
		return &e.invocationID
	case "target":
		return &e.target
	case "streamIds":
		return &e.streamIDs
	case "item":
		return &e.item
	case "result":
		return &e.result
	case "error":
		return &e.err
	case "allowReconnect":
		return &e.allowReconnect
	case "sequenceId":
		return &e.sequenceID
	}
	return nil
}

// message makes the message of the envelope's type. Properties that do not
// belong to the type are not looked at.
func (e *envelope) message() (Message, error) {
	n, ok := integer(e.kind)
	if !ok || int64(int(n)) != n {
		return nil, &ParseError{Field: "type", Reason: "not an integer"}
	}
	f := fields{kind: Type(n)}
	m := e.build(&f)
	if f.err != nil {
		return nil, f.err
	}
	return m, nil
}

func (e *envelope) build(f *fields) Message {
	switch f.kind {
	case TypeInvocation:
		m := e.invocation(f)
		return &m
	case TypeStreamInvocation:
		m := StreamInvocation(e.invocation(f))
		f.require(m.InvocationID)
		return &m
	case TypeStreamItem:
		return &StreamItem{f.headers(e.headers), f.id(e.invocationID), f.value("item", e.item)}
	case TypeCompletion:
		return e.completion(f)
	case TypeCancelInvocation:
		return &CancelInvocation{f.headers(e.headers), f.id(e.invocationID)}
	case TypePing:
		return &Ping{}
	case TypeClose:
		return &Close{f.optional("error", e.err), f.boolean("allowReconnect", e.allowReconnect)}
	case TypeAck:
		return &Ack{f.integer("sequenceId", e.sequenceID)}
	case TypeSequence:
		return &Sequence{f.integer("sequenceId", e.sequenceID)}
	}
	return &Unknown{int(f.kind)}
}

func (e *envelope) invocation(f *fields) Invocation {
	if e.arguments == nil {
		f.fail("arguments", "not an array")
	}
	return Invocation{
		Headers:      f.headers(e.headers),
		InvocationID: f.optional("invocationId", e.invocationID),
		Target:       f.text("target", e.target),
		Arguments:    e.arguments,
		StreamIDs:    f.texts("streamIds", e.streamIDs),
	}
}

func (e *envelope) completion(f *fields) *Completion {
	m := &Completion{
		Headers:      f.headers(e.headers),
		InvocationID: f.id(e.invocationID),
		Error:        f.optional("error", e.err),
		HasError:     present(e.err),
		Result:       e.result,
		HasResult:    e.result != nil,
	}
	if m.HasError && m.HasResult {
		f.fail("", "error and result are mutually exclusive")
	}
	return m
}
