package serverconn

import (
	"context"
	"errors"
	"io"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

// A Reason tells in one word why a server connection ended. The words below
// are all there are; they are in the log and in the metrics.
type Reason string

// The reasons for which a server connection ends.
const (
	ClosedByAppServer Reason = "closed_by_app_server" // in good order
	TransportLost     Reason = "transport_lost"       // the WebSocket broke off
	Idle              Reason = "idle"                 // silent for timeouts.server-idle
	Stalled           Reason = "stalled"              // took no bytes for timeouts.server-stall
	MessageTooLarge   Reason = "message_too_large"    // over limits.server-message-bytes
	BadFrame          Reason = "bad_frame"            // a length prefix that cannot be read
	NotNeeded         Reason = "not_needed"           // was opened on demand, which is over
	ServiceShutdown   Reason = "service_shutdown"
)

// Reasons lists every Reason.
var Reasons = []Reason{ClosedByAppServer, TransportLost, Idle, Stalled, MessageTooLarge, BadFrame, NotNeeded, ServiceShutdown}

var errNotNeeded = errors.New("the server connection is not needed any more")

// reasonOf sorts the error that ended a connection.
func reasonOf(err error) Reason {
	if _, ok := errors.AsType[*serviceprotocol.FrameSizeError](err); ok {
		return MessageTooLarge
	}
	switch {
	case errors.Is(err, io.EOF):
		return ClosedByAppServer
	case errors.Is(err, errNotNeeded):
		return NotNeeded
	case errors.Is(err, context.Canceled):
		return ServiceShutdown
	case errors.Is(err, mux.ErrIdle):
		return Idle
	case errors.Is(err, mux.ErrStalled):
		return Stalled
	case errors.Is(err, serviceprotocol.ErrPrefix):
		return BadFrame
	default:
		return TransportLost
	}
}
