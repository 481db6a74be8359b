package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/trial"
)

// A section is a kind of work: one part of the page.
type section struct {
	title string
	text  string
	does  []doing // what the systems do in it
	rows  []row
}

// A doing is what one system does, and what it does not, in plain words.
type doing struct{ system, text string }

// A row is one piece of work that all its systems do.
type row struct {
	name    string // for --only
	title   string
	trial   trial.Config
	longer  float64 // times --duration; 0: once
	systems []string
	figures []figure
	against string // the yardstick of the first figure: a system, "" for none
	targets []target
}

// A target is a bound that Switchboard is held to.
type target struct {
	figure  figure
	against string  // bound is a ratio to this system in the same round; "": it is a value
	least   bool    // the bound is the lowest that is allowed, not the highest
	bound   float64 // itself allowed
	from    string  // a row with fewer clients: the bound is for each client more than there; "": for each client
}

const (
	kilobyte = 1 << 10
	ping     = 15 * time.Second // as clients of SignalR do
)

var sections = []section{
	{
		title: "Idle clients",
		text: "All clients are connected and do nothing but ping every 15 s. RSS is that of the process after the garbage of the connects was collected, " +
			"less what it was before the first client, divided by the clients; with few of them, what a process needs once weighs more. The kernel needs about 4 KB more for each socket, whoever serves it.",
		does: []doing{
			{switchboard, "keeps for each client its state, the pair with a server connection, the claims and the entries in its tables; the app server keeps a hub connection. A ping goes to the app server."},
			{bareFloor, "keeps 80 bytes of state, and sends the ping back."},
			{library, "keeps a goroutine with its stack, a read buffer and state, and sends the ping back."},
			{broker, "keeps a client with its parser, buffers and one subscription, and answers the ping; it sends pings of its own too, the first soon after the connect."},
		},
		rows: []row{
			idle("idle-1000", 1000, 0.4),
			idle("idle-5000", 5000, 0.4, linear(memory, "idle-1000", 1.5), linear(behindMemory, "idle-1000", 2)),
			idle("idle-19000", 19000, 4, linear(memory, "idle-5000", 1.5), linear(behindMemory, "idle-5000", 2),
				target{figure: memory, bound: 1.5 * kilobyte}, target{figure: behindMemory, bound: 2 * kilobyte}),
			{
				name: "idle-tls", title: "5,000 clients, TLS 1.3", longer: 0.4,
				trial:   trial.Config{Scenario: loadgen.Idle, Clients: 5000, Ping: ping, TLS: true, Negotiation: loadgen.NegotiateShared},
				systems: []string{switchboard},
				figures: []figure{memory, memoryUnsettled, behindMemory, coreBusy},
				targets: []target{{figure: memory, bound: 11 * kilobyte}},
			},
		},
	},
	{
		title: "Round trips",
		text:  "1,000 clients send 128 bytes and get them back.",
		does: []doing{
			{switchboard, "carries each message four times: from the client, to the app server, from the app server, to the client. The hub's method decodes and encodes it."},
			{bareFloor, "reads a frame and writes it: two of those four ways, and no hub."},
			{library, "does as the floor does, in a goroutine for each client."},
			{broker, "passes it from a client to the subject that this client alone subscribes to: two ways, no app behind it."},
			{brokerRequest, "passes a request to the responder, and its answer back: four ways, as Switchboard."},
		},
		rows: []row{
			{
				name: "echo-saturated", title: "64 in flight: as fast as it goes",
				trial:   trial.Config{Scenario: loadgen.Echo, Clients: 1000, Payload: 128, InFlight: 64},
				systems: []string{bareFloor, switchboard, library, broker, brokerRequest},
				figures: []figure{cpuPerOperation, operations, coreBusy, p99, behindCPU},
				against: bareFloor,
				targets: []target{{figure: cpuPerOperation, against: bareFloor, bound: 1.8}},
			},
			{
				name: "echo-10000", title: "10,000 per second",
				trial:   trial.Config{Scenario: loadgen.Echo, Clients: 1000, Payload: 128, Rate: 10000},
				systems: []string{bareFloor, switchboard, library, broker, brokerRequest},
				figures: []figure{p99, median, cpuPerOperation, coreBusy, loadBusy},
				against: bareFloor,
				targets: []target{{figure: p99, against: bareFloor, bound: 3}},
			},
		},
	},
	{
		title: "Broadcasts",
		text:  "Some clients send to all. Each delivery is one message that reached one client; the figures count deliveries.",
		does: []doing{
			{switchboard, "carries the message to the app server, whose hub sends it to all; the service passes it to every client of the hub, each with a bounded queue, and closes a client that falls behind."},
			{bareFloor, "writes the frame to every socket as soon as it was read."},
			{joinedFloor, "puts the frame in the queue of every client and writes once for each client when the turn ends; queues have no bound."},
			{library, "queues a task for every client, which writes the frame."},
			{broker, "matches the subject with its subscriptions and puts the message in the buffer of every client, which a goroutine writes. Nothing runs behind it."},
		},
		rows: []row{
			broadcast("broadcast-8", "128 bytes to 1,000 clients, 8 in flight", 1000, 128, 8),
			broadcast("broadcast-64", "128 bytes to 1,000 clients, 64 in flight", 1000, 128, 64),
			broadcast("broadcast-10000", "128 bytes to 10,000 clients, 8 in flight", 10000, 128, 8),
			broadcast("broadcast-2k", "2 KiB to 1,000 clients, 8 in flight", 1000, 2048, 8),
		},
	},
	{
		title: "Connect storms",
		text: "2,000 clients connect, 64 at once, again and again. " +
			"The rate can be the limit of the load side, which shares its core with the app server, and has more to do for clients that do more. " +
			"What a whole core could do follows from the CPU that each connect took, and is the limit of the server alone.",
		does: []doing{
			{switchboard, "answers negotiate, checks the token, upgrades, reads the SignalR handshake, picks a server connection and tells the app server, which answers the handshake."},
			{bareFloor, "takes the connection and answers the upgrade; the client sends no word."},
			{library, "does the same with the HTTP parser of Go."},
			{broker, "upgrades, then takes the client's CONNECT, one subscription and a PING."},
		},
		rows: []row{
			storm("connect-own", "Negotiate over own connections, as on the internet", loadgen.NegotiateOwn),
			storm("connect-shared", "Negotiate over shared connections, as behind a proxy", loadgen.NegotiateShared),
		},
	},
}

