package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/mux"
)

// A Mode tells who answers clients.
type Mode string

// The modes of the hosted service.
const (
	// ModeDefault needs app servers: a client without one is refused.
	ModeDefault Mode = "default"
	// ModeServerless takes no app servers, only connections that send (Management
	// SDK). Clients receive; one that calls a hub method is closed.
	ModeServerless Mode = "serverless"
	// ModeClassic is ModeDefault for a client that finds an app server when it
	// comes, and ModeServerless for one that does not.
	ModeClassic Mode = "classic"
)

// An Engine serves the sockets of clients.
type Engine string

// The engines.
const (
	// EngineAuto is event loops where the system has them (Linux) and the
	// connection is a TCP socket, with TLS or without, else EngineGoroutines. What
	// comes over TLS needs a Listener below it.
	EngineAuto Engine = "auto"
	// EngineGoroutines is a goroutine for each client. It needs about three times
	// the memory for an idle client.
	EngineGoroutines Engine = "goroutines"
)

// Config of a Service. The zero value works: it has one random access key,
// which only ConnectionString tells.
//
// The tags are the keys of the configuration file; mistakes are reported by them.
type Config struct {
	// AccessKeys sign the tokens of clients and app servers. Each of them is
	// valid, so that keys can be rotated. The bytes of the text are the key.
	// Default: one random key.
	AccessKeys []string `koanf:"access-keys"`
	// Mode is who answers clients. Default ModeDefault.
	Mode Mode `koanf:"mode"`
	// Endpoint is the URL under which clients and app servers reach the
	// service; it goes into ConnectionString. Default http://localhost; the
	// command takes the address that it listens on.
	Endpoint string `koanf:"endpoint"`
	// InstanceID names this instance to app servers. Default: random.
	InstanceID string `koanf:"instance-id"`
	// Engine serves the sockets of clients. Default EngineAuto; there is no
	// reason to change it but to compare.
	Engine Engine `koanf:"engine"`
	// DeflateFromBytes has WebSocket messages of this size and more compressed
	// (permessage-deflate) for clients that offer it, as browsers do. A message to many
	// clients is compressed once; smaller ones are sent as they are. It saves traffic
	// and costs time: 1 KiB is a good value. Default: no compression.
	DeflateFromBytes int `koanf:"deflate-from-bytes"`
	// LoadBalancing says when app servers are asked for more server connections.
	LoadBalancing LoadBalancing `koanf:"load-balancing"`
	// LostClients says what becomes of clients whose server connection is lost. Default
	// CloseLost.
	LostClients LostClients `koanf:"lost-clients"`
	// AspNet is about the clients of ASP.NET SignalR.
	AspNet AspNet `koanf:"aspnet"`
	// Timeouts and Limits have defaults for whatever is not set.
	Timeouts Timeouts `koanf:"timeouts"`
	Limits   Limits   `koanf:"limits"`
	// Logger gets what operators want to know: every close with its reason,
	// every refusal. Default: nothing is logged.
	Logger *slog.Logger `koanf:"-"`
}

// LostClients says what becomes of clients whose server connection is lost.
type LostClients string

// The values of Config.LostClients.
const (
	// CloseLost closes them, with a reason that lets them reconnect, as the hosted service does.
	CloseLost LostClients = "close"
	// MoveLost has them go over to another app server; the hub there sees a client that
	// connects. What was on its way is lost: calls that ran fail with an error. Clients of
	// app servers that ask for it themselves (migration level 2) are moved anyway.
	MoveLost LostClients = "move"
)

