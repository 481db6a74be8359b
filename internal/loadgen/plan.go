package loadgen

// A Scenario is who sends what to whom, as in the performance guide of the
// hosted service.
type Scenario string

// The scenarios.
const (
	Echo             Scenario = "echo"               // each client to itself
	Broadcast        Scenario = "broadcast"          // some clients to all
	SendToGroup      Scenario = "send-to-group"      // some members of each group to all members
	SendToConnection Scenario = "send-to-connection" // each client to another, by connection id
	SendToUser       Scenario = "send-to-user"       // each client to another, by user id
	Connect          Scenario = "connect"            // clients connect, as fast as they can
	Idle             Scenario = "idle"               // clients are connected, and ping
)

// Scenarios lists them in the order of the help.
var Scenarios = []Scenario{Echo, Broadcast, SendToGroup, SendToConnection, SendToUser, Connect, Idle}

// Sends tells whether clients send messages.
func (s Scenario) Sends() bool { return s != Connect && s != Idle }

// A plan says which clients send and which receive. Clients are numbered from
// 0. A stream is the messages from one client to one audience: each client of
// the audience has to get all of them, once, in order. The plan is worked out
// from its fields alone, so that every process of a trial has the same.
type plan struct {
	scenario  Scenario
	clients   int
	groupSize int
	senders   int // of broadcast: clients that send; of groups: at least one each
}

func (p plan) groups() int { return (p.clients + p.groupSize - 1) / p.groupSize }

// perGroup returns the number of streams of each group.
func (p plan) perGroup() int {
	last := p.clients - (p.groups()-1)*p.groupSize
	return min(max(1, p.senders/p.groups()), last)
}

// streams returns the number of streams, which are numbered from 0.
func (p plan) streams() int {
	switch p.scenario {
	case Echo, SendToConnection, SendToUser:
		return p.clients
	case Broadcast:
		return min(p.senders, p.clients)
	case SendToGroup:
		return p.groups() * p.perGroup()
	}
	return 0
}

// sender returns the client that sends a stream.
func (p plan) sender(stream int) int {
	switch p.scenario {
	case Broadcast:
		return stream * p.clients / p.streams()
	case SendToGroup:
		first, n := p.audience(stream)
		return first + stream%p.perGroup()*n/p.perGroup()
	}
	return stream
}

// audience returns the clients that get a stream, which are n in a row.
func (p plan) audience(stream int) (first, n int) {
	switch p.scenario {
	case Broadcast:
		return 0, p.clients
	case SendToGroup:
		first = stream / p.perGroup() * p.groupSize
		return first, min(p.groupSize, p.clients-first)
	case SendToConnection, SendToUser:
		return p.partner(stream), 1
	}
	return stream, 1
}

// received returns the streams that a client gets, which are n in a row.
func (p plan) received(client int) (first, n int) {
	switch p.scenario {
	case Broadcast:
		return 0, p.streams()
	case SendToGroup:
		return p.group(client) * p.perGroup(), p.perGroup()
	case SendToConnection, SendToUser:
		return p.partner(client), 1
	case Echo:
		return client, 1
	}
	return 0, 0
}

func (p plan) group(client int) int { return client / p.groupSize }

// partner pairs neighbours. Shares of clients begin at even numbers, so that
// both are in one process. The last of an odd number is its own partner.
func (p plan) partner(client int) int {
	if other := client ^ 1; other < p.clients {
		return other
	}
	return client
}

// A Share is a range of clients.
type Share struct{ First, Count int }

// Split divides a share into n that differ by two clients at most and begin at
// even numbers.
func (s Share) Split(n int) []Share {
	shares := make([]Share, n)
	pairs := (s.Count + 1) / 2
	for i := range shares {
		from, to := 2*(pairs*i/n), min(2*(pairs*(i+1)/n), s.Count)
		shares[i] = Share{s.First + from, to - from}
	}
	return shares
}

// part returns this share's part of n things that all clients have together.
// The parts of all shares add up to n.
func (s Share) part(n, clients int) int {
	if clients == 0 {
		return 0
	}
	return n*(s.First+s.Count)/clients - n*s.First/clients
}
