package main

import (
	"fmt"
	"runtime/debug"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/trial"
)

// A system is something that is measured.
type system struct {
	name  string
	title string // in tables
	peer  loadgen.Peer
	about string // what it is, in a sentence or two

	module    string   // whose version belongs to the title; "" for none
	appServer []string // arguments that make this program what works behind it; nil for nothing
}

// The names of systems, as --systems takes them.
const (
	switchboard   = "switchboard"
	bareFloor     = "floor"
	joinedFloor   = "floor-joined"
	library       = "gws"
	broker        = "nats"
	brokerRequest = "nats-responder"
)

// systems is every system, in the order of the tables.
var systems = []system{
	{name: switchboard, title: "Switchboard", peer: loadgen.PeerHub,
		about: "The service as its users run it, with an app server made with package `appserver`: clients are sent to the service by the app server, " +
			"the service checks their tokens, and the hub's methods run in the app server, a process of its own behind 5 server connections."},
	{name: bareFloor, title: "floor", peer: loadgen.PeerMirror,
		about: "The least that a WebSocket server can do on Linux (`bench/compare/floor`): one thread in epoll, which reads a frame, takes the key off in place and " +
			"writes the frame, one system call for each delivery. No HTTP, hub, token, limit, timeout or check of any kind."},
	{name: joinedFloor, title: "floor, joined", peer: loadgen.PeerMirror,
		about: "The same with a queue for each client: what waits for one client when a turn of the loop ends goes out in one write."},
	{name: library, title: "gws", peer: loadgen.PeerMirror, module: "github.com/lxzan/gws",
		about: "A WebSocket server of a few lines with the library gws, which has a goroutine for each connection. It sends frames back as they are, " +
			"by the library's own Broadcaster where they go to all; no hub, no token, no limits."},
	{name: broker, title: "NATS", peer: loadgen.PeerNATS, module: "github.com/nats-io/nats-server/v2",
		about: "A NATS server whose clients come over WebSocket, without TLS, compression and authentication, with its defaults otherwise. " +
			"It parses each message, looks the subject up and passes it on; nothing runs behind it."},
	{name: brokerRequest, title: "NATS, responder", peer: loadgen.PeerNATSResponder, module: "github.com/nats-io/nats-server/v2", appServer: []string{childRespond},
		about: "The same, but what a client sends is a request, which a process behind the server answers over a WebSocket of its own. " +
			"This has as many hops as a hub on an app server has."},
}

func systemNamed(name string) (*system, error) {
	var known []string
	for i := range systems {
		if systems[i].name == name {
			return &systems[i], nil
		}
		known = append(known, systems[i].name)
	}
	return nil, fmt.Errorf("--systems: %q is none of %v", name, known)
}

// version returns that of the module, as it was built in.
func (s *system) version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || s.module == "" {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == s.module {
			return m.Version
		}
	}
	return ""
}

// programs are the executables that systems are made of.
type programs struct{ switchboard, own string }

// complete adds to the settings of a row what starts the system.
func (s *system) complete(c *trial.Config, p programs) {
	c.Peer = s.peer
	if s.peer == loadgen.PeerHub {
		c.Program = p.switchboard
		c.Service = []string{"bench", "service"}
		c.AppServer = []string{"bench", "app-server"}
		c.Load = []string{"bench", "load"}
		return
	}
	work := workEcho
	if c.Scenario == loadgen.Broadcast {
		work = workBroadcast
	}
	c.Program = p.own
	c.Service = []string{childServe, s.name, work}
	c.AppServer = s.appServer
	c.Load = []string{childLoad}
	c.Negotiation = loadgen.NegotiateSkip
}
