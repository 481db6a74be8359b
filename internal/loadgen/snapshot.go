package loadgen

import "time"

// maxErrors bounds the errors that a Load remembers; the first ones tell most.
const maxErrors = 5

// A Snapshot is what a Load has seen so far. Counters grow from the start;
// Latency is what came since the last snapshot.
type Snapshot struct {
	Open    int // clients that are connected
	Opened  int // connects that succeeded
	Failed  int // connects that did not
	Dropped int // clients whose connection ended unasked

	Pings       uint64 // hub pings from clients
	Sent        uint64 // messages from clients
	Unsent      uint64 // messages that were due, but the connections took no more or the Load had no time
	Expected    uint64 // deliveries that Sent asks for
	Received    uint64 // deliveries that came when they were due
	Repeated    uint64 // deliveries that had come before, or were overtaken
	Misdirected uint64 // deliveries to a client that they were not for
	Foreign     uint64 // messages that nobody of this trial sent
	BytesIn     uint64
	BytesOut    uint64
	Behind      time.Duration // longest delay between due and sent
	Latency     []Bucket
	LatencyMax  time.Duration

	CPU     time.Duration // of the whole process
	Threads []ThreadTime
	Errors  []string
}

// A ThreadTime is what the kernel tells of one event loop's thread.
type ThreadTime struct {
	CPU  time.Duration // on a core
	Wait time.Duration // ready to run, but waiting for a core
}

// add puts two snapshots of one moment together.
func (s *Snapshot) add(o *Snapshot) {
	s.Open += o.Open
	s.Opened += o.Opened
	s.Failed += o.Failed
	s.Dropped += o.Dropped
	s.Pings += o.Pings
	s.Sent += o.Sent
	s.Unsent += o.Unsent
	s.Expected += o.Expected
	s.Received += o.Received
	s.Repeated += o.Repeated
	s.Misdirected += o.Misdirected
	s.Foreign += o.Foreign
	s.BytesIn += o.BytesIn
	s.BytesOut += o.BytesOut
	s.Behind = max(s.Behind, o.Behind)
	s.Latency = append(s.Latency, o.Latency...)
	s.LatencyMax = max(s.LatencyMax, o.LatencyMax)
	s.CPU += o.CPU
	s.Threads = append(s.Threads, o.Threads...)
	s.Errors = append(s.Errors, o.Errors...)
}

// Sum puts the snapshots of several Loads together.
func Sum(all []Snapshot) Snapshot {
	var sum Snapshot
	for i := range all {
		sum.add(&all[i])
	}
	return sum
}

// None stands for no arguments or no answer.
type None struct{}

// A Window is the time in which messages are sent, by the monotonic clock of the
// machine in ns.
type Window struct {
	From, To int64 // messages that are due in [From, To) count in latency
	Until    int64 // no message is sent after this
}
