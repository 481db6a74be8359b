package mux_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchboard/internal/memnet"
	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("the line is broken")

// A stream is memory below a Conn. It remembers what was asked of it, and its
// writes can be held up or made to fail.
type stream struct {
	net.Conn
	gate chan struct{} // if not nil, each Write takes one value first

	mu      sync.Mutex
	writes  [][]byte
	times   []time.Time
	fails   bool // Write fails
	closed  bool // in good order
	aborted bool
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.writes, s.times = append(s.writes, bytes.Clone(p)), append(s.times, time.Now())
	fails := s.fails
	s.mu.Unlock()
	if s.gate != nil {
		<-s.gate
	}
	if fails {
		return 0, errBroken
	}
	return s.Conn.Write(p)
}

func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.Conn.Close()
}

func (s *stream) Abort() error {
	s.mu.Lock()
	s.aborted = true
	s.mu.Unlock()
	return s.Conn.Close()
}

// end tells how the stream was ended.
func (s *stream) end() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.aborted:
		return "abort"
	case s.closed:
		return "close"
	}
	return "open"
}

func (s *stream) written() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// pair returns the two ends of a connection in memory.
func pair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l := memnet.Listen()
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	dialled, err := l.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	peer := <-accepted
	t.Cleanup(func() {
		dialled.Close()
		peer.Close()
	})
	return dialled, peer
}

// link returns a Conn, the stream below it, and the peer's end of that.
func link(t testing.TB, o mux.Options) (*mux.Conn, *stream, net.Conn) {
	t.Helper()
	below, peer := pair(t)
	s := &stream{Conn: below}
	return mux.New(s, o), s, peer
}

// A direct stream only counts its writes.
type direct struct {
	net.Conn
	writes int // owned by the writer
}

func (d *direct) Write(p []byte) (int, error) { d.writes++; return d.Conn.Write(p) }
func (d *direct) Abort() error                { return d.Close() }

// ends returns two Conns that are connected to each other, and the stream
// below the first.
func ends(t testing.TB, o mux.Options) (service, appServer *mux.Conn, below *direct) {
	t.Helper()
	a, b := pair(t)
	below = &direct{Conn: a}
	return mux.New(below, o), mux.New(&direct{Conn: b}, o), below
}

type handler = func(context.Context, serviceprotocol.Message) error

func ignore(context.Context, serviceprotocol.Message) error { return nil }

// serve runs c; the result is what Serve returned.
func serve(ctx context.Context, c *mux.Conn, handle handler) <-chan error {
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, handle) }()
	return served
}

// A collector keeps the messages that it handles, as bytes.
type collector struct {
	mu     sync.Mutex
	bodies []string
}

func (c *collector) handle(_ context.Context, m serviceprotocol.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies = append(c.bodies, string(m.Append(nil)))
	return nil
}

func (c *collector) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bodies
}

func bodies(messages ...serviceprotocol.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, string(m.Append(nil)))
	}
	return all
}

func frames(messages ...serviceprotocol.Message) []byte {
	var b []byte
	for _, m := range messages {
		b = serviceprotocol.AppendFrame(b, m)
	}
	return b
}

// data is a message with a payload of this size.
func data(size int) *serviceprotocol.ConnectionData {
	return &serviceprotocol.ConnectionData{ConnectionID: "c", Payload: bytes.Repeat([]byte{'x'}, size)}
}
