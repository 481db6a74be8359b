package appserver

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"switchboard/accesstoken"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// A hub is the app's struct, its methods and settings, its clients and its
// server connections.
type hub struct {
	line
	path           string // fixed, as are all up to onDisconnected
	config         HubConfig
	encodings      []*encoding
	methods        map[string]*method
	onConnected    func(*Context) error
	onDisconnected func(*Context, error)
	onReconnected  func(*Context) // nil if the hub has none, as are both above

	application *application // nil unless the hub is for clients of ASP.NET SignalR, as is sends; fixed before Run
	sends       *line        // what goes to all of those

	clients clientTable
	far     farResults
}

// An encoding is a hub protocol with what is often sent in it.
type encoding struct {
	hubprotocol.Protocol
	framing hubprotocol.Framing
	ping    []byte
	alone   []*encoding // itself, to send to a single client
}

func newHub(a *App, path string, value any, configure []func(*HubConfig)) (*hub, error) {
	typ := reflect.TypeOf(value)
	if typ == nil || typ.Kind() != reflect.Pointer || typ.Elem().Kind() != reflect.Struct || reflect.ValueOf(value).IsNil() {
		return nil, fmt.Errorf("hub is %T, not a pointer to a struct", value)
	}
	h := &hub{config: a.config.HubDefaults}
	h.app, h.takes = a, h
	h.config.Filters = slices.Clip(h.config.Filters) // a hub that appends shall not write into another's
	h.config.Allow, h.config.MethodNames = maps.Clone(h.config.Allow), maps.Clone(h.config.MethodNames)
	for _, f := range configure {
		f(&h.config)
	}
	if err := h.config.check(); err != nil {
		return nil, err
	}
	h.config.setDefaults(typ.Elem().Name())
	if err := h.setNames(path); err != nil {
		return nil, err
	}
	if err := h.setEncodings(); err != nil {
		return nil, err
	}
	h.clients.byID = map[string]*client{}
	if err := h.setMethods(reflect.ValueOf(value)); err != nil {
		return nil, err
	}
	return h, h.checkRules()
}

// checkRules finds rules for methods that there are not, which would allow what they
// shall not.
func (h *hub) checkRules() error {
	names := map[string]bool{}
	for _, m := range h.methods {
		for ; m != nil; m = m.next {
			names[m.goName] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.config.Allow)) {
		if !names[name] {
			return fmt.Errorf("a rule of Allow is for %s, which is no method of the hub", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.config.MethodNames)) {
		if !names[name] || h.config.MethodNames[name] == "" {
			return fmt.Errorf("MethodNames: %s is no method of the hub, or its name is empty", name)
		}
	}
	return nil
}

func (h *hub) setNames(path string) (err error) {
	h.path = strings.TrimSuffix(path, "/")
	switch {
	case h.config.Generations == AspNet && path == "":
		// Its clients come to Config.AspNetPath.
	case !strings.HasPrefix(path, "/"):
		return errors.New("the path must begin with /")
	case h.app.embedded != nil && isClientPath(path):
		return errors.New("paths under /client belong to Config.Service")
	}
	h.name, err = accesstoken.HubName(h.app.config.ApplicationName, h.config.Name)
	if err != nil {
		return fmt.Errorf("hub name %q: %w", h.config.Name, err)
	}
	h.log = h.app.config.Logger.With("hub", h.name)
	h.resumes, h.onEvent = h.config.AllowStatefulReconnects, h.config.OnServiceEvent
	return nil
}

func (h *hub) setEncodings() error {
	for _, p := range h.config.SupportedProtocols {
		if h.encoding(p.Name()) != nil {
			return fmt.Errorf("SupportedProtocols: %s is listed twice", p.Name())
		}
		ping, err := p.Append(nil, &hubprotocol.Ping{})
		if err != nil {
			return fmt.Errorf("SupportedProtocols: %s: %w", p.Name(), err)
		}
		e := &encoding{Protocol: p, framing: hubprotocol.FramingOf(p.Name()), ping: ping}
		e.alone = []*encoding{e}
		h.encodings = append(h.encodings, e)
	}
	return nil
}

// encoding returns the hub's encoding of that name, nil if it has none.
func (h *hub) encoding(name string) *encoding {
	for _, e := range h.encodings {
		if strings.EqualFold(e.Name(), name) {
			return e
		}
	}
	return nil
}

// method finds the method for a target, nil if there is none.
func (h *hub) method(target string) *method {
	if m := h.methods[target]; m != nil {
		return m
	}
	return h.methods[strings.ToLower(target)]
}

// open takes a client that the service has given to server.
func (h *hub) open(server *serverConn, m *serviceprotocol.OpenConnection) {
	c := newClient(h, server, m)
	if before := h.clients.put(c); before != nil {
		before.end(replaced())
	}
	server.clients.Add(1)
	if c.traced {
		h.log.Info("diagnostic client connects", "connection_id", c.id)
	}
	h.app.clients.add()
	if h.app.closing.Load() {
		c.end(shutDown(c))
	}
}

// receive takes what the service sends for clients.
func (h *hub) receive(s *serverConn, m serviceprotocol.Message) {
	switch m := m.(type) {
	case *serviceprotocol.ConnectionData:
		if c := h.client(s, m.ConnectionID); c != nil {
			c.receiveData(m)
		}
	case *serviceprotocol.ConnectionReconnect:
		if c := h.client(s, m.ConnectionID); c != nil {
			c.partial = nil // the client sends the whole message again
		}
	case *serviceprotocol.OpenConnection:
		h.open(s, m)
	case *serviceprotocol.CloseConnection:
		if c := h.client(s, m.ConnectionID); c != nil {
			if m.Headers.Get(serviceprotocol.HeaderMigrateTo) != "" {
				c.handOver(m)
			} else {
				c.end(closedByService(m))
			}
		}
	case *serviceprotocol.ClientInvocation:
		h.expectFor(s, m)
	case *serviceprotocol.ClientCompletion:
		h.completed(m)
	case *serviceprotocol.ErrorCompletion:
		h.notCompleted(s.at, m)
	case *serviceprotocol.ServiceMapping:
		h.far.located(m)
	}
}

// client returns one of the clients that a server connection carries.
func (h *hub) client(s *serverConn, id string) *client {
	if c := h.clients.get(id); c != nil && c.server == s {
		return c
	}
	return nil
}

func (h *hub) offline(s *serverConn, node string) {
	h.drop(s, func(c *client) bool { return node == "" || c.node == node }, errInstanceGone)
	h.far.lose(node)
}

func (h *hub) ended(s *serverConn, err error) {
	h.far.disconnected(s)
	h.drop(s, func(*client) bool { return true }, err)
}

// drop ends those clients of a server connection that match.
func (h *hub) drop(s *serverConn, match func(*client) bool, err error) {
	for _, c := range h.clients.appendTo(nil) {
		if c.server == s && match(c) {
			c.end(lost(err))
		}
	}
}

func (h *hub) leave(e *HubEndpoint) {
	for _, c := range h.clients.appendTo(nil) {
		if c.server.at == e {
			c.end(shutDown(c))
		}
	}
}
