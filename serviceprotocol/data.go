package serviceprotocol

// A MultiConnectionData sends a message to client connections, from the app
// server. It may come before the ConnectionData that holds a client's handshake
// response, and must then wait for it.
//
// Wire: [7, connectionIds []str, payloads map[str]bin, extensions map]. Older
// SDKs send the first three items. Extensions: tracing id, filter.
//
// Source: azure-signalr ServiceProtocol.cs, WriteMultiConnectionDataMessage and
// CreateMultiConnectionDataMessage.
type MultiConnectionData struct {
	ConnectionIDs []string
	Payloads      Payloads
	Filter        string // which of the addressed subscribers; the SignalR SDK never sets it
	TracingID     uint64 // 0 means none
}

func (m *MultiConnectionData) Type() Type { return TypeMultiConnectionData }

func (m *MultiConnectionData) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeMultiConnectionData))
	b = appendStrs(b, m.ConnectionIDs)
	b = m.Payloads.append(b)
	return appendMulticast(b, m.TracingID, m.Filter)
}

func (m *MultiConnectionData) parse(r reader) *ParseError {
	ids, payloads := reuse(m.ConnectionIDs), reuse(m.Payloads)
	*m = MultiConnectionData{}
	r.require(3)
	m.ConnectionIDs = r.strs(ids, "connectionIds")
	m.Payloads = r.payloads(payloads)
	if r.n >= 4 {
		m.TracingID, m.Filter = r.multicast()
	}
	return r.err
}

// A UserData sends a message to every client connection of a user.
//
// Wire: [8, userId str, payloads map[str]bin, extensions map]. Older SDKs send
// the first three items. Extensions: tracing id, filter.
//
// Source: azure-signalr ServiceProtocol.cs, WriteUserDataMessage and
// CreateUserDataMessage.
type UserData struct {
	UserID    string
	Payloads  Payloads
	Filter    string // as in MultiConnectionData
	TracingID uint64 // 0 means none
}

func (m *UserData) Type() Type { return TypeUserData }

func (m *UserData) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeUserData))
	b = appendStr(b, m.UserID)
	b = m.Payloads.append(b)
	return appendMulticast(b, m.TracingID, m.Filter)
}

func (m *UserData) parse(r reader) *ParseError {
	payloads := reuse(m.Payloads)
	*m = UserData{}
	r.require(3)
	m.UserID = r.str("userId")
	m.Payloads = r.payloads(payloads)
	if r.n >= 4 {
		m.TracingID, m.Filter = r.multicast()
	}
	return r.err
}

// A MultiUserData sends a message to every client connection of several users.
//
// Wire: [9, userIds []str, payloads map[str]bin, extensions map]. Older SDKs
// send the first three items. Extensions: tracing id, filter.
//
// Source: azure-signalr ServiceProtocol.cs, WriteMultiUserDataMessage and
// CreateMultiUserDataMessage.
type MultiUserData struct {
	UserIDs   []string
	Payloads  Payloads
	Filter    string // as in MultiConnectionData
	TracingID uint64 // 0 means none
}

func (m *MultiUserData) Type() Type { return TypeMultiUserData }

func (m *MultiUserData) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeMultiUserData))
	b = appendStrs(b, m.UserIDs)
	b = m.Payloads.append(b)
	return appendMulticast(b, m.TracingID, m.Filter)
}

func (m *MultiUserData) parse(r reader) *ParseError {
	*m = MultiUserData{}
	r.require(3)
	m.UserIDs = r.strs(nil, "userIds")
	m.Payloads = r.payloads(nil)
	if r.n >= 4 {
		m.TracingID, m.Filter = r.multicast()
	}
	return r.err
}

// A BroadcastData sends a message to every client connection of the hub.
//
// Wire: [10, excludedConnectionIds []str, payloads map[str]bin, extensions map].
// Older SDKs send the first three items. Extensions: tracing id, filter.
//
// Source: azure-signalr ServiceProtocol.cs, WriteBroadcastDataMessage and
// CreateBroadcastDataMessage.
type BroadcastData struct {
	ExcludedConnectionIDs []string
	Payloads              Payloads
	Filter                string // as in MultiConnectionData
	TracingID             uint64 // 0 means none
}

func (m *BroadcastData) Type() Type { return TypeBroadcastData }

func (m *BroadcastData) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeBroadcastData))
	b = appendStrs(b, m.ExcludedConnectionIDs)
	b = m.Payloads.append(b)
	return appendMulticast(b, m.TracingID, m.Filter)
}

func (m *BroadcastData) parse(r reader) *ParseError {
	excluded, payloads := reuse(m.ExcludedConnectionIDs), reuse(m.Payloads)
	*m = BroadcastData{}
	r.require(3)
	m.ExcludedConnectionIDs = r.strs(excluded, "excludedConnectionIds")
	m.Payloads = r.payloads(payloads)
	if r.n >= 4 {
		m.TracingID, m.Filter = r.multicast()
	}
	return r.err
}
