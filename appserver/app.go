package appserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/negotiate"
)

// shutdownWait is how long Run waits for hub code once it has been told to end.
const shutdownWait = 10 * time.Second

// An App is an app server: hubs, the HTTP handler that sends clients to the
// service, and the connections to the service. Its methods may be called from
// any goroutine.
type App struct {
	config   Config          // fixed, as are all to the empty line
	embedded *embedded       // nil unless Config.Service is set
	life     context.Context // ends when Run has given up waiting for hub code
	endLife  context.CancelFunc
	workers  *workers // goroutines for clients that work

	clients    inflight     // client connections of all hubs
	lastAck    atomic.Int64 // id of the latest request that the service is to confirm
	lastResult atomic.Int64 // id of the latest call to a client that wants a result
	closing    atomic.Bool  // no new clients are taken
	busy       inflight     // clients that work

	stop    context.Context // done when Shutdown is called
	doStop  context.CancelFunc
	haste   context.Context // done when clients are not waited for any more
	doHaste context.CancelFunc
	stopped chan struct{} // closed when Run has returned

	scaling sync.Mutex // held by SetEndpoints

	mu          sync.RWMutex
	hubs        []*hub       // guarded by mu, and fixed once started, as is application
	application *application // for clients of ASP.NET SignalR; nil unless a hub is for them
	endpoints   []*endpoint  // guarded by mu, as are all below
	started     bool
	connected   context.Context // of the server connections; nil before Run and when it ends
}

// New returns an app without hubs. The error tells every mistake in config,
// named by its field; it never shows the access key.
func New(config Config) (*App, error) {
	endpoints, err := config.check()
	if err != nil {
		return nil, fmt.Errorf("configure app server: %w", err)
	}
	a := &App{config: config, endpoints: endpoints, embedded: endpoints[0].embedded, stopped: make(chan struct{})}
	a.stop, a.doStop = context.WithCancel(context.Background())
	a.haste, a.doHaste = context.WithCancel(context.Background())
	a.busy.idle, a.clients.idle = make(chan struct{}, 1), make(chan struct{}, 1)
	a.workers = newWorkers()
	a.life, a.endLife = context.WithCancel(context.Background())
	return a, nil
}

// MapHub makes hub, a pointer to a struct, reachable for clients at path, which is empty
// for a hub that is for clients of ASP.NET SignalR only. It is
// called before Run. configure may change the hub's settings, which start as
// Config.HubDefaults.
//
// Clients call the exported methods of hub, by name and without regard to case.
// A method may take a *Context or a context.Context first; further parameters
// come from the client, which has to give exactly as many. It may return nothing,
// a value, an error, or a value and an error. Values of any type that the hub's
// protocols can encode will do; functions, variadic parameters and interfaces other
// than any will not. The context of a method that takes a context.Context is done
// when the call returns, or when the client cancels it; a *Context lasts as long as
// the client is connected.
//
// A parameter of type <-chan T, iter.Seq[T] or iter.Seq2[T, error] is a stream that
// the client sends, item by item, while the call runs; the next messages of the
// client are handled meanwhile. If the call does not keep up with
// HubConfig.StreamBufferCapacity, all else of the client waits too. What comes after
// the call has returned is dropped. If the client's stream fails, or the client goes,
// an iter.Seq2 yields the error; with the others the stream just ends, and the call
// fails with that error when it has returned.
//
// A method that returns a channel, an [iter.Seq] or an [iter.Seq2] whose second
// value is an error is a streaming one: its items are sent as they come, and the
// next messages of the client are handled meanwhile. Its context is done when the
// client cancels the stream or has gone; what feeds a channel has to watch it, and
// closes the channel in the end. A nil stream is an error.
//
// There is one hub for all clients: its methods run at once for different
// clients, and in order for one client.
//
// Some methods are not for clients. All are optional:
//
//	OnConnected(ctx *appserver.Context) error
//	OnDisconnected(ctx *appserver.Context, err error)
//	OnReconnected(ctx *appserver.Context) // clients of ASP.NET SignalR only
//
// OnConnected runs before any call of the client; if it fails the client is
// closed, and OnDisconnected is not called. OnDisconnected runs when the client
// is gone and its last call has returned. err is nil when the client or the hub
// ended the connection; else it tells what went wrong. Its ctx is not yet done,
// so that it can be used to clean up.
//
// Every mistake is an error that names the method and the parameter.
func (a *App) MapHub(path string, hub any, configure ...func(*HubConfig)) (*HubContext, error) {
	h, err := newHub(a, path, hub, configure)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		err = a.mapLocked(h)
	}
	if err != nil {
		return nil, fmt.Errorf("map hub %q: %w", path, err)
	}
	return &HubContext{h}, nil
}

func (a *App) mapLocked(h *hub) error {
	if a.started {
		return errors.New("the app runs already")
	}
	var at []*endpoint // of the hub's own connections
	if h.config.Generations&AspNetCore != 0 {
		at = a.endpoints
		for _, other := range a.hubs {
			switch {
			case other.config.Generations&AspNetCore == 0:
			case other.path == h.path:
				return errors.New("the path has a hub already")
			case other.name == h.name:
				return fmt.Errorf("the name %q is taken by the hub at %q", h.name, other.path)
			}
		}
	}
	if h.config.Generations&AspNet != 0 {
		if a.config.ApplicationName == "" {
			return fmt.Errorf("%s is required for hubs for clients of ASP.NET SignalR", "Config.ApplicationName")
		}
		application := a.application
		if application == nil {
			application = newApplication(a)
			application.connectTo(a.endpoints)
		}
		if err := application.add(h); err != nil {
			return err
		}
		a.application = application
		h.sends.connectTo(a.endpoints)
	}
	h.connectTo(at)
	a.hubs = append(a.hubs, h)
	return nil
}