func idle(name string, clients int, longer float64, targets ...target) row {
	return row{
		name: name, title: whole(float64(clients)) + " clients", longer: longer, targets: targets,
		trial:   trial.Config{Scenario: loadgen.Idle, Clients: clients, Ping: ping, Negotiation: loadgen.NegotiateShared},
		systems: []string{switchboard, bareFloor, library, broker},
		figures: []figure{memory, memoryUnsettled, behindMemory, coreBusy, {"service CPU per ping", inMicros, cpuPerOperation.of}},
	}
}

// linear holds what each client more takes against a bound in KB, so that what
// a process needs once does not count.
func linear(f figure, from string, bound float64) target {
	return target{figure: f, from: from, bound: bound * kilobyte}
}

func broadcast(name, title string, clients, payload, inFlight int) row {
	return row{
		name: name, title: title,
		trial:   trial.Config{Scenario: loadgen.Broadcast, Clients: clients, Payload: payload, InFlight: inFlight},
		systems: []string{joinedFloor, switchboard, broker, bareFloor, library},
		figures: []figure{cpuPerDelivery, deliveries, coreBusy, p99},
		against: joinedFloor,
		targets: []target{
			{figure: cpuPerDelivery, against: joinedFloor, bound: 1.2},
			{figure: cpuPerDelivery, against: broker, bound: 1},
		},
	}
}

func storm(name, title string, negotiation loadgen.Negotiation) row {
	return row{
		name: name, title: title,
		trial:   trial.Config{Scenario: loadgen.Connect, Clients: 2000, Negotiation: negotiation},
		systems: []string{bareFloor, switchboard, library, broker},
		figures: []figure{operations, cpuPerOperation, wholeCore, coreBusy, loadBusy},
		against: bareFloor,
		targets: []target{
			{figure: operations, against: bareFloor, least: true, bound: 0.5},
			{figure: cpuPerOperation, bound: 80},
		},
	}
}

// choose returns the sections with those rows and systems only that were asked
// for. A word names a row, or all rows that begin with it and a hyphen; no words
// mean all.
func choose(all []section, words, names []string) ([]section, error) {
	used := map[string]bool{}
	wanted := func(name string) bool {
		for _, w := range words {
			if name == w || strings.HasPrefix(name, w+"-") {
				used[w] = true
				return true
			}
		}
		return len(words) == 0
	}
	var chosen []section
	for _, s := range all {
		s.rows = slices.DeleteFunc(slices.Clone(s.rows), func(r row) bool { return !wanted(r.name) })
		for i := range s.rows {
			r := &s.rows[i]
			r.systems = slices.DeleteFunc(slices.Clone(r.systems), func(name string) bool { return len(names) > 0 && !slices.Contains(names, name) })
		}
		s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return len(r.systems) == 0 })
		if len(s.rows) > 0 {
			chosen = append(chosen, s)
		}
	}
	for _, w := range words {
		if !used[w] {
			return nil, fmt.Errorf("--only: no row is named %q; there are %s", w, list(rowNames(all)))
		}
	}
	return chosen, nil
}

func rowNames(all []section) (names []string) {
	for _, s := range all {
		for _, r := range s.rows {
			names = append(names, r.name)
		}
	}
	return names
}

// paced tells whether the clients leave the server time to spare.
func (r *row) paced() bool { return r.trial.Rate > 0 || r.trial.Scenario == loadgen.Idle }
