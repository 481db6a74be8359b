package serviceprotocol

import "slices"

// Keys of a Ping. Keys and values are compared exactly.
//
// Source: azure-signalr RuntimeServicePingMessages.cs; #clientInHub and #client
// from ServiceConnection.cs.
const (
	PingClientsInHub = "#clientInHub" // to the service: clients of the app server's process, decimal
	PingClients      = "#client"      // to the service: clients of this server connection, decimal
	PingEcho         = "echo"         // to the app server, which sends the ping back as it is
	PingOffline      = "offline"      // to the app server: the service instance with this id is gone
	PingTarget       = "target"       // to the app server: open a connection to this service instance
	PingStatus       = "status"       // both ways: "1" active, "0" not
	PingClientCount  = "clientcount"  // to the app server: clients of the service, decimal
	PingServerCount  = "servercount"  // to the app server: server connections of the service, decimal
	PingCapacity     = "capacity"     // to the app server: clients that the service can hold, decimal
	PingServers      = "servers"      // both ways: "" asks, "ticks:id;id" answers with the app servers of the hub
	PingShutdown     = "shutdown"     // "fin:0", "fin:1" or "fin:2" to the service, "finack" back
	PingDiagnostics  = "d-m"          // to the app server: "1" or "0", message tracing on or off
)

// A Ping keeps a server connection alive, and may carry small notices as pairs
// of key and value.
//
// Wire: [3, key str, value str, ...]; the strings stand in the message's own
// array. An empty ping is [3].
//
// Source: azure-signalr ServiceProtocol.cs, WritePingMessage and
// CreatePingMessage.
type Ping struct {
	Messages []string // keys and values in turn
}

// Get returns the value of the first pair with the key. A last string without a
// partner is no pair.
func (m *Ping) Get(key string) (value string, ok bool) {
	for i := 0; i+1 < len(m.Messages); i += 2 {
		if m.Messages[i] == key {
			return m.Messages[i+1], true
		}
	}
	return "", false
}

func (m *Ping) Type() Type { return TypePing }

func (m *Ping) Append(b []byte) []byte {
	b = append(appendArray(b, 1+len(m.Messages)), byte(TypePing))
	for _, s := range m.Messages {
		b = appendStr(b, s)
	}
	return b
}

func (m *Ping) parse(r reader) *ParseError {
	*m = Ping{}
	m.Messages = slices.Grow(m.Messages, min(r.n-1, maxReuse))
	for n := r.n - 1; n > 0 && r.err == nil; n-- {
		m.Messages = append(m.Messages, r.str("messages"))
	}
	return r.err
}
