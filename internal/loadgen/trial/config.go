// Package trial runs a benchmark from beginning to end: it starts what is to be
// measured as processes of their own, has the load side (package loadgen) do its
// work, and reads meanwhile what the processes use.
package trial

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/loadgen"
)

// A Config says what to measure. Its fields are named by the flags of the
// command in its mistakes.
type Config struct {
	Scenario  loadgen.Scenario
	Peer      loadgen.Peer // what Service starts; PeerHub: Switchboard
	Protocol  string       // json or messagepack
	Clients   int
	Payload   int // bytes of each message's payload
	InFlight  int // messages, or connects, on their way at once; of it and of Rate one is set
	Rate      float64
	Duration  time.Duration
	Warmup    time.Duration
	Groups    int // of it and of GroupSize one is set, for groups
	GroupSize int
	Senders   int // 0: as many as InFlight, at most 64
	Users     bool

	Negotiation     loadgen.Negotiation
	ConnectInFlight int
	Ping            time.Duration
	TLS             bool

	ConnectionString string // of a service that runs; empty: one is started
	HubURL           string // of a hub that runs; empty: an app server is started
	ServicePID       int    // to watch, when the service is not started here; 0: none
	AppPID           int

	ServerConnections int // of the app server that is started
	PinService        int // core of the service; -1: none
	LoadThreads       int // in each process; 0: what fits the machine
	LoadProcesses     int // 0: what the clients need
	Sources           int // addresses 127.0.0.x to connect from; 0: what the clients need
	ServiceProfile    string

	// Program is this program, which is run again for the children.
	Program string
	// Service, AppServer and Load are the arguments that make it one of them.
	// A peer that is no hub has an app server only if AppServer is set.
	Service, AppServer, Load []string
	Version                  string
	// Progress is told what is going on, some times a second; nil for nobody.
	Progress func(Progress)
}

// Progress is how far a trial is.
type Progress struct {
	Phase      string
	Open       int     // clients
	Operations float64 // per second
	Deliveries float64
	P99        time.Duration
	ServiceCPU float64 // cores
}

// maxClients is what a stamp can number.
const maxClients = 1 << 24

