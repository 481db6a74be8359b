// Package serverless stands in for the app server of clients that have none:
// all clients in serverless mode, and in classic mode those that found no app
// server when they came. It answers their handshake and keeps them alive, so
// that they receive what is sent to them; it has nobody to hand their calls to.
package serverless

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// Times of the keep-alive between service and client, and the bound of a hub
// message whose end has not come.
//
// Source: the hosted service's settings keepAliveIntervalInSeconds and
// connectionTimeoutInSeconds; "keep below 1 MB" of the serverless docs.
const (
	PingInterval  = 15 * time.Second
	ClientTimeout = 30 * time.Second
	maxMessage    = 1 << 20
)

// A Hub is what a Responder needs of its hub.
type Hub interface {
	// FromServer carries out a message as if an app server had sent it over s.
	FromServer(ctx context.Context, s pairing.Server, m serviceprotocol.Message) error
	// CloseClient ends a client connection.
	CloseClient(connectionID string, reason *pairing.Reason, detail string)
}

// A Responder is the stand-in for one hub. To the router it is a server
// connection like any other.
type Responder struct {
	hub Hub

	mu       sync.Mutex
	sessions map[string]*session // by connection id; guarded by mu
}

// A session is one client. It is used by the client's reader alone, save lastSeen.
type session struct {
	protocol hubprotocol.Protocol // nil for one that we do not know
	ready    bool                 // the handshake is answered
	partial  []byte               // of a hub message
	lastSeen time.Time            // guarded by the responder's mu
	lastPing time.Time            // guarded by the responder's mu
}

var _ pairing.Server = (*Responder)(nil)

// New returns the stand-in for hub.
func New(hub Hub) *Responder {
	return &Responder{hub: hub, sessions: map[string]*session{}}
}

// ID returns the id under which it appears.
func (r *Responder) ID() string { return "serverless" }

// ServerID returns the id under which it appears.
func (r *Responder) ServerID() string { return "serverless" }

// Send takes what a client does, as an app server would.
func (r *Responder) Send(_ context.Context, m serviceprotocol.Message) error { return r.Post(m) }

// Congested is never true: what clients send goes nowhere.
func (r *Responder) Congested(pairing.Resumer) bool { return false }

// Post takes what a client does.
func (r *Responder) Post(m serviceprotocol.Message) error {
	switch m := m.(type) {
	case *serviceprotocol.OpenConnection:
		r.open(m)
	case *serviceprotocol.ConnectionData:
		return r.receive(m)
	case *serviceprotocol.CloseConnection:
		r.forget(m.ConnectionID)
	}
	return nil
}

func (r *Responder) open(m *serviceprotocol.OpenConnection) {
	protocol, _ := hubprotocol.ByName(m.Protocol)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[strings.Clone(m.ConnectionID)] = &session{protocol: protocol, lastSeen: now, lastPing: now}
}

func (r *Responder) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, id)
}

// seen returns the session of a client that has just sent something.
func (r *Responder) seen(id string) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[id]
	if s != nil {
		s.lastSeen = time.Now()
	}
	return s
}

func (r *Responder) receive(m *serviceprotocol.ConnectionData) error {
	s := r.seen(m.ConnectionID)
	switch {
	case s == nil:
		return nil // closed a moment ago
	case s.ready:
		return r.read(s, m.ConnectionID, m.Payload)
	}
	// The first message is the handshake request, whole.
	s.ready = true
	var answer hubprotocol.HandshakeResponse
	if s.protocol == nil {
		answer.Error = "The protocol is not supported: in serverless mode, json and messagepack are."
	}
	err := r.hub.FromServer(context.Background(), r, &serviceprotocol.ConnectionData{ConnectionID: m.ConnectionID, Payload: answer.Append(nil)})
	if err == nil && s.protocol == nil {
		err = r.close(m.ConnectionID, pairing.HandshakeError, answer.Error)
	}
	return err
}

// read looks for what a client may not do here, and for its goodbye.
func (r *Responder) read(s *session, id string, payload []byte) error {
	b := append(s.partial, payload...)
	for {
		message, rest, err := s.protocol.Split(b, maxMessage)
		if _, ok := errors.AsType[*hubprotocol.MessageSizeError](err); ok {
			return r.close(id, pairing.MessageTooLarge, err.Error())
		}
		if err != nil {
			return r.close(id, pairing.BadMessage, err.Error())
		}
		if message == nil {
			s.partial = append(s.partial[:0], b...)
			return nil
		}
		m, err := s.protocol.Parse(message)
		if err != nil {
			return r.close(id, pairing.BadMessage, err.Error())
		}
		switch m.(type) {
		case *hubprotocol.Close:
			return r.close(id, pairing.ClosedByClient, "")
		case *hubprotocol.Invocation, *hubprotocol.StreamInvocation:
			return r.close(id, pairing.NoServer, "")
		}
		b = rest
	}
}

func (r *Responder) close(id string, reason *pairing.Reason, detail string) error {
	r.forget(id)
	r.hub.CloseClient(id, reason, detail)
	return nil
}
