package client

import (
	"errors"
	"fmt"
	"net"
)

// ErrNotConnected means that the connection is not open: it was not started, is about
// to connect again, or has ended. It matches net.ErrClosed.
var ErrNotConnected error = notConnected{}

type notConnected struct{}

func (notConnected) Error() string        { return "connection is not in the connected state" }
func (notConnected) Is(target error) bool { return target == net.ErrClosed }

// ErrServerTimeout means that nothing came from the server for Config.ServerTimeout.
//
//lint:ignore ST1005 the text is that of the official clients
var ErrServerTimeout = errors.New("Server timeout elapsed without receiving a message from the server.")

// ErrSlowConsumer means that a stream was given up because its items were not taken.
var ErrSlowConsumer = errors.New("items of the stream are not taken fast enough")

// A HubError is the failure of a call or stream, in the words of the hub.
type HubError struct {
	Message string
}

func (e *HubError) Error() string { return e.Message }

// A CloseError is the end of a connection by the hub, with a reason.
type CloseError struct {
	Message        string
	AllowReconnect bool // the hub lets the client connect again by itself
}

func (e *CloseError) Error() string { return "Server returned an error on close: " + e.Message }

// A HandshakeError is the hub's refusal of the handshake.
type HandshakeError struct {
	Message string
}

func (e *HandshakeError) Error() string { return "Server returned handshake error: " + e.Message }

// An HTTPError is an answer that is not what a request asked for.
type HTTPError struct {
	Status int
	Text   string // the start of the body, or the status' own name
}

func (e *HTTPError) Error() string { return fmt.Sprintf("%s: Status code '%d'", e.Text, e.Status) }

// A NegotiateError is the server's refusal to negotiate, with status 200.
type NegotiateError struct {
	Message string
}

func (e *NegotiateError) Error() string { return e.Message }

// errLost is how calls end that wait when the connection does, unless there is a
// better reason.
//
//lint:ignore ST1005 the text is that of the official clients
var errLost = fmt.Errorf("Invocation canceled due to the underlying connection being closed. (%w)", net.ErrClosed)
