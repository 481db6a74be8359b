package appserver

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"switchboard/accesstoken"
	"switchboard/serviceprotocol"
)

// A line is a name at the service with server connections of its own: a hub of ASP.NET Core
// SignalR, an application of ASP.NET SignalR, or a hub of that.
type line struct {
	app     *App // fixed, as are all up to connectedOnce
	name    string
	log     *slog.Logger
	aspNet  bool // the generation
	resumes bool // clients may use stateful reconnect
	onEvent func(*HubEndpoint, *serviceprotocol.ServiceEvent)
	takes   receiver

	connectedOnce chan struct{} // closed by the first server connection
	once          sync.Once     // for connectedOnce

	at atomic.Pointer[[]*HubEndpoint] // see endpoints
}

// A receiver takes what comes over the server connections of a line. It does not wait.
type receiver interface {
	// receive takes a message, which is valid until it returns.
	receive(s *serverConn, m serviceprotocol.Message)
	// offline ends the clients that s carries whose service instance is node, or all if it is "".
	offline(s *serverConn, node string)
	// ended ends the clients of a server connection that has ended.
	ended(s *serverConn, err error)
	// leave ends the clients at a service that is given up. They may go to another one.
	leave(e *HubEndpoint)
}

// endpoints returns the services that the line goes to, or wants to go to, in no particular
// order. The slice must not be changed.
func (l *line) endpoints() []*HubEndpoint { return *l.at.Load() }

// connectTo sets the services. It is called before Run.
func (l *line) connectTo(endpoints []*endpoint) {
	l.connectedOnce = make(chan struct{})
	var at []*HubEndpoint
	for _, e := range endpoints {
		at = append(at, newHubEndpoint(l, e))
		at[len(at)-1].negotiable.Store(true)
	}
	l.at.Store(&at)
}

// serverURL returns where a server connection is opened.
func (l *line) serverURL(service *accesstoken.Endpoint, connectionID string) string {
	if l.aspNet {
		return service.AspNetServerURL(l.name, connectionID)
	}
	return service.ServerURL(l.name, connectionID)
}
