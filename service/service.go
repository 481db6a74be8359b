// Package service is Switchboard as a library: SignalR clients on one side, app
// servers on the other, and a hub's messages between them. A Service is an
// http.Handler that can be mounted in any Go program; the switchboard command
// is a small program around it.
//
//	svc, err := service.New(service.Config{AccessKeys: []string{key}})
//	…
//	err = svc.HTTPServer(":8888").ListenAndServe()
//
// Nothing is stored: payloads are in memory until they are delivered.
package service

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/aspnet"
	"switchboard/internal/clientconn/aspnetcore"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/eventloop"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/internal/serverless"
)

// A Service serves these paths:
//
//	/client/            clients of ASP.NET Core SignalR: all transports
//	/client/negotiate   the same: negotiate
//	/server/            their app servers: the service protocol over WebSockets
//	/aspnetclient/…     clients of ASP.NET SignalR: negotiate, connect and so on
//	/aspnetserver/      their app servers
//	/api/health         200 while the service takes connections, else 503
//
// The hubs of the two generations are apart from each other, whatever their names.
//
// Its methods may be called from any goroutine.
type Service struct {
	config     Config
	keys       atomic.Pointer[accesstoken.Keys]
	core       generation // ASP.NET Core SignalR
	aspNet     generation // ASP.NET SignalR
	clients    *aspnetcore.Handler
	aspClients *aspnet.Handler
	places     *clientconn.Places
	webSockets *websocket.Server // of clients
	loops      *eventloop.Loops  // nil where the system has none
	keeper     serverless.Keeper // of clients without an app server
	mux        *http.ServeMux
	closing    atomic.Bool

	stop       context.CancelFunc // ends background
	background sync.WaitGroup
}

// New returns a service that is ready to take connections. The error joins
// every mistake in c, each named by its key.
func New(c Config) (*Service, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	if len(c.AccessKeys) == 0 {
		c.AccessKeys = []string{rand.Text() + rand.Text()}
	}
	set(&c.InstanceID, rand.Text())
	set(&c.Endpoint, "http://localhost")
	s := &Service{config: c}
	if err := s.SetAccessKeys(c.AccessKeys...); err != nil {
		return nil, err
	}
	if err := s.startLoops(); err != nil {
		return nil, err
	}
	s.places = clientconn.NewPlaces(c.Limits.ClientConnections)
	s.webSockets = &websocket.Server{Loops: s.loops, DeflateFrom: c.DeflateFromBytes}
	s.makeCore()
	s.makeAspNet()
	s.mux = s.routes()
	s.start()
	return s, nil
}

// startLoops starts an event loop for each processor, if they are wanted and the
// system has them.
func (s *Service) startLoops() error {
	if s.config.Engine == EngineGoroutines {
		return nil
	}
	loops, err := eventloop.Start(runtime.GOMAXPROCS(0))
	if errors.Is(err, eventloop.ErrUnsupported) {
		return nil
	}
	s.loops = loops
	return err
}

// standIn returns what makes the stand-in for missing app servers in the modes that have one.
func (s *Service) standIn() func(*router.Hub) pairing.Server {
	if s.config.Mode == ModeDefault {
		return nil
	}
	return func(h *router.Hub) pairing.Server { return s.keeper.Add(h) }
}

// start runs what must go on in the background; Shutdown ends it.
func (s *Service) start() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.background.Go(func() { s.aspClients.Run(ctx) })
	if s.config.Mode != ModeDefault {
		s.background.Go(func() { s.keeper.Run(ctx) })
	}
}

func (s *Service) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{"/client", "/client/{$}", "/client/negotiate", "/client/negotiate/{$}"} {
		mux.Handle(path, s.clients)
	}
	for _, path := range []string{"/aspnetclient", "/aspnetclient/"} {
		mux.Handle(path, s.aspClients)
	}
	for _, g := range []generation{s.core, s.aspNet} {
		mux.Handle("GET "+g.path, g.servers)
		mux.Handle("GET "+g.path+"/{$}", g.servers)
	}
	for _, path := range []string{"/api/health", "/api/v1/health"} {
		mux.HandleFunc("GET "+path, s.health) // and HEAD
	}
	return mux
}

// ServeHTTP serves the paths named at Service.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > maxURIBytes {
		http.Error(w, "The request URI is longer than 12 KiB.", http.StatusRequestURITooLong)
		return
	}
	if r.ContentLength != 0 {
		// A body that never comes must not hold the connection.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Service) health(w http.ResponseWriter, _ *http.Request) {
	if s.closing.Load() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
}

// Listener returns a listener to put below TLS, so that event loops can serve
// clients that come over it:
//
//	l = tls.NewListener(service.Listener(l), config)
//
// Without it everything works the same, but each client over TLS has a goroutine
// and takes four times the memory. It changes nothing where there are no loops,
// and for connections that are not TCP.
func Listener(l net.Listener) net.Listener { return websocket.Listener(l) }

// HTTPServer returns a server for addr with the limits that a service open to
// the internet needs: slow or long headers end the connection.
//
// It speaks HTTP/2, with TLS if "h2" is among the protocols of its listener's
// configuration, and without TLS to clients that know. WebSockets come over HTTP/1.1
// only: an event loop needs a socket for each of them, so that RFC 8441 is not offered.
func (s *Service) HTTPServer(addr string) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Protocols:         protocols,
		Addr:              addr,
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    s.config.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
}

// SetAccessKeys replaces the access keys. Connections that are open live on.
func (s *Service) SetAccessKeys(keys ...string) error {
	k, err := accesstoken.NewKeys(keys...)
	if err != nil {
		return err
	}
	s.keys.Store(k)
	return nil
}

// ConnectionString returns what an app server needs to connect: the endpoint
// and the first access key. It is a secret.
func (s *Service) ConnectionString() string {
	return "Endpoint=" + s.config.Endpoint + ";AccessKey=" + s.config.AccessKeys[0] + ";Version=1.0;"
}

// Shutdown ends the service in good order: new connections are refused,
// clients are told to reconnect, app servers get what was sent to them, and
// all connections are closed. It returns when they have ended; those that have
// not when ctx is done are cut, and the cause of ctx is returned.
//
// An http.Server does not know upgraded connections: shut it down after this.
func (s *Service) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	err := errors.Join(s.clients.Shutdown(ctx), s.aspClients.Shutdown(ctx), s.core.servers.Shutdown(ctx), s.aspNet.servers.Shutdown(ctx))
	s.stop()
	s.background.Wait()
	s.loops.Stop()
	return err
}
