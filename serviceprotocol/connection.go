package serviceprotocol

// Headers that the service adds to the client's own, in OpenConnection and
// CloseConnection.
//
// Source: azure-signalr Constants.cs, AsrsHeaders.
const (
	HeaderInstanceID       = "Asrs-Instance-Id"          // service instance that holds the client's socket
	HeaderDiagnosticClient = "Asrs-Is-Diagnostic-Client" // "true" or "false"
	HeaderMigrateFrom      = "Asrs-Migrate-From"         // server id that the client comes from
	HeaderMigrateTo        = "Asrs-Migrate-To"           // server id that the client goes to

	// HeaderHandOver is ours, and stands beside HeaderMigrateTo: the app server shall send
	// CloseConnection when it has nothing more for the client. It is for those who have
	// said in their WebSocket request, by a header of the same name, that they do.
	HeaderHandOver = "Switchboard-Hand-Over"

	// HeaderResume is ours, and stands in the WebSocket request of a server connection and in
	// its answer. It has a decimal number: the bytes that have come over earlier WebSockets of
	// the same server connection (cid); or, in the request of a new one, ResumeNew. An answer
	// without it means that the server connection cannot be resumed; that it is not known any
	// more is 404.
	HeaderResume = "Switchboard-Resume"
	ResumeNew    = "new"
)

// An OpenConnection tells an app server of a new client connection.
//
// Wire: [4, connectionId str, claims map[str]str, headers map[str][]str,
// queryString str, extensions map]. The claims map may repeat a key. In three or
// four items there is only the id and the claims, in five there are no extensions.
// Extensions: tracing id, protocol.
//
// Source: azure-signalr ServiceProtocol.cs, WriteOpenConnectionMessage and
// CreateOpenConnectionMessage.
type OpenConnection struct {
	ConnectionID string
	Claims       []Claim
	Headers      Headers
	QueryString  string // with its "?", or empty
	Protocol     string // the client's hub protocol; SDKs from 1.26 need it
	TracingID    uint64 // 0 means none
}

func (m *OpenConnection) Type() Type { return TypeOpenConnection }

func (m *OpenConnection) Append(b []byte) []byte {
	b = append(appendArray(b, 6), byte(TypeOpenConnection))
	b = appendStr(b, m.ConnectionID)
	b = appendClaims(b, m.Claims)
	b = m.Headers.append(b)
	b = appendStr(b, m.QueryString)
	return extension{tracingID: m.TracingID, protocol: m.Protocol}.append(b)
}

func (m *OpenConnection) parse(r reader) *ParseError {
	*m = OpenConnection{}
	r.require(3)
	m.ConnectionID = r.str("connectionId")
	m.Claims = r.claims()
	if r.n >= 5 {
		m.Headers = r.headers()
		m.QueryString = r.str("queryString")
	}
	if r.n >= 6 {
		e := r.extension(withTracingID | withProtocol)
		m.TracingID, m.Protocol = e.tracingID, e.protocol
	}
	return r.err
}

// A CloseConnection ends one client connection. Either side may send it; the
// receiver then forgets ConnectionID and sends nothing more for it.
//
// Wire: [5, connectionId str, errorMessage str, headers map[str][]str,
// extensions map]. Older SDKs send the first three or four items, and nil for no
// error; a reader accepts both. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCloseConnectionMessage and
// CreateCloseConnectionMessage.
type CloseConnection struct {
	ConnectionID string
	Error        string // reason shown to the peer; empty means a normal close
	Headers      Headers
	TracingID    uint64 // 0 means none
}

func (m *CloseConnection) Type() Type { return TypeCloseConnection }

func (m *CloseConnection) Append(b []byte) []byte {
	b = append(appendArray(b, 5), byte(TypeCloseConnection))
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.Error)
	b = m.Headers.append(b)
	return appendTracingID(b, m.TracingID)
}

func (m *CloseConnection) parse(r reader) *ParseError {
	*m = CloseConnection{}
	r.require(3)
	m.ConnectionID = r.str("connectionId")
	m.Error = r.str("errorMessage")
	if r.n >= 4 {
		m.Headers = r.headers()
	}
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A ConnectionReconnect tells an app server that a client's transport has been
// restored under stateful reconnect. The app server drops the parts of a partial
// ConnectionData that it holds for the client.
//
// Wire: [38, connectionId str, extensions map].
//
// Source: azure-signalr ServiceProtocol.cs, WriteConnectionReconnectMessage.
type ConnectionReconnect struct {
	ConnectionID string
}

func (m *ConnectionReconnect) Type() Type { return TypeConnectionReconnect }

func (m *ConnectionReconnect) Append(b []byte) []byte {
	b = append(appendArray(b, 3), byte(TypeConnectionReconnect))
	return appendNoExtension(appendStr(b, m.ConnectionID))
}

func (m *ConnectionReconnect) parse(r reader) *ParseError {
	*m = ConnectionReconnect{}
	r.require(2)
	m.ConnectionID = r.str("connectionId")
	r.skipExtension(3)
	return r.err
}