// Check returns every mistake, each named by its flag.
func (c *Config) Check() error {
	var mistakes []error
	wrong := func(bad bool, flag, format string, args ...any) {
		if bad {
			mistakes = append(mistakes, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
		}
	}
	wrong(!slices.Contains(loadgen.Scenarios, c.Scenario), "scenario", "%q is none of %v", c.Scenario, loadgen.Scenarios)
	wrong(c.Protocol != "json" && c.Protocol != "messagepack", "protocol", "%q is neither json nor messagepack", c.Protocol)
	wrong(c.Clients < 1 || c.Clients > maxClients, "clients", "must be between 1 and %d", maxClients)
	wrong(c.Payload < loadgen.StampSize || c.Payload > 1<<20, "payload", "must be between %d, which number and time of a message need, and %d", loadgen.StampSize, 1<<20)
	wrong(c.InFlight < 0 || c.InFlight > 1<<20, "in-flight", "must be between 1 and %d", 1<<20)
	wrong(c.InFlight > 0 && !c.Scenario.Sends(), "in-flight", "is for scenarios that send; --connect-in-flight is for connects")
	wrong(c.Rate > 0 && c.Scenario == loadgen.Idle, "rate", "is not for the scenario %s; --ping says how often clients ping", loadgen.Idle)
	wrong(!(c.Rate >= 0) || c.Rate > 1e9, "rate", "must be between 0 and 1e9")
	wrong(c.InFlight > 0 && c.Rate > 0, "rate", "goes without --in-flight: one says how fast to send, the other how far to let it come")
	wrong(c.Duration <= 0 || c.Duration > 24*time.Hour, "duration", "must be between 0 and 24h")
	wrong(c.Warmup < 0 || c.Warmup > time.Hour, "warmup", "must be between 0 and 1h")
	wrong(outside(c.Groups, c.Clients), "groups", "must be between 1 and --clients")
	wrong(outside(c.GroupSize, c.Clients), "group-size", "must be between 1 and --clients")
	wrong(c.Groups > 0 && c.GroupSize > 0, "group-size", "goes without --groups: one follows from the other")
	wrong(c.Scenario != loadgen.SendToGroup && c.Groups > 0, "groups", "is for the scenario %s", loadgen.SendToGroup)
	wrong(c.Scenario != loadgen.SendToGroup && c.GroupSize > 0, "group-size", "is for the scenario %s", loadgen.SendToGroup)
	wrong(outside(c.Senders, c.Clients), "senders", "must be between 1 and --clients")
	wrong(c.Senders > 0 && c.Scenario != loadgen.SendToGroup && c.Scenario != loadgen.Broadcast, "senders", "is for the scenarios %s and %s: in others all clients send", loadgen.Broadcast, loadgen.SendToGroup)
	wrong(!slices.Contains([]loadgen.Negotiation{loadgen.NegotiateOwn, loadgen.NegotiateShared, loadgen.NegotiateSkip}, c.Negotiation),
		"negotiate", "%q is none of own, shared and skip", c.Negotiation)
	wrong(c.Negotiation == loadgen.NegotiateSkip && c.Scenario == loadgen.SendToConnection, "negotiate", "skip leaves connection ids unknown, which %s needs", c.Scenario)
	wrong(c.ConnectInFlight < 1, "connect-in-flight", "must be at least 1")
	wrong(c.Ping < 0, "ping", "must not be negative")
	wrong(c.ServerConnections < 1, "server-connections", "must be at least 1")
	wrong(c.LoadThreads < 0 || c.LoadThreads > 64, "load-threads", "must be between 1 and 64")
	wrong(c.LoadProcesses < 0 || c.LoadProcesses > 64, "load-processes", "must be between 1 and 64")
	wrong(c.Sources < 0 || c.Sources > 60000, "source-addresses", "must be between 1 and 60000")
	target := c.checkTarget(wrong)
	mistakes = append(mistakes, target...)
	return errors.Join(mistakes...)
}

func (c *Config) checkTarget(wrong func(bad bool, flag, format string, args ...any)) (mistakes []error) {
	external := c.ConnectionString != "" || c.HubURL != ""
	if c.ConnectionString != "" {
		if _, err := accesstoken.ParseConnectionString(c.ConnectionString); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--connection-string: %w", err))
		}
	}
	if c.HubURL != "" {
		u, err := url.Parse(c.HubURL)
		wrong(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https", "hub-url", "%q is not an http or https URL", c.HubURL)
	}
	wrong(c.ConnectionString != "" && c.HubURL != "", "hub-url", "goes without --connection-string: the app server there knows its service")
	wrong(external && c.TLS, "tls", "is for a service that is started here; the URL says whether another one has it")
	wrong(external && c.PinService >= 0, "pin-service", "is for a service that is started here")
	wrong(external && c.ServiceProfile != "", "service-profile", "is for a service that is started here")
	wrong(!external && c.ServicePID != 0, "service-pid", "is for a service that runs already")
	wrong(c.HubURL == "" && c.AppPID != 0, "app-server-pid", "is for an app server that runs already")
	wrong(c.PinService < -1, "pin-service", "is not a core")
	if cores := allowedCores(); c.PinService >= 0 && !external {
		found := slices.Contains(cores, c.PinService)
		wrong(!found, "pin-service", "core %d is none of %v", c.PinService, cores)
		wrong(found && len(cores) < 2, "pin-service", "needs a second core for the others")
	}
	return mistakes
}

// outside tells whether a number that was given is not between 1 and limit.
func outside(n, limit int) bool { return n < 0 || n > max(limit, 1) }

// fill sets what is zero to its default.
func (c *Config) fill() {
	if c.InFlight == 0 && c.Rate == 0 && c.Scenario.Sends() {
		c.InFlight = min(64, c.Clients)
	}
	if c.Scenario == loadgen.SendToGroup {
		switch {
		case c.Groups > 0:
			c.GroupSize = (c.Clients + c.Groups - 1) / c.Groups
		case c.GroupSize == 0:
			c.GroupSize = min(10, c.Clients)
		}
		c.Groups = (c.Clients + c.GroupSize - 1) / c.GroupSize
	}
	if c.Senders == 0 {
		c.Senders = min(64, c.Clients, max(c.InFlight, 1))
		if c.Rate > 0 {
			c.Senders = min(16, c.Clients)
		}
	}
	c.Users = c.Users || c.Scenario == loadgen.SendToUser
}
