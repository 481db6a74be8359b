package websocket_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/eventloop"
	"switchboard/internal/memnet"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for what must happen.
const bound = 20 * time.Second

// Sockets have small buffers, so that tests need not move much to fill them.
const (
	bufferBytes = 64 << 10
	tooMuch     = 2 << 20 // more than the buffers of both sides hold
)

// An engine is a way to serve the sockets, and what is below them.
type engine struct {
	name            string
	loops, tls, mem bool
	listener        bool // TCP connections come from a websocket.Listener

	deflateFrom int // of the server
}

// reads tells how many bytes the engine reads at once.
func (e engine) reads() int {
	if e.looped() {
		return eventloop.ReadBytes
	}
	return 16 << 10
}

// looped tells whether loops serve the sockets.
func (e engine) looped() bool { return e.loops && (e.listener || !e.tls) }

// onEveryEngine runs a test for each engine that the system has.
func onEveryEngine(t *testing.T, test func(t *testing.T, e engine)) {
	engines := []engine{
		{name: "goroutines"},
		{name: "goroutines over TLS", tls: true},
		{name: "goroutines in memory", mem: true},
	}
	if loops, err := eventloop.Start(1); err == nil {
		loops.Stop()
		engines = append(engines,
			engine{name: "loops", loops: true},
			engine{name: "loops over TLS", loops: true, tls: true, listener: true})
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// A service has one hub with one app server, which the test plays. Each
// request becomes a client connection, whose id is in the query.
type service struct {
	t      testing.TB
	engine engine
	hub    *router.Hub
	app    *app
	env    *clientconn.Env
	dial   func() (net.Conn, error)
	opened func(*clientconn.Conn)  // called before a connection is upgraded; may be nil
	refuse bool                    // connections are refused
	secure tls.Config              // of clients over TLS; may be changed before they connect
	below  func(net.Conn) net.Conn // makes what is below TLS at clients; may be nil
	offer  string                  // of clients, in Sec-WebSocket-Extensions; "": none
	agreed string                  // that is the answer to it

	mu      sync.Mutex
	conns   map[string]*clientconn.Conn // by id; guarded by mu, as is all below
	reasons map[string]string           // of those that ended
	ended   map[string]chan string      // gets the reason of the end
}

// start runs a service until the test ends. Nothing of it may be left then.
func start(t testing.TB, e engine, l clientconn.Limits) *service {
	t.Helper()
	s := &service{
		t: t, engine: e, app: newApp(t),
		conns: map[string]*clientconn.Conn{}, reasons: map[string]string{}, ended: map[string]chan string{},
	}
	s.hub = router.New(router.Config{Log: slog.New(slog.DiscardHandler)}).Hub("chat")
	s.hub.AddServer(s.app, router.Traits{CarriesClients: true})
	s.env = &clientconn.Env{Limits: l.WithDefaults(), Log: slog.New(reasonLog{Handler: slog.DiscardHandler, s: s})}
	before := openDescriptors(t)
	var loops *eventloop.Loops
	if e.loops {
		var err error
		if loops, err = eventloop.Start(2); err != nil {
			t.Fatal(err)
		}
	}
	sockets := websocket.Server{Loops: loops, DeflateFrom: e.deflateFrom}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sockets.Serve(w, r, func(t clientconn.Transport) (websocket.Conn, error) { return s.accept(w, r, t) })
	}))
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		limitBuffers(conn)
		return ctx
	}
	s.listen(server)
	t.Cleanup(func() {
		s.endAll()
		server.Close()
		loops.Stop()
		eventually(t, "no descriptor is left", func() bool { return openDescriptors(t) <= before })
	})
	return s
}

func (s *service) listen(server *httptest.Server) {
	if s.engine.listener {
		server.Listener = websocket.Listener(server.Listener)
	}
	switch {
	case s.engine.tls:
		server.StartTLS()
		s.dial = s.tlsDialer(server.Listener.Addr().String(), server.Certificate())
	case s.engine.mem:
		server.Listener.Close()
		listener := memnet.Listen()
		server.Listener = listener
		server.Start()
		s.dial = func() (net.Conn, error) { return listener.Dial(context.Background()) }
	default:
		server.Start()
		s.dial = func() (net.Conn, error) { return net.Dial("tcp", server.Listener.Addr().String()) }
	}
}

