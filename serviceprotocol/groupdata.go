package serviceprotocol

// A GroupBroadcastData sends a message to the members of a group.
//
// Wire: [13, group str, excludedConnectionIds []str, payloads map[str]bin,
// extensions map, excludedUserIds []str, callerUserId str|nil]; the extensions
// are not last. SDKs before 1.11 send five items, older ones four; six are read
// as five. Extensions: tracing id, filter.
//
// Source: azure-signalr ServiceProtocol.cs, WriteGroupBroadcastDataMessage and
// CreateGroupBroadcastDataMessage.
type GroupBroadcastData struct {
	Group                 string
	ExcludedConnectionIDs []string
	Payloads              Payloads
	ExcludedUserIDs       []string
	CallerUserID          string // who sent it; for information
	Filter                string // as in MultiConnectionData
	TracingID             uint64 // 0 means none
}

func (m *GroupBroadcastData) Type() Type { return TypeGroupBroadcastData }

func (m *GroupBroadcastData) Append(b []byte) []byte {
	b = append(b, fixArr|7, byte(TypeGroupBroadcastData))
	b = appendStr(b, m.Group)
	b = appendStrs(b, m.ExcludedConnectionIDs)
	b = m.Payloads.append(b)
	b = appendMulticast(b, m.TracingID, m.Filter)
	b = appendStrs(b, m.ExcludedUserIDs)
	return appendStrOrNil(b, m.CallerUserID)
}

func (m *GroupBroadcastData) parse(r reader) *ParseError {
	excluded, users := reuse(m.ExcludedConnectionIDs), reuse(m.ExcludedUserIDs)
	payloads := reuse(m.Payloads)
	*m = GroupBroadcastData{ExcludedUserIDs: users}
	r.require(4)
	m.Group = r.str("group")
	m.ExcludedConnectionIDs = r.strs(excluded, "excludedConnectionIds")
	m.Payloads = r.payloads(payloads)
	if r.n >= 5 {
		m.TracingID, m.Filter = r.multicast()
	}
	if r.n >= 7 {
		m.ExcludedUserIDs = r.strs(users, "excludedUserIds")
		m.CallerUserID = r.str("callerUserId")
	}
	return r.err
}

// A MultiGroupBroadcastData sends a message to the members of several groups.
//
// Wire: [14, groups []str, payloads map[str]bin, extensions map]. Older SDKs
// send the first three items. Extensions: tracing id, filter.
//
// Source: azure-signalr ServiceProtocol.cs, WriteMultiGroupBroadcastDataMessage
// and CreateMultiGroupBroadcastDataMessage.
type MultiGroupBroadcastData struct {
	Groups    []string
	Payloads  Payloads
	Filter    string // as in MultiConnectionData
	TracingID uint64 // 0 means none
}

func (m *MultiGroupBroadcastData) Type() Type { return TypeMultiGroupBroadcastData }

func (m *MultiGroupBroadcastData) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeMultiGroupBroadcastData))
	b = appendStrs(b, m.Groups)
	b = m.Payloads.append(b)
	return appendMulticast(b, m.TracingID, m.Filter)
}

func (m *MultiGroupBroadcastData) parse(r reader) *ParseError {
	*m = MultiGroupBroadcastData{}
	r.require(3)
	m.Groups = r.strs(nil, "groups")
	m.Payloads = r.payloads(nil)
	if r.n >= 4 {
		m.TracingID, m.Filter = r.multicast()
	}
	return r.err
}
