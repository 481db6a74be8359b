package appserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

const (
	// userAgent names the SDK to the service.
	userAgent = "Switchboard.AppServer/0.1"

	// dialTimeout bounds an attempt to connect, handshake included.
	//
	// Source: azure-signalr ServiceConnectionBase.cs, DefaultHandshakeTimeout.
	dialTimeout = 15 * time.Second
)

// resumePatience is how long a server connection may be without a WebSocket. The service
// has its own, and tells when it is over.
const resumePatience = 3 * time.Second

// A serverConn is one connection to the service.
type serverConn struct {
	line    *line
	at      *HubEndpoint
	link    *mux.Conn
	stream  *mux.Resumable // below link; nil if the service cannot resume the connection
	acks    acks
	clients atomic.Int64 // clients that it carries, up to their last message
	refused atomic.Bool  // the service has reported an error; it takes nothing more

	finished chan struct{} // closed when the service has answered a goodbye
	once     sync.Once     // for finished
	ended    chan struct{} // closed when the connection has ended
}

// dial opens a server connection. target is the service instance that asked for one
// on demand, else empty.
func (e *HubEndpoint) dial(ctx context.Context, kind serviceprotocol.ConnectionType, target string) (*serverConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	l := e.line
	address := l.serverURL(e.endpoint.address.Load(), newConnectionID())
	if target != "" {
		address += "&target=" + url.QueryEscape(target)
	}
	socket, response, err := e.upgrade(ctx, address, serviceprotocol.ResumeNew)
	if err != nil {
		return nil, err
	}
	s := &serverConn{line: l, at: e, finished: make(chan struct{}), ended: make(chan struct{})}
	stream := mux.WebSocket(socket)
	if response.Header.Get(serviceprotocol.HeaderResume) != "" {
		s.stream = mux.NewResumable(socket, resumePatience, func(ctx context.Context, received int64) (*websocket.Conn, int64, error) {
			return e.resume(ctx, address, received)
		})
		stream = s.stream
	}
	s.link = mux.New(stream, mux.Options{
		Ping:      s.keepAlivePing,
		Malformed: func(err error) { e.log.Warn("service message skipped", "error", err) },
	})
	request := &serviceprotocol.HandshakeRequest{Version: serviceprotocol.Version, ConnectionType: kind}
	if l.app.config.Shutdown == MigrateClients && !l.aspNet {
		request.MigrationLevel = serviceprotocol.MigrationShutdownOnly
	}
	if l.resumes {
		request.AllowStatefulReconnects = new(true)
	}
	if err := s.link.Handshake(ctx, request); err != nil {
		_ = stream.Abort()
		return nil, err
	}
	return s, nil
}

// upgrade opens a WebSocket for a server connection. resume is what HeaderResume shall say.
func (e *HubEndpoint) upgrade(ctx context.Context, address, resume string) (*websocket.Conn, *http.Response, error) {
	header, err := e.line.serverHeader(e.endpoint.address.Load())
	if err != nil {
		return nil, nil, err
	}
	if e.endpoint.embedded == nil { // else nothing breaks off
		header.Set(serviceprotocol.HeaderResume, resume)
	}
	return websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: e.endpoint.client, HTTPHeader: header})
}

// resume opens another WebSocket for a server connection that has lost its own.
func (e *HubEndpoint) resume(ctx context.Context, address string, received int64) (*websocket.Conn, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	socket, response, err := e.upgrade(ctx, address, strconv.FormatInt(received, 10))
	switch {
	case err != nil && response != nil && response.StatusCode < http.StatusInternalServerError:
		return nil, 0, fmt.Errorf("%w: %w", mux.ErrNotResumed, err)
	case err != nil:
		return nil, 0, err
	}
	peer, err := strconv.ParseInt(response.Header.Get(serviceprotocol.HeaderResume), 10, 64)
	if err != nil { // a service that takes it for a new connection
		_ = socket.CloseNow()
		return nil, 0, mux.ErrNotResumed
	}
	e.log.Info("server connection resumed")
	return socket, peer, nil
}

// serverHeader is that of the WebSocket request.
//
// Source: azure-signalr ConnectionFactory.cs, ServiceConnection.cs.
func (l *line) serverHeader(service *accesstoken.Endpoint) (http.Header, error) {
	a := l.app
	audience := service.ServerAudience(l.name)
	if l.aspNet {
		audience = service.AspNetServerAudience(l.name)
	}
	now := time.Now()
	token, err := accesstoken.Sign(service.AccessKey, a.config.TokenAlgorithm, accesstoken.Token{
		Audience:  audience,
		IssuedAt:  now,
		NotBefore: now,
		Expires:   now.Add(a.config.TokenLifetime),
		Claims:    []Claim{{Type: accesstoken.ClaimNameID, Value: a.config.ServerID}},
	})
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	header.Set("Authorization", "Bearer "+token)
	header.Set("Asrs-User-Agent", userAgent)
	header.Set("X-Asrs-Server-Id", a.config.ServerID)
	header.Set(serviceprotocol.HeaderHandOver, "true")
	header.Set("X-Requested-With", "XMLHttpRequest")
	return header, nil
}