// Run connects the hubs to the service and keeps them connected until ctx is
// done, or Shutdown is called. It then does as Config.Shutdown says, closes the clients that are left, which
// may reconnect to another app server, waits for the hubs' calls to return, and returns
// nil. Calls that take longer than 10 s are an error. Run is called once.
func (a *App) Run(ctx context.Context) error {
	hubs, err := a.start()
	if err != nil {
		return err
	}
	defer close(a.stopped)
	defer a.endLife()
	defer a.workers.end()
	var work sync.WaitGroup
	defer work.Wait()
	if a.embedded != nil {
		work.Go(a.embedded.serve)
		defer a.embedded.close()
	}
	// The server connections outlive ctx: the last messages have to go out.
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	a.connect(connected)
	var beating sync.WaitGroup
	beating.Go(func() { a.keepAlive(connected, hubs) })

	select {
	case <-ctx.Done():
	case <-a.stop.Done():
	}
	draining, endDrain := context.WithTimeout(connected, a.config.ShutdownTimeout)
	defer context.AfterFunc(a.haste, endDrain)()
	a.drain(draining, hubs)
	endDrain()
	patience, giveUp := context.WithTimeout(connected, shutdownWait)
	defer giveUp()
	a.closeClients(hubs)
	err = a.busy.wait(patience)
	disconnect()
	a.disconnected()
	beating.Wait()
	return err
}

// connect starts the server connections of all hubs. ctx ends them.
func (a *App) connect(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected = ctx
	for _, l := range a.linesLocked() {
		for _, e := range l.endpoints() {
			e.start(ctx)
		}
	}
}

// disconnected waits until all server connections have ended.
func (a *App) disconnected() {
	a.mu.Lock()
	a.connected = nil
	a.mu.Unlock()
	for _, l := range a.lines() {
		for _, e := range l.endpoints() {
			<-e.ended
		}
	}
}

// Shutdown has Run do what it does when its context is done, and waits until it has
// returned. With Config.Shutdown it is how an app goes without losing clients. When ctx is
// done before that, Shutdown returns its error, and Run closes the clients that are left.
// An app that does not run yet ends as soon as Run is called.
func (a *App) Shutdown(ctx context.Context) error {
	a.doStop()
	a.mu.RLock()
	started := a.started
	a.mu.RUnlock()
	if !started {
		return nil
	}
	select {
	case <-a.stopped:
		return nil
	case <-ctx.Done():
	}
	a.doHaste()
	return context.Cause(ctx)
}

func (a *App) start() ([]*hub, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started {
		return nil, errors.New("run app server: Run was called before")
	}
	a.started = true
	return slices.Clone(a.hubs), nil
}

// lines returns all that has server connections.
func (a *App) lines() []*line {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.linesLocked()
}

func (a *App) linesLocked() []*line {
	var lines []*line
	for _, h := range a.hubs {
		if h.config.Generations&AspNetCore != 0 {
			lines = append(lines, &h.line)
		}
		if h.sends != nil {
			lines = append(lines, h.sends)
		}
	}
	if a.application != nil {
		lines = append(lines, &a.application.line)
	}
	return lines
}

func (a *App) closeClients(hubs []*hub) {
	a.closing.Store(true)
	for _, h := range hubs {
		for _, c := range h.clients.appendTo(nil) {
			c.end(shutDown(c))
		}
	}
	if a.application != nil {
		a.application.closeAll()
	}
}

// Ready waits until every hub has had a connection to the service, or until ctx
// is done. It is of use to tests and to a readiness probe.
func (a *App) Ready(ctx context.Context) error {
	for _, l := range a.lines() {
		select {
		case <-l.connectedOnce:
		case <-ctx.Done():
			return fmt.Errorf("connect hub %q: %w", l.name, context.Cause(ctx))
		}
	}
	return nil
}

// ServeHTTP answers negotiate requests at POST {path}/negotiate for every hub, and for
// clients of ASP.NET SignalR below Config.AspNetPath, where the script with the proxies of their
// hubs is as well (hubs). It passes /client/ and /aspnetclient/ on to Config.Service. Anything else is 404. Cross-origin
// clients need CORS headers, which are left to the app.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.embedded != nil && isClientPath(r.URL.Path) {
		a.config.Service.ServeHTTP(w, r)
		return
	}
	a.mu.RLock()
	hubs, application := a.hubs, a.application
	a.mu.RUnlock()
	if path, ok := strings.CutSuffix(r.URL.Path, negotiate.Path("")); ok {
		for _, h := range hubs {
			if h.path == path && h.config.Generations&AspNetCore != 0 {
				h.negotiate(w, r)
				return
			}
		}
	}
	if application == nil || !application.serveHTTP(w, r) {
		http.NotFound(w, r)
	}
}

// inflight counts work. It differs from a WaitGroup in that waiting can be
// given up.
type inflight struct {
	n    atomic.Int64
	idle chan struct{} // capacity 1, told when n falls to 0; never closed
}

func (f *inflight) add() { f.n.Add(1) }

func (f *inflight) done() {
	if f.n.Add(-1) == 0 {
		select {
		case f.idle <- struct{}{}:
		default:
		}
	}
}

func (f *inflight) wait(ctx context.Context) error {
	for {
		if f.n.Load() == 0 {
			return nil
		}
		select {
		case <-f.idle:
		case <-ctx.Done():
			return errors.New("shut down: some hub methods have not returned")
		}
	}
}
