package serviceprotocol

// A ConnectionType says why an app server has opened a server connection.
type ConnectionType int

const (
	ConnectionDefault  ConnectionType = 0 // may carry clients; has to be accepted
	ConnectionOnDemand ConnectionType = 1 // made because the service asked for it; may carry clients; may be refused
	ConnectionWeak     ConnectionType = 2 // carries no clients, may send messages
)

// A MigrationLevel says when the clients of an app server may move to another.
type MigrationLevel int

const (
	MigrationOff          MigrationLevel = 0
	MigrationShutdownOnly MigrationLevel = 1 // when the app server shuts down gracefully
	MigrationAny          MigrationLevel = 2 // also when its connection drops; documented, never sent by the SDK
)

// A HandshakeRequest is the first message on a server connection, from the app
// server. The service answers with a HandshakeResponse within 15 seconds.
//
// Wire: [1, version int, connectionType int, target str, migrationLevel int,
// extensions map, allowStatefulReconnects bool]. SDKs up to 1.25 send the first
// six items, older ones two, four or five; a reader accepts them all.
//
// Source: azure-signalr ServiceProtocol.cs, WriteHandshakeRequestMessage and
// CreateHandshakeRequestMessage; the last item from ServiceProtocolFacts.cs,
// HandshakeRequestWithStatefulReconnects.
type HandshakeRequest struct {
	Version        int
	ConnectionType ConnectionType
	Target         string // instance that the connection is meant for; the SDK leaves it empty and uses the URL
	MigrationLevel MigrationLevel

	// AllowStatefulReconnects says that the hub lets clients resume. Nil leaves
	// the item out, as older SDKs do.
	AllowStatefulReconnects *bool
}

func (m *HandshakeRequest) Type() Type { return TypeHandshakeRequest }

func (m *HandshakeRequest) Append(b []byte) []byte {
	n := 6
	if m.AllowStatefulReconnects != nil {
		n = 7
	}
	b = append(appendArray(b, n), byte(TypeHandshakeRequest))
	b = appendInt(b, m.Version)
	b = appendInt(b, int(m.ConnectionType))
	b = appendStr(b, m.Target)
	b = appendInt(b, int(m.MigrationLevel))
	b = appendNoExtension(b)
	if m.AllowStatefulReconnects != nil {
		b = appendBool(b, *m.AllowStatefulReconnects)
	}
	return b
}

func (m *HandshakeRequest) parse(r reader) *ParseError {
	*m = HandshakeRequest{}
	r.require(2)
	m.Version = r.int("version")
	if r.n >= 4 {
		m.ConnectionType = ConnectionType(r.int("connectionType"))
		m.Target = r.str("target")
	}
	if r.n >= 5 {
		m.MigrationLevel = MigrationLevel(r.int("migrationLevel"))
	}
	if r.n >= 6 {
		r.skip("ext")
	}
	if r.n >= 7 {
		m.AllowStatefulReconnects = new(r.bool("allowStatefulReconnects"))
	}
	return r.err
}

// A HandshakeResponse is the service's first message on a server connection. The
// app server closes a connection that is refused.
//
// Wire: [2, errorMessage str, extensions map, connectionId str|nil]; the
// extensions are not last. Older services send two or three items.
//
// Source: azure-signalr ServiceProtocol.cs, WriteHandshakeResponseMessage and
// CreateHandshakeResponseMessage.
type HandshakeResponse struct {
	Error        string // why the connection is refused; empty means accepted
	ConnectionID string // of the server connection
}

func (m *HandshakeResponse) Type() Type { return TypeHandshakeResponse }

func (m *HandshakeResponse) Append(b []byte) []byte {
	b = append(appendArray(b, 4), byte(TypeHandshakeResponse))
	b = appendStr(b, m.Error)
	b = appendNoExtension(b)
	return appendStrOrNil(b, m.ConnectionID)
}

func (m *HandshakeResponse) parse(r reader) *ParseError {
	*m = HandshakeResponse{}
	r.require(2)
	m.Error = r.str("errorMessage")
	if r.n >= 3 {
		r.skip("ext")
	}
	if r.n >= 4 {
		m.ConnectionID = r.str("connectionId")
	}
	return r.err
}
