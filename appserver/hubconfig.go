package appserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"switchboard/hubprotocol"
	"switchboard/negotiate"
	"switchboard/serviceprotocol"
)

// A HubConfig holds the settings of one hub. The zero value of each field is its
// default, that of ASP.NET Core where it has the setting too.
type HubConfig struct {
	// Name is the hub's name at the service, in any case. Default: the name of
	// the hub's type.
	Name string

	// Generations are those whose clients the hub is for. With AspNet, clients of ASP.NET
	// SignalR find it under Config.AspNetPath, as Name; what is sent to clients of the hub goes to
	// those of both. Default: AspNetCore.
	Generations Generation

	// MethodNames has the names that clients call methods by, where they are not those in Go. It
	// may give several methods one name, if they take different numbers of arguments.
	MethodNames map[string]string

	// SupportedProtocols are the encodings that clients may choose from; what
	// is sent to many clients is encoded in each of them. Default: JSON and
	// MessagePack.
	SupportedProtocols []hubprotocol.Protocol

	// HandshakeTimeout is how long a client may take for its handshake.
	// Default 15 s.
	HandshakeTimeout time.Duration

	// KeepAliveInterval is the time between two pings to a client. Clients give
	// up after 30 s of silence, so it should be at most half of that. Default 15 s.
	KeepAliveInterval time.Duration

	// ClientTimeoutInterval is how long a client may be silent. It holds for
	// clients that have sent a ping, which the official ones do every 15 s.
	// Default 30 s.
	ClientTimeoutInterval time.Duration

	// MaximumReceiveMessageSize bounds one message from a client, in bytes; a
	// client that sends a larger one is closed. Default 32768; -1 is no bound.
	MaximumReceiveMessageSize int

	// MaximumParallelInvocationsPerClient is how many calls of one client may
	// run at once. With 1, the default, each starts when the one before it has
	// returned.
	MaximumParallelInvocationsPerClient int

	// MaximumPendingBytesPerClient bounds what a client has sent and the hub
	// has not handled yet; a client beyond it is closed, so that it cannot fill
	// the memory while its call runs. Default 4 MiB.
	MaximumPendingBytesPerClient int

	// StreamBufferCapacity is how many items of a stream that a client sends are
	// kept for the call that takes it. When there are so many, nothing more is
	// read of the client until the call has taken one. Default 10.
	StreamBufferCapacity int

	// Transports are those that clients may use. Default: all.
	Transports negotiate.Transport

	// TransportDetector narrows Transports for the client of a negotiate request, such as
	// one of an old browser. 0 leaves all of Transports. Default: none.
	TransportDetector func(*http.Request) negotiate.Transport

	// DiagnosticClientFilter tells whether the client of a negotiate request is a
	// diagnostic one: its connection and its calls are logged, and the service takes no
	// more than 100 of them at a time. Default: none is.
	DiagnosticClientFilter func(*http.Request) bool

	// LongPollWait is how long a client with long polling may take from one poll to
	// the next before it is ended, in whole seconds from 1 to 300. Default: what the
	// service has, which is 5 s.
	LongPollWait time.Duration

	// CloseOnAuthenticationExpiration closes a client when Identity.Expires has come.
	// It may reconnect, and is identified anew. Default: a connection outlives its
	// user's authentication.
	CloseOnAuthenticationExpiration bool

	// Filters wrap calls, connecting and disconnecting. A hub has those of
	// Config.HubDefaults first, to which its own configuration appends. Default: none.
	Filters []Filter

	// Authorize decides who may connect, once Config.Identify has said who that is.
	// An error refuses the client: an *HTTPError with its status, any other with 403.
	// Default: everybody who was identified.
	Authorize func(*http.Request, Identity) error

	// Allow has rules for methods, by their names in Go: a client for which a rule
	// is false may not call the method. Rules run while nothing else of the client is
	// read, so they must not wait. Default: everybody may call everything.
	Allow map[string]func(*Context) bool

	// AllowStatefulReconnects lets clients that ask for it keep their connection when
	// they lose their socket: the service holds what is sent to them until they come
	// back, and the hub notices nothing. Default: a lost socket is a lost connection.
	AllowStatefulReconnects bool

	// OnShutdown runs when Run's context is done, once the service has been told and before
	// the clients are waited for; it may tell them. Its context ends with
	// Config.ShutdownTimeout. It is not called without Config.Shutdown. Default: none.
	OnShutdown func(context.Context, *HubContext) error

	// OnServiceEvent is told what a service reports of itself, besides the log. Events come
	// one at a time, in order for each endpoint; while 100 of one wait, further ones are
	// only logged. Default: none.
	OnServiceEvent func(*HubEndpoint, *serviceprotocol.ServiceEvent)

	// EnableDetailedErrors tells clients why a call failed: the name of the
	// error's type, "Error" unless it has a method ErrorType() string, and its
	// text. Default: they are told that it failed.
	EnableDetailedErrors bool
}

