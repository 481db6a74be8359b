package appserver

import (
	"errors"
	"fmt"
)

// ErrNotConnected means that the hub has no connection to the service at present.
var ErrNotConnected = errors.New("hub is not connected to the service")

// ErrTimeout means that the service did not confirm a request in time. It may
// have taken effect.
var ErrTimeout = errors.New("service did not answer in time")

// ErrServerConnectionLost is what OnDisconnected is told when the connection that
// carried the client has ended, and with it the client.
var ErrServerConnectionLost = errors.New("server connection lost")

// A HubError is an error whose message the client may see: it fails the call
// with a text that ends in "HubException: " and Message, as ASP.NET Core does for
// a HubException. It may be wrapped; only Message goes out.
type HubError struct {
	Message string

	// Data goes to clients of ASP.NET SignalR besides the message, as JSON. Those of ASP.NET
	// Core SignalR get the message only. Default: none.
	Data any
}

func (e *HubError) Error() string { return e.Message }

// Errorf returns a *HubError.
func Errorf(format string, args ...any) error {
	return &HubError{Message: fmt.Sprintf(format, args...)}
}

// An HTTPError is the refusal of a negotiate request by Config.Identify.
type HTTPError struct {
	Status int    // such as http.StatusUnauthorized
	Text   string // the body of the answer, which clients show; if empty they show the status' own name
}

func (e *HTTPError) Error() string { return fmt.Sprintf("HTTP status %d: %s", e.Status, e.Text) }

// An exception is an error that a .NET server would report under the same name.
type exception struct{ name, message string }

func (e *exception) Error() string     { return e.message }
func (e *exception) ErrorType() string { return e.name }

// invalid is an error in the words of ASP.NET SignalR.
func invalid(format string, args ...any) error {
	return &exception{"InvalidOperationException", fmt.Sprintf(format, args...)}
}

// A panicError is a panic in hub code.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string     { return fmt.Sprint(e.value) }
func (e *panicError) ErrorType() string { return "Panic" }

// clientText is what a client is told of err: the base sentence, and the detail
// only when it may be seen.
//
// Source: dotnet/aspnetcore ErrorMessageHelper.cs, BuildErrorMessage.
func clientText(base string, err error, detailed bool) string {
	if shown, ok := errors.AsType[*HubError](err); ok {
		return base + " HubException: " + shown.Message
	}
	if !detailed {
		return base
	}
	name := "Error"
	if named, ok := errors.AsType[interface {
		error
		ErrorType() string
	}](err); ok {
		name = named.ErrorType()
	}
	return base + " " + name + ": " + err.Error()
}