// AspNet is what is set for the clients of ASP.NET SignalR. Zero means the default.
type AspNet struct {
	// Errors says when a client is told why its connection ends. Default DetailedErrors.
	Errors AspNetErrors `koanf:"errors"`
	// Connect is the time between negotiate and connect. It has to be long enough for a client
	// whose first transport does not come up to try the next one. Default 30 s.
	Connect time.Duration `koanf:"connect"`
	// Transport is how long clients wait for a transport to come up. Default 5 s.
	Transport time.Duration `koanf:"transport"`
	// KeepAlive is the time between two messages to a client, at most. A client gives up a
	// transport that is silent for twice as long. Default 10 s.
	KeepAlive time.Duration `koanf:"keep-alive"`
	// Disconnect is how long a client tries to reconnect. The service waits for it 5 s longer
	// before it tells the app server. Default 30 s.
	Disconnect time.Duration `koanf:"disconnect"`
	// Poll is the longest poll. Default 110 s; clients give up 10 s later. Between two polls
	// is Timeouts.PollWait.
	Poll time.Duration `koanf:"poll"`
	// MessageBytes bounds one message from a client. Default 1 MiB.
	MessageBytes int `koanf:"message-bytes"`
}

// AspNetErrors says when a client of ASP.NET SignalR is told why its connection ends. One from 2.4
// on that is told ends at once; one that is not tries to reconnect for half a minute before.
type AspNetErrors string

// The values of Config.AspNetErrors.
const (
	// DetailedErrors tells clients whose app lets them see details, as the hosted service does.
	DetailedErrors AspNetErrors = "detailed"
	// AlwaysErrors tells every client. Those of other apps see the general reason only.
	AlwaysErrors AspNetErrors = "always"
)

// LoadBalancing of a Service. Zero means the default. An app server is asked, by a
// "target" ping, to open one more server connection to a hub when its connections are
// too few, again and again until it has opened enough. A connection that was opened so
// is closed again when the others would have been enough for a minute, with half the
// clients, and its clients have gone.
type LoadBalancing struct {
	// Clients is how many clients a server connection should have at most, on average
	// over those that an app server has. Default 2000.
	Clients int `koanf:"clients"`
	// QueueBytes is how much may wait for a server connection before another one is
	// asked for. Default 256 KiB.
	QueueBytes int `koanf:"queue-bytes"`
}

// Timeouts of a Service. Zero means the default.
type Timeouts struct {
	// Handshake bounds the wait for the handshake of a client or app server.
	// Default 15 s. Apps override it for their clients (claim asrs.s.cht).
	Handshake time.Duration `koanf:"handshake"`
	// Connect is the time between a client's negotiate and its transport.
	// Default 15 s; clients on bad networks need several seconds.
	Connect time.Duration `koanf:"connect"`
	// Ping is the time between two pings to an app server. Default 5 s. App
	// servers ping only in answer, and give up after 30 s of silence.
	Ping time.Duration `koanf:"ping"`
	// ServerIdle ends a server connection that is silent for so long, and so
	// disconnects its clients. Default 30 s.
	ServerIdle time.Duration `koanf:"server-idle"`
	// ServerResume is how long a server connection of package appserver may be without a
	// socket, when that breaks off, before its clients are closed or moved. Default 2 s;
	// less than a millisecond turns it off.
	ServerResume time.Duration `koanf:"server-resume"`
	// ServerStall ends a server connection that takes no bytes for so long. Default 30 s.
	ServerStall time.Duration `koanf:"server-stall"`
	// ClientSend closes a client whose transport takes no bytes for so long. Default 10 s.
	ClientSend time.Duration `koanf:"client-send"`
	// PollWait ends a long-polling client that takes so long to poll again. Default
	// 5 s. Apps override it for their clients (claim asrs.s.ttl).
	PollWait time.Duration `koanf:"poll-wait"`
	// Move is how long a client whose app server shuts down may have calls running before
	// it is moved to another app server all the same. Default 10 s.
	Move time.Duration `koanf:"move"`
	// Resume is how long a client that uses stateful reconnect may be without a
	// socket before it is closed; what is sent to it meanwhile is kept. Default 15 s.
	Resume time.Duration `koanf:"resume"`
}

