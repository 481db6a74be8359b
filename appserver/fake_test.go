package appserver_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/internal/memnet"
	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

// A fakeService speaks the service's side of the protocol and does nothing by
// itself but answer handshakes and acknowledge.
type fakeService struct {
	listener *memnet.Listener
	server   *http.Server
	client   *http.Client
	opened   chan *fakeConn // each server connection that was accepted

	resumes bool // set before use: it says that connections can be resumed, and then does not know them

	lonely bool // set before use: there are no clients of other app servers

	tap func(serviceprotocol.Message) // set before use: sees all messages, and nobody else does

	mu       sync.Mutex
	dials    []time.Time                                // guarded by mu
	refuse   func(dial int) (status int, reason string) // guarded by mu; 0 and "": let it in
	ack      func(id int) *serviceprotocol.Ack          // guarded by mu; nil result: no answer
	requests []*http.Request                            // guarded by mu
}

func newFakeService(t testing.TB) *fakeService {
	t.Helper()
	f := &fakeService{
		listener: memnet.Listen(),
		opened:   make(chan *fakeConn, 100),
		refuse:   func(int) (int, string) { return 0, "" },
		ack: func(id int) *serviceprotocol.Ack {
			return &serviceprotocol.Ack{AckID: id, Status: serviceprotocol.AckOK}
		},
	}
	f.server = &http.Server{Handler: f}
	f.client = &http.Client{Transport: &http.Transport{DialContext: f.listener.DialContext}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = f.server.Serve(f.listener) })
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		_ = f.server.Close()
		serving.Wait()
	})
	return f
}

func (f *fakeService) ConnectionString() string {
	return "Endpoint=http://service.test;AccessKey=secret;Version=1.0;"
}

func (f *fakeService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/server/" {
		_, _ = w.Write([]byte("service got " + r.URL.RequestURI()))
		return
	}
	f.mu.Lock()
	f.dials = append(f.dials, time.Now())
	f.requests = append(f.requests, r)
	status, reason := f.refuse(len(f.dials))
	f.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	if f.resumes {
		if r.Header.Get(serviceprotocol.HeaderResume) != serviceprotocol.ResumeNew {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set(serviceprotocol.HeaderResume, "0")
	}
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	c := &fakeConn{
		service: f, request: r, stream: mux.WebSocket(socket),
		received: make(chan serviceprotocol.Message, 10000), pings: make(chan *serviceprotocol.Ping, 10000), ended: make(chan struct{}),
	}
	c.link = mux.New(c.stream, mux.Options{})
	c.handshake, err = c.link.Accept(context.Background(), r.URL.Query().Get("cid"), func(*serviceprotocol.HandshakeRequest) string { return reason })
	if err != nil {
		return
	}
	f.opened <- c
	defer close(c.ended)
	_ = c.link.Serve(context.Background(), c.handle)
}

// next returns the next server connection.
func (f *fakeService) next(t testing.TB) *fakeConn {
	t.Helper()
	return receive(t, f.opened, "server connection")
}

func (f *fakeService) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// A fakeConn is the service's end of one server connection.
type fakeConn struct {
	service   *fakeService
	request   *http.Request
	stream    mux.Stream
	link      *mux.Conn
	handshake *serviceprotocol.HandshakeRequest
	received  chan serviceprotocol.Message // all but pings
	pings     chan *serviceprotocol.Ping
	ended     chan struct{}
}

func (c *fakeConn) handle(ctx context.Context, m serviceprotocol.Message) error {
	if c.service.tap != nil {
		c.service.tap(m)
		return nil
	}
	m, err := serviceprotocol.Parse(m.Append(nil)) // a copy
	if err != nil {
		return err
	}
	ackID := 0
	switch m := m.(type) {
	case *serviceprotocol.Ping:
		c.pings <- m
		return nil
	case *serviceprotocol.JoinGroupWithAck:
		ackID = m.AckID
	case *serviceprotocol.LeaveGroupWithAck:
		ackID = m.AckID
	}
	if m, ok := m.(*serviceprotocol.ClientInvocation); ok && c.service.lonely {
		return c.link.Send(ctx, &serviceprotocol.ErrorCompletion{InvocationID: m.InvocationID, ConnectionID: m.ConnectionID,
			CallerServerID: m.CallerServerID, Error: "Connection '" + m.ConnectionID + "' does not exist."})
	}
	c.received <- m
	if ackID == 0 {
		return nil
	}
	c.service.mu.Lock()
	ack := c.service.ack(ackID)
	c.service.mu.Unlock()
	if ack == nil {
		return nil
	}
	return c.link.Send(ctx, ack)
}

func (c *fakeConn) send(t testing.TB, m serviceprotocol.Message) {
	t.Helper()
	if err := c.link.Send(context.Background(), m); err != nil {
		t.Fatal(err)
	}
}

// drop breaks the connection as a network does.
func (c *fakeConn) drop() { _ = c.stream.Abort() }

// next returns the next message that is not a ping.
func (c *fakeConn) next(t testing.TB) serviceprotocol.Message {
	t.Helper()
	return receive(t, c.received, "service message")
}

// want checks the next message.
func (c *fakeConn) want(t testing.TB, want serviceprotocol.Message) {
	t.Helper()
	got := c.next(t)
	if got.Type() != want.Type() || !bytes.Equal(got.Append(nil), want.Append(nil)) {
		t.Fatalf("got %v %+v\nwant %v %+v", got.Type(), got, want.Type(), want)
	}
}

// quiet checks that nothing more comes.
func (c *fakeConn) quiet(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case m := <-c.received:
		t.Fatalf("got %v %+v, want nothing", m.Type(), m)
	default:
	}
}