// A Generation of SignalR is a bit.
type Generation int

// The generations. Their clients are told apart by the protocol that they speak.
const (
	AspNetCore Generation = 1 << iota // since 2018: npm @microsoft/signalr, .NET Microsoft.AspNetCore.SignalR.Client
	AspNet                            // before: npm signalr, .NET Microsoft.AspNet.SignalR.Client
)

func (c *HubConfig) check() error {
	switch {
	case c.Generations&^(AspNetCore|AspNet) != 0:
		//lint:ignore ST1005 it is the name of a field
		return errors.New("Generations: a bit is set that stands for no generation")
	case c.HandshakeTimeout < 0:
		return errors.New("HandshakeTimeout: must not be negative")
	case c.KeepAliveInterval < 0:
		return errors.New("KeepAliveInterval: must not be negative")
	case c.ClientTimeoutInterval < 0:
		return errors.New("ClientTimeoutInterval: must not be negative")
	case c.MaximumReceiveMessageSize < -1:
		return errors.New("MaximumReceiveMessageSize: must not be less than -1")
	case c.MaximumParallelInvocationsPerClient < 0:
		return errors.New("MaximumParallelInvocationsPerClient: must not be negative")
	case c.Transports&^negotiate.All != 0:
		//lint:ignore ST1005 it is the name of a field
		return errors.New("Transports: a bit is set that stands for no transport")
	case c.LongPollWait != 0 && (c.LongPollWait < time.Second || c.LongPollWait > 300*time.Second || c.LongPollWait%time.Second != 0):
		return errors.New("LongPollWait: must be whole seconds, from 1 to 300")
	case c.StreamBufferCapacity < 0:
		return errors.New("StreamBufferCapacity: must not be negative")
	case c.MaximumPendingBytesPerClient < 0:
		return errors.New("MaximumPendingBytesPerClient: must not be negative")
	}
	return nil
}

func (c *HubConfig) setDefaults(typeName string) {
	setDefault(&c.Name, typeName)
	setDefault(&c.Generations, AspNetCore)
	setDefault(&c.HandshakeTimeout, 15*time.Second)
	setDefault(&c.Transports, negotiate.All)
	setDefault(&c.KeepAliveInterval, 15*time.Second)
	setDefault(&c.ClientTimeoutInterval, 30*time.Second)
	setDefault(&c.MaximumReceiveMessageSize, 32<<10)
	setDefault(&c.MaximumParallelInvocationsPerClient, 1)
	setDefault(&c.StreamBufferCapacity, 10)
	setDefault(&c.MaximumPendingBytesPerClient, max(4<<20, 2*c.MaximumReceiveMessageSize))
	if len(c.SupportedProtocols) == 0 {
		c.SupportedProtocols = []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack}
	}
}

// receiveLimit is MaximumReceiveMessageSize with 0 for no bound.
func (c *HubConfig) receiveLimit() int { return max(c.MaximumReceiveMessageSize, 0) }
