// Package loadgen is the load side of a benchmark: many SignalR clients in few
// threads. Each thread is an event loop of its own with a share of the clients.
// It negotiates, connects, shakes hands, sends what the scenario says and holds
// every message that comes against what was sent.
//
// A Load is told what to do over net/rpc, by the same calls whether it is in the
// process of the trial or in another one. It knows nothing of the processes
// under test; package trial starts and watches those.
package loadgen

import "time"

// A Negotiation is how a client negotiates with the service before it connects.
type Negotiation string

// The ways to negotiate.
const (
	NegotiateOwn    Negotiation = "own"    // over a connection of its own, which is then closed, as clients on the internet do
	NegotiateShared Negotiation = "shared" // over connections that stay open and are used by all, as behind a proxy
	NegotiateSkip   Negotiation = "skip"   // not at all
)

// A Config says what a Load is to do. It is checked by the trial.
type Config struct {
	Scenario    Scenario
	Peer        Peer
	Protocol    string // "json" or "messagepack"
	HubURL      string // of the hub on its app server, or of the peer
	Negotiation Negotiation
	RootCA      []byte // PEM of the certificate that servers are to have; nil for those of the system
	Run         uint32 // tells messages of this trial from others; below 1<<24

	Clients int   // of the whole trial
	Share   Share // those of this Load
	Threads int   // event loops; each has a part of the share

	GroupSize int
	Senders   int // clients that send, where the scenario leaves it open
	Payload   int // bytes, at least StampSize
	Users     bool

	InFlight int     // messages of the whole trial that may be on their way at once; 0: Rate says
	Rate     float64 // messages, or connects, per second of the whole trial

	ConnectInFlight int           // clients of the whole trial that may connect at once
	Ping            time.Duration // between the pings of a client; 0 for none
	Sources         int           // addresses 127.0.0.x to connect from, if the target is on loopback
}

func (c *Config) plan() plan {
	return plan{c.Scenario, c.Clients, c.GroupSize, c.Senders}
}
