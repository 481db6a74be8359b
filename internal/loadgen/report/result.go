// Package report holds the result of a benchmark and writes it: as a table for
// people, as JSON for programs, and as one HTML page with plots.
package report

import "time"

// A Result is everything that a trial found out. Its JSON is a promise: fields
// are added, but keep their names and meaning. Durations are in the unit that
// the name ends in, memory is in bytes, CPU shares are in cores: 1 is one core
// all the time.
type Result struct {
	Version  string    `json:"version"` // of Switchboard
	Started  time.Time `json:"started"`
	Machine  Machine   `json:"machine"`
	Settings Settings  `json:"settings"`

	Interrupted bool    `json:"interrupted"` // ended before its time; the figures are of what was seen
	Seconds     float64 `json:"seconds"`     // that were measured; everything below is of them

	Operations Rate     `json:"operations"` // what the clients did: see Settings.Operation
	Deliveries Rate     `json:"deliveries"` // messages that clients got
	Latency    Latency  `json:"latency"`
	Service    *Usage   `json:"service"`    // nil when it cannot be seen from here
	AppServer  *Usage   `json:"app_server"` // likewise
	Load       Load     `json:"load"`
	Connecting Connect  `json:"connecting"`
	Account    Account  `json:"account"`
	Rounds     []Round  `json:"rounds,omitempty"` // of the connect scenario
	Samples    []Point  `json:"samples"`
	Warnings   []string `json:"warnings"` // what to know before the figures are believed
	Errors     []string `json:"errors"`   // the first of what went wrong
}

// Machine is where the trial ran.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"` // that the trial may use
	System    string `json:"system"`
	Go        string `json:"go"`
}

// Settings are those in effect.
type Settings struct {
	Scenario      string  `json:"scenario"`
	Operation     string  `json:"operation"` // what counts as one: "round trip", "broadcast", "message", "connect" or "ping"
	Protocol      string  `json:"protocol"`
	Clients       int     `json:"clients"`
	PayloadBytes  int     `json:"payload_bytes"`
	InFlight      int     `json:"in_flight,omitempty"` // of them or of Rate one is set
	Rate          float64 `json:"rate_per_second,omitempty"`
	Groups        int     `json:"groups,omitempty"`
	GroupSize     int     `json:"group_size,omitempty"`
	Senders       int     `json:"senders,omitempty"`
	Duration      float64 `json:"duration_seconds"`
	Warmup        float64 `json:"warmup_seconds"`
	Negotiation   string  `json:"negotiation"`
	TLS           bool    `json:"tls"`
	ServiceCore   *int    `json:"service_core"` // nil: not pinned
	ConnectAtOnce int     `json:"connect_in_flight"`
	PingSeconds   float64 `json:"ping_seconds"`
	ServerConns   int     `json:"server_connections,omitempty"`
}

// Rate is a number of things and how many that is each second.
type Rate struct {
	Count     uint64  `json:"count"`
	PerSecond float64 `json:"per_second"`
}

// Latency is the time from when a message was due to when it was received; in
// the connect scenario, from the beginning to the end of the handshake.
type Latency struct {
	Count uint64     `json:"count"`
	Mean  float64    `json:"mean_us"`
	P50   float64    `json:"p50_us"`
	P90   float64    `json:"p90_us"`
	P99   float64    `json:"p99_us"`
	P999  float64    `json:"p99_9_us"`
	Max   float64    `json:"max_us"`
	Curve []Quantile `json:"curve"` // for a plot: towards 100 % in ever smaller steps
}

// Quantile is the latency that a share of the messages did not exceed.
type Quantile struct {
	Share   float64 `json:"share"` // 0.5 is the median
	Latency float64 `json:"us"`
}

