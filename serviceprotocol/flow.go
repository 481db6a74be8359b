package serviceprotocol

// A FlowConnectionType says which kind of connection a ConnectionFlowControl
// names.
type FlowConnectionType int

const (
	FlowClient FlowConnectionType = 1
	FlowServer FlowConnectionType = 2
)

// A FlowOperation is what a ConnectionFlowControl asks for or answers.
type FlowOperation int

const (
	FlowPause    FlowOperation = 1 // to the app server: send nothing more for this client
	FlowPauseAck FlowOperation = 2 // to the service: nothing more will come for it on this server connection
	FlowResume   FlowOperation = 3 // to the app server: go on, on the server connection that brings this
	FlowOffline  FlowOperation = 4 // to the app server: write nothing more to this server connection
)

// A ConnectionFlowControl moves a client between server connections of the same
// app server, or takes a server connection out of use.
//
// Wire: [39, connectionId str, connectionType int, operation int, extensions
// map]. Both ints are written in 32 bits, as the SDK writes them; a reader takes
// any. SDKs after 1.25 know the type.
//
// Source: azure-signalr ServiceProtocolFacts.cs, ConnectionFlowControl-1.
type ConnectionFlowControl struct {
	ConnectionID   string
	ConnectionType FlowConnectionType
	Operation      FlowOperation
}

func (m *ConnectionFlowControl) Type() Type { return TypeConnectionFlowControl }

func (m *ConnectionFlowControl) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeConnectionFlowControl))
	b = appendStr(b, m.ConnectionID)
	b = appendInt32(b, int(m.ConnectionType))
	b = appendInt32(b, int(m.Operation))
	return appendNoExtension(b)
}

func (m *ConnectionFlowControl) parse(r reader) *ParseError {
	*m = ConnectionFlowControl{}
	r.require(4)
	m.ConnectionID = r.str("connectionId")
	m.ConnectionType = FlowConnectionType(r.int("connectionType"))
	m.Operation = FlowOperation(r.int("operation"))
	r.skipExtension(5)
	return r.err
}