func limitBuffers(conn net.Conn) {
	for c, ok := conn.(interface{ NetConn() net.Conn }); ok; c, ok = conn.(interface{ NetConn() net.Conn }) {
		conn = c.NetConn() // below TLS, and below what is below TLS
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(bufferBytes)
		_ = tcp.SetWriteBuffer(8 * bufferBytes)
	}
}

func (s *service) accept(w http.ResponseWriter, r *http.Request, t clientconn.Transport) (websocket.Conn, error) {
	if s.refuse {
		http.Error(w, "not now", http.StatusTooManyRequests)
		return nil, context.Canceled
	}
	id := r.URL.Query().Get("id")
	conn := clientconn.New(s.hub, clientconn.Origin{ID: id}, s.env, t)
	s.mu.Lock()
	s.conns[id] = conn
	s.ended[id] = make(chan string, 1)
	s.mu.Unlock()
	if s.opened != nil {
		s.opened(conn)
	}
	return owned{conn, s, id}, nil
}

// conn returns a connection that is open.
func (s *service) conn(id string) *clientconn.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[id]
}

// owned is one connection, whose end the service is told.
type owned struct {
	*clientconn.Conn
	s  *service
	id string
}

func (o owned) Receive(p []byte, _, _ bool) error { return o.Conn.Receive(p) }

func (o owned) Finish(reason *pairing.Reason) { o.Conn.Finish(reason, o.ended) }

func (o owned) ended() {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	if o.s.conns[o.id] == nil {
		o.s.t.Errorf("the end was told twice for %q", o.id)
		return
	}
	delete(o.s.conns, o.id)
	o.s.ended[o.id] <- o.s.reasons[o.id]
}

// reasonLog takes the reasons out of the log.
type reasonLog struct {
	slog.Handler
	s *service
}

func (l reasonLog) Enabled(context.Context, slog.Level) bool { return true }

func (l reasonLog) Handle(_ context.Context, r slog.Record) error {
	var id, reason string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "connection_id":
			id = a.Value.String()
		case "reason":
			reason = a.Value.String()
		}
		return true
	})
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.s.reasons[id] != "" {
		l.s.t.Errorf("%q ended twice", id)
	}
	l.s.reasons[id] = reason
	return nil
}

// endAll aborts what is open and waits for its end.
func (s *service) endAll() {
	s.mu.Lock()
	var left []string
	for id, conn := range s.conns {
		left = append(left, id)
		conn.Abort()
	}
	s.mu.Unlock()
	for _, id := range left {
		s.reason(id)
	}
}

// reason waits for the end of a connection and returns its reason.
func (s *service) reason(id string) string {
	s.t.Helper()
	s.mu.Lock()
	ended := s.ended[id]
	s.mu.Unlock()
	return next(s.t, ended, "the end of "+id)
}

func (s *service) expectEnd(id string, want *pairing.Reason) {
	s.t.Helper()
	if got := s.reason(id); got != want.Code {
		s.t.Errorf("%s ended with reason %q, want %q", id, got, want.Code)
	}
}

// fromApp plays a message of the app server.
func (s *service) fromApp(m serviceprotocol.Message) {
	s.t.Helper()
	if err := s.hub.FromServer(context.Background(), s.app, m); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) deliver(id, text string) {
	s.t.Helper()
	s.fromApp(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte(text)})
}

func (s *service) broadcast(protocol, text string) {
	s.t.Helper()
	s.fromApp(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: protocol, Data: []byte(text)}}})
}

// next returns the next value, which must come.
func next[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(bound):
		t.Fatalf("%s did not come", what)
	}
	panic("unreachable")
}

// eventually waits until a condition holds that nothing tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for limit := time.Now().Add(bound); !holds(); <-poll.C {
		if time.Now().After(limit) {
			t.Errorf("%s: not within %v", what, bound)
			return
		}
	}
}

// openDescriptors counts those of the process, where that is possible.
func openDescriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all)
}
