package serviceprotocol

// A CheckUserInGroupWithAck asks whether a user is in a group. The Ack is AckOK
// or AckNotFound.
//
// Wire: [21, userId str, group str, ackId int, extensions map]. Older SDKs send
// the first four items. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCheckUserInGroupWithAckMessage.
type CheckUserInGroupWithAck struct {
	UserID    string
	Group     string
	AckID     int
	TracingID uint64 // 0 means none
}

func (m *CheckUserInGroupWithAck) Type() Type { return TypeCheckUserInGroupWithAck }

func (m *CheckUserInGroupWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeCheckUserInGroupWithAck))
	b = appendStr(b, m.UserID)
	b = appendStr(b, m.Group)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *CheckUserInGroupWithAck) parse(r reader) *ParseError {
	*m = CheckUserInGroupWithAck{}
	r.require(4)
	m.UserID = r.str("userId")
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A CheckGroupExistenceWithAck asks whether a group has a member. The Ack is AckOK
// or AckNotFound.
//
// Wire: [23, group str, ackId int, extensions map]. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCheckGroupExistenceWithAckMessage.
type CheckGroupExistenceWithAck struct {
	Group     string
	AckID     int
	TracingID uint64 // 0 means none
}

func (m *CheckGroupExistenceWithAck) Type() Type { return TypeCheckGroupExistenceWithAck }

func (m *CheckGroupExistenceWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeCheckGroupExistenceWithAck))
	b = appendStr(b, m.Group)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *CheckGroupExistenceWithAck) parse(r reader) *ParseError {
	*m = CheckGroupExistenceWithAck{}
	r.require(3)
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	if r.n >= 4 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A CheckConnectionExistenceWithAck asks whether a client connection is open. The
// Ack is AckOK or AckNotFound.
//
// Wire: [24, connectionId str, ackId int, extensions map]. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCheckConnectionExistenceWithAckMessage.
type CheckConnectionExistenceWithAck struct {
	ConnectionID string
	AckID        int
	TracingID    uint64 // 0 means none
}

func (m *CheckConnectionExistenceWithAck) Type() Type { return TypeCheckConnectionExistenceWithAck }

func (m *CheckConnectionExistenceWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeCheckConnectionExistenceWithAck))
	b = appendStr(b, m.ConnectionID)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *CheckConnectionExistenceWithAck) parse(r reader) *ParseError {
	*m = CheckConnectionExistenceWithAck{}
	r.require(3)
	m.ConnectionID = r.str("connectionId")
	m.AckID = r.int("ackId")
	if r.n >= 4 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A CheckUserExistenceWithAck asks whether a user has a client connection. The Ack
// is AckOK or AckNotFound.
//
// Wire: [25, userId str, ackId int, extensions map]. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteCheckUserExistenceWithAckMessage.
type CheckUserExistenceWithAck struct {
	UserID    string
	AckID     int
	TracingID uint64 // 0 means none
}

func (m *CheckUserExistenceWithAck) Type() Type { return TypeCheckUserExistenceWithAck }

func (m *CheckUserExistenceWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeCheckUserExistenceWithAck))
	b = appendStr(b, m.UserID)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *CheckUserExistenceWithAck) parse(r reader) *ParseError {
	*m = CheckUserExistenceWithAck{}
	r.require(3)
	m.UserID = r.str("userId")
	m.AckID = r.int("ackId")
	if r.n >= 4 {
		m.TracingID = r.tracingID()
	}
	return r.err
}
