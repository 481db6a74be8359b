package serviceprotocol

// A UserJoinGroup adds a user to a group, without an answer: every present and
// future client connection of the user is a member. Older Management SDKs send it.
//
// Wire: [16, userId str, group str, extensions map]. Older SDKs send the first
// three items. Extensions: tracing id, TTL.
//
// Source: azure-signalr ServiceProtocol.cs, WriteUserJoinGroupMessage.
type UserJoinGroup struct {
	UserID    string
	Group     string
	TTL       *int   // seconds; nil means for good
	TracingID uint64 // 0 means none
}

func (m *UserJoinGroup) Type() Type { return TypeUserJoinGroup }

func (m *UserJoinGroup) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeUserJoinGroup))
	b = appendStr(b, m.UserID)
	b = appendStr(b, m.Group)
	return extension{tracingID: m.TracingID, ttl: m.TTL}.append(b)
}

func (m *UserJoinGroup) parse(r reader) *ParseError {
	*m = UserJoinGroup{}
	r.require(3)
	m.UserID = r.str("userId")
	m.Group = r.str("group")
	if r.n >= 4 {
		e := r.extension(withTracingID | withTTL)
		m.TracingID, m.TTL = e.tracingID, e.ttl
	}
	return r.err
}

// A UserLeaveGroup takes a user and its client connections out of a group,
// without an answer. Older Management SDKs send it.
//
// Wire: [17, userId str, group str, extensions map]. Older SDKs send the first
// three items. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteUserLeaveGroupMessage.
type UserLeaveGroup struct {
	UserID    string
	Group     string
	TracingID uint64 // 0 means none
}

func (m *UserLeaveGroup) Type() Type { return TypeUserLeaveGroup }

func (m *UserLeaveGroup) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeUserLeaveGroup))
	b = appendStr(b, m.UserID)
	b = appendStr(b, m.Group)
	return appendTracingID(b, m.TracingID)
}

func (m *UserLeaveGroup) parse(r reader) *ParseError {
	*m = UserLeaveGroup{}
	r.require(3)
	m.UserID = r.str("userId")
	m.Group = r.str("group")
	if r.n >= 4 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A UserJoinGroupWithAck is a UserJoinGroup that is answered by an Ack.
//
// Wire: [26, userId str, group str, ackId int, extensions map]. Extensions:
// tracing id, TTL.
//
// Source: azure-signalr ServiceProtocol.cs, WriteUserJoinGroupWithAckMessage.
type UserJoinGroupWithAck struct {
	UserID    string
	Group     string
	AckID     int
	TTL       *int   // seconds; nil means for good
	TracingID uint64 // 0 means none
}

func (m *UserJoinGroupWithAck) Type() Type { return TypeUserJoinGroupWithAck }

func (m *UserJoinGroupWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeUserJoinGroupWithAck))
	b = appendStr(b, m.UserID)
	b = appendStr(b, m.Group)
	b = appendInt(b, m.AckID)
	return extension{tracingID: m.TracingID, ttl: m.TTL}.append(b)
}

func (m *UserJoinGroupWithAck) parse(r reader) *ParseError {
	*m = UserJoinGroupWithAck{}
	r.require(4)
	m.UserID = r.str("userId")
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	if r.n >= 5 {
		e := r.extension(withTracingID | withTTL)
		m.TracingID, m.TTL = e.tracingID, e.ttl
	}
	return r.err
}

// A UserLeaveGroupWithAck takes a user and its client connections out of a
// group, or out of all of them, and is answered by an Ack.
//
// Wire: [27, userId str, group str|nil, ackId int, extensions map]. Extensions:
// tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteUserLeaveGroupWithAckMessage.
type UserLeaveGroupWithAck struct {
	UserID    string
	Group     string // empty means every group of the user
	AckID     int
	TracingID uint64 // 0 means none
}

func (m *UserLeaveGroupWithAck) Type() Type { return TypeUserLeaveGroupWithAck }

func (m *UserLeaveGroupWithAck) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeUserLeaveGroupWithAck))
	b = appendStr(b, m.UserID)
	b = appendStrOrNil(b, m.Group)
	b = appendInt(b, m.AckID)
	return appendTracingID(b, m.TracingID)
}

func (m *UserLeaveGroupWithAck) parse(r reader) *ParseError {
	*m = UserLeaveGroupWithAck{}
	r.require(4)
	m.UserID = r.str("userId")
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	if r.n >= 5 {
		m.TracingID = r.tracingID()
	}
	return r.err
}
