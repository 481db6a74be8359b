package appserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"switchboard/aspnetprotocol"
	"switchboard/serviceprotocol"
)

// An application is what clients of ASP.NET SignalR connect to: some of the hubs of an app, under
// one path. Its clients are carried by server connections of its own, those of the hubs only send.
type application struct {
	line
	path string          // without a slash at its end
	hubs map[string]*hub // by name in lower case; fixed before Run, as are both below

	parallel   int // calls of one client that run at once: the most that one of the hubs allows
	maxPending int // bytes of one client that wait, in the same way

	mu      sync.Mutex
	clients map[string]*aspNetClient // by connection id; guarded by mu
}

// newApplication is called once for an app whose Config has an application name.
func newApplication(a *App) *application {
	app := &application{path: strings.TrimSuffix(a.config.AspNetPath, "/"), hubs: map[string]*hub{}, clients: map[string]*aspNetClient{}}
	app.app, app.takes, app.aspNet = a, app, true
	app.name = aspnetprotocol.ServiceHub(a.config.ApplicationName, a.config.ApplicationName)
	app.log = a.config.Logger.With("hub", app.name, "generation", "aspnet")
	return app
}

// add makes a hub one of the application.
func (app *application) add(h *hub) error {
	name := strings.ToLower(h.config.Name)
	switch other := app.hubs[name]; {
	case other != nil:
		return fmt.Errorf("the name %q is taken by another hub for clients of ASP.NET SignalR", h.config.Name)
	case strings.EqualFold(name, app.app.config.ApplicationName):
		return fmt.Errorf("the name %q is that of the application, which a hub for clients of ASP.NET SignalR cannot have", h.config.Name)
	}
	h.application = app
	h.sends = &line{app: app.app, aspNet: true, takes: deaf{}, name: aspnetprotocol.ServiceHub(app.app.config.ApplicationName, h.config.Name)}
	h.sends.log = app.app.config.Logger.With("hub", h.sends.name, "generation", "aspnet")
	app.hubs[name] = h
	app.parallel = max(app.parallel, h.config.MaximumParallelInvocationsPerClient)
	app.maxPending = max(app.maxPending, h.config.MaximumPendingBytesPerClient)
	return nil
}

// deaf takes nothing: the service sends nothing over the server connections of a hub of ASP.NET
// SignalR but answers.
type deaf struct{}

func (deaf) receive(*serverConn, serviceprotocol.Message) {}
func (deaf) offline(*serverConn, string)                  {}
func (deaf) ended(*serverConn, error)                     {}
func (deaf) leave(*HubEndpoint)                           {}

// receive takes what the service sends for clients.
func (app *application) receive(s *serverConn, m serviceprotocol.Message) {
	switch m := m.(type) {
	case *serviceprotocol.OpenConnection:
		app.open(s, m)
	case *serviceprotocol.ConnectionData:
		if c := app.client(s, m.ConnectionID); c != nil {
			c.receive(m.Payload)
		}
	case *serviceprotocol.CloseConnection:
		if c := app.client(s, m.ConnectionID); c != nil {
			c.gone(strings.Clone(m.Error))
		}
	}
}

func (app *application) open(s *serverConn, m *serviceprotocol.OpenConnection) {
	c := newAspNetClient(app, s, m)
	app.mu.Lock()
	before := app.clients[c.id]
	app.clients[c.id] = c
	app.mu.Unlock()
	if before != nil {
		before.lost(errors.New("connection id was used again"))
	}
	s.clients.Add(1)
	if c.traced {
		app.log.Info("diagnostic client connects", "connection_id", c.id)
	}
	app.app.clients.add()
	c.push(job{kind: jobConnect})
	if app.app.closing.Load() {
		c.end("")
	}
}

// find returns a client of this app server, or nil.
func (app *application) find(id string) *aspNetClient {
	app.mu.Lock()
	defer app.mu.Unlock()
	return app.clients[id]
}

func (app *application) client(s *serverConn, id string) *aspNetClient {
	if c := app.find(id); c != nil && c.server == s {
		return c
	}
	return nil
}

// forget is called once for each client.
func (app *application) forget(c *aspNetClient) {
	app.mu.Lock()
	if app.clients[c.id] == c {
		delete(app.clients, c.id)
	}
	app.mu.Unlock()
	c.server.clients.Add(-1)
	app.app.clients.done()
}

func (app *application) those(match func(*aspNetClient) bool) []*aspNetClient {
	app.mu.Lock()
	defer app.mu.Unlock()
	var list []*aspNetClient
	for _, c := range app.clients {
		if match(c) {
			list = append(list, c)
		}
	}
	return list
}

func (app *application) offline(s *serverConn, node string) {
	for _, c := range app.those(func(c *aspNetClient) bool { return c.server == s && (node == "" || c.node == node) }) {
		c.lost(errInstanceGone)
	}
}

func (app *application) ended(s *serverConn, err error) {
	for _, c := range app.those(func(c *aspNetClient) bool { return c.server == s }) {
		c.lost(err)
	}
}

func (app *application) leave(e *HubEndpoint) {
	for _, c := range app.those(func(c *aspNetClient) bool { return c.server.at == e }) {
		c.end("")
	}
}

// closeAll ends all clients.
func (app *application) closeAll() {
	for _, c := range app.those(func(*aspNetClient) bool { return true }) {
		c.end("")
	}
}

// listened returns the hubs that connectionData names. An error is in the words of ASP.NET SignalR.
func (app *application) listened(connectionData string) ([]*hub, error) {
	names, err := aspnetprotocol.ParseHubs(connectionData)
	if err != nil {
		return nil, err
	}
	var hubs []*hub
	for _, name := range names {
		h := app.hubs[name]
		if h == nil {
			return nil, invalid("'%s' Hub could not be resolved.", name)
		}
		hubs = append(hubs, h)
	}
	return hubs, nil
}

// sorted returns the hubs by name.
func (app *application) sorted() []*hub {
	var hubs []*hub
	for _, h := range app.hubs {
		hubs = append(hubs, h)
	}
	slices.SortFunc(hubs, func(a, b *hub) int { return strings.Compare(a.config.Name, b.config.Name) })
	return hubs
}
