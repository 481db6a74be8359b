package appserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"switchboard/serviceprotocol"
)

// A ShutdownMode says what becomes of the clients when Run's context is done.
//
// Source: azure-signalr GracefulShutdownMode.cs.
type ShutdownMode string

// The modes of Config.Shutdown.
const (
	// ShutdownOff closes the clients at once; they may reconnect to another app server.
	ShutdownOff ShutdownMode = ""
	// WaitForClientsClose takes no new clients and waits until those that are there go.
	WaitForClientsClose ShutdownMode = "WaitForClientsClose"
	// MigrateClients has the service move the clients to other app servers. They keep their
	// connection and notice nothing.
	MigrateClients ShutdownMode = "MigrateClients"
)

// goodbyes are the notices that a server connection goes.
var goodbyes = map[ShutdownMode]string{WaitForClientsClose: "fin:2", MigrateClients: "fin:1"}

const (
	// finInterval is the time between two notices, until the service has answered.
	//
	// Source: azure-signalr ServiceConnectionContainerBase.cs.
	finInterval = 5 * time.Second

	// handOverWait is how long calls may run on for a client that is moved. The service
	// waits a little longer.
	handOverWait = 9 * time.Second
)

// drain follows Config.Shutdown: when it returns, the clients are gone or ctx is done.
func (a *App) drain(ctx context.Context, hubs []*hub) {
	if a.config.Shutdown == ShutdownOff {
		return
	}
	var told sync.WaitGroup
	for _, l := range a.lines() {
		fin := goodbyes[a.config.Shutdown]
		if l.aspNet {
			fin = goodbyes[WaitForClientsClose] // its clients cannot be moved
		}
		for _, e := range l.endpoints() {
			if e.endpoint.kind == Primary {
				told.Go(func() { e.sayFin(ctx, fin) })
			}
		}
	}
	told.Wait()
	var hooks sync.WaitGroup
	for _, h := range hubs {
		if hook := h.config.OnShutdown; hook != nil {
			hooks.Go(func() { h.runHook(ctx, hook) })
		}
	}
	hooks.Wait()
	if a.config.Shutdown == MigrateClients && a.application != nil {
		a.application.closeAll() // they cannot be moved, and start again elsewhere
	}
	if a.clients.wait(ctx) != nil {
		a.config.Logger.Warn("some clients are left at the end of the shutdown; they are closed", "clients", a.clients.n.Load())
	}
}

func (h *hub) runHook(ctx context.Context, hook func(context.Context, *HubContext) error) {
	err := func() (err error) {
		defer recovered(&err)
		return hook(ctx, &HubContext{h})
	}()
	if err != nil {
		h.log.Error("OnShutdown failed", "error", err)
	}
}

// sayFin says goodbye over all server connections. It returns when the service has
// understood that.
func (e *HubEndpoint) sayFin(ctx context.Context, fin string) {
	e.goodbye.Store(fin)
	var told sync.WaitGroup
	for _, s := range e.connected() {
		told.Go(func() { s.sayFin(ctx, fin) })
	}
	told.Wait()
}

// sayFin has the service send no new clients over the connection, and returns when it
// has understood that.
func (s *serverConn) sayFin(ctx context.Context, fin string) {
	again := time.NewTicker(finInterval)
	defer again.Stop()
	for {
		err := s.link.Send(ctx, &serviceprotocol.Ping{Messages: []string{serviceprotocol.PingShutdown, fin}})
		if err != nil {
			return // its clients are lost with it
		}
		select {
		case <-s.finished:
			return
		case <-s.ended:
			return
		case <-again.C:
		case <-ctx.Done():
			s.at.log.Warn("service has not answered the goodbye of a server connection")
			return
		}
	}
}

// A migration is what a client knows that came from another app server, or goes to one.
type migration struct {
	from, to string // server ids
	report   bool   // the service waits to hear when nothing more comes for the client
}

var errMoved = errors.New("client connection went over to another app server")

// movedAway: another app server has the client from now on. Its calls end as usual.
func movedAway() ending { return ending{silent: true, drain: true, handOver: true} }

// handOver begins to let go of a client.
func (c *client) handOver(m *serviceprotocol.CloseConnection) {
	c.mu.Lock()
	if c.moving == nil {
		c.moving = new(migration)
	}
	c.moving.to = string([]byte(m.Headers.Get(serviceprotocol.HeaderMigrateTo)))
	c.moving.report = m.Headers.Get(serviceprotocol.HeaderHandOver) != ""
	c.mu.Unlock()
	timer := time.AfterFunc(handOverWait, func() { c.cancel(errMoved) })
	context.AfterFunc(c.context.Context, func() { timer.Stop() })
	c.end(movedAway())
}

// handedOver tells the service that nothing more comes for the client.
func (c *client) handedOver() {
	c.cancel(errMoved)
	c.mu.Lock()
	report := c.moving.report
	c.mu.Unlock()
	if report {
		_ = c.server.link.Send(c.hub.app.life, &serviceprotocol.CloseConnection{ConnectionID: c.id})
	}
}

// MigrateFrom returns the id of the app server that had the client before this one, or "".
// OnConnected of a client that has come from there finds it, and may have to make up for
// what the other one remembered.
func (c *Context) MigrateFrom() string {
	if c.client == nil {
		return ""
	}
	return c.client.migration().from
}

// MigrateTo returns the id of the app server that has the client from now on, or "".
// OnDisconnected finds it when the client is not gone but moved.
func (c *Context) MigrateTo() string {
	if c.client == nil {
		return ""
	}
	return c.client.migration().to
}

func (c *client) migration() migration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moving == nil {
		return migration{}
	}
	return *c.moving
}
