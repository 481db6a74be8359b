package appserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"switchboard/accesstoken"
	"switchboard/serviceprotocol"
)

// A ServiceEndpoint is one service of several that an app server is connected to.
type ServiceEndpoint struct {
	// ConnectionString says where the service is and holds its access key. Required.
	ConnectionString string

	// Name is for routers and logs. Default: none.
	Name string

	// Type says whose clients the service has. Default: Primary.
	Type EndpointType
}

// An EndpointType tells what an app server does with a service.
//
// Source: azure-signalr EndpointType.cs.
type EndpointType int

const (
	// Primary is a service whose clients this app server takes, and that its own
	// clients are sent to.
	Primary EndpointType = iota

	// Secondary is a service whose clients others take. This app server sends messages to
	// them, and its own clients go there only while no primary service is connected.
	Secondary
)

// String returns the name of the type.
func (t EndpointType) String() string {
	switch t {
	case Primary:
		return "Primary"
	case Secondary:
		return "Secondary"
	}
	return fmt.Sprintf("EndpointType(%d)", int(t))
}

// An endpoint is a service that the app knows.
type endpoint struct {
	name     string                               // fixed, as are all but address
	kind     EndpointType                         //
	client   *http.Client                         // dials it
	embedded *embedded                            // nil unless it is Config.Service
	address  atomic.Pointer[accesstoken.Endpoint] // its access key may be replaced
}

// parseEndpoint is told how a mistake begins.
func parseEndpoint(field, text string) (*accesstoken.Endpoint, error) {
	if text == "" {
		return nil, fmt.Errorf("%s: is required", field)
	}
	address, err := accesstoken.ParseConnectionString(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", field, err)
	case address.AccessKey == "":
		return nil, fmt.Errorf("%s: only access keys are supported, not AuthType", field)
	}
	return address, nil
}

// parseEndpoints returns every mistake, named by its field.
func parseEndpoints(list []ServiceEndpoint, client *http.Client) ([]*endpoint, error) {
	var endpoints []*endpoint
	var mistakes []error
	primary := false
	for i, s := range list {
		field := fmt.Sprintf("Endpoints[%d].", i)
		if s.Type != Primary && s.Type != Secondary {
			mistakes = append(mistakes, fmt.Errorf("%sType: %d is neither Primary nor Secondary", field, int(s.Type)))
		}
		primary = primary || s.Type == Primary
		address, err := parseEndpoint(field+"ConnectionString", s.ConnectionString)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		e := &endpoint{name: s.Name, kind: s.Type, client: client}
		e.address.Store(address)
		if before := slices.IndexFunc(endpoints, func(other *endpoint) bool { return other.url() == e.url() }); before >= 0 {
			mistakes = append(mistakes, fmt.Errorf("%sConnectionString: names the same service as the one of endpoint %q", field, endpoints[before].label()))
		}
		endpoints = append(endpoints, e)
	}
	if len(list) == 0 || !primary && len(mistakes) == 0 {
		mistakes = append(mistakes, errors.New("Endpoints: at least one must be Primary")) //nolint:staticcheck // it is the name of a field
	}
	return endpoints, errors.Join(mistakes...)
}

func (e *endpoint) url() string { return e.address.Load().Base.String() }

// label is the name, or the address of an endpoint that has none.
func (e *endpoint) label() string { return cmp.Or(e.name, e.url()) }

// same tells whether nothing but the access key is different.
func (e *endpoint) same(other *endpoint) bool {
	a, b := e.address.Load(), other.address.Load()
	return e.name == other.name && e.kind == other.kind && a.ServerURL("", "") == b.ServerURL("", "") &&
		a.ClientURL("") == b.ClientURL("") && a.ServerAudience("") == b.ServerAudience("")
}

// A HubEndpoint is a service as one hub knows it, with the hub's connections there.
// It may be used by any goroutine.
type HubEndpoint struct {
	line     *line     // fixed, as are all up to alone
	endpoint *endpoint //
	log      *slog.Logger
	alone    []*HubEndpoint

	backoff  backoff
	demand   chan string  // service instances that ask for a server connection; capacity 1, never closed
	onDemand atomic.Int64 // connections that such a request has led to
	goodbye  atomic.Value // string that tells the service that a server connection goes; unset until then

	events chan *serviceprotocol.ServiceEvent // for HubConfig.OnServiceEvent; capacity maxEvents, never closed

	load load
	list atomic.Pointer[serverList] // the latest that the service has sent; nil at first

	negotiable atomic.Bool // clients may be sent there

	mu      sync.Mutex                    // guards changes of servers
	servers atomic.Pointer[[]*serverConn] // those that are open; the slice is never changed

	stop  context.CancelFunc // ends the server connections; set when they are started
	ended chan struct{}      // closed when they have ended
}