// newConnectionID returns a random GUID in the usual form.
func newConnectionID() string {
	b := randomBytes()
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomBytes() (b [16]byte) {
	_, _ = rand.Read(b[:]) // never fails
	return b
}

// serve runs the connection until ctx is done or it fails. Its clients end with it.
func (s *serverConn) serve(ctx context.Context) error {
	s.at.attach(s)
	defer close(s.ended)
	if fin, ok := s.at.goodbye.Load().(string); ok { // it has come too late
		_ = s.trySend(&serviceprotocol.Ping{Messages: []string{serviceprotocol.PingShutdown, fin}})
	}
	err := s.link.Serve(ctx, s.handle)
	s.at.detach(s)
	s.endAcks()
	s.line.takes.ended(s, fmt.Errorf("%w: %w", ErrServerConnectionLost, err))
	return err
}

// writable tells whether something can be sent.
func (s *serverConn) writable() bool { return !s.refused.Load() }

// online tells whether it can be sent at once.
func (s *serverConn) online() bool { return s.writable() && (s.stream == nil || s.stream.Attached()) }

// handle takes one message of the service. It never waits, so that a client
// whose hub is slow holds up nobody else.
func (s *serverConn) handle(_ context.Context, m serviceprotocol.Message) error {
	switch m := m.(type) {
	case *serviceprotocol.Ping:
		s.handlePing(m)
	case *serviceprotocol.Ack:
		s.settle(m)
	case *serviceprotocol.ServiceError:
		s.handleError(m)
	case *serviceprotocol.ServiceEvent:
		s.at.noteEvent(m)
	default:
		s.line.takes.receive(s, m)
	}
	return nil
}

// handleError does as the .NET SDK: the connection is read on, but nothing is
// sent over it, until the service closes it.
//
// Source: azure-signalr ServiceConnectionBase.cs, OnServiceErrorAsync.
func (s *serverConn) handleError(m *serviceprotocol.ServiceError) {
	if m.Error == "" {
		return
	}
	s.refused.Store(true)
	s.at.log.Error("service error", "error", strings.Clone(m.Error))
}

// handlePing looks at the notices in a ping; a client count and the like tell how
// busy the service is.
//
// Source: azure-signalr ServiceConnectionBase.cs, OnPingMessageAsync.
func (s *serverConn) handlePing(m *serviceprotocol.Ping) {
	if _, ok := m.Get(serviceprotocol.PingEcho); ok {
		_ = s.trySend(m) // a probe that finds the queue full is answered by silence
		return
	}
	if node, ok := m.Get(serviceprotocol.PingOffline); ok {
		s.line.takes.offline(s, node)
		return
	}
	if answer, _ := m.Get(serviceprotocol.PingShutdown); answer == "finack" {
		s.once.Do(func() { close(s.finished) })
		return
	}
	if target, ok := m.Get(serviceprotocol.PingTarget); ok && target != "" && s.at.endpoint.kind == Primary {
		s.at.wanted(target)
	}
	if list, ok := m.Get(serviceprotocol.PingServers); ok {
		s.at.noteServers(list)
	}
	s.at.load.note(m)
}

// keepAlivePing tells the service how many clients there are.
func (s *serverConn) keepAlivePing() *serviceprotocol.Ping {
	return &serviceprotocol.Ping{Messages: []string{
		serviceprotocol.PingClientsInHub, strconv.FormatInt(s.line.app.clients.n.Load(), 10),
		serviceprotocol.PingClients, strconv.FormatInt(s.clients.Load(), 10),
	}}
}

// trySend sends unless the queue is full.
func (s *serverConn) trySend(m serviceprotocol.Message) error { return s.link.Send(done, m) }

// done is a context that ends any waiting at once.
var done = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// A sender sends a message over a server connection, and waits for room until ctx is done.
type sender func(ctx context.Context, over *serverConn) error

// send has the message sent over a server connection that works: via if it does, else the
// one that key stands for, else any. One key means one connection while all
// work, so that what is sent to one audience arrives in order, and many audiences
// share the load.
func (e *HubEndpoint) send(ctx context.Context, via *serverConn, key string, send sender) error {
	if via != nil && via.at == e && via.writable() {
		if err := send(ctx, via); !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	servers := e.connected()
	first := int(maphash.String(keySeed, key) >> 33)
	for i := range servers {
		s := servers[(first+i)%len(servers)]
		if !s.writable() {
			continue
		}
		if err := send(ctx, s); !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return ErrNotConnected
}

var keySeed = maphash.MakeSeed()