// A fakeClient is one client of the fake service.
type fakeClient struct {
	conn     *fakeConn
	id       string
	protocol hubprotocol.Protocol
	unread   []byte
}

// open opens a client connection and sends its handshake.
func (c *fakeConn) open(t testing.TB, m *serviceprotocol.OpenConnection) *fakeClient {
	t.Helper()
	p, _ := hubprotocol.ByName(cmp.Or(m.Protocol, "json"))
	client := &fakeClient{conn: c, id: m.ConnectionID, protocol: p}
	c.send(t, m)
	client.send(t, `{"protocol":"`+p.Name()+`","version":1}`)
	return client
}

// connect opens a client connection whose handshake is good.
func (c *fakeConn) connect(t testing.TB, id string) *fakeClient {
	t.Helper()
	client := c.open(t, &serviceprotocol.OpenConnection{ConnectionID: id})
	client.want(t, `{}`)
	return client
}

// send sends JSON messages without their separators.
func (c *fakeClient) send(t testing.TB, messages ...string) {
	t.Helper()
	c.sendBytes(t, []byte(strings.Join(messages, "\x1e")+"\x1e"))
}

func (c *fakeClient) sendBytes(t testing.TB, b []byte) {
	t.Helper()
	c.conn.send(t, &serviceprotocol.ConnectionData{ConnectionID: c.id, Payload: b})
}

// want checks the next message that this client alone gets.
func (c *fakeClient) want(t testing.TB, want string) {
	t.Helper()
	if len(c.unread) == 0 {
		switch m := c.conn.next(t).(type) {
		case *serviceprotocol.ConnectionData:
			if m.ConnectionID != c.id {
				t.Fatalf("data for %q, want it for %q", m.ConnectionID, c.id)
			}
			c.unread = m.Payload
		default:
			t.Fatalf("got %v %+v, want data %s", m.Type(), m, want)
		}
	}
	got, rest, _ := bytes.Cut(c.unread, []byte{hubprotocol.RecordSeparator})
	c.unread = rest
	if string(got) != want {
		t.Fatalf("client got  %s\nwant %s", got, want)
	}
}

// wantClose checks that the service is told to close the client.
func (c *fakeClient) wantClose(t testing.TB, reason string) {
	t.Helper()
	c.conn.want(t, &serviceprotocol.CloseConnection{ConnectionID: c.id, Error: reason})
}

func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

// none checks that nothing comes.
func none[T any](t *testing.T, from <-chan T, what string) {
	t.Helper()
	synctest.Wait()
	select {
	case v := <-from:
		t.Fatalf("%s: %v, want none", what, v)
	default:
	}
}

// A testApp is an app with one hub that runs against a fakeService.
type testApp struct {
	*appserver.App
	service *fakeService
	conn    *fakeConn // its server connection
	hub     *appserver.HubContext
	stop    context.CancelFunc
	stopped chan error // result of Run
	log     *logBuffer
}

// start runs an app whose hub has one server connection.
func start(t testing.TB, hub any, configure ...func(*appserver.HubConfig)) *testApp {
	t.Helper()
	return startWith(t, newFakeService(t), appserver.Config{ServerConnections: 1}, hub, configure...)
}

func startWith(t testing.TB, f *fakeService, config appserver.Config, hub any, configure ...func(*appserver.HubConfig)) *testApp {
	t.Helper()
	a := prepare(t, f, config, hub, configure...)
	a.run(t)
	a.conn = f.next(t)
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// prepare makes an app that does not run yet.
func prepare(t testing.TB, f *fakeService, config appserver.Config, hub any, configure ...func(*appserver.HubConfig)) *testApp {
	t.Helper()
	if config.Service == nil {
		config.ConnectionString, config.HTTPClient = f.ConnectionString(), f.client
	}
	a := prepareAt(t, config, hub, configure...)
	a.service = f
	return a
}

// prepareAt leaves it to config where the service is.
func prepareAt(t testing.TB, config appserver.Config, hub any, configure ...func(*appserver.HubConfig)) *testApp {
	t.Helper()
	a := &testApp{log: &logBuffer{}}
	config.Logger = slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if a.App, err = appserver.New(config); err != nil {
		t.Fatal(err)
	}
	if a.hub, err = a.MapHub("/chat", hub, configure...); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *testApp) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop, a.stopped = cancel, make(chan error, 1)
	go func() { a.stopped <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-a.stopped:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run did not return")
		}
	})
}

// negotiate sends a negotiate request to the app.
func (a *testApp) negotiate(url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest(http.MethodPost, url, nil))
	return w
}

// A logBuffer collects log lines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// bubble runs a test with a clock of its own. Every goroutine that the test
// started has to end with it.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func detailed(c *appserver.HubConfig) { c.EnableDetailedErrors = true }

var errPlain = errors.New("database is on fire")

// calling returns a call of the clients' method in every protocol.
func calling(target string, arguments ...any) (all serviceprotocol.Payloads) {
	for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
		m := &hubprotocol.Invocation{Target: target}
		for _, a := range arguments {
			m.Arguments = append(m.Arguments, value(p, a))
		}
		all = append(all, serviceprotocol.Payload{Protocol: p.Name(), Data: encode(p, m)})
	}
	return all
}

func value(p hubprotocol.Protocol, v any) []byte {
	b, err := p.AppendValue(nil, v)
	if err != nil {
		panic(err)
	}
	return b
}

func encode(p hubprotocol.Protocol, m hubprotocol.Message) []byte {
	b, err := p.Append(nil, m)
	if err != nil {
		panic(err)
	}
	return b
}
