package serviceprotocol

// A JoinGroup adds a client connection to a group, without an answer. Current
// SDKs send JoinGroupWithAck instead.
//
// Wire: [11, connectionId str, group str, extensions map]. Older SDKs send the
// first three items. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteJoinGroupMessage.
type JoinGroup struct {
	ConnectionID string
	Group        string
	TracingID    uint64 // 0 means none
}

func (m *JoinGroup) Type() Type { return TypeJoinGroup }

func (m *JoinGroup) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeJoinGroup))
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.Group)
	return appendTracingID(b, m.TracingID)
}

func (m *JoinGroup) parse(r reader) *ParseError {
	*m = JoinGroup{}
	r.require(3)
	m.ConnectionID = r.str("connectionId")
	m.Group = r.str("group")
	if r.n >= 4 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A LeaveGroup takes a client connection out of a group, without an answer.
// Current SDKs send LeaveGroupWithAck instead.
//
// Wire: [12, connectionId str, group str, extensions map]. Older SDKs send the
// first three items. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteLeaveGroupMessage.
type LeaveGroup struct {
	ConnectionID string
	Group        string
	TracingID    uint64 // 0 means none
}

func (m *LeaveGroup) Type() Type { return TypeLeaveGroup }

func (m *LeaveGroup) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeLeaveGroup))
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.Group)
	return appendTracingID(b, m.TracingID)
}

func (m *LeaveGroup) parse(r reader) *ParseError {
	*m = LeaveGroup{}
	r.require(3)
	m.ConnectionID = r.str("connectionId")
	m.Group = r.str("group")
	if r.n >= 4 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A JoinGroupWithAck adds a client connection to a group, and is answered by an
// Ack. A connection that is in the group already stays in it.
//
// Wire: [18, connectionId str, group str, ackId int, extensions map]. Older SDKs
// send the first four items. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteJoinGroupWithAckMessage.
type JoinGroupWithAck struct {
	ConnectionID string
	Group        string
	AckID        int
	TracingID    uint64 // 0 means none
}

func (m *JoinGroupWithAck) Type() Type { return TypeJoinGroupWithAck }

func (m *JoinGroupWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeJoinGroupWithAck))
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.Group)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *JoinGroupWithAck) parse(r reader) *ParseError {
	*m = JoinGroupWithAck{}
	r.require(4)
	m.ConnectionID = r.str("connectionId")
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A LeaveGroupWithAck takes a client connection out of a group, or out of all of
// them, and is answered by an Ack.
//
// Wire: [19, connectionId str, group str|nil, ackId int, extensions map]. Older
// SDKs send the first four items. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteLeaveGroupWithAckMessage.
type LeaveGroupWithAck struct {
	ConnectionID string
	Group        string // empty means every group of the connection
	AckID        int
	TracingID    uint64 // 0 means none
}

func (m *LeaveGroupWithAck) Type() Type { return TypeLeaveGroupWithAck }

func (m *LeaveGroupWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeLeaveGroupWithAck))
	b = appendStr(b, m.ConnectionID)
	b = appendStrOrNil(b, m.Group)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *LeaveGroupWithAck) parse(r reader) *ParseError {
	*m = LeaveGroupWithAck{}
	r.require(4)
	m.ConnectionID = r.str("connectionId")
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}