// Limits of a Service. Zero means the default.
type Limits struct {
	// ClientConnections bounds the client connections, negotiated ones
	// included; more are refused with 429. Default: no bound.
	ClientConnections int `koanf:"client-connections"`
	// ClientMessageBytes bounds one hub message from a client. Default: no
	// bound, since the service passes a message on piece by piece and the app
	// server has a limit of its own (32 KiB by default).
	ClientMessageBytes int `koanf:"client-message-bytes"`
	// ClientInflatedBytes bounds one compressed WebSocket message from a client, as it
	// comes and inflated. Default 4 MiB.
	ClientInflatedBytes int `koanf:"client-inflated-bytes"`
	// ClientHandshakeBytes bounds a client's SignalR handshake request. Default 32 KiB.
	ClientHandshakeBytes int `koanf:"client-handshake-bytes"`
	// ClientQueueBytes bounds what waits for a client that does not read, or that
	// has not acknowledged it under stateful reconnect; above it the client is
	// closed. Default 4 MiB.
	ClientQueueBytes int `koanf:"client-queue-bytes"`
	// ServerMessageBytes bounds one message of the service protocol from an
	// app server; a larger one ends the server connection. Default 64 MiB.
	ServerMessageBytes int `koanf:"server-message-bytes"`
	// ServerQueueBytes bounds what waits for an app server that does not read;
	// above it its clients are not read. Default 1 MiB.
	ServerQueueBytes int `koanf:"server-queue-bytes"`
	// HeaderBytes bounds request line and headers together; more are refused
	// with 431. Default 32 KiB.
	HeaderBytes int `koanf:"header-bytes"`
}

// maxURIBytes is where the hosted service answers 414.
const maxURIBytes = 12 << 10

// bodyTimeout bounds the wait for the body of a request, which no request to
// the service has much of.
const bodyTimeout = 5 * time.Second

