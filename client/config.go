package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"switchboard/hubprotocol"
	"switchboard/negotiate"
)

// The transports, for Config.Transports.
const (
	WebSockets       = negotiate.WebSockets
	ServerSentEvents = negotiate.ServerSentEvents
	LongPolling      = negotiate.LongPolling
)

// A Config holds the settings of a connection. The zero value works.
type Config struct {
	// Protocol encodes messages. Default hubprotocol.JSON.
	Protocol hubprotocol.Protocol

	// Transports are those that may be used, of what the server offers and in its
	// order. Default: all.
	Transports negotiate.Transport

	// SkipNegotiation connects at once, without the HTTP request that tells which
	// transports there are. Transports must be WebSockets alone.
	SkipNegotiation bool

	// Token returns the access token for the server. It is asked before each
	// negotiation, and once more when the server answers 401. Default: no token.
	Token func(context.Context) (string, error)

	// Header is sent with every request. What it has replaces the client's own.
	Header http.Header

	// HTTPClient sends the requests, that of the WebSocket too. It must have no
	// Timeout, since that would end polls. A cookie jar is what load balancers with
	// affinity want. Default http.DefaultClient.
	HTTPClient *http.Client

	// Compression has WebSocket messages compressed, in both directions, if the server
	// agrees (permessage-deflate, each message on its own). Default: no compression.
	Compression bool

	// Reconnect tells how to go on when the connection is lost. Default: not at all,
	// so that a lost connection has ended. [DefaultReconnect] is a good choice.
	Reconnect ReconnectPolicy

	// StatefulReconnect asks the server to keep the connection when its WebSocket
	// is lost: with the next one, which is tried at once and only once, both sides
	// send what the other has not got yet. A server that cannot do it is no error.
	StatefulReconnect bool

	// StatefulBufferBytes bounds what was sent and is not acknowledged yet under
	// stateful reconnect; beyond it sending waits. Default 100,000.
	StatefulBufferBytes int

	// HandshakeTimeout bounds the handshake. Default 15 s.
	HandshakeTimeout time.Duration

	// KeepAliveInterval is the time after which a ping is sent, if nothing else was.
	// It should be at most half of what the server waits, which is 30 s. Default 15 s.
	KeepAliveInterval time.Duration

	// ServerTimeout ends a connection over which nothing came for so long. It should
	// be at least twice the time between two pings of the server, which is 15 s.
	// Default 30 s. Long polling needs neither.
	ServerTimeout time.Duration

	// MaximumMessageBytes bounds a message from the server; one that is larger ends
	// the connection. Default: none.
	MaximumMessageBytes int

	// HandlerBuffer is how many calls of the hub wait for the handlers, which run
	// one after the other. When there are so many, nothing more is read, and answers
	// wait too: a handler that calls the hub must not be that slow. Default 1000.
	HandlerBuffer int

	// StreamBuffer is how many items of a stream wait to be taken. A stream that has
	// more is given up with ErrSlowConsumer: answers must not wait for it. Default
	// 10,000.
	StreamBuffer int

	// OnReconnecting is called when the connection is lost and will be tried again.
	OnReconnecting func(err error)

	// OnReconnected is called when it is there again, with its new id, which is empty
	// if negotiation is skipped.
	OnReconnected func(connectionID string)

	// OnClosed is called once, when the connection has ended for good. err is nil
	// after Stop and when the hub ended it without an error. Like the other two it
	// must not call Start or Stop, which wait for it.
	OnClosed func(err error)

	// OnUnhandled is called for calls of the hub that no handler was registered for,
	// in their turn among the handlers. Default: they are logged.
	OnUnhandled func(target string, arguments []Value)

	// Logger gets what goes wrong without anybody else being told. Default: nothing
	// is logged.
	Logger *slog.Logger
}

// A Value is an argument of the hub, not decoded yet. It is valid until the function
// that gets it returns.
type Value struct {
	raw      []byte
	protocol hubprotocol.Protocol
}

// Decode stores the value in the variable that into points to.
func (v Value) Decode(into any) error { return v.protocol.ParseValue(v.raw, into) }

// check fills in the defaults and returns every mistake, named by its field.
func (c *Config) check() error {
	var mistakes []error
	for name, n := range map[string]int64{
		"StatefulBufferBytes": int64(c.StatefulBufferBytes), "HandshakeTimeout": int64(c.HandshakeTimeout),
		"KeepAliveInterval": int64(c.KeepAliveInterval), "ServerTimeout": int64(c.ServerTimeout),
		"MaximumMessageBytes": int64(c.MaximumMessageBytes), "HandlerBuffer": int64(c.HandlerBuffer), "StreamBuffer": int64(c.StreamBuffer),
	} {
		if n < 0 {
			mistakes = append(mistakes, fmt.Errorf("%s: must not be negative", name))
		}
	}
	setDefault(&c.Transports, negotiate.All)
	if c.Transports&negotiate.All == 0 {
		//lint:ignore ST1005 it is the name of a field
		mistakes = append(mistakes, errors.New("Transports: no transport is among them"))
	}
	if c.SkipNegotiation && c.Transports != WebSockets {
		mistakes = append(mistakes, errors.New("SkipNegotiation: Transports must be WebSockets alone"))
	}
	setDefault(&c.Protocol, hubprotocol.JSON)
	setDefault(&c.HTTPClient, http.DefaultClient)
	setDefault(&c.StatefulBufferBytes, 100_000)
	setDefault(&c.HandshakeTimeout, 15*time.Second)
	setDefault(&c.KeepAliveInterval, 15*time.Second)
	setDefault(&c.ServerTimeout, 30*time.Second)
	setDefault(&c.HandlerBuffer, 1000)
	setDefault(&c.StreamBuffer, 10_000)
	setDefault(&c.Logger, slog.New(slog.DiscardHandler))
	return errors.Join(mistakes...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme == "ws":
		u.Scheme = "http"
	case u.Scheme == "wss":
		u.Scheme = "https"
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not an absolute http or https URL", text)
	}
	u.Fragment = ""
	return u, nil
}
