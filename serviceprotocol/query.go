package serviceprotocol

// A GroupMemberQuery asks for the client connections in a group, a page at a
// time. The Ack's payload is MessagePack, [[[connectionId str, userId str|nil],
// ...], continuationToken str|nil]; the app server asks again with the token
// until it is nil.
//
// Wire: [40, extensions map, group str, ackId int, max int,
// continuationToken str|nil]; the extensions come first. Extensions: tracing id.
//
// Later SDKs have two limits in place of max, the members wanted and the size of
// a page, each an int or nil; where they stand is not public. So a reader takes
// the group and the ack id, with or without the map, and tells the rest apart by
// type: the smaller int is Max, a string is the token.
//
// Source: azure-signalr ServiceProtocolFacts.cs, GroupMemberQuery, from a release
// between 1.25 and 1.33.
type GroupMemberQuery struct {
	Group             string
	AckID             int
	Max               int    // largest page wanted; 0 means the service's choice
	ContinuationToken string // empty means the first page
	TracingID         uint64 // 0 means none
}

func (m *GroupMemberQuery) Type() Type { return TypeGroupMemberQuery }

func (m *GroupMemberQuery) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeGroupMemberQuery))
	b = appendTracingID(b, m.TracingID)
	b = appendStr(b, m.Group)
	b = appendInt(b, m.AckID)
	b = appendInt(b, m.Max)
	return appendStrOrNil(b, m.ContinuationToken)
}

func (m *GroupMemberQuery) parse(r reader) *ParseError {
	*m = GroupMemberQuery{}
	r.require(3)
	rest := r.n - 3
	if isMap(r.mark("ext")) {
		r.require(4)
		rest--
		m.TracingID = r.tracingID()
	}
	m.Group = r.str("group")
	m.AckID = r.int("ackId")
	for ; rest > 0 && r.err == nil; rest-- {
		m.parsePaging(&r)
	}
	return r.err
}

// parsePaging reads one element after the ack id.
func (m *GroupMemberQuery) parsePaging(r *reader) {
	switch c := r.mark("paging"); {
	case isInt(c):
		if v := r.int("max"); v > 0 && (m.Max == 0 || v < m.Max) {
			m.Max = v
		}
	case isStr(c):
		m.ContinuationToken = r.str("continuationToken")
	case isMap(c):
		m.TracingID = r.tracingID()
	default:
		r.skip("paging")
	}
}
