package serviceprotocol

// A DataMessageType says what a ConnectionData carries, so that its receiver
// need not look into the hub protocol.
//
// Source: azure-signalr enums.cs, DataMessageType; DataClose from later releases.
type DataMessageType int

const (
	DataUnknown    DataMessageType = 0
	DataHandshake  DataMessageType = 1
	DataInvocation DataMessageType = 2
	DataOther      DataMessageType = 3 // ping, ack or sequence
	DataClose      DataMessageType = 4
)

// A ConnectionData carries bytes of one client connection, in the hub protocol
// with its framing, to or from the app server.
//
// Wire: [6, connectionId str, payload bin, extensions map]. Older SDKs send the
// first three items. Extensions: tracing id, data message type, is partial.
//
// Source: azure-signalr ServiceProtocol.cs, WriteConnectionDataMessage and
// CreateConnectionDataMessage.
type ConnectionData struct {
	ConnectionID string
	Payload      []byte
	DataType     DataMessageType // DataUnknown is not written
	Partial      bool            // more of the same hub message follows
	TracingID    uint64          // 0 means none
}

func (m *ConnectionData) Type() Type { return TypeConnectionData }

func (m *ConnectionData) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeConnectionData))
	b = appendStr(b, m.ConnectionID)
	b = appendBin(b, m.Payload)
	return extension{tracingID: m.TracingID, dataType: m.DataType, partial: m.Partial}.append(b)
}

func (m *ConnectionData) parse(r reader) *ParseError {
	*m = ConnectionData{}
	r.require(3)
	m.ConnectionID = r.str("connectionId")
	m.Payload = r.bytes("payload")
	if r.n >= 4 {
		e := r.extension(withTracingID | withDataType | withPartial)
		m.TracingID, m.DataType, m.Partial = e.tracingID, e.dataType, e.partial
	}
	return r.err
}