// Usage is what one process under test has used.
type Usage struct {
	PID           int     `json:"pid"`
	CPUSeconds    float64 `json:"cpu_seconds"`
	UserSeconds   float64 `json:"user_seconds"`
	SystemSeconds float64 `json:"system_seconds"`
	CPU           float64 `json:"cpu"`
	Wait          float64 `json:"wait"`   // threads that were ready to run, but waited for a core, be it for each other
	Others        float64 `json:"others"` // share of its core that others used, if it is pinned to one
	PerOperation  float64 `json:"cpu_us_per_operation"`
	PerDelivery   float64 `json:"cpu_us_per_delivery"`
	PerConnect    float64 `json:"cpu_us_per_connect"` // while the clients connected

	Memory Memory `json:"memory"`
}

// Memory is the resident memory of a process at four moments. Settled is after
// its garbage collector has given back what was not in use, and is missing if
// the process cannot be told to.
type Memory struct {
	Before                 int64   `json:"before"`    // no client was connected; settled
	Connected              int64   `json:"connected"` // all clients were, as it was
	Settled                int64   `json:"settled"`
	End                    int64   `json:"end"` // when measuring ended, as it was
	BeforeAnon             int64   `json:"before_anonymous"`
	SettledAnon            int64   `json:"settled_anonymous"`
	PerConnection          float64 `json:"per_connection"`           // (Settled - Before) / clients
	PerConnectionUnsettled float64 `json:"per_connection_unsettled"` // (Connected - Before) / clients
}

// Load is what the load side used. When it had no time to spare, the figures
// tell of it, and not of the service.
type Load struct {
	Processes int      `json:"processes"`
	CPU       float64  `json:"cpu"`            // of all its processes; one of them is the trial itself
	Busiest   float64  `json:"busiest_thread"` // share of the time in which the busiest thread ran or wanted to
	Threads   []Thread `json:"threads"`
	BehindUs  float64  `json:"behind_us"` // longest delay between when a message was due and when it was sent
	BytesIn   uint64   `json:"bytes_in"`
	BytesOut  uint64   `json:"bytes_out"`
}

// Thread is one event loop of the load side.
type Thread struct {
	CPU  float64 `json:"cpu"`  // share of the time in which it ran
	Wait float64 `json:"wait"` // in which it wanted to, but had no core
}

// Connect is how the clients came before the measurement.
type Connect struct {
	Clients   int     `json:"clients"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Account holds everything that was sent against what came.
type Account struct {
	Sent        uint64 `json:"sent"`
	Unsent      uint64 `json:"unsent"` // due, but connections took no more, or the load side had no time
	Expected    uint64 `json:"expected"`
	Received    uint64 `json:"received"`
	Lost        uint64 `json:"lost"`
	Repeated    uint64 `json:"repeated"`    // or overtaken
	Misdirected uint64 `json:"misdirected"` // delivered to a client that they were not for
	Foreign     uint64 `json:"foreign"`     // sent by nobody of this trial; not a fault
	Failed      int    `json:"failed_connects"`
	Dropped     int    `json:"dropped_connections"`
}

// Faults tells whether something is wrong with what was received.
func (a Account) Faults() bool {
	return a.Lost > 0 || a.Repeated > 0 || a.Misdirected > 0 || a.Failed > 0 || a.Dropped > 0
}

// Round is one storm of connects.
type Round struct {
	Clients    int     `json:"clients"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"per_second"`
	ServiceCPU float64 `json:"service_cpu_us_per_connect"`
	Warmup     bool    `json:"warmup"` // not counted
}

// Point is what happened in one interval of the trial.
type Point struct {
	At         float64 `json:"at"`      // seconds since the clients began to connect, at its end
	Seconds    float64 `json:"seconds"` // its length
	Phase      string  `json:"phase"`   // "connect", "warm up", "measure", "drain" or "leave"
	Open       int     `json:"open"`    // clients
	Operations float64 `json:"operations_per_second"`
	Deliveries float64 `json:"deliveries_per_second"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	ServiceCPU float64 `json:"service_cpu"`
	AppCPU     float64 `json:"app_server_cpu"`
	LoadCPU    float64 `json:"load_cpu"`
	ServiceRSS int64   `json:"service_rss"`
	AppRSS     int64   `json:"app_server_rss"`
}