func newHubEndpoint(l *line, e *endpoint) *HubEndpoint {
	at := &HubEndpoint{line: l, endpoint: e, log: l.log, demand: make(chan string, 1), events: make(chan *serviceprotocol.ServiceEvent, maxEvents), ended: make(chan struct{})}
	at.alone = []*HubEndpoint{at}
	if len(l.app.config.Endpoints) > 0 {
		at.log = l.log.With("endpoint", e.label())
	}
	at.servers.Store(new([]*serverConn))
	at.backoff.init()
	return at
}

// Name returns the endpoint's name.
func (e *HubEndpoint) Name() string { return e.endpoint.name }

// Type returns what the app server does with the service.
func (e *HubEndpoint) Type() EndpointType { return e.endpoint.kind }

// URL returns where the service is, without any secret.
func (e *HubEndpoint) URL() string { return e.endpoint.url() }

// Online tells whether the hub has a connection there.
func (e *HubEndpoint) Online() bool {
	return slices.ContainsFunc(e.connected(), (*serverConn).online)
}

// Active tells whether the hub has clients there, of this or of other app servers. The
// service is asked every 10 s; until it has answered, it is true.
func (e *HubEndpoint) Active() bool { return e.load.status.Load() != statusIdle }

// Stats returns the numbers of this moment.
func (e *HubEndpoint) Stats() Stats {
	s := Stats{
		ServiceClients:  int(e.load.clients.Load()),
		ServiceServers:  int(e.load.servers.Load()),
		ServiceCapacity: int(e.load.capacity.Load()),
	}
	for _, server := range e.connected() {
		if server.writable() {
			s.ServerConnections++
		}
		s.Clients += int(server.clients.Load())
	}
	return s
}

// connectionType is that of the connections that are always there.
func (e *HubEndpoint) connectionType() serviceprotocol.ConnectionType {
	if e.endpoint.kind == Secondary {
		return serviceprotocol.ConnectionWeak
	}
	return serviceprotocol.ConnectionDefault
}

// connected returns the open server connections. The slice must not be changed.
func (e *HubEndpoint) connected() []*serverConn { return *e.servers.Load() }

func (e *HubEndpoint) attach(s *serverConn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	servers := append(slices.Clone(e.connected()), s)
	e.servers.Store(&servers)
	e.line.once.Do(func() { close(e.line.connectedOnce) })
}

func (e *HubEndpoint) detach(s *serverConn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	servers := slices.DeleteFunc(slices.Clone(e.connected()), func(other *serverConn) bool { return other == s })
	e.servers.Store(&servers)
}

// start opens the server connections and holds them until ctx is done, or stop is called.
func (e *HubEndpoint) start(ctx context.Context) {
	ctx, e.stop = context.WithCancel(ctx)
	var work sync.WaitGroup
	for range e.line.app.config.ServerConnections {
		work.Go(func() { e.keepConnected(ctx) })
	}
	if e.endpoint.kind == Primary {
		work.Go(func() { e.meetDemand(ctx) })
	}
	if e.line.onEvent != nil {
		work.Go(func() { e.reportEvents(ctx) })
	}
	go func() {
		defer close(e.ended)
		work.Wait()
	}()
}

// load is what the service tells of itself in its answers to status pings.
type load struct {
	clients, servers, capacity atomic.Int64
	status                     atomic.Int32 // one of the constants below
}

// Whether a hub has clients, as the service says.
const (
	statusUnknown = iota
	statusActive
	statusIdle
)

// note reads a notice that the service has put into a ping.
func (l *load) note(m *serviceprotocol.Ping) {
	for key, field := range map[string]*atomic.Int64{
		serviceprotocol.PingClientCount: &l.clients,
		serviceprotocol.PingServerCount: &l.servers,
		serviceprotocol.PingCapacity:    &l.capacity,
	} {
		if text, ok := m.Get(key); ok {
			if n, ok := parseCount(text); ok {
				field.Store(n)
			}
		}
	}
	switch status, ok := m.Get(serviceprotocol.PingStatus); {
	case !ok:
	case status == "1":
		l.status.Store(statusActive)
	default:
		l.status.Store(statusIdle)
	}
}

// A serverList is what a service says of the app servers of a hub.
type serverList struct {
	time int64 // later ones have a greater one
	ids  string
}

// noteServers keeps a list if it is later than the one before.
//
// Source: azure-signalr ServiceConnectionContainerBase.cs.
func (e *HubEndpoint) noteServers(text string) {
	stamp, ids, ok := strings.Cut(text, ":")
	n, valid := parseCount(stamp)
	if before := e.list.Load(); ok && valid && (before == nil || n > before.time) {
		e.list.Store(&serverList{time: n, ids: strings.ToLower(ids)})
	}
}
