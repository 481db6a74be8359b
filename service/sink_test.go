package service_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/mux"
	"switchboard/internal/servicetest"
	"switchboard/serviceprotocol"
)

// derror lets a client see details.
var derror = accesstoken.Claim{Type: "asrs.s.derror", Value: "True"}

// A sink is an app server that accepts every client and counts the bytes that come.
type sink struct {
	t     *testing.T
	conn  *mux.Conn
	count atomic.Int64
	grown chan struct{} // capacity 1: count has grown
}

func newSink(t *testing.T, svc *servicetest.Service) *sink {
	s := &sink{t: t, grown: make(chan struct{}, 1)}
	s.conn = mux.New(mux.WebSocket(dialServer(t, svc)), mux.Options{})
	if err := s.conn.Handshake(t.Context(), &serviceprotocol.HandshakeRequest{Version: 1}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.conn.Serve(ctx, s.take)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *sink) take(ctx context.Context, m serviceprotocol.Message) error {
	switch data := m.(type) {
	case *serviceprotocol.OpenConnection:
		return s.conn.Send(ctx, &serviceprotocol.ConnectionData{ConnectionID: data.ConnectionID, Payload: []byte("{}\x1e")})
	case *serviceprotocol.ConnectionData:
		s.count.Add(int64(len(data.Payload)))
		select {
		case s.grown <- struct{}{}:
		default:
		}
	}
	return nil
}

// wait returns when at least n bytes have come.
func (s *sink) wait(n int64) {
	s.t.Helper()
	limit := time.After(time.Minute)
	for s.count.Load() < n {
		select {
		case <-s.grown:
		case <-limit:
			s.t.Fatalf("app server got %d bytes, want %d", s.count.Load(), n)
		}
	}
}