// WithDefaults returns c with the default for everything that is not set, but
// for what New makes up: access key, instance id and endpoint.
func (c Config) WithDefaults() Config {
	set(&c.Mode, ModeDefault)
	set(&c.Engine, EngineAuto)
	set(&c.LostClients, CloseLost)
	set(&c.LoadBalancing.Clients, 2000)
	set(&c.LoadBalancing.QueueBytes, 256<<10)
	set(&c.Timeouts.Handshake, 15*time.Second)
	set(&c.Timeouts.Connect, 15*time.Second)
	set(&c.Timeouts.Ping, 5*time.Second)
	set(&c.Timeouts.ServerIdle, 30*time.Second)
	set(&c.Timeouts.ServerStall, 30*time.Second)
	set(&c.Timeouts.ClientSend, 10*time.Second)
	set(&c.Timeouts.PollWait, 5*time.Second)
	set(&c.Timeouts.Move, 10*time.Second)
	set(&c.Timeouts.Resume, 15*time.Second)
	set(&c.Timeouts.ServerResume, 2*time.Second)
	set(&c.AspNet.Connect, 30*time.Second)
	set(&c.AspNet.Transport, 5*time.Second)
	set(&c.AspNet.KeepAlive, 10*time.Second)
	set(&c.AspNet.Disconnect, 30*time.Second)
	set(&c.AspNet.Poll, 110*time.Second)
	set(&c.AspNet.Errors, DetailedErrors)
	set(&c.AspNet.MessageBytes, 1<<20)
	set(&c.Limits.ClientInflatedBytes, 4<<20)
	set(&c.Limits.ClientHandshakeBytes, 32<<10)
	set(&c.Limits.ClientQueueBytes, 4<<20)
	set(&c.Limits.ServerMessageBytes, 64<<20)
	set(&c.Limits.ServerQueueBytes, 1<<20)
	set(&c.Limits.HeaderBytes, 32<<10)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Check returns every mistake in c, each named by its key, in order.
func (c Config) Check() error {
	var mistakes []error
	mistake := func(key, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for i, key := range c.AccessKeys {
		if key == "" {
			mistake(fmt.Sprintf("access-keys[%d]", i), "must not be empty")
		}
	}
	switch c.Mode {
	case "", ModeDefault, ModeServerless, ModeClassic:
	default:
		mistake("mode", "%q is not a mode: default, serverless and classic are", c.Mode)
	}
	switch c.Engine {
	case "", EngineAuto, EngineGoroutines:
	default:
		mistake("engine", "%q is not an engine: auto and goroutines are", c.Engine)
	}
	switch c.LostClients {
	case "", CloseLost, MoveLost:
	default:
		mistake("lost-clients", "%q is neither close nor move", c.LostClients)
	}
	switch c.AspNet.Errors {
	case "", DetailedErrors, AlwaysErrors:
	default:
		mistake("aspnet.errors", "%q is neither detailed nor always", c.AspNet.Errors)
	}
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			mistake("endpoint", "%q is not an http or https URL", c.Endpoint)
		}
	}
	if c.DeflateFromBytes < 0 {
		mistake("deflate-from-bytes", "must not be negative")
	}
	if c.LoadBalancing.Clients < 0 {
		mistake("load-balancing.clients", "must not be negative")
	}
	if c.LoadBalancing.QueueBytes < 0 {
		mistake("load-balancing.queue-bytes", "must not be negative")
	}
	for key, d := range c.Timeouts.byKey() {
		if d < 0 {
			mistake("timeouts."+key, "must not be negative")
		}
	}
	for key, d := range c.AspNet.timesByKey() {
		if d < 0 {
			mistake("aspnet."+key, "must not be negative")
		}
	}
	if c.AspNet.MessageBytes < 0 {
		mistake("aspnet.message-bytes", "must not be negative")
	}
	for key, n := range c.Limits.byKey() {
		if n < 0 {
			mistake("limits."+key, "must not be negative")
		}
	}
	slices.SortFunc(mistakes, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(mistakes...)
}

func (t Timeouts) byKey() map[string]time.Duration {
	return map[string]time.Duration{
		"handshake": t.Handshake, "connect": t.Connect, "ping": t.Ping, "server-idle": t.ServerIdle,
		"server-stall": t.ServerStall, "client-send": t.ClientSend, "poll-wait": t.PollWait, "resume": t.Resume, "server-resume": t.ServerResume, "move": t.Move,
	}
}

func (a AspNet) timesByKey() map[string]time.Duration {
	return map[string]time.Duration{
		"connect": a.Connect, "transport": a.Transport, "keep-alive": a.KeepAlive, "disconnect": a.Disconnect, "poll": a.Poll,
	}
}

func (l Limits) byKey() map[string]int {
	return map[string]int{
		"client-connections": l.ClientConnections, "client-message-bytes": l.ClientMessageBytes,
		"client-inflated-bytes":  l.ClientInflatedBytes,
		"client-handshake-bytes": l.ClientHandshakeBytes, "client-queue-bytes": l.ClientQueueBytes,
		"server-message-bytes": l.ServerMessageBytes, "server-queue-bytes": l.ServerQueueBytes,
		"header-bytes": l.HeaderBytes,
	}
}

func (c *Config) clientLimits() clientconn.Limits {
	return clientconn.Limits{
		HandshakeTimeout: c.Timeouts.Handshake,
		HandshakeBytes:   c.Limits.ClientHandshakeBytes,
		MessageBytes:     c.Limits.ClientMessageBytes,
		InflatedBytes:    c.Limits.ClientInflatedBytes,
		QueueBytes:       c.Limits.ClientQueueBytes,
		PartialBytes:     c.Limits.ServerMessageBytes,
		SendTimeout:      c.Timeouts.ClientSend,
		ResumeTimeout:    c.Timeouts.Resume,
		MoveTimeout:      c.Timeouts.Move,
	}.WithDefaults()
}

func (c *Config) muxOptions() mux.Options {
	return mux.Options{
		MaxMessageBytes: c.Limits.ServerMessageBytes,
		QueueBytes:      c.Limits.ServerQueueBytes,
		PingInterval:    c.Timeouts.Ping,
		IdleTimeout:     c.Timeouts.ServerIdle,
		StallTimeout:    c.Timeouts.ServerStall,
	}
}
