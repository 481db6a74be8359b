package serviceprotocol

// A CloseConnectionWithAck closes one client connection, and is answered by an
// Ack. The .NET SDK defines it and never sends it.
//
// Wire: [30, connectionId str, reason str|nil, ackId int, extensions map]. The
// extensions may be missing. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCloseConnectionWithAckMessage.
type CloseConnectionWithAck struct {
	ConnectionID string
	Reason       string // shown to the client; empty means none
	AckID        int
	TracingID    uint64 // 0 means none
}

func (m *CloseConnectionWithAck) Type() Type { return TypeCloseConnectionWithAck }

func (m *CloseConnectionWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeCloseConnectionWithAck))
	b = appendStr(b, m.ConnectionID)
	b = appendStrOrNil(b, m.Reason)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *CloseConnectionWithAck) parse(r reader) *ParseError {
	*m = CloseConnectionWithAck{}
	r.require(4)
	m.ConnectionID = r.str("connectionId")
	m.Reason = r.str("reason")
	m.AckID = r.int("ackId")
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A CloseConnectionsWithAck closes the client connections of the whole hub, and
// is answered by an Ack. The .NET SDK defines it and never sends it.
//
// Wire: [31, reason str|nil, ackId int, excludedConnectionIds []str, extensions
// map]. The extensions may be missing. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCloseConnectionsWithAckMessage.
type CloseConnectionsWithAck struct {
	Reason                string // shown to the clients; empty means none
	AckID                 int
	ExcludedConnectionIDs []string
	TracingID             uint64 // 0 means none
}

func (m *CloseConnectionsWithAck) Type() Type { return TypeCloseConnectionsWithAck }

func (m *CloseConnectionsWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeCloseConnectionsWithAck))
	b = appendStrOrNil(b, m.Reason)
	b = appendInt(b, m.AckID)
	b = appendStrs(b, m.ExcludedConnectionIDs)
	return appendTracingID(b, m.TracingID)
}

func (m *CloseConnectionsWithAck) parse(r reader) *ParseError {
	*m = CloseConnectionsWithAck{}
	r.require(4)
	m.Reason = r.str("reason")
	m.AckID = r.int("ackId")
	m.ExcludedConnectionIDs = r.strs(nil, "excludedConnectionIds")
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A CloseUserConnectionsWithAck closes the client connections of a user, and is
// answered by an Ack.
//
// Wire: [32, userId str, reason str|nil, ackId int, excludedConnectionIds []str,
// extensions map]. The extensions may be missing. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCloseUserConnectionsWithAckMessage.
type CloseUserConnectionsWithAck struct {
	UserID                string
	Reason                string // shown to the clients; empty means none
	AckID                 int
	ExcludedConnectionIDs []string
	TracingID             uint64 // 0 means none
}

func (m *CloseUserConnectionsWithAck) Type() Type { return TypeCloseUserConnectionsWithAck }

func (m *CloseUserConnectionsWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeCloseUserConnectionsWithAck))
	b = appendStr(b, m.UserID)
	b = appendStrOrNil(b, m.Reason)
	b = appendInt(b, m.AckID)
	b = appendStrs(b, m.ExcludedConnectionIDs)
	return appendTracingID(b, m.TracingID)
}

func (m *CloseUserConnectionsWithAck) parse(r reader) *ParseError {
	*m = CloseUserConnectionsWithAck{}
	r.require(5)
	m.UserID = r.str("userId")
	m.Reason = r.str("reason")
	m.AckID = r.int("ackId")
	m.ExcludedConnectionIDs = r.strs(nil, "excludedConnectionIds")
	if r.n >= 6 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A CloseGroupConnectionsWithAck closes the client connections of a group, and is
// answered by an Ack.
//
// Wire: [33, group str, reason str|nil, ackId int, excludedConnectionIds []str,
// extensions map]. The extensions may be missing. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCloseGroupConnectionsWithAckMessage.
type CloseGroupConnectionsWithAck struct {
	Group                 string
	Reason                string // shown to the clients; empty means none
	AckID                 int
	ExcludedConnectionIDs []string
	TracingID             uint64 // 0 means none
}

func (m *CloseGroupConnectionsWithAck) Type() Type { return TypeCloseGroupConnectionsWithAck }

func (m *CloseGroupConnectionsWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeCloseGroupConnectionsWithAck))
	b = appendStr(b, m.Group)
	b = appendStrOrNil(b, m.Reason)
	b = appendInt(b, m.AckID)
	b = appendStrs(b, m.ExcludedConnectionIDs)
	return appendTracingID(b, m.TracingID)
}

func (m *CloseGroupConnectionsWithAck) parse(r reader) *ParseError {
	*m = CloseGroupConnectionsWithAck{}
	r.require(5)
	m.Group = r.str("group")
	m.Reason = r.str("reason")
	m.AckID = r.int("ackId")
	m.ExcludedConnectionIDs = r.strs(nil, "excludedConnectionIds")
	if r.n >= 6 {
		m.TracingID = r.tracingID()
	}
	return r.err
}
